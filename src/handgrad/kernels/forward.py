"""Convolution and pooling forward only, on maps: nothing is kept for a way back."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from handgrad.arrays import Array
from handgrad.kernels.calls import BLOCK, Call, Workspace, maximum
from handgrad.kernels.maps import Maps
from handgrad.kernels.winograd import SEEN, TILE, A, B, Filters, tiles_at_a_time

__all__ = ["gathered", "largest", "pooled_tiles", "taps"]


def gathered(
    x: Maps, W: Array, y: Maps, work: Workspace, stride: int = 1, dilation: int = 1
) -> list[Call]:
    """`calculus.convolve` without an offset, as it is: patches, gathered, and one product.

    A patch is a row of KH·KW·C numbers, of which pieces of C lie together, or of KW·C for a single
    sample; where they are the image's own pixels (a kernel of 1x1) nothing is gathered. Some rows
    of pixels are done at a time, so that their patches stay in the cache.

    Parameters
    ----------
    x : with its padding as border
    W : (KH, KW, C, O), read when the calls run
    y : overwritten
    """
    KH, KW, _, O = W.shape
    height, width, n, _ = y.inside.shape
    seen = 1 + dilation * (KH - 1), 1 + dilation * (KW - 1)
    windows = sliding_window_view(x.whole, seen, axis=(0, 1))[::stride, ::stride]
    patches = windows[..., ::dilation, ::dilation].transpose(0, 1, 2, 4, 5, 3)
    filters = W.reshape(-1, O)
    rows = max(1, min(height, 4 * BLOCK // (width * n * len(filters))))
    calls: list[Call] = []
    for i in range(0, height, rows):
        rows_seen, out = patches[i : i + rows], y.inside[i : i + rows]
        if (KH, KW, stride) != (1, 1, 1):
            rows_seen = work.array("gathered", rows_seen.shape)
            calls.append((np.copyto, (rows_seen, patches[i : i + rows])))
        size: tuple[int, ...] = len(out), width * n
        if rows_seen.flags.c_contiguous and out.flags.c_contiguous:
            size = (math.prod(size),)  # one product for all rows
        products = rows_seen.reshape(*size, -1), filters, out.reshape(*size, O)
        calls.append((np.matmul, products))
    return calls


def taps(x: Maps, filters: Array, y: Maps, work: Workspace) -> list[Call]:
    """A convolution with stride 1 of a single image with few channels.

    As in `Patches` the last row of the patches is ones, and of the filters b; but there is one
    product for all pixels where their outputs lie in one piece.

    Parameters
    ----------
    x : one sample, with its padding as border
    filters : (KH·KW·C + 1, O), read when the calls run
    y : overwritten
    """
    height, width, _, O = y.inside.shape
    kernel = len(x.whole) - height + 1, x.whole.shape[1] - width + 1
    patches = work.array("taps", (len(filters), height, width))
    patches[-1] = 1
    seen = sliding_window_view(x.whole[:, :, 0], kernel, axis=(0, 1)).transpose(3, 4, 2, 0, 1)
    calls: list[Call] = [(np.copyto, (patches[:-1].reshape(seen.shape), seen))]
    if y.inside.flags.c_contiguous:
        pixels = patches.reshape(len(filters), -1).T
        return [*calls, (np.matmul, (pixels, filters, y.inside.reshape(-1, O)))]
    return [*calls, (np.matmul, (patches.transpose(1, 2, 0), filters, y.inside[:, :, 0]))]


def largest(x: Maps, size: int, y: Maps, work: Workspace) -> list[Call]:
    """`calculus.max_pool` with ``stride = size``: first over rows, which are long, then columns."""
    height, width, n, C = y.inside.shape
    windows = x.inside[: size * height, : size * width]
    rows = [windows[i::size].reshape(height, -1) for i in range(size)]
    found = work.array("largest of rows", rows[0].shape)
    columns = found.reshape(height, width, size, n * C)
    return _running(rows, found) + _running([columns[:, :, j] for j in range(size)], y.pixels)


def pooled_tiles(x: Maps, filters: Filters, y: Maps, work: Workspace) -> list[Call]:
    """A 3x3 convolution by Winograd's tiles (see `kernels.winograd`), and max-pooling 2x2 of it.

    A tile of 4x4 outputs holds four whole windows, so that the largest are found while the outputs
    lie place by place, in the order in which they are made: Y = Aᵀ M A is one product, of Aᵀ ⊗ Aᵀ
    with all tiles, and place (i, j) of them all one row. The offset is added to what is left.

    Parameters
    ----------
    x : with what the tiles see as border
    y : overwritten; two rows and two columns for each tile
    """
    height, width, n, O = y.inside.shape
    down, across, columns = height // 2, width // 2, x.whole.shape[1]
    C, dtype = filters.C, filters.dtype
    enough = tiles_at_a_time(C, O)
    fits = (r for r in range(1, down + 1) if down % r == 0 and r * across * n <= enough)
    rows = max(fits, default=1)
    BT, AA = np.ascontiguousarray(B.T, dtype), np.ascontiguousarray(np.kron(A, A).T, dtype)
    T = work.array("T", (SEEN, columns, rows, n * C))
    V = work.array("V", (SEEN, SEEN, across, rows * n * C))
    M = work.array("M", (SEEN**2, across * rows * n, O))
    Y = work.array("places", (2, 2, 4 * across * rows * n * O))
    upper = work.array("of rows", (4, 2, across * rows * n * O))
    most = work.array("of places", (4, across * rows * n * O))
    offset = filters.b if n == 1 else np.zeros((n, O), dtype)
    down_rows = sliding_window_view(x.seen, SEEN, axis=0)[::TILE].swapaxes(2, 3)
    along = sliding_window_view(T.reshape(SEEN, columns, -1), SEEN, axis=1)[:, ::TILE]
    found = most.reshape(2, 2, across, rows, n * O).transpose(3, 0, 2, 1, 4)
    calls: list[Call] = [] if n == 1 else [(np.copyto, (offset, filters.b))]
    for i in range(0, down, rows):
        out = y.pixels[2 * i : 2 * (i + rows)].reshape(rows, 2, across, 2, -1)
        calls += [
            (np.matmul, (BT, down_rows[i : i + rows], T.transpose(2, 1, 0, 3))),
            (np.matmul, (BT, along.swapaxes(2, 3), V.swapaxes(1, 2))),
            (np.matmul, (V.reshape(SEEN**2, -1, C), filters.U, M)),
            (np.matmul, (AA, M.reshape(SEEN**2, -1), Y.reshape(TILE**2, -1))),
            (maximum, (Y[:, 0], Y[:, 1], upper.reshape(2, -1))),
            (maximum, (upper[:, 0], upper[:, 1], most)),
            (np.add, (found, offset.reshape(-1), out)),
        ]
    return calls


def _running(arrays: list[Array], y: Array) -> list[Call]:
    """The calls that write the largest of several arrays, place by place."""
    calls: list[Call] = [(maximum, (arrays[0], arrays[1], y))]
    return calls + [(maximum, (y, array, y)) for array in arrays[2:]]
