"""How many threads, and what each does: a plan, not a stopwatch."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from typing import NamedTuple

from handgrad.errors import HandgradError
from handgrad.networks import ForwardOn, Network
from handgrad.plans import is_planned

__all__ = ["CORES", "Threads", "answering", "cores", "limited", "own_cores", "threads_for"]

CORES = "HANDGRAD_CORES"
"""Processes that share a machine are told so how many of its cores are theirs."""

WORTH_SHARING = 3e7
"""Flops of a product above which a second thread gains more than it costs to meet."""

WORTH_SPLITTING = 1e8
"""Flops of a batch, forward, above which two threads with half of it each gain more than that."""


class Threads(NamedTuple):
    """How threads are used: within each matrix product, or each with its part of the batch.

    Parameters
    ----------
    blas : that share a matrix product
    shards : parts of a batch, one thread each
    ranks : processes with so many threads each, and a part of the batch each
    """

    blas: int = 1
    shards: int = 1
    ranks: int = 1

    @property
    def total(self) -> int:
        return self.blas * self.shards * self.ranks

    def __str__(self) -> str:
        each = self.blas * self.shards
        what = "share each product" if self.shards == 1 else "have a part of the batch each"
        own = "1 thread" if each == 1 else f"{each} threads that {what}"
        return own if self.ranks == 1 else f"{own}, on each of {self.ranks} ranks"


def own_cores() -> frozenset[int]:
    """The cores that this process may use, by their numbers."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def cores() -> int:
    """How many cores this process may use; no more than HANDGRAD_CORES says, where that is set.

    Raises
    ------
    HandgradError : HANDGRAD_CORES is no number of 1 or more
    """
    found = len(own_cores())
    share = os.environ.get(CORES, "")
    if share and not (share.isdecimal() and int(share)):
        raise HandgradError(f"{CORES}: found {share!r}; expected a number of cores, 1 or more")
    return min(found, int(share or found))


def threads_for(network: Network, batch: int, available: int, asked: int | None = None) -> Threads:
    """All cores within the products where those are large, else one part of the batch for each.

    A network with a plan (`plans.is_planned`) is for parts: its products are small on purpose.

    A pure function of shapes and cores, so that the same machine gives the same bits. On small
    products threads wait for each other longer than they compute, and far longer when another
    program uses a core; so where there is little to compute one thread does it all.

    Parameters
    ----------
    batch : samples a step
    available : cores
    asked : use so many threads, whatever they are worth
    """
    layers = zip(network.architecture, network.shapes, strict=False)
    large = sum(
        layer.flops(shape)
        for layer, shape in layers
        if layer.largest_product(shape, batch) >= WORTH_SHARING
    )
    threads = asked or available
    if 2 * large > network.flops() and not is_planned(network):
        return Threads(blas=threads)
    if asked or network.flops() * batch >= WORTH_SPLITTING:
        return Threads(shards=min(threads, batch))
    return Threads()


@contextlib.contextmanager
def answering(network: Network, images: int) -> Iterator[None]:
    """Within the block the network answers about so many images with the threads that suit it, each
    batch as it was handed in."""
    threads, before = threads_for(network, images, cores()), network.how_outputs
    if isinstance(before.forward, ForwardOn):
        threads = Threads()
    network.how_outputs = dataclasses.replace(before, threads=threads.shards)
    try:
        with limited(threads.blas):
            yield
    finally:
        network.how_outputs = before


@contextlib.contextmanager
def limited(threads: int) -> Iterator[None]:
    """Hold the matrix products to so many threads, and set back what was before."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=threads, user_api="blas"):
        yield
