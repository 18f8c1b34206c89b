"""What is reached without a network: the answers that its accuracy is to be held against."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from handgrad.arrays import Array
from handgrad.errors import HandgradError

__all__ = ["Baseline", "baselines"]

SIDE = 32
"""Pixels a side, at most, of the images that logistic regression sees."""

SAMPLES = 10_000
"""Images that it learns from, at most."""

ITERATIONS = 50
"""Steps of its optimizer (L-BFGS), at most."""

_AT_ONCE = 1000
"""Images whose pixels are floats at the same time."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """How often a simple answer is right.

    Parameters
    ----------
    name : of the answer
    right : (N,) bool, for each image
    note : what was left out to be quick, or ""
    """

    name: str
    right: Array
    note: str = ""

    @property
    def correct(self) -> int:
        return int(self.right.sum())

    @property
    def n(self) -> int:
        return len(self.right)

    @property
    def accuracy(self) -> float:
        return self.correct / self.n


def baselines(
    train_images: Array, train_labels: Array, test_images: Array, test_labels: Array, classes: int
) -> tuple[Baseline, Baseline, Baseline]:
    """Judge three answers that need no network, each learned from the training images alone.

    - logistic regression: one layer, p = softmax(x W + b), by scikit-learn (L2, C = 1). So that it
      takes seconds, it sees images of at most 32x32 (box averages), at most 10,000 of them, evenly
      over the classes as they are, and stops after at most 50 steps; its note says what applied.
    - nearest class mean: the class whose mean training image is the nearest, pixel by pixel;
    - majority class: always the commonest class of the training images.

    The same arrays give the same figures: nothing is drawn at random.

    Parameters
    ----------
    train_images, test_images : (N, H, W, C), (M, H, W, C) uint8, or float 0..1
    train_labels, test_labels : (N,), (M,) int
    classes : K

    Returns
    -------
    baselines : the three, in the order above

    Raises
    ------
    HandgradError : no images; another shape; other counts

    Cost: about five seconds for CIFAR-10 or MNIST, nearly all of it for logistic regression.
    """
    for name, images, labels in (
        ("training", train_images, train_labels),
        ("test", test_images, test_labels),
    ):
        if images.ndim != 4 or not len(images) or labels.shape != images.shape[:1]:
            raise HandgradError(
                f"baselines: found {name} images of shape {images.shape} and labels of "
                f"{labels.shape}; expected (N, H, W, C) and (N,), N at least 1"
            )
    if train_images.shape[1:] != test_images.shape[1:]:
        raise HandgradError(
            f"baselines: found training images of {train_images.shape[1:]} and test images of "
            f"{test_images.shape[1:]}; expected the same"
        )
    regressed, note = _logistic(train_images, train_labels, test_images)
    nearest = _nearest_mean(train_images, train_labels, test_images, classes)
    majority = np.bincount(train_labels, minlength=classes).argmax()
    return (
        Baseline("logistic regression", regressed == test_labels, note),
        Baseline("nearest class mean", nearest == test_labels),
        Baseline("majority class", majority == test_labels),
    )


def _nearest_mean(images: Array, labels: Array, asked: Array, classes: int) -> Array:
    """The class whose mean image is the nearest: of ‖x - m‖², only -2 x·m + ‖m‖² differs."""
    there = np.flatnonzero(np.bincount(labels, minlength=classes))
    sums = np.zeros((classes, images[0].size))
    for first, x in _pieces(images):
        part = labels[first : first + len(x)]
        for k in np.unique(part):
            sums[k] += x[part == k].sum(axis=0, dtype=np.float64)
    means = sums[there] / np.bincount(labels, minlength=classes)[there, None]
    squares = np.square(means).sum(axis=1)
    return np.concatenate(
        [there[(squares - 2 * (x @ means.T)).argmin(axis=1)] for _, x in _pieces(asked)]
    )


def _logistic(images: Array, labels: Array, asked: Array) -> tuple[Array, str]:
    """What logistic regression says, and what was left out to be quick."""
    if len(np.unique(labels)) == 1:
        return np.full(len(asked), labels[0]), "one class to learn from"
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    # Evenly over the images, sorted by class: each class keeps its share.
    order = np.argsort(labels, kind="stable")
    count = min(len(order), SAMPLES)
    chosen = order[np.linspace(0, len(order) - 1, count).round().astype(int)]
    # A rare class may lie between the places: it sends its first image.
    absent = np.setdiff1d(labels, labels[chosen])
    chosen = np.concatenate([chosen, [np.argmax(labels == k) for k in absent]]).astype(int)
    regression = LogisticRegression(max_iter=ITERATIONS)
    # One thread, so that sums are taken in the same order wherever there are more cores.
    with warnings.catch_warnings(record=True) as said, threadpool_limits(1):
        warnings.simplefilter("always")
        regression.fit(
            np.concatenate([x for _, x in _pieces(images[chosen], SIDE)]), labels[chosen]
        )
        answers = np.concatenate([regression.predict(x) for _, x in _pieces(asked, SIDE)])
    notes = []
    if len(chosen) < len(images):
        notes.append(f"from {len(chosen):,} of {len(images):,} images")
    if (shape := _reduced(images[:1], SIDE).shape[1:3]) != images.shape[1:3]:
        notes.append(f"reduced to {shape[0]}x{shape[1]}")
    if any(issubclass(warning.category, ConvergenceWarning) for warning in said):
        notes.append(f"stopped after {ITERATIONS} steps")
    return answers, ", ".join(notes)


def _pieces(images: Array, side: int | None = None) -> Iterator[tuple[int, Array]]:
    """Some images at a time, as rows of float32 pixels in 0..1, with the place of the first."""
    white = 255 if images.dtype == np.uint8 else 1
    for first in range(0, len(images), _AT_ONCE):
        x = np.divide(
            images[first : first + _AT_ONCE], white, dtype=np.float32, casting="same_kind"
        )
        x = x if side is None else _reduced(x, side)
        yield first, x.reshape(len(x), -1)


def _reduced(images: Array, side: int) -> Array:
    """Means over boxes of whole pixels, so that no side is longer; what fills no box is cut off."""
    _, height, width, channels = images.shape
    down, across = (-(-length // side) for length in (height, width))
    if (down, across) == (1, 1):
        return images
    h, w = height // down, width // across
    boxes = images[:, : h * down, : w * across].reshape(-1, h, down, w, across, channels)
    means: Array = boxes.mean(axis=(2, 4))
    return means
