"""The way back through batch normalization.

For each column c of x, over the N samples:

    μ_c = 1/N Σ_n x_nc     v_c = 1/N Σ_n (x_nc - μ_c)²     σ_c = √(v_c + ε)
    x̂_nc = (x_nc - μ_c) / σ_c          y_nc = γ_c x̂_nc + β_c

A later layer says dy = ∂L/∂y. Wanted are dx, dscale = ∂L/∂γ and doffset = ∂L/∂β. Each x_kc moves
every y_nc of its column three ways: itself, through the mean, and through σ. With
∂σ_c/∂x_kc = x̂_kc / N the three add up to one line.

Where to read: chapter "Convolution".
"""

import numpy as np


def batch_norm(x, scale, offset, epsilon):
    centred = x - x.mean(axis=0)
    sigma = np.sqrt((centred**2).mean(axis=0) + epsilon)
    return scale * centred / sigma + offset


def batch_norm_backward(dy, x, scale, epsilon):
    """Carry a gradient back through `batch_norm`.

    dy : (N, C)         the gradient at the output
    x : (N, C)          the input
    scale : (C,)        γ
    epsilon : ε, a number

    Return dx (N, C), dscale (C,) and doffset (C,).
    """
    sigma, normal = _normalized(x, epsilon)
    dscale, doffset = (dy * normal).sum(axis=0), dy.sum(axis=0)
    dx = scale / sigma * (dy - doffset / len(x) - normal * dscale / len(x))
    return dx, dscale, doffset


CHAPTER = "convolution"
RETURNS = "dx, dscale, doffset"
FORWARD = batch_norm


def _normalized(x, epsilon, unbiased=0):
    centred = x - x.mean(axis=0)
    sigma = np.sqrt((centred**2).sum(axis=0) / (len(x) - unbiased) + epsilon)
    return sigma, centred / sigma


def _wrong(mean=1.0, spread=1.0, scaled=True, divided=True, parts=1, epsilon_kept=True, un=0):
    def backward(dy, x, scale, epsilon):
        sigma, normal = _normalized(x, epsilon if epsilon_kept else 0.0, un)
        dscale, doffset, N = (dy * normal).sum(axis=0), dy.sum(axis=0), len(x)
        dx = dy - mean * doffset / N - spread * normal * dscale / N
        dx = dx * (scale if scaled else 1) / (sigma if divided else 1)
        return dx, dscale / (N if parts == 0 else 1), doffset / (N if parts == 0 else 1)

    return backward


def _without_n(dy, x, scale, epsilon):
    sigma, normal = _normalized(x, epsilon)
    dscale, doffset = (dy * normal).sum(axis=0), dy.sum(axis=0)
    return scale / sigma * (dy - doffset - normal * dscale), dscale, doffset


def _exchanged(dy, x, scale, epsilon):
    dx, dscale, doffset = batch_norm_backward(dy, x, scale, epsilon)
    return dx, doffset, dscale


MISTAKES = {
    "mean and variance are taken for fixed numbers: every x of the column moves them, too": _wrong(
        mean=0, spread=0
    ),
    "the way through the mean is missing: -doffset/N": _wrong(mean=0),
    "the way through the variance is missing: -x̂ dscale/N": _wrong(spread=0),
    "1/N is missing in dx: each x is one N-th of the mean and of the variance": _without_n,
    "γ is missing in dx": _wrong(scaled=False),
    "1/σ is missing in dx": _wrong(divided=False),
    "dscale and doffset are means; they are the sums over the samples": _wrong(parts=0),
    "dscale and doffset are exchanged": _exchanged,
    "ε is forgotten: σ = √(v + ε)": _wrong(epsilon_kept=False),
    "the variance is divided by N - 1; here it is the mean of the squares, 1/N": _wrong(un=1),
    "the way through the variance counts twice: the 2 of the square cancels against the ½ of the "
    "root": _wrong(spread=2),
}


def inputs():
    draw = np.random.default_rng(16).normal
    for n, c, epsilon in [(5, 3, 0.1), (4, 2, 0.5), (2, 1, 0.3)]:
        yield {
            "x": 0.5 + draw(size=(n, c)),
            "scale": draw(size=c),
            "offset": draw(size=c),
            "epsilon": epsilon,
        }
