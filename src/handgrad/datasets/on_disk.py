"""Images that stay in a file, and are read when they are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["IN_MEMORY", "OnDisk", "pieces"]

IN_MEMORY = 64_000_000
"""So many bytes of pixels are read at once; more of them stay in the file."""

IMAGES, NUMBERS = 1000, 16_000_000
"""So many images, and so many numbers of them, are a piece at most."""

Through = Callable[[NDArray[Any]], NDArray[Any]]


class OnDisk:
    """Rows of a memory-mapped array: it reads like an array and holds nothing.

    Indexing gives an array of what was asked for; the system keeps what it likes of the file in
    memory, and drops it when memory is short.

    Parameters
    ----------
    stored : (M, H, W, C) uint8, as `numpy.memmap` gives it
    rows : (N,) which of them
    through : what is done to images that were read, (n, H, W, C) to (n, …)
    dtype : of what comes out

    >>> images = OnDisk(np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1), np.array([2, 0]))
    >>> images.shape, images[1:].ravel().tolist(), images.rows(np.array([1])).shape
    ((2, 2, 2, 1), [0, 1, 2, 3], (1, 2, 2, 1))
    """

    def __init__(
        self,
        stored: NDArray[Any],
        rows: NDArray[np.intp],
        through: Through = lambda images: images,
        dtype: DTypeLike = np.uint8,
    ) -> None:
        self._stored, self._rows, self._through = stored, rows, through
        self.shape = (len(rows), *stored.shape[1:])
        self.dtype = np.dtype(dtype)
        self.ndim, self.size = len(self.shape), math.prod(self.shape)
        self._extremes: tuple[Any, Any] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        first, *within = key if isinstance(key, tuple) else (key,)
        chosen = self._rows[first]
        read = self._through(np.asarray(self._stored[np.atleast_1d(chosen)]))
        part: NDArray[Any] = read[(slice(None) if np.ndim(chosen) else 0, *within)]
        return part

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)

    def take(self, places: NDArray[np.integer[Any]], axis: int = 0, mode: str = "") -> NDArray[Any]:
        """The images at these places, read: what `numpy.ndarray.take` gives along axis 0."""
        return self[places]

    def rows(self, places: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> OnDisk:
        """Fewer of them, or in another order; nothing is read."""
        return self._with(self._rows[places])

    def joined(self, other: OnDisk) -> OnDisk | None:
        """These images and behind them the others; None if they lie elsewhere."""
        if self._stored is not other._stored or self._through is not other._through:
            return None
        both = self._with(np.concatenate([self._rows, other._rows]))
        both._extremes = self._extremes if self._extremes == other._extremes else None
        return both

    def then(
        self, through: Through, dtype: DTypeLike, shape: tuple[int, ...] | None = None
    ) -> OnDisk:
        """The same images with something done to them, by pieces, whenever they are read.

        Parameters
        ----------
        shape : of one image then; None if it stays
        """
        before = self._through
        result = OnDisk(self._stored, self._rows, lambda images: through(before(images)), dtype)
        result.shape = (len(self), *(self.shape[1:] if shape is None else shape))
        result.size = math.prod(result.shape)
        return result

    def extremes(self) -> tuple[Any, Any]:
        """The least and the greatest number; NaN where there is one.

        Everything is read, once: of fewer `rows`, they are those of all.
        """
        if self._extremes is None:
            read = [(part.min(), part.max()) for part in map(self.__getitem__, pieces(self))]
            least, greatest = zip(*read, strict=True)
            self._extremes = np.min(least), np.max(greatest)
        return self._extremes

    def _with(self, rows: NDArray[np.intp]) -> OnDisk:
        result = OnDisk(self._stored, rows, self._through, self.dtype)
        result.shape = (len(rows), *self.shape[1:])
        result.size = math.prod(result.shape)
        result._extremes = self._extremes
        return result


def pieces(images: NDArray[Any] | OnDisk) -> Iterator[slice]:
    """Where to cut images that are gone through a few at a time: at the same places, from a file
    and from memory, for sums depend on it.

    >>> list(pieces(np.zeros((2500, 2, 2, 1))))
    [slice(0, 1000, None), slice(1000, 2000, None), slice(2000, 2500, None)]
    """
    count = max(1, min(IMAGES, NUMBERS // max(1, math.prod(images.shape[1:]))))
    for first in range(0, len(images), count):
        yield slice(first, min(first + count, len(images)))
