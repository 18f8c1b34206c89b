"""The way back through a convolution.

Every patch is weighed by every filter (stride 1, no padding):

    y_nhwo = Σ_ijc x_n,h+i,w+j,c W_ijco + b_o

A later layer says dy = ∂L/∂y. Wanted are ∂L/∂x, ∂L/∂W and ∂L/∂b. W_ijco is the same at all
positions (h, w) of all images, so its gradient is a sum over them. Two loops over the places (i, j)
of the kernel are enough; `patches_backward`, another exercise, is the half of it.

Where to read: chapter "Convolution".
"""

import numpy as np


def convolve(x, W, b):
    KH, KW = W.shape[:2]
    H, V = x.shape[1] - KH + 1, x.shape[2] - KW + 1
    seen = [(i, j, x[:, i : i + H, j : j + V]) for i in range(KH) for j in range(KW)]
    return sum(pixels @ W[i, j] for i, j, pixels in seen) + b


def convolution_backward(dy, x, W):
    """Carry a gradient back through `convolve`.

    dy : (N, H', W', O)     the gradient at the output, H' = H - KH + 1, W' = W - KW + 1
    x : (N, H, W, C)        the images
    W : (KH, KW, C, O)      the filters

    Return dx (N, H, W, C), dW (KH, KW, C, O) and db (O,).
    """
    _, H, V, _ = dy.shape
    dx, dW = np.zeros(x.shape), np.zeros(W.shape)
    for i in range(W.shape[0]):
        for j in range(W.shape[1]):
            dW[i, j] = np.einsum("nhwc,nhwo->co", x[:, i : i + H, j : j + V], dy)
            dx[:, i : i + H, j : j + V] += dy @ W[i, j].T
    return dx, dW, dy.sum(axis=(0, 1, 2))


CHAPTER = "convolution"
RETURNS = "dx, dW, db"
FORWARD = convolve


def _wrong(change):
    return lambda dy, x, W: change(*convolution_backward(dy, x, W), dy, x, W)


def _overwritten(dx, dW, db, dy, x, W):
    dx = np.zeros(x.shape)
    for i, j in np.ndindex(W.shape[:2]):
        dx[:, i : i + dy.shape[1], j : j + dy.shape[2]] = dy @ W[i, j].T
    return dx, dW, db


def _turned(dx, dW, db, dy, x, W):
    return convolution_backward(dy, x, W[::-1, ::-1])[0], dW, db


def _places(dy):
    return dy.shape[1] * dy.shape[2]


MISTAKES = {
    "in dx the patches overwrite each other: every pixel gets the sum of all that saw it (+=)": (
        _wrong(_overwritten)
    ),
    "in dx the kernel is turned by half a turn once too often: place (i, j) saw pixel (h + i, "
    "w + j)": _wrong(_turned),
    "dW is turned by half a turn": _wrong(lambda dx, dW, db, dy, x, W: (dx, dW[::-1, ::-1], db)),
    "dW is divided by N: the mean is in dy already, where the loss takes one": _wrong(
        lambda dx, dW, db, dy, x, W: (dx, dW / len(x), db)
    ),
    "dW is the mean over the positions; it is the sum": _wrong(
        lambda dx, dW, db, dy, x, W: (dx, dW / _places(dy), db)
    ),
    "db is the mean over samples and positions; it is their sum": _wrong(
        lambda dx, dW, db, dy, x, W: (dx, dW, dy.mean(axis=(0, 1, 2)))
    ),
    "db is summed over the samples only: the offset is the same at every position too": _wrong(
        lambda dx, dW, db, dy, x, W: (dx, dW, dy.sum(axis=0))
    ),
    "db is that of the first image only": _wrong(
        lambda dx, dW, db, dy, x, W: (dx, dW, dy[0].sum(axis=(0, 1)))
    ),
    "dW has its last two axes exchanged: (KH, KW, C, O)": _wrong(
        lambda dx, dW, db, dy, x, W: (dx, dW.swapaxes(2, 3), db)
    ),
}


def inputs():
    draw = np.random.default_rng(14).normal
    for x, W in [
        ((2, 4, 5, 2), (3, 2, 2, 3)),
        ((1, 3, 3, 1), (3, 3, 1, 2)),
        ((3, 3, 4, 3), (2, 2, 3, 1)),
        ((1, 1, 1, 1), (1, 1, 1, 1)),
    ]:
        yield {"x": draw(size=x), "W": draw(size=W), "b": draw(size=W[3])}
