"""Shards: a batch split over threads and ranks, whose gradients are summed in a fixed order."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Barrier, BrokenBarrierError
from typing import NamedTuple

import numpy as np

from handgrad.arrays import Array
from handgrad.calculus.normalization import Total
from handgrad.losses import Loss
from handgrad.networks import Draws, Gradient, Network
from handgrad.parallel.ranks import Ranks
from handgrad.training import by_the_book, penalty
from handgrad.training.gradient import HowGradient

__all__ = ["Shards"]


class Shards:
    """A `HowGradient`: each thread goes forward and backward with its part of the batch.

    The loss of a batch is a sum over its samples, and so is its gradient:

        ∇ Σ_n L_n = ∇ Σ_{n in part 0} L_n + ∇ Σ_{n in part 1} L_n + …

    and a mean is that sum over N. Draws are made for the whole batch and sliced; the sums of a
    batch normalization are completed over all parts, forward and backward. So two shards compute
    what one does, to rounding; and since sums are taken in the order of the parts, whoever finished
    first, the same shards give the same bits.

    Parameters
    ----------
    threads : how many parts; a batch with fewer samples has one a sample
    how : how the gradient of a part is computed; called by several threads at once
    ranks : processes with as many threads each, which are called with the same batch, and of whose
        images each takes its own parts only; a batch with fewer samples than there are ranks is
        computed by each of them

    Each thread should multiply with one BLAS thread: see `threadpoolctl`.

    >>> from handgrad.layers import Dense
    >>> from handgrad.losses import SoftmaxCrossEntropy
    >>> network = Network([Dense(2)], (3,), dtype=np.float64)
    >>> x, g = np.arange(12.0).reshape(4, 3), network.gradient()
    >>> loss, _ = Shards(2)(network, SoftmaxCrossEntropy(), x, np.array([0, 1, 1, 1]), None, g)
    >>> round(loss, 4), g.views[0].b
    (0.6931, array([ 0.25, -0.25]))
    """

    def __init__(
        self, threads: int, how: HowGradient = by_the_book, ranks: Ranks | None = None
    ) -> None:
        if threads < 1:
            raise ValueError(f"threads = {threads}; expected at least 1")
        self.threads, self.how, self.ranks = threads, how, ranks
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="shard")
        self._hands: list[_Hand] = []
        self._others: list[Gradient] = []  # the first hand's is the caller's

    def __call__(
        self,
        network: Network,
        loss: Loss,
        x: Array,
        labels: Array,
        draws: Draws | None,
        gradient: Gradient,
    ) -> tuple[float, Array]:
        ranks = self.ranks if self.ranks and len(x) >= self.ranks.size else None
        size, rank = (ranks.size, ranks.rank) if ranks else (1, 0)
        hands = self._hands_for(network, min(self.threads, len(x) // size), ranks)
        ends = [len(x) * k // (size * len(hands)) for k in range(size * len(hands) + 1)]
        gradients = [gradient, *self._others]
        bare = replace(loss, over="sum", penalty=0.0)

        def part(k: int) -> tuple[float, Array]:
            own = slice(*ends[rank * len(hands) + k :][:2])
            drawn = draws and [tuple(array[own] for array in arrays) for arrays in draws]
            try:
                with np.errstate(over="ignore", invalid="ignore"):  # each thread has its own
                    return self.how(
                        hands[k].network, bare, x[own], labels[own], drawn, gradients[k]
                    )
            except BaseException:
                hands[k].meeting.abort()  # nobody waits for who has failed
                raise

        found = [part(0)] if len(hands) == 1 else self._together(part, len(hands))
        values = np.array([value for value, _ in found])
        outputs = np.concatenate([outputs for _, outputs in found])
        vector, scale = gradient.vector, 1 / len(x) if loss.over == "mean" else 1.0
        for other in gradients[1:]:
            vector += other.vector
        if ranks:
            ranks.add(vector, scale)
            values = ranks.rows(values, [len(hands)] * size)
            outputs = ranks.rows(outputs, np.diff(ends[:: len(hands)]).tolist())
        else:
            vector *= scale
        return scale * sum(values.tolist()) + penalty(network, loss, gradient), outputs

    def _together(
        self, part: Callable[[int], tuple[float, Array]], count: int
    ) -> list[tuple[float, Array]]:
        """Each part in a thread of its own; what is alone stays in this one, on its core."""
        futures = [self._pool.submit(part, k) for k in range(count)]
        wait(futures)  # also where one fails: nobody may still write when the error is told
        faults = [fault for future in futures if (fault := future.exception())]
        if faults:
            self._hands = []
            raise min(faults, key=lambda fault: isinstance(fault, BrokenBarrierError))
        return [future.result() for future in futures]

    def _hands_for(self, network: Network, count: int, ranks: Ranks | None) -> list[_Hand]:
        """What each thread works with, made once for a network."""
        made = [(hand.whole, hand.meeting.ranks) for hand in self._hands]
        if made != [(network, ranks)] * count:
            meeting = _Meeting(count, ranks)
            self._hands = [
                _Hand(network, network.shared(meeting.total(k), gathers=k == 0), meeting)
                for k in range(count)
            ]
            self._others = [network.gradient() for _ in range(count - 1)]
        return self._hands


class _Hand(NamedTuple):
    """What one thread works with: its reading of the network."""

    whole: Network
    network: Network
    meeting: _Meeting


class _Meeting(Barrier):
    """Where threads complete a sum: each brings its part, and all leave with the whole."""

    def __init__(self, threads: int, ranks: Ranks | None) -> None:
        super().__init__(threads, self._add)
        self.ranks = ranks
        self.brought: list[Array] = [np.empty(0)] * threads
        self.whole = np.empty(0)

    def _add(self) -> None:
        """Done by one thread when all have come, before any goes on."""
        total = self.brought[0].copy()
        for other in self.brought[1:]:
            total += other
        self.whole = self.ranks.total(total) if self.ranks else total

    def total(self, k: int) -> Total:
        """The sum as thread ``k`` asks for it; every thread must ask equally often."""

        def whole(part: Array) -> Array:
            self.brought[k] = part
            self.wait()
            return self.whole.copy()  # of which another thread has one too

        return whole
