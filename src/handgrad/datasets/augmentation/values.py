"""Changes of value: pixels that are cut out, brighter or darker images, more or less contrast.

Amounts are in the numbers of the images as they come: parts of full scale for images in 0..1,
deviations of the training set for normalized ones. Nothing is cut off at 0 or 1, since normalized
images have no such ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from handgrad.arrays import Array, Shape
from handgrad.datasets.augmentation.augmentation import Augmentation, within

__all__ = ["Brightness", "Contrast", "Cutout"]


@dataclass(frozen=True)
class Cutout(Augmentation):
    """Blank a square, so that a network cannot rely on one part of an object.

    The square goes from the drawn centre - size // 2 over ``size`` pixels, down and to the right.
    The centre is any pixel of the image, so that the square may lie partly outside: without that,
    pixels in the middle would be cut out far more often than those at the edge.

    Parameters
    ----------
    size : pixels of a side
    fill : "zero" (the mean of normalized images), or "mean", each channel's mean over the image

    Cost: one copy; for "mean" one more pass.
    Source: DeVries, Taylor, Improved Regularization of Convolutional Neural Networks with Cutout,
    arXiv 1708.04552, and its program.
    """

    name: ClassVar[str] = "cutout"

    size: int = 8
    fill: Literal["zero", "mean"] = "zero"

    def __post_init__(self) -> None:
        within("size", self.size)

    def draw(
        self, indices: Array, shape: Shape, generator: np.random.Generator, epoch: int
    ) -> tuple[Array, ...]:
        return (generator.integers(shape[:2], size=(len(indices), 2)),)

    def apply(self, images: Array, *draws: Array) -> Array:
        (centres,) = draws
        first = (centres - self.size // 2).T
        rows, columns = (
            (np.arange(side) >= start[:, None]) & (np.arange(side) < start[:, None] + self.size)
            for start, side in zip(first, images.shape[1:3], strict=True)
        )
        cut = (rows[:, :, None] & columns[:, None, :])[..., None]
        fill = _mean(images) if self.fill == "mean" else np.zeros((), images.dtype)
        return np.where(cut, fill, images)


@dataclass(frozen=True)
class Brightness(Augmentation):
    """Add one number to a whole image: out = in + b, with b uniform from -amount to amount.

    Parameters
    ----------
    amount : the largest change, in the numbers of the images

    Cost: N·H·W·C flops.
    """

    name: ClassVar[str] = "brightness"

    amount: float = 0.2

    def __post_init__(self) -> None:
        within("amount", self.amount)

    def draw(
        self, indices: Array, shape: Shape, generator: np.random.Generator, epoch: int
    ) -> tuple[Array, ...]:
        return (generator.uniform(-self.amount, self.amount, size=len(indices)),)

    def apply(self, images: Array, *draws: Array) -> Array:
        (added,) = draws
        result: Array = images + added.astype(images.dtype)[:, None, None, None]
        return result


@dataclass(frozen=True)
class Contrast(Augmentation):
    """Spread or narrow an image about its mean: out = mean + c (in - mean).

    c is uniform from 1 - amount to 1 + amount. The mean is each channel's over the image: with it
    the result is the same before and after the channels are normalized, which a mean over all
    channels (as in Pillow and torchvision, of the image in grey) is not.

    Parameters
    ----------
    amount : in 0..1, the largest change of the factor

    Cost: 4·N·H·W·C flops.
    """

    name: ClassVar[str] = "contrast"

    amount: float = 0.2

    def __post_init__(self) -> None:
        within("amount", self.amount, high=1)

    def draw(
        self, indices: Array, shape: Shape, generator: np.random.Generator, epoch: int
    ) -> tuple[Array, ...]:
        return (generator.uniform(1 - self.amount, 1 + self.amount, size=len(indices)),)

    def apply(self, images: Array, *draws: Array) -> Array:
        # in + (c - 1)(in - mean): the same number, and for c = 1 the very image
        change = (draws[0] - 1).astype(images.dtype)[:, None, None, None]
        result = images - _mean(images)
        result *= change
        result += images
        return result


def _mean(images: Array) -> Array:
    """Each channel's mean over each image: (N, 1, 1, C), dtype of images."""
    # One product an image: a sum over axes would be added up in another order for a batch of one.
    N, H, W, C = images.shape
    sums = np.ones((1, H * W)) @ images.reshape(N, H * W, C).astype(np.float64)
    means: Array = (sums / (H * W)).astype(images.dtype)
    return means[:, None]
