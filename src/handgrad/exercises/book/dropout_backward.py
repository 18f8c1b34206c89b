"""The way back through dropout.

While training a random part of the numbers is left out, and what is kept is scaled so that the mean
stays as it was:

    y = x · kept / (1 - p)          kept is 1 with probability 1 - p, else 0

A later layer says dy = ∂L/∂y. Wanted is dx = ∂L/∂x, for the same draw.

Where to read: chapter "L layers".
"""

import numpy as np


def dropout(x, kept, rate):
    return x * kept / (1 - rate)


def dropout_backward(dy, kept, rate):
    """Carry a gradient back through `dropout`.

    dy : any shape           the gradient at the output
    kept : same shape, bool  which numbers were kept
    rate : p, the probability of leaving out

    Return dx, of the same shape.
    """
    return dy * kept / (1 - rate)


CHAPTER = "layers"
RETURNS = "dx"
FORWARD = dropout
MISTAKES = {
    "the scale is missing: what is kept was divided by 1 - p on the way there": (
        lambda dy, kept, rate: dy * kept
    ),
    "the mask is missing: what was left out has no gradient": (
        lambda dy, kept, rate: dy / (1 - rate)
    ),
    "the mask is of the wrong side: the gradient passes where kept is true": (
        lambda dy, kept, rate: dy * ~kept / (1 - rate)
    ),
    "it is multiplied by 1 - p: the derivative of x / (1 - p) is 1 / (1 - p)": (
        lambda dy, kept, rate: dy * kept * (1 - rate)
    ),
    "it is divided by p: it is 1 - p that was divided by": (
        lambda dy, kept, rate: dy * kept / rate
    ),
    "the gradient is handed on as it came": lambda dy, kept, rate: dy,
}


def inputs():
    draw = np.random.default_rng(12)
    for shape, rate in [((4,), 0.3), ((3, 5), 0.2), ((2, 2, 2, 3), 0.6)]:
        kept = draw.random(shape) >= rate
        yield {"x": draw.normal(size=shape), "kept": kept, "rate": rate}
