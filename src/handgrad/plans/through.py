"""`Through`: a network forward and back where the gradient at the outputs is given."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from handgrad.arrays import Array
from handgrad.networks import Gradient, Network
from handgrad.plans.plan import Plan

__all__ = ["Through"]


class Through:
    """From x and the gradient at the outputs to y and dx, in shards, a thread each.

    For networks in which each sample is alone: a batch normalization here takes its shard.

    Parameters
    ----------
    network : whose numbers are read at each call
    threads : how many shards
    """

    def __init__(self, network: Network, threads: int = 1) -> None:
        self.network, self.threads = network, threads
        self.plans: list[tuple[slice, Plan, Gradient]] = []
        self._pool = ThreadPoolExecutor(threads)

    def __call__(self, x: Array, dy: Array, gradient: Gradient) -> tuple[Array, Array]:
        """y and dx, which the next call overwrites, as it does the gradient of the parameters."""
        if not self.plans or self.plans[-1][0].stop != len(x):
            ends = [len(x) * k // self.threads for k in range(self.threads + 1)]
            self.plans = [
                (slice(a, b), Plan(self.network, None, b - a), self.network.gradient())
                for a, b in pairwise(ends)
                if a < b
            ]
            self.y = np.empty((len(x), *self.network.shapes[-1]), self.network.dtype)
            self.dx = np.empty(x.shape, self.network.dtype)

        def part(own: slice, plan: Plan, summed: Gradient) -> None:
            plan.forward_and_back(x[own], dy[own], summed, self.y[own], self.dx[own])

        for done in [self._pool.submit(part, *each) for each in self.plans]:
            done.result()
        gradient.vector[...] = sum(summed.vector for _, _, summed in self.plans)
        return self.y, self.dx
