"""A plan as plain data: calls with their arguments, and the memory they share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from handgrad.arrays import Array, Shape

__all__ = ["PAGES", "Call", "Workspace", "blocks", "dot", "maximum", "run"]

BLOCK = 2**15
"""How many numbers are worked on at a time, so that they stay in the cache of a processor's
core."""

LINE = 64
"""Bytes of a line of the cache, and of the longest vectors of a processor."""
PAGES = 2**23
"""Bytes for which NumPy asks for large pages, with some room."""

Call = tuple[Callable[..., object], tuple[Any, ...]]
"""A function and its arguments; in those of a NumPy function the last one is where it writes."""


def run(calls: Iterable[Call]) -> None:
    """Call them all, one after another.

    >>> total = np.zeros(2)
    >>> run([(np.add, (total, 1.0, total)), (np.multiply, (total, 3.0, total))])
    >>> total
    array([3., 3.])
    """
    for function, arguments in calls:
        function(*arguments)


def maximum(a: Array, b: Array | float, out: Array) -> None:
    """`numpy.maximum`, which takes ``out`` by name only."""
    np.maximum(a, b, out=out)


def dot(x: Array, y: Array, out: Array) -> None:
    """Σ_hw x_hwk y_hwk for each k, in one walk over both."""
    np.einsum("hwk,hwk->k", x, y, out=out)


def blocks(shape: Shape) -> list[slice]:
    """Slices of the first axis, each of about `BLOCK` numbers.

    Where several functions work on the same arrays, all of them do one block before the next, which
    then lies in the cache.

    >>> blocks((20, 2**11))
    [slice(0, 16, None), slice(16, 20, None)]
    """
    rows, few = shape[0], max(1, BLOCK * shape[0] // max(1, math.prod(shape)))
    return [slice(i, min(i + few, rows)) for i in range(0, rows, few)]


class Workspace:
    """Arrays that hold something only while one kernel runs, and so can serve all of them.

    A fresh large array costs a page fault for every 4 KiB that are written; the same one again, and
    soon, is still in the processor's cache.

    Parameters
    ----------
    dtype : of the arrays, where they ask for no other
    block : bytes of the blocks from which arrays are cut; of `PAGES` where they are to last
    """

    def __init__(self, dtype: DTypeLike, block: int = 0) -> None:
        self.dtype, self.block = np.dtype(dtype), block
        self._arrays: dict[tuple[str, Shape, np.dtype[Any]], Array] = {}
        self._block = np.empty(0, np.uint8)

    def array(self, role: str, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        """The array of this role and shape, zeros when it is first asked for.

        >>> work = Workspace(np.float32)
        >>> work.array("tiles", (2, 3)) is work.array("tiles", (2, 3))
        True
        """
        key = role, shape, self.dtype if dtype is None else np.dtype(dtype)
        if key not in self._arrays:
            self._arrays[key] = self.fresh(shape, key[2])
        return self._arrays[key]

    def fresh(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        """A new array, zeros, which begins with a line of the cache.

        It is cut from a block so large that NumPy asks for large pages: with small ones a processor
        spends time on finding where each of them lies.

        >>> work = Workspace(np.float32)
        >>> [work.fresh((3, 5)).ctypes.data % 64 for _ in range(3)]
        [0, 0, 0]
        """
        kind = self.dtype if dtype is None else np.dtype(dtype)
        size = math.prod(shape) * kind.itemsize
        if size + LINE > len(self._block):
            self._block = np.empty(max(self.block, size + LINE), np.uint8)
        start = -self._block.ctypes.data % LINE
        piece, self._block = np.split(self._block[start:], [size])
        array: Array = piece.view(kind).reshape(shape)
        array[...] = 0
        return array
