"""The way back through max pooling.

An image is cut into windows of 2x2 pixels side by side, and of each the largest number is kept:

    y_nhwc = max of x_n,2h,2w,c  x_n,2h,2w+1,c  x_n,2h+1,2w,c  x_n,2h+1,2w+1,c

A later layer says dy = ∂L/∂y. Wanted is dx = ∂L/∂x. Only the largest pixel of a window moves y; a
last row or column that fits in no window is not looked at at all.

Where to read: chapter "Convolution".
"""

import numpy as np


def max_pool(x):
    N, H, W, C = x.shape
    windows = x[:, : H // 2 * 2, : W // 2 * 2].reshape(N, H // 2, 2, W // 2, 2, C)
    return windows.max(axis=(2, 4))


def max_pool_backward(dy, x):
    """Carry a gradient back through `max_pool`.

    dy : (N, H // 2, W // 2, C)     the gradient at the output
    x : (N, H, W, C)                the input; no two numbers of a window are equal

    Return dx, (N, H, W, C).
    """
    dx = np.zeros(x.shape)
    _given(dx)[...] = _wide(dy) * (_given(x) == _wide(max_pool(x)))
    return dx


CHAPTER = "convolution"
RETURNS = "dx"
FORWARD = max_pool


def _given(x):
    """The part of an image that windows look at."""
    return x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]


def _wide(y):
    """Each number for all four pixels of its window."""
    return y.repeat(2, axis=1).repeat(2, axis=2)


def _spread(dy, x, by=1.0):
    dx = np.zeros(x.shape)
    _given(dx)[...] = _wide(dy) * by
    return dx


def _smallest(dy, x):
    return max_pool_backward(dy, -x)


def _first(dy, x):
    dx = np.zeros(x.shape)
    _given(dx)[:, ::2, ::2] = dy
    return dx


def _without_gradient(dy, x):
    return max_pool_backward(np.ones(dy.shape), x)


MISTAKES = {
    "all four pixels of a window get the gradient: only the largest one moves y": _spread,
    "the gradient is shared out evenly: that is average pooling; the largest gets all of it": (
        lambda dy, x: _spread(dy, x, 0.25)
    ),
    "the smallest pixel gets the gradient: it is the largest that moves y": _smallest,
    "the first pixel of each window gets the gradient, whichever is the largest": _first,
    "dy is missing: this is the mask of the largest pixels alone": _without_gradient,
    "a factor x stands too many: the slope is 1, however large the pixel is": (
        lambda dy, x: max_pool_backward(dy, x) * x
    ),
    "the last row or column, which fits in no window, is left out of dx: it has the shape of x, "
    "with 0 there": lambda dy, x: _given(max_pool_backward(dy, x)),
    "the sign is turned": lambda dy, x: -max_pool_backward(dy, x),
}


def inputs():
    shuffle = np.random.default_rng(15).permutation
    for shape in [(1, 4, 6, 2), (2, 5, 4, 3), (2, 3, 3, 1), (1, 2, 2, 1)]:
        size = int(np.prod(shape))
        yield {"x": (shuffle(size) - size / 2.3).reshape(shape) * 0.1}  # no two are equal
