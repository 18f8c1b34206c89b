"""Scale: every number times the same one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from handgrad.arrays import Array, Numbers
from handgrad.layers.layer import Layer

__all__ = ["Scale"]


@dataclass(frozen=True)
class Scale(Layer):
    """``y = factor · x``, so that ``dx = factor · dy``; nothing is learned.

    Before a softmax a factor below 1 lets scores grow slowly, so that a large learning rate does
    not make the network sure of itself in its first steps.

    Parameters
    ----------
    factor : a number, the same for all
    """

    name: ClassVar[str] = "scale"

    factor: float

    def forward(self, x: Array, params: Numbers) -> tuple[Array, None]:
        return x * self.factor, None

    def backward(self, dy: Array, memory: None, params: Numbers, grads: Numbers) -> Array:
        return dy * self.factor

    def __str__(self) -> str:
        return f"scale {self.factor:.3g}"
