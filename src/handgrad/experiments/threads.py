"""How many threads the matrix products get: a plan, not a stopwatch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from handgrad.networks import Network

__all__ = ["blas_threads", "cores", "limited"]

WORTH_SHARING = 3e7
"""Flops of a product above which a second thread gains more than it costs to meet."""


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def blas_threads(network: Network, batch: int, available: int) -> int:
    """One thread for small products, all cores for large ones.

    A pure function of shapes and cores, so that the same machine gives the same bits. On small
    products threads wait for each other longer than they compute, and far longer when another
    program uses a core.
    """
    layers = zip(network.architecture, network.shapes, strict=False)
    largest = max(layer.largest_product(shape, batch) for layer, shape in layers)
    return available if largest >= WORTH_SHARING else 1


@contextlib.contextmanager
def limited(threads: int) -> Iterator[None]:
    """Hold the matrix products to so many threads, and set back what was before."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=threads, user_api="blas"):
        yield
