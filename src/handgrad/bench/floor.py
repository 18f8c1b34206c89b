"""The floor of a work: its bare matrix products in this BLAS, and nothing between them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from handgrad.arrays import Array, Shape, at_once, on_device, on_host
from handgrad.bench.ours import Process
from handgrad.bench.problems import Answers, Descent, Passes, Problem, Side, Start
from handgrad.calculus.convolution import PATCHES
from handgrad.layers import Convolution, Dense, Layer, Residual
from handgrad.networks import Network

__all__ = ["Product", "floor", "products"]

Product = tuple[int, int, int, int]
"""Rows M, inner K and columns O of ``(M, K) @ (K, O)``, and how often it is asked for."""


def products(
    layers: Sequence[Layer], shape: Shape, batch: int, most: int = PATCHES
) -> Iterator[Product]:
    """The forward products of a batch; a convolution's are those of its patches, cache by cache.

    ``most`` numbers of patches are multiplied at once.

    >>> list(products((Dense(128), Dense(10)), (28, 28, 1), 64))
    [(64, 784, 128, 1), (64, 128, 10, 1)]
    """
    for layer in layers:
        after = layer.output_shape(shape)
        if isinstance(layer, Dense):
            yield batch, math.prod(shape), layer.units, 1
        elif isinstance(layer, Convolution):
            inner = math.prod(layer.kernel) * shape[2]
            rows = after[0] * after[1]
            together = min(batch, max(1, most // (rows * inner)))
            yield together * rows, inner, layer.channels, math.ceil(batch / together)
        elif isinstance(layer, Residual):
            yield from products(layer.layers, shape, batch, most)
            yield from products(layer.shortcut, shape, batch, most)
        shape = after


class _Products:
    """Every product of some batches, each with arrays of its own, made before, beside ``like``."""

    def __init__(
        self, network: Network, batches: Sequence[int], back: bool, to_input: bool, like: Array
    ):
        self.like = like
        self.calls: list[tuple[Array, Array, Array, int]] = []
        self.batches = batches
        self.by_batch: dict[int, list[tuple[Array, Array, Array, int]]] = {}
        for batch in set(batches):
            calls = self.by_batch.setdefault(batch, [])
            most = at_once(like, PATCHES)
            found = products(network.architecture, network.shapes[0], batch, most)
            for i, (M, K, O, times) in enumerate(found):
                x, W, y = (np.ones_like(like, shape=s) for s in ((M, K), (K, O), (M, O)))
                calls.append((x, W, y, times))
                if back:
                    dy = np.ones_like(like, shape=(M, O))
                    calls.append((x.T, dy, np.empty_like(W), times))
                    if i or to_input:
                        calls.append((dy, W.T, np.empty_like(x), times))

    def restart(self) -> None:
        pass

    def run(self, repeats: int) -> None:
        for _ in range(repeats):
            for batch in self.batches:
                for a, b, out, times in self.by_batch[batch]:
                    for _ in range(times):
                        np.matmul(a, b, out=out)
        on_host(self.like[:1])  # waits for a card that is still at work

    def numbers(self) -> Array:
        return np.empty(0)


def floor(problem: Problem, threads: int) -> Side:
    """The floor of a problem.

    That of `Start` is a process that imports NumPy. A work may get below its floor where it needs
    fewer products than its definition says (Winograd's convolution, the span of the inputs).
    """
    if isinstance(problem, Start):
        return Process([sys.executable, "-c", "import numpy"], threads)
    if isinstance(problem, Descent):
        whole, rest = divmod(len(problem.labels), problem.batch)
        batches = [problem.batch] * whole + ([rest] if rest else [])
        like = on_device(problem.network.vector, problem.device)
        return _Products(problem.network, batches, back=True, to_input=False, like=like)
    if isinstance(problem, Answers):
        at_once = 1000  # as `Network.outputs` does
        whole, rest = divmod(len(problem.images), at_once)
        batches = [at_once] * whole + ([rest] if rest else [])
        like = problem.network.vector
        return _Products(problem.network, batches, back=False, to_input=False, like=like)
    assert isinstance(problem, Passes)
    like = problem.network.vector
    return _Products(problem.network, [len(problem.x)], back=True, to_input=True, like=like)
