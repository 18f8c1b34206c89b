"""Images with their labels, and how a set of them is divided."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.datasets.on_disk import OnDisk, pieces
from handgrad.datasets.preparation import Preparation
from handgrad.errors import DataError

__all__ = ["Dataset", "Progress", "Splits", "part", "pooled", "redrawn"]

Progress = Callable[[str, int, int], None]
"""Called with a stage ("decoding", or a file's name), how much of it is done, and of how much."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with one label each.

    Parameters
    ----------
    images : (N, H, W, C) uint8 in 0..255, or float in 0..1; an array, or `OnDisk`
    labels : (N,) integers in 0..K-1
    class_names : the K names
    file_names : N names relative to the source, with forward slashes, where it has files
    name : what a sentence about an error calls this set: a file, a folder or a source
    groups : (N,) integers, equal for images that are copies of each other, where that is known;
        a division never parts them

    Raises
    ------
    DataError : counts that disagree, a label out of range, NaN or infinity, another shape or dtype

    >>> Dataset(np.zeros((2, 8, 8, 1)), np.array([0, 2]), ("a", "b"), name="my.h5")
    Traceback (most recent call last):
    handgrad.errors.DataError: my.h5: found label 2 at image 1; expected labels in 0..1 (2 classes)
    """

    images: NDArray[Any]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    file_names: tuple[str, ...] | None = None
    name: str = "the data set"
    groups: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        self._check_images()
        self._check_labels()
        object.__setattr__(self, "labels", np.asarray(self.labels, dtype=np.int64))

    def _check_images(self) -> None:
        images: Any = self.images
        if images.ndim != 4 or 0 in images.shape:
            expected = "(images, height, width, channels), none of them 0"
            raise DataError(self.name, f"images of shape {images.shape}", expected)
        if images.dtype == np.uint8:
            return
        if images.dtype not in (np.float32, np.float64):
            raise DataError(self.name, f"images of dtype {images.dtype}", "uint8 or float")
        on_disk = isinstance(images, OnDisk)
        low, high = images.extremes() if on_disk else (images.min(), images.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            bad = [~np.isfinite(images[piece]).all(axis=(1, 2, 3)) for piece in pieces(images)]
            first = int(np.argmax(np.concatenate(bad)))
            raise DataError(self.name, f"NaN or infinity in image {first}", "finite numbers")
        if low < 0 or high > 1:
            found = f"floats from {low:g} to {high:g}"
            raise DataError(self.name, found, "floats in 0..1, or uint8 in 0..255")

    def _check_labels(self) -> None:
        labels, count, classes = self.labels, len(self.images), len(self.class_names)
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            found = f"labels of shape {labels.shape} and dtype {labels.dtype}"
            raise DataError(self.name, found, "one integer an image")
        if len(labels) != count:
            found = f"{count:,} images and {len(labels):,} labels"
            raise DataError(self.name, found, "as many labels as images")
        if self.file_names is not None and len(self.file_names) != count:
            found = f"{count:,} images and {len(self.file_names):,} file names"
            raise DataError(self.name, found, "as many file names as images")
        if self.groups is not None and self.groups.shape != (count,):
            found = f"{count:,} images and groups of shape {self.groups.shape}"
            raise DataError(self.name, found, "one group an image")
        wrong = np.flatnonzero((labels < 0) | (labels >= classes))
        if wrong.size:
            found = f"label {labels[wrong[0]]} at image {wrong[0]}"
            raise DataError(self.name, found, f"labels in 0..{classes - 1} ({classes} classes)")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Dataset:
        """Return the images at these places, in this order (or where a mask is true)."""
        chosen = np.asarray(indices)
        if chosen.dtype == np.bool_:
            chosen = np.flatnonzero(chosen)
        names = self.file_names
        images: Any = self.images
        chosen_images: Any = images.rows(chosen) if isinstance(images, OnDisk) else images[chosen]
        return replace(
            self,
            images=chosen_images,
            labels=self.labels[chosen],
            file_names=None if names is None else tuple(names[i] for i in chosen),
            groups=None if self.groups is None else self.groups[chosen],
        )

    def counts(self) -> NDArray[np.int64]:
        """Count the images of every class: (K,)."""
        return np.bincount(self.labels, minlength=len(self.class_names)).astype(np.int64)

    def fingerprint(self) -> str:
        """Digest shape, dtype, images and labels: SHA-256 in hex, equal on every machine."""
        little = self.images.dtype.newbyteorder("<")
        digest = hashlib.sha256(f"{self.images.shape} {little.str}".encode())
        for piece in pieces(self.images):  # since the images may stay on disk
            digest.update(np.ascontiguousarray(self.images[piece], dtype=little).data)
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Splits:
    """What a source gives: the part to train on, the part to test on, and further ones.

    Parameters
    ----------
    train : never tested on
    test : never trained on; None where the source makes no such division
    others : further parts by name, such as "validation"
    note : what the user should be told about these data, or ""
    preparation : how the images came to this size; the model keeps it for new files
    """

    train: Dataset
    test: Dataset | None = None
    others: dict[str, Dataset] = field(default_factory=dict)
    note: str = ""
    preparation: Preparation | None = None


def part(
    dataset: Dataset, fraction: float, generator: np.random.Generator
) -> tuple[Dataset, Dataset]:
    """Divide a data set by class: (the rest, the part), both in the order of the data set.

    Every class gives ``fraction`` of its images, rounded, but at least one to either side. Images
    of one group stay together, so that no copy of a training image is tested on: a class may then
    give fewer, or nothing if all its images are copies of one.

    Raises
    ------
    DataError : a class with a single image
    ValueError : a fraction that is not between 0 and 1
    """
    if not 0 < fraction < 1:
        raise ValueError(f"found a fraction of {fraction}; expected one between 0 and 1")
    counts = dataset.counts()
    if (counts == 1).any():
        single = dataset.class_names[int(np.argmax(counts == 1))]
        raise DataError(
            dataset.name, f"one image of class {single!r}", "at least two of each, to divide them"
        )
    wanted = np.clip(np.rint(fraction * counts).astype(np.int64), 1, counts - 1)
    return _drawn(dataset, np.where(counts > 0, wanted, 0), generator)


def redrawn(splits: Splits, generator: np.random.Generator) -> Splits:
    """Pool training and test images and draw them anew, with the same counts per class in each.

    Raises
    ------
    ValueError : there is no test part
    """
    if splits.test is None:
        raise ValueError("found no test part; expected training and test images to redraw")
    together = pooled(splits.train, splits.test)
    train, test = _drawn(together, splits.test.counts(), generator)
    return replace(splits, train=train, test=test)


def pooled(first: Dataset, second: Dataset) -> Dataset:
    """Put two data sets of the same classes behind one another."""
    names = groups = None
    if first.file_names is not None and second.file_names is not None:
        names = first.file_names + second.file_names
    if first.groups is not None and second.groups is not None:
        groups = np.concatenate([first.groups, second.groups])
    on_disk = None
    if isinstance(first.images, OnDisk) and isinstance(second.images, OnDisk):
        on_disk = first.images.joined(second.images)
    images: Any = on_disk
    return Dataset(
        np.concatenate([first.images, second.images]) if on_disk is None else images,
        np.concatenate([first.labels, second.labels]),
        first.class_names,
        names,
        first.name,
        groups,
    )


def _drawn(
    dataset: Dataset, wanted: NDArray[np.int64], generator: np.random.Generator
) -> tuple[Dataset, Dataset]:
    """Draw so many images of every class: (the rest, the drawn).

    The images of a class come in random order, and each brings its copies with it, unless these
    are more than are still wanted, or all that is left of a class.
    """
    labels, classes = dataset.labels, len(dataset.class_names)
    groups = np.arange(len(dataset)) if dataset.groups is None else dataset.groups
    _, groups, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    drawn, kept = np.zeros((2, len(dataset)), dtype=bool)
    rest = dataset.counts()
    for label, count in enumerate(wanted):
        members = np.flatnonzero(labels == label)
        left = count - drawn[members].sum()  # copies of another class's may be drawn already
        for i in generator.permutation(members):
            if left <= 0:
                break
            if drawn[i] or kept[i]:
                continue
            copies = np.array([i]) if sizes[groups[i]] == 1 else np.flatnonzero(groups == groups[i])
            taken = np.bincount(labels[copies], minlength=classes)
            if len(copies) > 1 and (
                taken[label] > left or (taken[taken > 0] >= rest[taken > 0]).any()
            ):
                kept[copies] = True
                continue
            drawn[copies] = True
            rest -= taken
            left -= taken[label]
    return dataset.take(~drawn), dataset.take(drawn)
