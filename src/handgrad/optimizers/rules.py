"""The rules of momentum, RMSProp and Adam, before any learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from handgrad.arrays import Array
from handgrad.optimizers.chain import State, Transformation

__all__ = ["AdamRule", "MomentumRule", "RMSPropRule"]


@dataclass(frozen=True)
class MomentumRule(Transformation):
    """Momentum: ``v ← β v + g``, and the step follows v; with Nesterov's look ahead, ``g + β v``.

    Nesterov's method takes the gradient at the place where momentum is about to carry the weights.
    With the place it looks from called w, as here, that becomes a step along g + β v.

    Source: Sutskever, Martens, Dahl, Hinton, On the importance of initialization and momentum in
    deep learning (ICML 2013); the rate stands outside of v, as in PyTorch's SGD.
    """

    elementwise: ClassVar[bool] = True

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

    elementwise: ClassVar[bool] = True

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

    What is kept are the sums M = m / (1 - β₁) and S = s / (1 - β₂), which take no factors on g:

        M ← β₁ M + g        S ← β₂ S + g²        step = (a/b) M / (√S + ε/b)

    with a = (1 - β₁) / (1 - β₁ᵗ) and b = √((1 - β₂) / (1 - β₂ᵗ)), two numbers a step.

    Source: Kingma, Ba, Adam: A Method for Stochastic Optimization, arXiv 1412.6980.
    """

    elementwise: ClassVar[bool] = True

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def start(self, vector: Array) -> State:
        return {"M": np.zeros_like(vector), "S": np.zeros_like(vector)}

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        M, S = state["M"], state["S"]
        a = (1 - self.beta1) / (1 - self.beta1 ** (t + 1))
        b = math.sqrt((1 - self.beta2) / (1 - self.beta2 ** (t + 1)))
        M *= self.beta1
        M += g
        S *= self.beta2
        g *= g
        S += g
        np.sqrt(S, out=g)  # into g, whose own value is used up
        g += self.epsilon / b
        np.divide(M, g, out=g)
        g *= a / b
