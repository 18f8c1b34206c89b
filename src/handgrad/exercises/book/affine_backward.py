"""The way back through a dense layer, the affine map.

    y_no = Σ_i x_ni W_io + b_o          a sample a row

A later layer says how the loss L changes with y: dy = ∂L/∂y. Wanted are ∂L/∂x, ∂L/∂W and ∂L/∂b.
Ask of each number in which y it stands, and sum over those: W_io stands in y_no for every n. Each
of the three then is one line, and the shapes leave hardly a choice.

Where to read: chapter "Lines, 3x3".
"""

import numpy as np


def affine(x, W, b):
    return x @ W + b


def affine_backward(dy, x, W):
    """Carry a gradient back through `affine`.

    dy : (N, O)     the gradient at the output
    x : (N, I)      the input
    W : (I, O)      the weights

    Return dx (N, I), dW (I, O) and db (O,).
    """
    return dy @ W.T, x.T @ dy, dy.sum(axis=0)


CHAPTER = "lines"
RETURNS = "dx, dW, db"
FORWARD = affine
MISTAKES = {
    "dW is divided by N: the mean over the samples is in dy already, where the loss takes one": (
        lambda dy, x, W: (dy @ W.T, x.T @ dy / len(x), dy.sum(axis=0))
    ),
    "dW and db are divided by N: the mean over the samples is in dy already, where the loss takes "
    "one": lambda dy, x, W: (dy @ W.T, x.T @ dy / len(x), dy.mean(axis=0)),
    "db is the mean over the samples; it is their sum": (
        lambda dy, x, W: (dy @ W.T, x.T @ dy, dy.mean(axis=0))
    ),
    "db is that of the first sample only; it is the sum over all": (
        lambda dy, x, W: (dy @ W.T, x.T @ dy, dy[0])
    ),
    "db is not summed: every sample has the same offset, so its gradient is the sum over them": (
        lambda dy, x, W: (dy @ W.T, x.T @ dy, dy)
    ),
    "db is summed over the outputs (axis 1); it is summed over the samples (axis 0)": (
        lambda dy, x, W: (dy @ W.T, x.T @ dy, dy.sum(axis=1))
    ),
    "db has one axis too many, (1, O): without keepdims it is (O,), as b": (
        lambda dy, x, W: (dy @ W.T, x.T @ dy, dy.sum(axis=0, keepdims=True))
    ),
    "dW is transposed: it has the shape of W, (I, O), so it is xᵀ dy": (
        lambda dy, x, W: (dy @ W.T, dy.T @ x, dy.sum(axis=0))
    ),
    "dx is transposed: it has the shape of x, (N, I)": (
        lambda dy, x, W: (W @ dy.T, x.T @ dy, dy.sum(axis=0))
    ),
    "W is reshaped for dx where it is to be transposed: W.T, not W.reshape": lambda dy, x, W: (
        dy @ W.reshape(W.shape[::-1]),
        x.T @ dy,
        dy.sum(axis=0),
    ),
    "dx and dW are exchanged: return dx, dW, db": (
        lambda dy, x, W: (x.T @ dy, dy @ W.T, dy.sum(axis=0))
    ),
    "the signs are turned": lambda dy, x, W: (-dy @ W.T, -x.T @ dy, -dy.sum(axis=0)),
}


def inputs():
    draw = np.random.default_rng(6).normal
    for n, i, o in [(3, 5, 2), (1, 4, 3), (5, 1, 4), (4, 3, 1), (1, 1, 1)]:
        yield {"x": draw(size=(n, i)), "W": draw(size=(i, o)), "b": draw(size=o)}
