"""The dense layer: every output sees every input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from handgrad.arrays import Array, Numbers, Shape
from handgrad.calculus import affine, affine_backward, affine_backward_parameters
from handgrad.layers.initial import Initial, Normal, Zeros
from handgrad.layers.layer import Layer

__all__ = ["Dense"]


@dataclass(frozen=True)
class Dense(Layer):
    """``y = x W + b``: a weighted sum and an offset for each of ``units`` outputs.

    A sample of any shape is read as one row of I numbers.

    Parameters
    ----------
    units : O, how many outputs
    offset : whether there is a b
    weights, offsets : how W (I, O) and b (O,) begin

    >>> Dense(10).parameters((28, 28, 1))
    {'W': (784, 10), 'b': (10,)}
    """

    name: ClassVar[str] = "dense"

    units: int
    weights: Initial = Normal()
    offsets: Initial = Zeros()
    offset: bool = True

    def __post_init__(self) -> None:
        if self.units < 1:
            raise ValueError(f"units = {self.units}; expected at least 1")

    def output_shape(self, shape: Shape) -> Shape:
        return (self.units,)

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        W: dict[str, Shape] = {"W": (math.prod(shape), self.units)}
        return W | {"b": (self.units,)} if self.offset else W

    def initialize(self, params: Numbers, shape: Shape, generator: np.random.Generator) -> None:
        n_in = math.prod(shape)
        self.weights.write(params.W, generator)
        if self.offset:
            params.b[...] = self.offsets.offsets(n_in, self.units, generator)

    def forward(self, x: Array, params: Numbers) -> tuple[Array, Array]:
        return affine(_rows(x), params.W, params.b if self.offset else None), x

    def backward(self, dy: Array, x: Array, params: Numbers, grads: Numbers) -> Array:
        db = grads.b if self.offset else None
        return affine_backward(dy, _rows(x), params.W, grads.W, db).reshape(x.shape)

    def backward_parameters(self, dy: Array, x: Array, params: Numbers, grads: Numbers) -> None:
        db = grads.b if self.offset else None
        affine_backward_parameters(dy, _rows(x), grads.W, db)

    def flops(self, shape: Shape) -> int:
        return 2 * math.prod(shape) * self.units

    def largest_product(self, shape: Shape, n: int) -> int:
        return n * self.flops(shape)

    def __str__(self) -> str:
        return f"dense {self.units}"


def _rows(x: Array) -> Array:
    return x.reshape(len(x), -1)
