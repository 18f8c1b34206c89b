"""Images that stay in a file, and are read when they are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["OnDisk"]

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
        return OnDisk(self._stored, self._rows[places], self._through, self.dtype)

    def then(self, through: Through, dtype: DTypeLike) -> OnDisk:
        """The same images with something done to them, by pieces, whenever they are read."""
        before = self._through
        return OnDisk(self._stored, self._rows, lambda images: through(before(images)), dtype)
