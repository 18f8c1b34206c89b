"""Many small images in one array: one drawing instead of hundreds, with nothing between them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_PIXELS", "mosaic", "shrunk"]

MOST_PIXELS = 110_000
"""Of the images in one figure, which its file holds whole."""


def mosaic(
    tiles: NDArray[Any], columns: int, gap: tuple[int, int] = (1, 1), step: int = 0
) -> NDArray[np.float64]:
    """Images side by side, row by row, NaN between them.

    Parameters
    ----------
    tiles : (n, H, W) or (n, H, W, C)
    columns : how many stand in a row
    gap : pixels left free between rows, and between columns
    step : pixels from one column to the next, where that is more than the gap asks for

    Returns
    -------
    (h, w) or (h, w, C) float

    >>> mosaic(np.arange(3.0).reshape(3, 1, 1), 2)
    array([[ 0., nan,  1.],
           [nan, nan, nan],
           [ 2., nan, nan]])
    """
    n, high, wide, *channels = tiles.shape
    rows = math.ceil(n / columns)
    down, across = high + gap[0], max(wide + gap[1], step)
    whole = np.full((rows * down - gap[0], (columns - 1) * across + wide, *channels), np.nan)
    for i, tile in enumerate(tiles):
        top, left = i // columns * down, i % columns * across
        whole[top : top + high, left : left + wide] = tile
    return whole


def shrunk(tiles: NDArray[Any], most: int = MOST_PIXELS) -> NDArray[Any]:
    """Images of at most so many pixels together, each pixel the mean of a block; no larger ones.

    Parameters
    ----------
    tiles : (n, H, W) or (n, H, W, C)
    most : pixels of all tiles together

    >>> shrunk(np.arange(16.0).reshape(1, 4, 4), 4)
    array([[[ 2.5,  4.5],
            [10.5, 12.5]]])
    """
    n, high, wide, *channels = tiles.shape
    room = max(1.0, most / max(n, 1))
    sides = ((min(block, high), min(block, wide)) for block in itertools.count(1))
    down, across = next((d, a) for d, a in sides if (high // d) * (wide // a) <= room)
    if down == across == 1:
        return tiles
    rows, columns = high // down, wide // across
    cut = tiles[:, : rows * down, : columns * across]
    blocks = cut.reshape(n, rows, down, columns, across, *channels)
    return np.asarray(blocks.mean(axis=(2, 4)))
