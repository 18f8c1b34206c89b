"""Where one part of a plan hands the whole batch to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from handgrad.arrays import Array, Shape
from handgrad.calculus.windows import Padding
from handgrad.kernels import Maps
from handgrad.plans.step import image_shape

__all__ = ["Batch", "Boundary", "maps_of", "slices"]


def slices(n: int, few: int) -> list[slice]:
    """The samples of a batch, so many at a time.

    >>> slices(20, 8)
    [slice(0, 8, None), slice(8, 16, None), slice(16, 20, None)]
    """
    return [slice(i, min(i + few, n)) for i in range(0, n, few)]


def maps_of(shape: Shape, n: int, border: Padding, made: Callable[[Shape], Array]) -> Maps:
    """Maps of n samples of a shape, with a border, in an array that is made for them."""
    height, width, C = image_shape(shape)
    return Maps(made((sum(border[0]) + height, sum(border[1]) + width, n, C)), border)


class Batch:
    """The maps of a whole batch, a few samples in one array: in one array of them all, the pixels
    of a few would lie thousands of numbers apart.

    Parameters
    ----------
    shape : of a sample
    border : of the maps
    n : samples
    few : how many lie together
    made : makes an array of a shape; where it gives the same one again, each few must have been
        read before the next are written
    """

    def __init__(
        self, shape: Shape, border: Padding, n: int, few: int, made: Callable[[Shape], Array]
    ) -> None:
        self.groups = [
            (own, maps_of(shape, own.stop - own.start, border, made)) for own in slices(n, few)
        ]

    def at(self, samples: slice) -> Maps:
        """The maps of some samples that lie together."""
        for own, maps in self.groups:
            if own.start <= samples.start < own.stop:
                return maps.few(slice(samples.start - own.start, samples.stop - own.start))
        raise IndexError(samples)

    def load(self, x: Array, samples: slice) -> None:
        """Take over some of the samples x (N, …)."""
        for own, rows in self._rows(samples):
            rows[...] = x[own].reshape(rows.shape)

    def store(self, x: Array, samples: slice) -> None:
        """Write some samples into x (N, …)."""
        for own, rows in self._rows(samples):
            x[own].reshape(rows.shape)[...] = rows

    def _rows(self, samples: slice) -> Iterator[tuple[slice, Array]]:
        for own, maps in self.groups:
            if samples.start <= own.start < samples.stop:
                yield own, maps.rows


class Boundary(NamedTuple):
    """What the parts before and after it share.

    Parameters
    ----------
    y : what is handed on
    dy : the gradient that comes back
    """

    y: Batch
    dy: Batch
