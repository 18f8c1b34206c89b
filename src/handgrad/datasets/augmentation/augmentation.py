"""What every augmentation answers to, and a chain of them.

The draws of a batch are made for all of it, from one generator, before anything is computed: they
may then be sliced, and a batch that is split over threads or machines is augmented to the same
bits.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from handgrad.arrays import Array, Shape
from handgrad.tables import Named

__all__ = ["Augmentation", "applied", "augmented", "drawn", "within"]


class Augmentation(Named, abc.ABC):
    """One step of a chain: first the draws, then a function of images and draws alone.

    The shape of an image never changes. A place in an image is (y, x) in pixels, y downwards, and
    the centre of the upper left pixel is (0, 0).
    """

    tag: ClassVar[str] = "kind"

    @abc.abstractmethod
    def draw(
        self, indices: Array, shape: Shape, generator: np.random.Generator, epoch: int
    ) -> tuple[Array, ...]:
        """This batch's random draws.

        Parameters
        ----------
        indices : (N,) integers: the places of the images in the training set
        shape : (H, W, C) of one image
        generator : the only source of chance
        epoch : counted from 0

        Returns
        -------
        arrays with N first
        """

    @abc.abstractmethod
    def apply(self, images: Array, *draws: Array) -> Array:
        """From (N, H, W, C) float to a new array of the same shape and dtype."""


def drawn(
    augmentations: Sequence[Augmentation],
    indices: Array,
    shape: Shape,
    generator: np.random.Generator,
    epoch: int,
) -> list[tuple[Array, ...]]:
    """The draws of a chain for a whole batch: one tuple of arrays with N first a step."""
    return [step.draw(indices, shape, generator, epoch) for step in augmentations]


def applied(
    images: Array, augmentations: Sequence[Augmentation], draws: Sequence[tuple[Array, ...]]
) -> Array:
    """Carry out a chain on images, or on a slice of them with the same slice of every draw."""
    for step, arrays in zip(augmentations, draws, strict=True):
        images = step.apply(images, *arrays)
    return images


def augmented(
    images: Array,
    augmentations: Sequence[Augmentation],
    generator: np.random.Generator,
    epoch: int,
    indices: Array | None = None,
) -> Array:
    """Draw a chain for a batch and carry it out.

    Parameters
    ----------
    images : (N, H, W, C) float, left as they are
    augmentations : in the order in which they happen
    generator : a branch of the experiment's seed
    epoch : counted from 0
    indices : (N,) the places of the images in the training set; None for 0 to N - 1

    Returns
    -------
    (N, H, W, C), dtype of images: a new array, or the images themselves for an empty chain

    >>> from handgrad.datasets.augmentation import Flip
    >>> images = np.array([1.0, 2.0, 3.0]).reshape(1, 1, 3, 1)
    >>> augmented(images, [Flip(probability=1)], np.random.default_rng(0), epoch=0).ravel()
    array([3., 2., 1.])
    """
    if indices is None:
        indices = np.arange(len(images))
    if len(indices) != len(images):
        raise ValueError(f"found {len(images)} images and {len(indices)} indices")
    draws = drawn(augmentations, indices, images.shape[1:], generator, epoch)
    return applied(images, augmentations, draws)


def within(name: str, value: float, low: float = 0.0, high: float = math.inf) -> None:
    """Refuse a setting that is no finite number from ``low`` to ``high``."""
    if not (low <= value <= high and math.isfinite(value)):
        expected = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of {low:g} or more"
        raise ValueError(f"{name} = {value}; expected a number {expected}")
