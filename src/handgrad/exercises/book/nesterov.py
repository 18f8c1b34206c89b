"""A step of gradient descent with Nesterov's momentum.

Momentum moves the weights by the velocity, v ← β v + g and w ← w - η v. Nesterov looks where that
will carry them, and goes on from there. With w the place it looks from, as in PyTorch and here,

    v ← β v + g          w ← w - η (g + β v)

where the v in the second line is the new one.

Where to read: chapter "Backpropagation by hand", and `handgrad exercise momentum` first.
"""

import numpy as np


def nesterov(w, v, g, learning_rate, beta):
    """One step.

    w, v, g : any shape       weights, velocity (0 before the first step), gradient at w
    learning_rate, beta : numbers

    Return w and v after the step: new arrays, those given stay as they are.
    """
    v = beta * v + g
    return w - learning_rate * (g + beta * v), v


CHAPTER = "mnist"
RETURNS = "w, v"
MISTAKES = {
    "Nesterov's look ahead is missing: this is plain momentum, which moves w by v": (
        lambda w, v, g, learning_rate, beta: (w - learning_rate * (beta * v + g), beta * v + g)
    ),
    "the look ahead takes the velocity before this step: g + β v with the new v": (
        lambda w, v, g, learning_rate, beta: (w - learning_rate * (g + beta**2 * v), beta * v + g)
    ),
    "β is missing in the look ahead: g + β v, not g + v": (
        lambda w, v, g, learning_rate, beta: (
            w - learning_rate * (g + beta * v + g),
            beta * v + g,
        )
    ),
    "g is missing in the look ahead: g + β v": lambda w, v, g, learning_rate, beta: (
        w - learning_rate * beta * (beta * v + g),
        beta * v + g,
    ),
    "the step goes uphill: it is subtracted from w": lambda w, v, g, learning_rate, beta: (
        2 * w - nesterov(w, v, g, learning_rate, beta)[0],
        beta * v + g,
    ),
    "v is returned as it was: the next step needs the new one": (
        lambda w, v, g, learning_rate, beta: (nesterov(w, v, g, learning_rate, beta)[0], v)
    ),
    "what is looked ahead with is returned as v: v itself is β v + g": (
        lambda w, v, g, learning_rate, beta: (
            nesterov(w, v, g, learning_rate, beta)[0],
            g + beta * (beta * v + g),
        )
    ),
}


def inputs():
    draw = np.random.default_rng(9).normal
    for shape, rate, beta in [((3,), 0.1, 0.9), ((1,), 0.5, 0.6), ((2, 3), 0.03, 0.8)]:
        w, v = draw(size=shape), np.zeros(shape)
        for _ in range(3):
            g = draw(size=shape)
            yield {"w": w, "v": v, "g": g, "learning_rate": rate, "beta": beta}
            w, v = nesterov(w, v, g, rate, beta)
