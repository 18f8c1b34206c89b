"""One neuron with cross-entropy: its loss and its gradients.

N samples x_n (rows) with labels t_n, 0 or 1:

    z_n = Σ_i x_ni w_i + b          ŷ_n = 1 / (1 + e^(-z_n))
    L = -1/N Σ_n [t_n log ŷ_n + (1 - t_n) log(1 - ŷ_n)]

Wanted are L, dw = ∂L/∂w and db = ∂L/∂b. Follow one sample: ∂L/∂z_n is short once ∂L/∂ŷ_n and
∂ŷ_n/∂z_n are multiplied.

Where to read: chapter "One neuron".
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def neuron_gradient(x, w, b, t):
    """The loss of one neuron, and its gradients.

    x : (N, I)      a sample a row
    w : (I,)        weights
    b : a number    offset
    t : (N,)        labels, 0 or 1

    Return L (a number), dw (I,) and db (a number).
    """
    z = x @ w + b
    y = sigmoid(z)
    L = -(t * np.log(y) + (1 - t) * np.log(1 - y)).mean()
    dz = (y - t) / len(x)
    return L, x.T @ dz, dz.sum()


CHAPTER = "neuron"
RETURNS = "L, dw, db"


def _wrong(x, w, b, t, weigh=lambda y, t: y - t, n=None, loss=1):
    L, _, _ = neuron_gradient(x, w, b, t)
    dz = weigh(1 / (1 + np.exp(-(x @ w + b))), t) / (n or len(x))
    return loss * L, x.T @ dz, dz.sum()


MISTAKES = {
    "your gradients lack 1/N: the loss is the mean over the samples": (
        lambda x, w, b, t: _wrong(x, w, b, t, n=1)
    ),
    "loss and gradients lack 1/N: the mean over the samples is wanted, not the sum": (
        lambda x, w, b, t: _wrong(x, w, b, t, n=1, loss=len(x))
    ),
    "the loss lacks 1/N; the gradients are right": (
        lambda x, w, b, t: _wrong(x, w, b, t, loss=len(x))
    ),
    "the sign of the loss is turned: the logarithms are negative, the loss is not": (
        lambda x, w, b, t: _wrong(x, w, b, t, loss=-1)
    ),
    "the sign of the gradients is turned: it is ŷ - t, not t - ŷ": (
        lambda x, w, b, t: _wrong(x, w, b, t, lambda y, t: t - y)
    ),
    "σ' = ŷ (1 - ŷ) stands once too often: it cancels against the derivative of the logarithms": (
        lambda x, w, b, t: _wrong(x, w, b, t, lambda y, t: (y - t) * y * (1 - y))
    ),
    "σ' = ŷ (1 - ŷ) is missing: what you return is ∂L/∂ŷ carried on to w and b": (
        lambda x, w, b, t: _wrong(x, w, b, t, lambda y, t: (y - t) / (y * (1 - y)))
    ),
    "db lacks 1/N; the rest is right": lambda x, w, b, t: (
        *neuron_gradient(x, w, b, t)[:2],
        neuron_gradient(x, w, b, t)[2] * len(x),
    ),
}


def inputs():
    draw = np.random.default_rng(2).normal
    for n, i in [(4, 3), (1, 5), (6, 1), (1, 1)]:
        yield {
            "x": draw(size=(n, i)),
            "w": draw(size=i),
            "b": 0.3 * n,
            "t": np.arange(n) % 2,
        }
