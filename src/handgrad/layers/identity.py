"""The layer that does nothing: what a layer that only serves training leaves in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from handgrad.arrays import Array, Numbers, Shape
from handgrad.layers.layer import Layer

__all__ = ["Identity"]


@dataclass(frozen=True)
class Identity(Layer):
    """``y = x``. It keeps the places of the layers after it, by which their numbers are named."""

    name: ClassVar[str] = "identity"

    def forward(self, x: Array, params: Numbers) -> tuple[Array, None]:
        return x, None

    def backward(self, dy: Array, memory: None, params: Numbers, grads: Numbers) -> Array:
        return dy

    def flops(self, shape: Shape) -> int:
        return 0
