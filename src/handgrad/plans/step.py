"""A step of a plan: how one layer is computed for a few samples at a time."""

from __future__ import annotations

import abc
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from handgrad.arrays import Array, Numbers, Shape
from handgrad.calculus.windows import NO_PADDING, Padding
from handgrad.kernels import Call, Maps, Workspace

__all__ = ["FEW", "Few", "ForwardStep", "Step", "image_shape", "more_together"]

FEW, MANY = 8, 128
"""The fewest and the most samples that go through a stream together."""

MAPS = 1 << 25
"""So many bytes may the largest map have of all samples that go together. With more it falls out of
every cache; with fewer, calls are short, and between calls threads wait for the interpreter."""


def more_together(
    few: int, enough: int, shapes: Iterable[Shape], dtype: np.dtype[np.floating]
) -> int:
    """How many samples go together: `few` or a multiple, since streams share their groups.

    As many as `MAPS` leaves room for, or as there must be for the products of tiles, up to `MANY`.

    Parameters
    ----------
    few : how many go together in the stream before
    enough : how many have tiles enough
    shapes : of one sample's maps, after each step

    >>> more_together(8, 0, [(64, 64, 128)], np.dtype(np.float32))  # 2 MiB a sample
    16
    """
    largest = max(map(math.prod, shapes)) * dtype.itemsize
    while few < min(max(enough, MAPS // largest // 2 + 1), MANY):
        few *= 2
    return few


def image_shape(shape: Shape) -> tuple[int, int, int]:
    """A sample's shape as (H, W, C): a row of numbers is one pixel with many channels.

    >>> image_shape((28, 28, 1)), image_shape((10,))
    ((28, 28, 1), (1, 1, 10))
    """
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (1, 1, int(np.prod(shape)))


@dataclass(frozen=True)
class Few:
    """A few samples of a batch, which go through a stream together.

    Parameters
    ----------
    samples : which ones
    work : arrays for a moment
    turning : whether they come back before the next ones go: what is kept for the way back then
        lies in the same place for all
    step : the place of the step that asks, by which its arrays are known
    """

    samples: slice
    work: Workspace
    turning: bool
    step: int = 0

    @property
    def n(self) -> int:
        return int(self.samples.stop - self.samples.start)

    def kept(self, name: str, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        """An array that holds what it is given until these samples have come back."""
        if self.turning:
            return self.work.array(f"{name} of {self.step}", shape, dtype)
        return self.work.fresh(shape, dtype)

    def passing(self, shape: Shape) -> Array:
        """An array that holds what it is given until the step before has read it."""
        return self.work.array(f"passing {self.step % 2}", shape)


class ForwardStep(abc.ABC):
    """How one layer is computed in a plan: its calls for a few samples, made once.

    Attributes
    ----------
    border : the zeros that it sees around its input
    in_place : its output is its input, overwritten
    """

    border: Padding = NO_PADDING
    in_place: bool = False

    def begin(self, draws: tuple[Array, ...]) -> None:  # noqa: B027
        """Read the parameters, as they are now; take the layer's random draws."""

    @abc.abstractmethod
    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        """The calls from x to y, and what a way back needs to make its own."""


class Step(ForwardStep):
    """A step with a way back.

    As with a layer, forward leaves a memory and backward follows it home; but both give calls. No
    step needs its own output on the way back, so that the next one may overwrite it. Where it sees
    a border of zeros it may write there in the gradient.

    Attributes
    ----------
    at_once : its way back begins when all samples have come to it, so that the gradient at its
        output is kept for the whole batch, where the gradient at its input would be
    """

    at_once: bool = False

    def end(self, grads: Numbers) -> None:
        """After a batch: overwrite the gradients."""

    def after_forward(self) -> None:
        """When all samples of a batch have come through."""

    def after_backward(self) -> None:
        """When all samples of a batch have come back."""

    @abc.abstractmethod
    def backward(self, dy: Maps, dx: Maps | None, memory: Any, few: Few) -> list[Call]:
        """The calls from dy to dx, which is None where it is not wanted."""
