"""`Planned`: how a gradient is computed, with a plan for each shape that comes by."""

from __future__ import annotations

from handgrad.arrays import Array
from handgrad.losses import Loss
from handgrad.networks import Draws, Gradient, Network
from handgrad.plans.plan import Plan
from handgrad.plans.reading import is_planned
from handgrad.training import by_the_book, penalty

__all__ = ["Planned"]


class Planned:
    """A `HowGradient`: by a plan, where one is worth while for the network, else by the book.

    A plan is made when a network, a loss and a batch size are first seen, and kept as long as this
    object. It is taken out while it computes, since it owns the memory in which it does: so several
    threads may call at once, as those of `parallel.Shards` do.

    >>> import numpy as np
    >>> from handgrad.layers import Convolution, Dense
    >>> from handgrad.losses import SoftmaxCrossEntropy
    >>> network = Network((Convolution(2), Dense(2)), (4, 4, 8), dtype=np.float64)
    >>> x, g = np.ones((3, 4, 4, 8)), network.gradient()
    >>> loss, _ = Planned()(network, SoftmaxCrossEntropy(), x, np.array([0, 1, 1]), None, g)
    >>> round(loss, 4), g.views[1].b.round(4)
    (0.6931, array([ 0.1667, -0.1667]))
    """

    def __init__(self) -> None:
        self._plans: dict[tuple[Network, Loss, int], Plan] = {}

    def __call__(
        self,
        network: Network,
        loss: Loss,
        x: Array,
        labels: Array,
        draws: Draws | None,
        gradient: Gradient,
    ) -> tuple[float, Array]:
        if not is_planned(network):
            return by_the_book(network, loss, x, labels, draws, gradient)
        key = network, loss, len(x)
        plan = self._plans.pop(key, None) or Plan(*key)
        value, outputs = plan(x, labels, draws, gradient)
        self._plans[key] = plan
        return value + penalty(network, loss, gradient), outputs
