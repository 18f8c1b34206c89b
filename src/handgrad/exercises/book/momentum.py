"""A step of gradient descent with momentum.

The weights roll like a ball: a velocity v remembers the earlier gradients g,

    v ← β v + g          w ← w - η v

with β a little below 1 and the learning rate η. The new v is what w is moved by.

Where to read: chapter "Backpropagation by hand".
"""

import numpy as np


def momentum(w, v, g, learning_rate, beta):
    """One step.

    w, v, g : any shape       weights, velocity (0 before the first step), gradient at w
    learning_rate, beta : numbers

    Return w and v after the step: new arrays, those given stay as they are.
    """
    v = beta * v + g
    return w - learning_rate * v, v


CHAPTER = "mnist"
RETURNS = "w, v"
MISTAKES = {
    "the step goes uphill: η v is subtracted from w": lambda w, v, g, learning_rate, beta: (
        w + learning_rate * (beta * v + g),
        beta * v + g,
    ),
    "w is moved by the velocity before this step: the new v is taken": (
        lambda w, v, g, learning_rate, beta: (w - learning_rate * v, beta * v + g)
    ),
    "w is moved by the gradient alone: the velocity is not used": (
        lambda w, v, g, learning_rate, beta: (w - learning_rate * g, beta * v + g)
    ),
    "β is missing: the velocity never forgets": lambda w, v, g, learning_rate, beta: (
        w - learning_rate * (v + g),
        v + g,
    ),
    "g is weighed by 1 - β: that is a running mean; momentum adds the whole gradient": (
        lambda w, v, g, learning_rate, beta: (
            w - learning_rate * (beta * v + (1 - beta) * g),
            beta * v + (1 - beta) * g,
        )
    ),
    "this is Nesterov's step, which looks ahead: plain momentum moves w by v": (
        lambda w, v, g, learning_rate, beta: (
            w - learning_rate * (g + beta * (beta * v + g)),
            beta * v + g,
        )
    ),
    "the learning rate is missing": lambda w, v, g, learning_rate, beta: (
        w - (beta * v + g),
        beta * v + g,
    ),
    "v is returned as it was: the next step needs the new one": (
        lambda w, v, g, learning_rate, beta: (w - learning_rate * (beta * v + g), v)
    ),
    "the learning rate stands within v: here v ← β v + g, and η only where w is moved": (
        lambda w, v, g, learning_rate, beta: (
            w - (beta * v + learning_rate * g),
            beta * v + learning_rate * g,
        )
    ),
}


def inputs():
    draw = np.random.default_rng(8).normal
    for shape, rate, beta in [((3,), 0.1, 0.9), ((1,), 0.5, 0.6), ((2, 3), 0.03, 0.8)]:
        w, v = draw(size=shape), np.zeros(shape)
        for _ in range(3):  # several steps, the first from rest
            g = draw(size=shape)
            yield {"w": w, "v": v, "g": g, "learning_rate": rate, "beta": beta}
            w, v = momentum(w, v, g, rate, beta)
