"""Layers one after another: the loop and the loop backwards, for a network and within a layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from handgrad.arrays import Array
from handgrad.layers.layer import Layer

__all__ = ["backward_through", "forward_through", "shared_out"]


def forward_through(
    layers: Sequence[Layer], x: Array, params: Sequence[Any], draws: Sequence[tuple[Array, ...]]
) -> tuple[Array, list[Any]]:
    """From the input of the first layer to the output of the last, and what each remembers."""
    memories = []
    for layer, own, drawn in zip(layers, params, draws, strict=True):
        x, memory = layer.forward(x, own, *drawn)
        memories.append(memory)
    return x, memories


def backward_through(
    layers: Sequence[Layer],
    dy: Array,
    memories: Sequence[Any],
    params: Sequence[Any],
    grads: Sequence[Any],
) -> Array:
    """From the gradient at the output of the last layer to that at the input of the first."""
    for i in range(len(layers) - 1, -1, -1):
        dy = layers[i].backward(dy, memories[i], params[i], grads[i])
    return dy


def shared_out(layers: Sequence[Layer], drawn: Sequence[Array]) -> Iterator[tuple[Array, ...]]:
    """Arrays that were drawn for all layers, as one tuple a layer."""
    start = 0
    for layer in layers:
        yield tuple(drawn[start : start + layer.draws])
        start += layer.draws
