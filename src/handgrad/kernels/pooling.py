"""Max-pooling of windows that touch, on maps (H, W, n·C)."""

from __future__ import annotations

import numpy as np

from handgrad.arrays import Array
from handgrad.kernels.calls import Call, Workspace, blocks, maximum

__all__ = ["MaxPooling"]


class MaxPooling:
    """`calculus.max_pool` with ``stride = size``, planned.

    What the way back needs is found on the way there, while the numbers are in the cache: for each
    place of a window whether it held the (first) largest number, one byte instead of four or eight.

    Parameters
    ----------
    size : height and width of a window
    shape : (H', W', n·C) of the output
    first : (size², H', W', n·C) bool, which place of a window was the largest; None where there is
        no way back
    work : for what is needed for a moment
    """

    def __init__(
        self, size: int, shape: tuple[int, ...], first: Array | None, work: Workspace
    ) -> None:
        self.size, self.shape, self.first, self.work = size, shape, first, work

    def forward(self, x: Array, y: Array) -> list[Call]:
        """The calls from x (H, W, n·C) to y, overwritten."""
        calls: list[Call] = []
        for rows in blocks(self.shape):
            places = [pixels[rows] for pixels in self._places(x)]
            first = None if self.first is None else self.first[:, rows]
            calls += self._block(places, y[rows], first)
        return calls

    def backward(self, dy: Array, dx: Array) -> list[Call]:
        """The calls from dy to dx; pixels of dx that no window holds are left alone."""
        assert self.first is not None
        return [
            (np.multiply, (dy[rows], largest[rows], pixels[rows]))
            for rows in blocks(self.shape)
            for largest, pixels in zip(self.first, self._places(dx), strict=True)
        ]

    def _block(self, places: list[Array], y: Array, first: Array | None) -> list[Call]:
        """The largest of some windows, from what each place of them holds, and which it was."""
        calls: list[Call] = [(maximum, (places[0], places[1], y))]
        calls += [(maximum, (y, pixels, y)) for pixels in places[2:]]
        if first is None:
            return calls
        found = self.work.array("found", y.shape, bool)
        calls += [(np.equal, (places[0], y, first[0])), (np.copyto, (found, first[0]))]
        for i, pixels in enumerate(places[1:-1], 1):
            calls += [
                (np.equal, (pixels, y, first[i])),
                (np.greater, (first[i], found, first[i])),  # but not found yet
                (np.logical_or, (found, first[i], found)),
            ]
        return [*calls, (np.logical_not, (found, first[-1]))]

    def _places(self, x: Array) -> list[Array]:
        """For each place of a window, row by row, what the windows have there."""
        s, (height, width, _) = self.size, self.shape
        windows = x[: s * height, : s * width]
        return [windows[i::s, j::s] for i in range(s) for j in range(s)]
