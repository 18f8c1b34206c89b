"""Flatten: from an image to a vector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from handgrad.arrays import Array, Numbers, Shape
from handgrad.layers.layer import Layer

__all__ = ["Flatten"]


@dataclass(frozen=True)
class Flatten(Layer):
    """Read each sample as one row: (N, H, W, C) to (N, H·W·C), row by row, channels innermost."""

    name: ClassVar[str] = "flatten"

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)

    def forward(self, x: Array, params: Numbers) -> tuple[Array, Shape]:
        return x.reshape(len(x), -1), x.shape

    def backward(self, dy: Array, shape: Shape, params: Numbers, grads: Numbers) -> Array:
        return dy.reshape(shape)

    def flops(self, shape: Shape) -> int:
        return 0
