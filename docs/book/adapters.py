"""Calls that a formula of a page cannot write: rules that overwrite, and functions one in another.

Each is the shortest way from the arrays of a formula to the function that the page names.
"""

from __future__ import annotations

import numpy as np

from handgrad import optimizers
from handgrad.arrays import Array
from handgrad.calculus import sigmoid, sigmoid_backward
from handgrad.layers import Dense, Sigmoid
from handgrad.losses import SoftmaxCrossEntropy, squared_error
from handgrad.networks import Network
from handgrad.training import by_the_book

__all__ = [
    "adam",
    "decayed",
    "momentum",
    "rmsprop",
    "squared_error_of_sigmoid",
    "two_layers",
]


def two_layers(
    x: Array, W1: Array, b1: Array, W2: Array, b2: Array, t: Array
) -> tuple[float, Array, Array, Array, Array]:
    """Loss, ∂L/∂W1, ∂L/∂b1, ∂L/∂W2 and ∂L/∂b2 of dense, sigmoid, dense, softmax cross-entropy."""
    layers = (Dense(len(b1)), Sigmoid(), Dense(len(b2)))
    vector = np.concatenate([each.ravel() for each in (W1, b1, W2, b2)])
    network = Network(layers, x.shape[1:], vector)
    gradient = network.gradient()
    loss, _ = by_the_book(network, SoftmaxCrossEntropy(), x, t, None, gradient)
    first, _, last = gradient.views
    return loss, first.W, first.b, last.W, last.b


def squared_error_of_sigmoid(z: Array, t: Array) -> tuple[Array, Array]:
    """Losses, and the gradient at the scores z, of `squared_error` after `sigmoid`."""
    a = sigmoid(z)
    losses, da = squared_error(a, t)
    return losses, sigmoid_backward(da, a)


def momentum(g: Array, v: Array, beta: float, nesterov: bool = False) -> tuple[Array, Array]:
    """The new v and the step of `optimizers.MomentumRule`."""
    optimizers.MomentumRule(float(beta), nesterov).apply(g, {"v": v}, g, 0, 1)
    return v, g


def rmsprop(g: Array, s: Array, rho: float, epsilon: float) -> tuple[Array, Array]:
    """The new s and the step of `optimizers.RMSPropRule`."""
    optimizers.RMSPropRule(float(rho), float(epsilon)).apply(g, {"s": s}, g, 0, 1)
    return s, g


def adam(
    g: Array, m: Array, s: Array, t: float, beta: float, rho: float, epsilon: float
) -> tuple[Array, Array, Array]:
    """The new m and s, and step t (from 1), of `optimizers.AdamRule`, which keeps them as sums."""
    beta, rho = float(beta), float(rho)
    sums = {"M": m / (1 - beta), "S": s / (1 - rho)}
    optimizers.AdamRule(beta, rho, float(epsilon)).apply(g, sums, g, int(t) - 1, 1)
    return (1 - beta) * sums["M"], (1 - rho) * sums["S"], g


def decayed(w: Array, u: Array, eta: float, decay: float) -> Array:
    """The weights after a step along u with decoupled decay: `optimizers.Decay`, then `Scale`."""
    parts = (optimizers.Decay(((slice(None), decay),)), optimizers.Scale(float(eta)))
    optimizers.Chain(parts).apply(u, {}, w, 0, 1)
    return w - u
