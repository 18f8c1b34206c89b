"""One whole step of the 9-6-2 network.

N pictures of 3x3 pixels as rows x_n of 9 numbers, with labels t_n, 0 or 1:

    Z1 = x W1 + b1 (N, 6)     A1 = max(0, Z1)     Z2 = A1 W2 + b2 (N, 2)     s = softmax(Z2)
    L = -Σ_n log s_n,t_n

(the sum over the samples, as in the tutorial). Go back through all of it, and then take one step of
gradient descent: W1 - η ∂L/∂W1, and so on, with the learning rate η.

Where to read: chapter "Lines, 3x3".
"""

import numpy as np


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def network_step(x, t, W1, b1, W2, b2, learning_rate):
    """One step of gradient descent.

    x : (N, 9)                            t : (N,), integers 0 or 1
    W1, b1, W2, b2 : (9, 6), (6,), (6, 2), (2,)
    learning_rate : a number

    Return W1, b1, W2, b2 after the step: new arrays, those given stay as they are.
    """
    Z1, A1, dZ2 = _forward(x, t, W1, b1, W2, b2)
    dZ1 = (dZ2 @ W2.T) * (Z1 > 0)
    gradients = x.T @ dZ1, dZ1.sum(axis=0), A1.T @ dZ2, dZ2.sum(axis=0)
    return _moved((W1, b1, W2, b2), gradients, learning_rate)


CHAPTER = "lines"
RETURNS = "W1, b1, W2, b2"


def _forward(x, t, W1, b1, W2, b2):
    Z1 = x @ W1 + b1
    A1 = np.maximum(0, Z1)
    return Z1, A1, softmax(A1 @ W2 + b2) - np.eye(2)[t]


def _moved(weights, gradients, rate):
    return tuple(w - rate * g for w, g in zip(weights, gradients, strict=True))


def _wrong(mask=lambda Z1: Z1 > 0, first_W2=False, sign=1, mean=False):
    def step(x, t, W1, b1, W2, b2, learning_rate):
        Z1, A1, dZ2 = _forward(x, t, W1, b1, W2, b2)
        if mean:
            dZ2 = dZ2 / len(x)
        dW2 = A1.T @ dZ2
        through = W2 - learning_rate * dW2 if first_W2 else W2
        dZ1 = (dZ2 @ through.T) * mask(Z1)
        gradients = x.T @ dZ1, dZ1.sum(axis=0), dW2, dZ2.sum(axis=0)
        return _moved((W1, b1, W2, b2), gradients, sign * learning_rate)

    return step


MISTAKES = {
    "the step goes uphill: the gradient is subtracted, not added": _wrong(sign=-1),
    "the gradients are divided by N: here the loss is the sum over the samples": _wrong(mean=True),
    "W2 is moved before the gradient went back through it: all gradients belong to the weights as "
    "they were": _wrong(first_W2=True),
    "the mask of ReLU is missing on the way back: where Z1 ≤ 0 nothing passes": _wrong(
        lambda Z1: 1.0
    ),
    "the mask of ReLU is of the wrong side: the gradient passes where Z1 > 0": _wrong(
        lambda Z1: Z1 <= 0
    ),
    "the offsets b1 and b2 stay as they were: they have gradients too": lambda *given: (
        network_step(*given)[0],
        given[3],
        network_step(*given)[2],
        given[5],
    ),
    "the first layer stays as it was": lambda *given: (*given[2:4], *network_step(*given)[2:]),
    "the gradients are returned: wanted are the weights after the step": lambda *given: tuple(
        (w - after) / given[6] for w, after in zip(given[2:6], network_step(*given), strict=True)
    ),
}


def inputs():
    draw = np.random.default_rng(5)
    for n in (3, 1, 24):
        yield {
            "x": draw.random(size=(n, 9)),
            "t": draw.integers(2, size=n),
            "W1": draw.normal(size=(9, 6)),
            "b1": draw.normal(size=6),
            "W2": draw.normal(size=(6, 2)),
            "b2": draw.normal(size=2),
            "learning_rate": 0.1,
        }
