"""The layout of the planned reading: rows, columns, samples, channels, with a border around."""

from __future__ import annotations

from typing import NamedTuple

from handgrad.arrays import Array
from handgrad.calculus.windows import NO_PADDING, Padding

__all__ = ["Maps"]


class Maps(NamedTuple):
    """The feature maps of samples as (H, W, n, C), in a buffer with a border of zeros.

    Samples stand inside of the pixels, so that a pixel of all samples and channels is one long row
    of memory: the small products of Winograd's transforms then run along n·C numbers. Whoever
    writes the maps leaves the border alone, and the next convolution finds its padding there.

    Parameters
    ----------
    whole : (rows, columns, n, C)
    border : ((above, below), (left, right))
    """

    whole: Array
    border: Padding = NO_PADDING

    @property
    def inside(self) -> Array:
        """(H, W, n, C): the maps without their border."""
        rows, columns = self.whole.shape[:2]
        (above, below), (left, right) = self.border
        return self.whole[above : rows - below, left : columns - right]

    @property
    def pixels(self) -> Array:
        """(H, W, n·C): the same, a pixel one row."""
        return self.inside.reshape(*self.inside.shape[:2], -1)

    @property
    def lines(self) -> Array:
        """(H, W·n·C): the same, a row of pixels one row: the longest that is in one piece."""
        return self.inside.reshape(len(self.inside), -1)

    @property
    def seen(self) -> Array:
        """(rows, columns, n·C): the maps with their border."""
        return self.whole.reshape(*self.whole.shape[:2], -1)

    @property
    def rows(self) -> Array:
        """(n, H, W, C): the same maps sample by sample."""
        return self.inside.transpose(2, 0, 1, 3)

    def few(self, samples: slice) -> Maps:
        """Those of some samples."""
        return self._replace(whole=self.whole[:, :, samples])
