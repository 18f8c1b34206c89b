"""How a gradient is computed: by the book, one layer after another."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Protocol

import numpy as np

from handgrad.arrays import Array
from handgrad.losses import Loss
from handgrad.networks import Draws, Gradient, Network

__all__ = ["HowGradient", "by_the_book", "in_groups", "penalty"]


class HowGradient(Protocol):
    """A way to a batch's loss, outputs and gradient; `by_the_book` is the definition."""

    def __call__(
        self,
        network: Network,
        loss: Loss,
        x: Array,
        labels: Array,
        draws: Draws | None,
        gradient: Gradient,
    ) -> tuple[float, Array]: ...


def by_the_book(
    network: Network,
    loss: Loss,
    x: Array,
    labels: Array,
    draws: Draws | None,
    gradient: Gradient,
) -> tuple[float, Array]:
    """Forward, loss, backward: the gradient of the loss of one batch in every learned number.

    Parameters
    ----------
    x : (N, …) float
    labels : (N,) int
    draws : the random draws of this batch, `Network.draw`; None where no layer draws
    gradient : overwritten

    Returns
    -------
    loss, outputs : the loss with its penalty ½ λ Σ W², whose gradient λ W is added as well
    """
    outputs, memories = network.forward(x, draws)
    value, dy = loss(outputs, labels)
    network.backward(dy, memories, gradient.views)
    network.gather(memories)
    return value + penalty(network, loss, gradient), outputs


def penalty(network: Network, loss: Loss, gradient: Gradient | None = None) -> float:
    """The loss's penalty ½ λ Σ W², whose gradient λ W is added to ``gradient``, if there is one."""
    total = 0.0
    for place in network.layout.weights() if loss.penalty else ():
        W = network.vector[place]
        total += 0.5 * loss.penalty * float(np.dot(W, W))
        if gradient is not None:
            gradient.vector[place] += loss.penalty * W
    return total


def in_groups(size: int, how: HowGradient = by_the_book) -> HowGradient:
    """The same gradient a group after the other, added up: less memory, statistics of their own.

    The mean over a batch of N is Σ_p n_p/N times the mean over group p; draws are made for the
    whole batch and sliced. What normalizes over a batch normalizes over a group of it, and gathers
    its running statistics from each in turn: often called ghost batch normalization.

    Parameters
    ----------
    size : the most samples of a group; the groups of a batch are as equal as they can be
    how : how the gradient of a group is computed

    Source: Hoffer, Hubara, Soudry, Train longer, generalize better (2017), arXiv 1705.08741.
    """
    if size < 1:
        raise ValueError(f"size = {size}; expected at least 1")

    def gradient_in_groups(
        network: Network,
        loss: Loss,
        x: Array,
        labels: Array,
        draws: Draws | None,
        gradient: Gradient,
    ) -> tuple[float, Array]:
        total, summed, outputs = 0.0, np.zeros_like(gradient.vector), []
        bare = replace(loss, penalty=0.0)  # it is of the whole batch, once
        for places in np.array_split(np.arange(len(x)), math.ceil(len(x) / size)):
            own = slice(int(places[0]), int(places[-1]) + 1)
            drawn = draws and [tuple(array[own] for array in arrays) for arrays in draws]
            value, out = how(network, bare, x[own], labels[own], drawn, gradient)
            weight = len(places) / len(x) if loss.over == "mean" else 1.0
            total += weight * value
            summed += weight * gradient.vector
            outputs.append(out)
        gradient.vector[...] = summed
        return total + penalty(network, loss, gradient), np.concatenate(outputs)

    return gradient_in_groups
