"""Pooling: one number for each window of each channel of images (N, H, W, C).

Windows stand ``stride`` pixels apart; those that do not fit at the lower and right end are dropped.
"""

from __future__ import annotations

import numpy as np

from handgrad.arrays import Array, Shape
from handgrad.calculus.windows import places

__all__ = [
    "average_pool",
    "average_pool_backward",
    "global_average_pool",
    "global_average_pool_backward",
    "max_pool",
    "max_pool_backward",
]


def max_pool(x: Array, size: int, stride: int) -> Array:
    """The largest number of each window, ``y_nhwc = max_ij x_n(hs+i)(ws+j)c``.

    Parameters
    ----------
    x : (N, H, W, C) float
    size : height and width of a window, in pixels
    stride : how far windows stand apart, in pixels

    Returns
    -------
    y : (N, H', W', C), H' = ⌊(H - size) / stride⌋ + 1, dtype of x

    Cost: N·H'·W'·C·size² comparisons.

    >>> x = np.array([[1.0, 2.0, 5.0], [4.0, 3.0, 6.0]]).reshape(1, 2, 3, 1)
    >>> max_pool(x, 2, 1).ravel()
    array([4., 6.])
    """
    first, *others = places(x, (size, size), stride)
    y: Array = first.copy()
    for pixels in others:
        np.maximum(y, pixels, out=y)
    return y


def max_pool_backward(dy: Array, x: Array, y: Array, size: int, stride: int) -> Array:
    """Carry a gradient back through `max_pool`: all of it to the pixel that was the largest.

    ∂y_nhwc/∂x is 1 for that pixel and 0 for the others; where windows overlap, a pixel may be the
    largest of several and gets the sum. Between pixels that are equally large there is no
    derivative: the first of them, row by row, is taken, as if the others were a little smaller.

    Parameters
    ----------
    dy : (N, H', W', C) float      gradient at the output
    x : (N, H, W, C)               the input that `max_pool` received
    y : (N, H', W', C)             what it returned
    size, stride : as `max_pool` received them

    Returns
    -------
    dx : (N, H, W, C), dtype of dy

    >>> x = np.array([[7.0, 7.0], [7.0, 1.0]]).reshape(1, 2, 2, 1)
    >>> max_pool_backward(np.ones((1, 1, 1, 1)), x, max_pool(x, 2, 2), 2, 2)[0, :, :, 0]
    array([[1., 0.],
           [0., 0.]])
    """
    dx: Array = np.zeros(x.shape, dy.dtype, like=dy)
    window = size, size
    searching = np.ones_like(y, bool)  # the windows whose largest pixel is still to come
    for pixels, dpixels in zip(places(x, window, stride), places(dx, window, stride), strict=True):
        largest = pixels == y
        largest &= searching
        searching ^= largest
        dpixels += dy * largest
    return dx


def average_pool(x: Array, size: int, stride: int) -> Array:
    """The mean of each window, ``y_nhwc = 1/size² Σ_ij x_n(hs+i)(ws+j)c``.

    Parameters
    ----------
    x, size, stride : as in `max_pool`

    Returns
    -------
    y : (N, H', W', C), dtype of x

    Cost: N·H'·W'·C·size² additions.

    >>> average_pool(np.array([[1.0, 2.0], [4.0, 3.0]]).reshape(1, 2, 2, 1), 2, 2).ravel()
    array([2.5])
    """
    first, *others = places(x, (size, size), stride)
    y: Array = first.copy()
    for pixels in others:
        y += pixels
    y /= size * size
    return y


def average_pool_backward(dy: Array, shape: Shape, size: int, stride: int) -> Array:
    """Carry a gradient back through `average_pool`: every pixel of a window gets the same share.

        dx_nyxc = 1/size² Σ dy_nhwc  over all windows (h, w) that hold the pixel (y, x)

    Parameters
    ----------
    dy : (N, H', W', C) float      gradient at the output
    shape : (N, H, W, C)           of the input of `average_pool`
    size, stride : as `average_pool` received them

    Returns
    -------
    dx : (N, H, W, C), dtype of dy
    """
    dx: Array = np.zeros(shape, dy.dtype, like=dy)
    share = dy / (size * size)
    for dpixels in places(dx, (size, size), stride):
        dpixels += share
    return dx


def global_average_pool(x: Array) -> Array:
    """The mean of each channel over the whole image, ``y_nc = 1/(HW) Σ_hw x_nhwc``.

    Parameters
    ----------
    x : (N, H, W, C) float

    Returns
    -------
    y : (N, C), dtype of x

    Source: Lin, Chen, Yan, Network In Network, arXiv 1312.4400 (2013).
    """
    y: Array = x.mean(axis=(1, 2))
    return y


def global_average_pool_backward(dy: Array, shape: Shape) -> Array:
    """Carry a gradient back through `global_average_pool`: ``dx_nhwc = dy_nc / (HW)``.

    Parameters
    ----------
    dy : (N, C) float          gradient at the output
    shape : (N, H, W, C)       of the input of `global_average_pool`

    Returns
    -------
    dx : (N, H, W, C), dtype of dy
    """
    share = dy / (shape[1] * shape[2])
    dx: Array = np.broadcast_to(share[:, None, None, :], shape).copy()
    return dx
