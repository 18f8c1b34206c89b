"""A network as a table: what each layer takes and gives, and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from handgrad.arrays import Shape
from handgrad.networks.network import Network

__all__ = ["LayerRow", "layer_rows"]


@dataclass(frozen=True)
class LayerRow:
    """One layer of a network: shapes of one sample, and its cost.

    Parameters
    ----------
    parameters : how many numbers it learns
    bytes : of its output for one sample
    flops : additions and multiplications of one sample's forward pass
    """

    layer: str
    input: Shape
    output: Shape
    parameters: int
    bytes: int
    flops: int


def layer_rows(network: Network) -> list[LayerRow]:
    """One row a layer, in order.

    >>> from handgrad.layers import Dense
    >>> layer_rows(Network((Dense(2),), (3,)))[0].parameters
    8
    """
    rows = []
    for i, layer in enumerate(network.architecture):
        place = network.layout.layer(i)
        before, after = network.shapes[i], network.shapes[i + 1]
        rows.append(
            LayerRow(
                layer=str(layer),
                input=before,
                output=after,
                parameters=place.stop - place.start,
                bytes=math.prod(after) * network.dtype.itemsize,
                flops=layer.flops(before),
            )
        )
    return rows
