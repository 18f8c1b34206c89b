"""A step of Adam.

A running mean of the gradient g, and one of its square, for each weight by itself:

    m ← β₁ m + (1 - β₁) g          m̂ = m / (1 - β₁ᵗ)
    s ← β₂ s + (1 - β₂) g²         ŝ = s / (1 - β₂ᵗ)          w ← w - η m̂ / (√ŝ + ε)

t counts the steps from 1. The fractions take out that m and s began at 0: they are for this step
only, and what is remembered is m and s.

Where to read: Kingma, Ba, Adam: A Method for Stochastic Optimization, arXiv 1412.6980; chapter
"Backpropagation by hand".
"""

import numpy as np


def adam(w, m, s, g, t, learning_rate, beta1, beta2, epsilon):
    """One step.

    w, g : any shape          weights, and the gradient at them
    m, s : same shape         running means of g and of g² (0 before the first step)
    t : the number of this step, from 1
    learning_rate, beta1, beta2, epsilon : numbers

    Return w, m and s after the step: new arrays, those given stay as they are.
    """
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    unbiased, squares = m / (1 - beta1**t), s / (1 - beta2**t)
    return w - learning_rate * unbiased / (np.sqrt(squares) + epsilon), m, s


CHAPTER = "mnist"
RETURNS = "w, m, s"


def _wrong(corrected=(True, True), inside=False, root=True, count=0, kept=False, sign=1):
    def step(w, m, s, g, t, learning_rate, beta1, beta2, epsilon):
        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * g**2
        with np.errstate(all="ignore"):
            mean = m / (1 - beta1 ** (t + count)) if corrected[0] else m
            squares = s / (1 - beta2 ** (t + count)) if corrected[1] else s
            size = np.sqrt(squares + epsilon * inside) if root else squares
            step = mean / (size + epsilon * (not inside))
        return (w - sign * learning_rate * step, *((mean, squares) if kept else (m, s)))

    return step


def _same_mean(w, m, s, g, t, learning_rate, beta1, beta2, epsilon):
    return adam(w, m, s, g, t, learning_rate, beta1, beta1, epsilon)


def _plain_sums(w, m, s, g, t, learning_rate, beta1, beta2, epsilon):
    m, s = beta1 * m + g, beta2 * s + g**2
    mean, squares = m / (1 - beta1**t), s / (1 - beta2**t)
    return w - learning_rate * mean / (np.sqrt(squares) + epsilon), m, s


MISTAKES = {
    "bias correction forgotten: m and s began at 0, and are divided by 1 - β₁ᵗ and 1 - β₂ᵗ": _wrong(
        corrected=(False, False)
    ),
    "bias correction of m forgotten: m / (1 - β₁ᵗ)": _wrong(corrected=(False, True)),
    "bias correction of s forgotten: s / (1 - β₂ᵗ)": _wrong(corrected=(True, False)),
    "the corrected means are returned: m̂ and ŝ are for this step, m and s are remembered": _wrong(
        kept=True
    ),
    "ε stands inside of the root: √ŝ + ε, not √(ŝ + ε)": _wrong(inside=True),
    "the root is missing: √ŝ": _wrong(root=False),
    "t is taken as counted from 0: here the first step is t = 1 already": _wrong(count=1),
    "t - 1 is taken where t belongs": _wrong(count=-1),
    "the step goes uphill: it is subtracted from w": _wrong(sign=-1),
    "β₁ is taken for s too: s has its own, β₂": _same_mean,
    "1 - β₁ and 1 - β₂ are missing: m and s are means, not sums": _plain_sums,
}


def inputs():
    draw = np.random.default_rng(10).normal
    for shape, settings in [((3,), (0.1, 0.9, 0.999, 1e-3)), ((2, 2), (0.02, 0.7, 0.95, 0.1))]:
        w, m, s = draw(size=shape), np.zeros(shape), np.zeros(shape)
        names = ("learning_rate", "beta1", "beta2", "epsilon")
        for t in (1, 2, 3):
            g = draw(size=shape)
            yield {
                "w": w,
                "m": m,
                "s": s,
                "g": g,
                "t": t,
                **dict(zip(names, settings, strict=True)),
            }
            w, m, s = adam(w, m, s, g, t, *settings)
