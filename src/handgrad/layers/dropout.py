"""Dropout as a layer: its draw comes in by argument, and it vanishes at prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from handgrad import calculus
from handgrad.arrays import Array, Numbers, Shape
from handgrad.layers.identity import Identity
from handgrad.layers.layer import Layer

__all__ = ["Dropout"]


@dataclass(frozen=True)
class Dropout(Layer):
    """Leave out each input with probability ``rate`` while training; see `calculus.dropout`."""

    name: ClassVar[str] = "dropout"
    draws: ClassVar[int] = 1

    rate: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"rate = {self.rate}; expected at least 0 and less than 1")

    def draw(self, shape: Shape, generator: np.random.Generator) -> tuple[Array, ...]:
        return (generator.random(shape, dtype=np.float32) >= self.rate,)

    def forward(self, x: Array, params: Numbers, kept: Array) -> tuple[Array, Array]:
        return calculus.dropout(x, kept, self.rate), kept

    def backward(self, dy: Array, kept: Array, params: Numbers, grads: Numbers) -> Array:
        return calculus.dropout_backward(dy, kept, self.rate)

    def frozen(self) -> Identity:
        return Identity()

    def flops(self, shape: Shape) -> int:
        return 0  # at prediction, of which a summary tells

    def __str__(self) -> str:
        return f"dropout {self.rate:g}"
