"""How a gradient is computed: by the book, one layer after another."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from handgrad.arrays import Array
from handgrad.losses import Loss
from handgrad.networks import Draws, Gradient, Network

__all__ = ["HowGradient", "by_the_book", "in_parts", "penalty"]


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


def in_parts(parts: int, how: HowGradient = by_the_book) -> HowGradient:
    """The same gradient with less memory: one part of the batch after the other, added up.

    The mean over a batch of N is Σ_p n_p/N times the mean over part p; draws are made for the whole
    batch and sliced. What normalizes over a batch normalizes over a part of it.

    Parameters
    ----------
    parts : how many; a batch with fewer samples has one a sample
    how : how the gradient of a part is computed
    """
    if parts < 1:
        raise ValueError(f"parts = {parts}; expected at least 1")

    def gradient_in_parts(
        network: Network,
        loss: Loss,
        x: Array,
        labels: Array,
        draws: Draws | None,
        gradient: Gradient,
    ) -> tuple[float, Array]:
        total, summed, outputs = 0.0, np.zeros_like(gradient.vector), []
        bare = replace(loss, penalty=0.0)  # it is of the whole batch, once
        for places in np.array_split(np.arange(len(x)), min(parts, len(x))):
            own = slice(int(places[0]), int(places[-1]) + 1)
            drawn = draws and [tuple(array[own] for array in arrays) for arrays in draws]
            value, out = how(network, bare, x[own], labels[own], drawn, gradient)
            weight = len(places) / len(x) if loss.over == "mean" else 1.0
            total += weight * value
            summed += weight * gradient.vector
            outputs.append(out)
        gradient.vector[...] = summed
        return total + penalty(network, loss, gradient), np.concatenate(outputs)

    return gradient_in_parts
