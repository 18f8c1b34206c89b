"""A model: a network, and all that it needs to be asked about a photograph."""

from __future__ import annotations

import contextvars
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from handgrad.arrays import Array
from handgrad.datasets import Preparation, decode_many, numbers
from handgrad.errors import HandgradError, ImageError, nearest
from handgrad.losses import Loss
from handgrad.networks.network import Network
from handgrad.networks.views import VIEWS, Views, weighted_views

__all__ = ["Model", "Prediction"]


@dataclass(frozen=True)
class Prediction:
    """What a model says of one file, or why it cannot.

    Parameters
    ----------
    file : as it was given
    label, probability : the likeliest class; None where there is an error
    probabilities : of every class, by name
    error : why the file could not be read
    """

    file: str
    label: str | None = None
    probability: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, eq=False)
class Model:
    """A network with its preprocessing, its class names and the meaning of its outputs.

    Parameters
    ----------
    network : with or without layers that only serve training
    preparation : how a file becomes numbers: the one place where that is said
    class_names : (K,)
    loss : says how outputs become probabilities
    about : how it came to be, as plain data: recipe, test figures, versions
    views : which views of an image every answer is the mean of: see `weighted_views`
    """

    network: Network
    preparation: Preparation
    class_names: tuple[str, ...]
    loss: Loss
    about: dict[str, Any] = field(default_factory=dict)
    views: Views = "none"

    def __post_init__(self) -> None:
        found, classes = self.network.shapes[-1], len(self.class_names)
        if len(set(self.class_names)) < classes:
            raise HandgradError(f"found a class name twice: {', '.join(self.class_names)}")
        if found != (self.loss.outputs(classes),):
            raise HandgradError(
                f"the network's outputs have shape {found}; {classes} classes and "
                f"{self.loss.name!r} expect ({self.loss.outputs(classes)},)"
            )
        weights = len(self.loss.known_weights)
        if weights not in (0, classes):
            raise HandgradError(
                f"found {weights} class weights; expected {classes}, in the order of "
                f"{', '.join(self.class_names)}"
            )
        told = self.loss.probabilities(np.zeros((1, *found))).shape[1]
        if told != classes:
            raise HandgradError(
                f"{self.loss.name!r} tells two classes apart; found {classes}, for which "
                "'softmax cross-entropy' is meant"
            )
        wanted = self.preparation.shape
        if self.network.shapes[0] != wanted:
            raise HandgradError(
                f"the network takes images of shape {self.network.shapes[0]}, "
                f"but they are prepared as {wanted}"
            )
        if self.views not in VIEWS:
            raise HandgradError(f"views = {self.views!r} is unknown{nearest(self.views, VIEWS)}")
        if self.views == "mirror-shift" and min(wanted[:2]) < 2:
            raise HandgradError(
                f"views = 'mirror-shift': found images of {wanted[0]}x{wanted[1]}; expected at "
                "least 2x2, since a shifted image is reflected at its border"
            )

    def probabilities(self, images: Array) -> Array:
        """(N, K) probabilities for (N, H, W, C) images, uint8 or in 0..1, of the model's size."""
        return self.loss.probabilities(self.outputs(images))

    def labels(self, images: Array) -> Array:
        """(N,) labels for (N, H, W, C) images: the likeliest class of each."""
        return self.loss.decide(self.outputs(images))

    def outputs(self, images: Array) -> Array:
        """What the network says of (N, H, W, C) images, uint8 or in 0..1, of the model's size.

        The weighted mean over the model's views of each image.
        """
        if images.shape[1:] != self.preparation.shape:
            raise HandgradError(
                f"found images of shape {images.shape[1:]}; "
                f"this model expects {self.preparation.shape}"
            )
        dtype = self.network.dtype
        if self.views == "none":
            return self.network.outputs(numbers(images, self.preparation, dtype))
        # The images are mirrored, not their numbers, which may stand column by column.
        parts = (
            weight * self.network.outputs(numbers(view, self.preparation, dtype))
            for weight, view in weighted_views(images, self.views)
        )
        return functools.reduce(np.add, parts)

    def predict(
        self,
        files: Iterable[str | os.PathLike[str]],
        *,
        at_once: int = 128,
        each: Callable[[int, int], None] | None = None,
    ) -> list[Prediction]:
        """Say what is on each image file; a file that cannot be read gets its error instead.

        Parameters
        ----------
        files : paths of images, of any size
        at_once : how many go through the network together
        each : told after each file how many are done, of how many, for a bar
        """
        paths = list(files)
        found = []
        for prediction in self.predictions(paths, at_once=at_once):
            found.append(prediction)
            if each is not None:
                each(len(found), len(paths))
        return found

    def predictions(
        self, files: Iterable[str | os.PathLike[str]], *, at_once: int = 128
    ) -> Iterator[Prediction]:
        """`predict`, one after another: for more files than anybody wants to hold the answers of.

        While the network computes a batch, the next one is decoded; two are in memory, whatever the
        number of files.
        """
        paths = iter(files)
        with ThreadPoolExecutor(1) as beside:
            before: tuple[list[str], list[ImageError], Future[tuple[Array, Array]]] | None = None
            while batch := [os.fspath(path) for path in itertools.islice(paths, at_once)]:
                # Decoded in this thread, which alone may change what Python does with warnings.
                images, faults = decode_many(batch, self.preparation)
                asked = contextvars.copy_context()  # numpy's error state is of a thread
                now = beside.submit(asked.run, self._answers, images)
                if before is not None:
                    yield from self._told(*before)
                before = batch, faults, now
            if before is not None:
                yield from self._told(*before)

    def _answers(self, images: Array) -> tuple[Array, Array]:
        """(N,) labels and (N, K) probabilities."""
        if not len(images):
            return np.zeros(0, np.int64), np.zeros((0, len(self.class_names)))
        outputs = self.outputs(images)
        return self.loss.decide(outputs), self.loss.probabilities(outputs)

    def _told(
        self, batch: list[str], faults: list[ImageError], answers: Future[tuple[Array, Array]]
    ) -> Iterator[Prediction]:
        """The predictions of one batch, in the order of its files."""
        bad = faults[::-1]
        rows = zip(*answers.result(), strict=True)
        for file in batch:
            if bad and bad[-1].path == os.fspath(Path(file)):
                yield Prediction(file, error=str(bad.pop()))
            else:
                label, row = next(rows)
                best = self.class_names[int(label)]
                probabilities = dict(zip(self.class_names, row.tolist(), strict=True))
                yield Prediction(file, best, probabilities[best], probabilities)

    def __repr__(self) -> str:
        return f"Model({self.network!r}, classes: {', '.join(self.class_names)})"

    def _repr_html_(self) -> str:
        """What it is, in a table, which a notebook asks for under this name."""
        from handgrad.networks.table import model_html

        return model_html(self)
