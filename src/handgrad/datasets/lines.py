"""3x3 pictures of one line: the smallest images that a network can be taught.

The published 24 images, the two published validation sets, and as many random ones as wanted.

The pictures stand as the origin draws them, where class 0 is a vertical and class 1 a horizontal
line. A row of its files holds a picture column by column (it is drawn as ``reshape(3, 3).T``), so a
network that is to meet the published numbers is fed the columns: ``Preparation.transposed``.

Source: dmattek/tutorial-classify-nano, its files in ``data`` and its text.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.datasets.dataset import Dataset, Splits
from handgrad.errors import DataError

__all__ = ["CLASSES", "VALIDATION", "published_lines", "random_lines", "read_csv", "read_lines"]

CLASSES = ("vertical", "horizontal")
VALIDATION = ("lines_3x3_valid_1.csv", "lines_3x3_valid_2.csv")

FULL = (1.0, 1.0, 1.0)
FAINT_0 = ((1.0, 0.9, 1.0), (0.8, 0.9, 0.7), (0.95, 0.85, 0.9))
FAINT_1 = (
    ((0.95, 0.8, 0.9), (0.85, 0.9, 0.95), (0.9, 0.85, 0.8)),
    ((0.9, 0.95, 0.85), (0.9, 0.8, 0.9), (0.8, 0.85, 0.9)),
    ((0.8, 0.85, 0.9), (0.8, 0.95, 0.9), (0.85, 0.9, 0.8)),
)


def published_lines() -> Dataset:
    """The 24 training images: 12 of each class, (24, 3, 3, 1) float64.

    Per class three full lines in position 1, 2, 3; then class 0 goes through its three faint
    lines position by position, class 1 through the positions again and again.
    """
    full = [(k, FULL) for k in range(3)]
    faint_0 = [(k, line) for k in range(3) for line in FAINT_0]
    faint_1 = [(k, FAINT_1[k][turn]) for turn in range(3) for k in range(3)]
    drawn = [(0, k, line) for k, line in full + faint_0] + [
        (1, k, line) for k, line in full + faint_1
    ]
    return _dataset(drawn, "lines")


def random_lines(count: int, generator: np.random.Generator) -> Dataset:
    """Draw images of one line each, of pixels between 0.7 and 1 (as published) on black.

    Parameters
    ----------
    count : how many
    generator : of class, position and the three pixels

    Returns
    -------
    (count, 3, 3, 1) float64
    """
    labels = generator.integers(2, size=count)
    positions = generator.integers(3, size=count)
    lines = generator.uniform(0.7, 1.0, size=(count, 3))
    return _dataset(list(zip(labels, positions, lines, strict=True)), "lines")


def read_lines(folder: Path | None) -> Splits:
    """The published images, tested on validation set 1; validation set 2 is among the others.

    The training images need no file. The validation sets are read from the folder; without it
    they are generated to the published description (set 1: lines of 1 with one pixel at 0.4; set
    2: the training images plus noise N(0, 0.2), clipped to 0..1), and the note says so.
    """
    train = published_lines()
    if folder is not None:
        first, second = (read_csv(folder / name) for name in VALIDATION)
        return Splits(train, first, {"validation 2": second})
    note = (
        "the validation sets were generated to the published description, as their files are not "
        "on this machine (lines/ in HANDGRAD_DATA)"
    )
    return Splits(train, _dimmed_lines(), {"validation 2": _noisy_lines(train)}, note)


def read_csv(path: Path) -> Dataset:
    """Read a file of nine pixels and a class a row, under a header.

    Raises
    ------
    DataError : no header, a row of another length, a value that is no number, NaN, out of range
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(path, f"a file that cannot be read ({error})", "a CSV file") from None
    if not rows or rows[0][-1] != "class":
        found = f"a first row {','.join(rows[0])[:60]!r}" if rows else "an empty file"
        raise DataError(path, found, "a header whose last column is 'class'")
    if len(rows) == 1:
        raise DataError(path, "no images", "a row of ten numbers for each")
    pixels, labels = np.empty((len(rows) - 1, 9)), np.empty(len(rows) - 1, dtype=np.int64)
    for place, row in enumerate(rows[1:]):
        try:
            values = [float(value) for value in row]
        except ValueError:
            values = []
        if len(values) != 10 or values[9] not in (0, 1):
            found = f"{','.join(row)[:60]!r} in row {place + 2}"
            raise DataError(path, found, "nine pixels and a class (0 or 1)")
        pixels[place], labels[place] = values[:9], int(values[9])
    images = pixels.reshape(-1, 3, 3, 1).swapaxes(1, 2)
    return Dataset(np.ascontiguousarray(images), labels, CLASSES, name=str(path))


def _dimmed_lines() -> Dataset:
    """Validation set 1: 18 full lines with one pixel at 0.4.

    The published file has one of its pixels beside the line (its fifteenth image); here
    all are on the line, as its description says.
    """
    dimmed = ((1.0, 1.0, 0.4), (0.4, 1.0, 1.0), (1.0, 0.4, 1.0))
    drawn = [(label, k, line) for label in range(2) for k in range(3) for line in dimmed]
    return _dataset(drawn, "lines, validation 1")


def _noisy_lines(train: Dataset) -> Dataset:
    """Validation set 2: the training images with noise, the same on every machine and seed."""
    noise = np.random.default_rng(2).normal(0, 0.2, size=train.images.shape)
    images = np.clip(train.images + noise, 0, 1)
    return Dataset(images, train.labels, CLASSES, name="lines, validation 2")


def _dataset(drawn: Sequence[tuple[int, int, Any]], name: str) -> Dataset:
    images: NDArray[np.float64] = np.zeros((len(drawn), 3, 3, 1))
    for image, (label, position, line) in zip(images, drawn, strict=True):
        if label == 0:
            image[:, position, 0] = line
        else:
            image[position, :, 0] = line
    return Dataset(images, np.array([label for label, _, _ in drawn]), CLASSES, name=name)
