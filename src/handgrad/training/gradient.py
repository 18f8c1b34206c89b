"""How a gradient is computed: by the book, one layer after another."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from handgrad.arrays import Array
from handgrad.losses import Loss
from handgrad.networks import Draws, Gradient, Network

__all__ = ["HowGradient", "by_the_book"]


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
    if loss.penalty:
        for place in network.layout.weights():
            W = network.vector[place]
            value += 0.5 * loss.penalty * float(np.dot(W, W))
            gradient.vector[place] += loss.penalty * W
    return value, outputs
