"""Which way each layer of a network is read: one table, a pure function of shapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import DTypeLike

from handgrad.arrays import Shape
from handgrad.kernels import fits_winograd
from handgrad.layers import GELU, BatchNorm, Convolution, Dense, Flatten, Layer, MaxPool, ReLU
from handgrad.networks import Network

__all__ = ["ALONE", "CHANNELWISE", "WAYS", "in_order", "is_planned", "ways"]

WAYS = {
    "tiles": "Winograd's tiles F(4x4, 3x3), a quarter of the products",
    "patches": "patches of the few channels, one product",
    "relu": "in place",
    "gelu": "with its derivative, from one exponential",
    "pooling": "notes the largest on the way there",
    "dense": "one product over the batch for its gradient",
    "moments": "moments taken in passing, over the whole batch",
    "few": "by the book, a few samples at a time",
    "book": "by the book",
}
"""The ways there are, with a few words for each."""

CHANNELWISE = {
    "average-pool", "elu", "gelu", "global-average-pool", "identity", "leaky-relu", "max-pool",
    "relu", "scale", "sigmoid", "silu", "tanh",
}  # fmt: skip
"""Layers without parameters that compute with each channel by itself, by their name in a recipe."""

ALONE = CHANNELWISE | {"dropout", "flatten", "softmax"}
"""Layers without parameters to which each sample is alone in its batch."""


def ways(network: Network, to_input: bool = False) -> tuple[str, ...]:
    """The way of each layer, one of `WAYS`, in a plan; all "book" where a plan is not worth while.

    It is worth while where there is a convolution for Winograd's tiles: the layers around it are
    then computed in the tiles' layout. A layer with no way of its own ends such a stretch, and
    takes the whole batch by the book.

    Parameters
    ----------
    to_input : whether the gradient at the images is wanted

    >>> from handgrad.layers import Convolution, Dense, MaxPool, ReLU
    >>> layers = Convolution(16), ReLU(), Convolution(16), ReLU(), MaxPool(), Dense(10)
    >>> ways(Network(layers, (8, 8, 3)))
    ('patches', 'relu', 'tiles', 'relu', 'pooling', 'dense')
    >>> ways(Network((Dense(6), ReLU(), Dense(2)), (3, 3, 1)))
    ('book', 'book', 'book')
    """
    found = []
    inner = to_input
    for i, (layer, shape) in enumerate(zip(network.architecture, network.shapes, strict=False)):
        found.append(_way(layer, shape, inner, network.dtype))
        inner = inner or bool(network.layout.layer(i).stop)
    for run in _runs(found):
        while run and found[run[0]] == "moments":  # they are taken in passing: of a stream before
            found[run.pop(0)] = "book"
        if not any(found[i] == "tiles" for i in run):
            for i in run:
                found[i] = "book"
    return tuple(found)


def is_planned(network: Network) -> bool:
    """Whether a plan is worth while for a network: whatever the batch, so that all shards agree."""
    return "tiles" in ways(network)


def in_order(architecture: Sequence[Layer], places: Iterable[int]) -> list[int]:
    """Places of layers that follow each other, in the order in which they are computed.

    max(0, max z) = max max(0, z): after max-pooling there are fewer numbers for a ReLU to do. And a
    dense layer reads a sample of any shape: nothing is to be flattened for it.

    >>> from handgrad.layers import Dense, Flatten, MaxPool, ReLU
    >>> in_order((ReLU(), MaxPool(), Flatten(), Dense(2)), range(4))
    [1, 0, 3]
    """
    order = list(places)
    for k, both in enumerate(pairwise(tuple(order))):
        first, second = (architecture[i] for i in both)
        if isinstance(first, ReLU) and isinstance(second, MaxPool):
            order[k : k + 2] = reversed(both)
        if isinstance(first, Flatten) and isinstance(second, Dense):
            order.remove(both[0])
    return order


def _way(layer: Layer, shape: Shape, inner: bool, dtype: DTypeLike) -> str:
    """The way of one layer by itself."""
    if isinstance(layer, Convolution):
        height, width, _ = layer.output_shape(shape)
        if fits_winograd(height, width, layer.kernel, shape[2], layer.stride, layer.dilation):
            return "tiles"
        few = shape[2] < 8 and layer.stride == layer.dilation == 1
        return "patches" if few and not inner else "book"
    if isinstance(layer, ReLU):
        return "relu"
    if isinstance(layer, GELU) and dtype == np.float32:
        return "gelu"
    if isinstance(layer, MaxPool) and layer.apart == layer.size > 1:
        return "pooling"
    if isinstance(layer, Dense):
        return "dense"
    if isinstance(layer, BatchNorm):
        return "moments"
    return "few" if layer.name in ALONE else "book"


def _runs(found: list[str]) -> Iterator[list[int]]:
    """The stretches that are not by the book, as places."""
    run: list[int] = []
    for i, way in enumerate([*found, "book"]):
        if way != "book":
            run.append(i)
        elif run:
            yield run
            run = []
