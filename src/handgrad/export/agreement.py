"""Whether an exported file says what the model says, on the user's own images."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handgrad.arrays import Array
from handgrad.datasets import decode_many
from handgrad.errors import DataError
from handgrad.export.onnx_reading import Evaluator, OnnxFile, read_onnx, runner
from handgrad.networks import Model, Prediction

__all__ = ["Flip", "Parity", "parity"]

IN_GRAPH = {"scale", "mean", "deviation", "transposed"}
"""What of a preparation a graph does by itself, so that a difference is seen in its answers."""


@dataclass(frozen=True)
class Flip:
    """An image that the two call by different names.

    Parameters
    ----------
    index : its place among the files that were named, from 0
    file : as it was given
    model, onnx : what each says of it
    """

    index: int
    file: str
    model: Prediction
    onnx: Prediction


@dataclass(frozen=True)
class Parity:
    """How near an ONNX file is to its model.

    Parameters
    ----------
    n : images that were compared
    largest_difference : of any two probabilities; infinite where one of them is no number
    flips : images with another label
    failures : images that cannot be read, which were left out
    evaluator : what ran the file, and its version
    """

    n: int
    largest_difference: float
    flips: tuple[Flip, ...]
    failures: tuple[DataError, ...]
    evaluator: str

    def within(self, tolerance: float) -> bool:
        """Whether no probability differs by more, and no label at all."""
        return not self.flips and self.largest_difference <= tolerance


def parity(
    model: Model,
    onnx_path: str | os.PathLike[str],
    images: Iterable[str | os.PathLike[str]],
    *,
    evaluator: Evaluator | None = None,
    at_once: int = 256,
    each: Callable[[int, int], None] | None = None,
) -> Parity:
    """Ask a model and its ONNX file about the same images.

    Every image is decoded and resized once, as the model says; what follows each side does by
    itself: the model as it always does, the file by its graph.

    Parameters
    ----------
    onnx_path : what `save_onnx` wrote
    images : files
    evaluator : "onnxruntime", "onnx reference", or None for the first of them that is there
    at_once : images in memory together
    each : told after each file how many are done, of how many

    Raises
    ------
    DataError : an ONNX file that is damaged, not of handgrad, or of another model: of another
        image size, of other classes, of images that are prepared otherwise
    HandgradError : the package onnx is not there
    """
    file = read_onnx(onnx_path)
    _check(file, model)
    name, answers = runner(file, evaluator)
    paths = [Path(path) for path in images]
    n, largest = 0, 0.0
    flips: list[Flip] = []
    failures: list[DataError] = []
    for start in range(0, len(paths), at_once):
        batch = paths[start : start + at_once]
        tell = None if each is None else _counted(each, start, len(paths))
        pixels, faults = decode_many(batch, model.preparation, each=tell)
        failures += faults
        n += len(pixels)
        if not len(pixels):
            continue
        unread = {fault.path for fault in faults}
        read = [start + i for i, path in enumerate(batch) if os.fspath(path) not in unread]
        outputs = model.outputs(pixels)
        ours, labels = model.loss.probabilities(outputs), model.loss.decide(outputs)
        theirs, others = answers(pixels)
        apart = float(np.abs(ours - theirs.astype(np.float64)).max())
        largest = max(largest, apart) if math.isfinite(apart) else math.inf
        for i in np.flatnonzero(labels != others):
            place = read[i]
            both = ((int(labels[i]), ours[i]), (int(others[i]), theirs[i]))
            told = [_said(model, paths[place], label, row) for label, row in both]
            flips.append(Flip(place, os.fspath(paths[place]), *told))
    return Parity(n, largest, tuple(flips), tuple(failures), name)


def _check(file: OnnxFile, model: Model) -> None:
    """Refuse what cannot be compared, or would be compared on images that suit one of them only."""
    wanted = model.preparation
    if file.shape != wanted.shape:
        found, expected = ("x".join(map(str, shape)) for shape in (file.shape, wanted.shape))
        raise DataError(file.path, f"a graph for images of {found}", f"{expected}, as the model's")
    if file.class_names != model.class_names:
        found, expected = (", ".join(names) for names in (file.class_names, model.class_names))
        raise DataError(file.path, f"the classes {found}", f"{expected}, as the model's")
    for key in (field.name for field in dataclasses.fields(wanted)):
        theirs, ours = getattr(file.preparation, key), getattr(wanted, key)
        if key not in IN_GRAPH and theirs != ours:
            found = f"a graph for images decoded with {key} = {theirs!r}"
            raise DataError(file.path, found, f"{ours!r}, as the model's")


def _said(model: Model, path: Path, label: int, row: Array) -> Prediction:
    probabilities = {name: float(p) for name, p in zip(model.class_names, row, strict=True)}
    best = model.class_names[label]
    return Prediction(os.fspath(path), best, probabilities[best], probabilities)


def _counted(
    each: Callable[[int, int], None], begun: int, total: int
) -> Callable[[int, int], None]:
    """The count within one batch, as a count within all."""
    return lambda done, _: each(begun + done, total)
