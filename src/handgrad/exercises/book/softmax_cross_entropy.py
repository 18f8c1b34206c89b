"""Softmax and cross-entropy in one: loss and gradient.

N samples with scores z_nk and labels t_n, whole numbers from 0 to K - 1:

    s_nk = e^(z_nk) / Σ_j e^(z_nj)          L = -1/N Σ_n log s_n,t_n

Wanted are L and dz = ∂L/∂z. Of all the Jacobian of softmax, very little is left. Scores may be
large: e^800 is no number any more, but what is subtracted from all scores of a row changes nothing.

Where to read: chapter "Lines, 3x3".
"""

import numpy as np


def softmax_cross_entropy(z, t):
    """The loss of scores, and its gradient.

    z : (N, K)      scores, also very large ones
    t : (N,)        labels, integers in 0..K-1

    Return L (a number) and dz (N, K).
    """
    rows = np.arange(len(z))
    shifted = z - z.max(axis=1)[:, None]
    log_s = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    dz = np.exp(log_s)
    dz[rows, t] -= 1
    return -log_s[rows, t].mean(), dz / len(z)


CHAPTER = "lines"
RETURNS = "L, dz"


def _with(loss=lambda n: 1, gradient=lambda n: 1):
    def wrong(z, t):
        L, dz = softmax_cross_entropy(z, t)
        return loss(len(z)) * L, gradient(len(z)) * dz

    return wrong


def _plain(z, t):
    e = np.exp(z)
    s = e / e.sum(axis=1, keepdims=True)
    y = np.eye(z.shape[1])[t]
    return -np.log(s[np.arange(len(z)), t]).mean(), (s - y) / len(z)


def _without_label(z, t):
    L, dz = softmax_cross_entropy(z, t)
    return L, dz + np.eye(z.shape[1])[t] / len(z)


def _all_axes(z, t):
    e = np.exp(z - z.max())
    s = e / e.sum()
    y = np.eye(z.shape[1])[t]
    with np.errstate(divide="ignore"):
        return -np.log(s[np.arange(len(z)), t]).mean(), (s - y) / len(z)


MISTAKES = {
    "your gradient lacks 1/N: the loss is the mean over the samples": _with(gradient=lambda n: n),
    "loss and gradient lack 1/N: the mean over the samples is wanted, not the sum": _with(
        lambda n: n, lambda n: n
    ),
    "the loss lacks 1/N; the gradient is right": _with(lambda n: n),
    "the gradient is divided by N once too often": _with(gradient=lambda n: 1 / n),
    "the sign of the loss is turned: a logarithm of a probability is negative, the loss is not": (
        _with(lambda n: -1)
    ),
    "the sign of the gradient is turned: it is s - y, not y - s": _with(gradient=lambda n: -1),
    "large scores overflow: subtract the largest score of each row before you take e to it": _plain,
    "the label is missing in the gradient: s - y, with y = 1 at the label, else 0": _without_label,
    "the scores of all samples are normalized together: softmax takes each row by itself": (
        _all_axes
    ),
}


def inputs():
    draw = np.random.default_rng(4)
    for n, k in [(3, 4), (5, 2), (1, 7), (1, 2)]:
        yield {"z": draw.normal(size=(n, k)), "t": draw.integers(k, size=n)}
    yield {"z": np.array([[800.0, 801.0], [-900.0, -902.0]]), "t": np.array([0, 1])}
