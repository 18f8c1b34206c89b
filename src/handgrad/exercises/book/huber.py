"""A loss of one's own, Huber's: loss and gradient.

With the residual r_n = y_n - t_n of a prediction and a distance δ,

    h(r) = r²/2 where |r| ≤ δ, else δ (|r| - δ/2)          L = 1/N Σ_n h(r_n)

Near 0 it is the squared error, far off a straight line, which forgives more. Wanted are L and
dy = ∂L/∂y.

Where to read: chapter "True", for what the certificate does with it.
"""

import numpy as np


def huber(y, t, delta):
    """Huber's loss, and its gradient.

    y, t : (N,)      predictions and targets
    delta : δ, a number

    Return L (a number) and dy (N,).
    """
    r = y - t
    far = np.abs(r) > delta
    L = np.where(far, delta * (np.abs(r) - delta / 2), r**2 / 2).mean()
    return L, np.where(far, delta * np.sign(r), r) / len(y)


CHAPTER = "true"
RETURNS = "L, dy"
MISTAKES = {
    "your gradient lacks 1/N: the loss is the mean over the samples": (
        lambda y, t, delta: (huber(y, t, delta)[0], huber(y, t, delta)[1] * len(y))
    ),
    "loss and gradient lack 1/N: the mean over the samples is wanted, not the sum": (
        lambda y, t, delta: (huber(y, t, delta)[0] * len(y), huber(y, t, delta)[1] * len(y))
    ),
    "the sign of the gradient is turned: r = y - t": (
        lambda y, t, delta: (huber(y, t, delta)[0], -huber(y, t, delta)[1])
    ),
    "far off the gradient is that of the squared error: beyond δ it is δ · sign(r)": (
        lambda y, t, delta: (huber(y, t, delta)[0], (y - t) / len(y))
    ),
    "far off the sign of r is missing in the gradient: δ · sign(r)": lambda y, t, delta: (
        huber(y, t, delta)[0],
        np.where(np.abs(y - t) > delta, delta, y - t) / len(y),
    ),
    "far off the gradient is sign(r) without δ": lambda y, t, delta: (
        huber(y, t, delta)[0],
        np.where(np.abs(y - t) > delta, np.sign(y - t), y - t) / len(y),
    ),
    "the two cases are exchanged: within δ it is the square, beyond it the line": (
        lambda y, t, delta: (
            np.where(
                np.abs(y - t) <= delta, delta * (np.abs(y - t) - delta / 2), (y - t) ** 2 / 2
            ).mean(),
            np.where(np.abs(y - t) <= delta, delta * np.sign(y - t), y - t) / len(y),
        )
    ),
    "the ½ is forgotten in the loss: r²/2 near 0": lambda y, t, delta: (
        np.where(np.abs(y - t) > delta, delta * (np.abs(y - t) - delta / 2), (y - t) ** 2).mean(),
        huber(y, t, delta)[1],
    ),
    "δ/2 is forgotten beyond δ: the loss jumps there": lambda y, t, delta: (
        np.where(np.abs(y - t) > delta, delta * np.abs(y - t), (y - t) ** 2 / 2).mean(),
        huber(y, t, delta)[1],
    ),
}


def inputs():
    draw = np.random.default_rng(17).normal
    for n, delta in [(4, 1.3), (7, 0.4), (1, 0.5)]:
        yield {"y": 2 * draw(size=n), "t": draw(size=n), "delta": delta}
