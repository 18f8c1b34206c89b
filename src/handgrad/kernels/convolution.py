"""`calculus.convolve` and its way back by Winograd's algorithm, where that is possible."""

from __future__ import annotations

import numpy as np

from handgrad import calculus
from handgrad.arrays import Array, Shape
from handgrad.calculus.windows import NO_PADDING, Padding
from handgrad.kernels.calls import Workspace, run
from handgrad.kernels.maps import Maps
from handgrad.kernels.winograd import SEEN, TILE, Filters, Winograd, tiles_of

__all__ = ["convolve", "convolve_backward", "fits_winograd", "winograd_border"]


def fits_winograd(
    height: int, width: int, kernel: tuple[int, ...], C: int, stride: int = 1, dilation: int = 1
) -> bool:
    """Whether Winograd's algorithm is possible, and does clearly less than the direct products.

    Parameters
    ----------
    height, width : of the output
    kernel : its height and width
    C : input channels: with fewer than 8 the transforms cost more than they save

    >>> fits_winograd(32, 32, (3, 3), 64), fits_winograd(2, 2, (3, 3), 64)
    (True, False)
    """
    products = SEEN**2 * tiles_of(height) * tiles_of(width)
    possible = tuple(kernel) == (3, 3) and stride == dilation == 1
    return possible and C >= 8 and products < 0.7 * 9 * height * width


def winograd_border(shape: Shape, padding: Padding) -> Padding:
    """The zeros that the tiles see around an image of this shape: where its output does not divide
    into tiles, more than the padding.

    >>> winograd_border((7, 8, 16), ((1, 1), (1, 1)))
    ((1, 2), (1, 1))
    """
    (above, below), (left, right) = padding
    rows = TILE * tiles_of(above + shape[0] + below - 2) + SEEN - TILE
    columns = TILE * tiles_of(left + shape[1] + right - 2) + SEEN - TILE
    return (above, rows - above - shape[0]), (left, columns - left - shape[1])


def convolve(
    x: Array,
    W: Array,
    b: Array | None,
    stride: int = 1,
    padding: Padding = NO_PADDING,
    dilation: int = 1,
) -> Array:
    """The twin of `calculus.convolve`: as there, and by it where Winograd does not fit."""
    height, width = _output(x, padding)
    if not len(x) or not fits_winograd(height, width, W.shape[:2], W.shape[2], stride, dilation):
        return calculus.convolve(x, W, b, stride, padding, dilation)
    kernel = _kernel(x, W, b, padding)
    y = Maps(np.empty((height, width, len(x), W.shape[3]), x.dtype))
    image = _maps(x, winograd_border(x.shape[1:], padding))
    run(kernel.forward(image.seen, y.pixels))
    return np.ascontiguousarray(y.rows)


def convolve_backward(
    dy: Array,
    x: Array,
    W: Array,
    dW: Array | None,
    db: Array | None,
    stride: int = 1,
    padding: Padding = NO_PADDING,
    dilation: int = 1,
) -> Array:
    """The twin of `calculus.convolve_backward`: as there, and by it where Winograd does not fit."""
    height, width = _output(x, padding)
    if not len(x) or not fits_winograd(height, width, W.shape[:2], W.shape[2], stride, dilation):
        return calculus.convolve_backward(dy, x, W, dW, db, stride, padding, dilation)
    kernel = _kernel(x, W, None, padding)
    given, image = _maps(dy, NO_PADDING), _maps(x, winograd_border(x.shape[1:], padding))
    dx = image._replace(whole=np.empty_like(image.whole))
    run(kernel.backward(given.pixels, image.seen, dx.seen))
    kernel.filters.write(np.empty_like(W) if dW is None else dW, db)
    return np.ascontiguousarray(dx.rows)


def _output(x: Array, padding: Padding) -> tuple[int, int]:
    """Height and width of the output of a 3x3 kernel with stride 1."""
    height, width = (size + sum(p) - 2 for size, p in zip(x.shape[1:3], padding, strict=True))
    return height, width


def _kernel(x: Array, W: Array, b: Array | None, padding: Padding) -> Winograd:
    filters = Filters(W.shape[2], W.shape[3], x.dtype)
    filters.read(W, b)
    return Winograd(*_output(x, padding), len(x), filters, Workspace(x.dtype))


def _maps(x: Array, border: Padding) -> Maps:
    """Images (N, H, W, C) as maps with zeros around."""
    N, H, W, C = x.shape
    maps = Maps(np.zeros((sum(border[0]) + H, sum(border[1]) + W, N, C), x.dtype), border)
    maps.rows[...] = x
    return maps
