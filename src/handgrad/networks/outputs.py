"""How outputs are computed: so many images at a time, in some threads, by a function that is handed
in."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from handgrad.arrays import Array, Device, on_host

if TYPE_CHECKING:
    from handgrad.networks.network import Network

__all__ = ["ForwardOn", "HowForward", "InBatches", "forward_by_the_book"]

MOST = 8_000_000
"""Bytes of a batch's images, at most: what is computed of them takes several times as much."""

HowForward = Callable[["Network", Array], Array]
"""From a frozen network and a batch (N, …) of images to its outputs (N, …); called by several
threads at once."""


def forward_by_the_book(network: Network, x: Array) -> Array:
    """One layer after another: the `HowForward` that is the definition.

    Where the network's numbers are; its outputs come back.
    """
    return on_host(network.forward(np.asarray(x, like=network.vector))[0])


@dataclass(frozen=True)
class ForwardOn:
    """`forward_by_the_book` on a device, where numbers and images are taken for each batch."""

    device: Device

    def __call__(self, network: Network, x: Array) -> Array:
        return forward_by_the_book(network.on(self.device), x)


@dataclass(frozen=True)
class InBatches:
    """How a network answers: batch by batch, keeping no memory.

    Parameters
    ----------
    forward : how one batch is computed
    threads : batches at a time
    at_once : images in a batch, at most; fewer where they are large
    """

    forward: HowForward = forward_by_the_book
    threads: int = 1
    at_once: int = 1000

    def __call__(self, network: Network, x: Array) -> Array:
        """The outputs of a frozen network for any number of images, in their order."""
        size = self.size(network, x)
        return self.some(network, x, range(0, len(x), size), size)

    def size(self, network: Network, x: Array) -> int:
        """How many images go into a batch."""
        large = max(MOST // (math.prod(x.shape[1:]) * network.dtype.itemsize), 1)
        return max(min(self.at_once, large, math.ceil(len(x) / self.threads)), 1)

    def some(self, network: Network, x: Array, starts: range, size: int) -> Array:
        """The outputs of some of the batches: those that begin at ``starts``."""
        if not starts:
            return np.zeros((0, *network.shapes[-1]), network.dtype)
        if size >= len(x):
            return self.forward(network, np.asarray(x))
        asked = np.geterr()  # which a thread does not inherit

        def answers(first: int) -> Array:
            with np.errstate(**asked):
                return self.forward(network, x[first : first + size])

        with ThreadPoolExecutor(self.threads) as pool:
            return np.concatenate(list(pool.map(answers, starts)))
