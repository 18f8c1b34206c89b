"""The rules of momentum, RMSProp and Adam, before any learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from handgrad.arrays import Array
from handgrad.optimizers.chain import State, Transformation

__all__ = ["AdamRule", "MomentumRule", "RMSPropRule"]

TILE = 1 << 15
"""Numbers that are walked over at once: a dozen operations on g, m and s find them in the cache."""


@dataclass(frozen=True)
class MomentumRule(Transformation):
    """Momentum: ``v ← β v + g``, and the step follows v; with Nesterov's look ahead, ``g + β v``.

    Nesterov's method takes the gradient at the place where momentum is about to carry the weights.
    With the place it looks from called w, as here, that becomes a step along g + β v.

    Source: Sutskever, Martens, Dahl, Hinton, On the importance of initialization and momentum in
    deep learning (ICML 2013); the rate stands outside of v, as in PyTorch's SGD.
    """

    beta: float = 0.9
    nesterov: bool = False

    def start(self, vector: Array) -> State:
        return {"v": np.zeros_like(vector)}

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        v = state["v"]
        v *= self.beta
        v += g
        if self.nesterov:
            g += self.beta * v
        else:
            g[...] = v


@dataclass(frozen=True)
class RMSPropRule(Transformation):
    """RMSProp: ``s ← ρ s + (1 - ρ) g²``, and the step is ``g / (√s + ε)``.

    Source: Tieleman, Hinton, Lecture 6.5, COURSERA: Neural Networks for Machine Learning (2012);
    ε outside of the root, as in PyTorch's RMSprop.
    """

    rho: float = 0.99
    epsilon: float = 1e-8

    def start(self, vector: Array) -> State:
        return {"s": np.zeros_like(vector)}

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        s = state["s"]
        s *= self.rho
        s += (1 - self.rho) * g * g
        root = np.sqrt(s)
        root += self.epsilon
        g /= root


@dataclass(frozen=True)
class AdamRule(Transformation):
    """Adam: the running mean of the gradient over the root of that of its square.

        m ← β₁ m + (1 - β₁) g          m̂ = m / (1 - β₁ᵗ)
        s ← β₂ s + (1 - β₂) g²         ŝ = s / (1 - β₂ᵗ)          step = m̂ / (√ŝ + ε)

    with t counted from 1. The two fractions take the start at 0 out of the running means.

    Source: Kingma, Ba, Adam: A Method for Stochastic Optimization, arXiv 1412.6980.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def start(self, vector: Array) -> State:
        return {"m": np.zeros_like(vector), "s": np.zeros_like(vector)}

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        for first in range(0, len(g), TILE):
            tile = slice(first, first + TILE)
            self._step(g[tile], state["m"][tile], state["s"][tile], t)

    def _step(self, g: Array, m: Array, s: Array, t: int) -> None:
        m *= self.beta1
        m += (1 - self.beta1) * g
        s *= self.beta2
        g *= g
        g *= 1 - self.beta2
        s += g
        # √ŝ + ε and m̂, written into g, whose own value is used up
        np.sqrt(s, out=g)
        g *= 1 / math.sqrt(1 - self.beta2 ** (t + 1))
        g += self.epsilon
        np.divide(m, g, out=g)
        g *= 1 / (1 - self.beta1 ** (t + 1))
