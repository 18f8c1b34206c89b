"""How the product itself computes a gradient, for all works in one place."""

from __future__ import annotations

from collections.abc import Callable

from handgrad.arrays import Array
from handgrad.experiments import threads_for
from handgrad.losses import Loss
from handgrad.networks import Gradient, Network
from handgrad.parallel import Shards
from handgrad.plans import Planned, Through, is_planned
from handgrad.training import by_the_book
from handgrad.training.gradient import HowGradient

__all__ = ["Pass", "book_pass", "how", "passes"]

Pass = Callable[[Array, Array, Gradient], tuple[Array, Array]]
"""From x, dy and a place for the gradient to y and dx."""


def how(network: Network, loss: Loss, batch: int, threads: int) -> HowGradient:
    """How the gradient of a batch is computed where the book is not asked for.

    Parameters
    ----------
    batch : samples of a step
    threads : how many may be used
    """
    shards = threads_for(network, batch, threads).shards
    one: HowGradient = Planned() if is_planned(network) else by_the_book
    return one if shards == 1 else Shards(shards, one)


def passes(network: Network, batch: int, threads: int) -> Pass:
    """How a network goes forward and back where no loss is asked for."""
    return Through(network, threads) if is_planned(network) else book_pass(network)


def book_pass(network: Network) -> Pass:
    """Forward and backward, one layer after another."""

    def forward_and_back(x: Array, dy: Array, gradient: Gradient) -> tuple[Array, Array]:
        y, memories = network.forward(x)
        return y, network.backward_to_input(dy, memories, gradient.views)

    return forward_and_back
