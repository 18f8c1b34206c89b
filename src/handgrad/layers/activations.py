"""Activations as layers: each remembers what its derivative needs, and nothing more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from handgrad import calculus
from handgrad.arrays import Array, Numbers, Shape
from handgrad.errors import RecipeError
from handgrad.layers.layer import Layer

__all__ = ["ELU", "GELU", "LeakyReLU", "ReLU", "SiLU", "Sigmoid", "Softmax", "Tanh"]


@dataclass(frozen=True)
class Sigmoid(Layer):
    """``a = 1 / (1 + e⁻ᶻ)``; see `calculus.sigmoid`."""

    name: ClassVar[str] = "sigmoid"

    def forward(self, z: Array, params: Numbers) -> tuple[Array, Array]:
        a = calculus.sigmoid(z)
        return a, a

    def backward(self, da: Array, a: Array, params: Numbers, grads: Numbers) -> Array:
        return calculus.sigmoid_backward(da, a)


@dataclass(frozen=True)
class Tanh(Layer):
    """``a = tanh z``; see `calculus.tanh`."""

    name: ClassVar[str] = "tanh"

    def forward(self, z: Array, params: Numbers) -> tuple[Array, Array]:
        a = calculus.tanh(z)
        return a, a

    def backward(self, da: Array, a: Array, params: Numbers, grads: Numbers) -> Array:
        return calculus.tanh_backward(da, a)


@dataclass(frozen=True)
class ReLU(Layer):
    """``a = max(0, z)``; see `calculus.relu`."""

    name: ClassVar[str] = "relu"

    def forward(self, z: Array, params: Numbers) -> tuple[Array, Array]:
        a = calculus.relu(z)
        return a, a

    def backward(self, da: Array, a: Array, params: Numbers, grads: Numbers) -> Array:
        return calculus.relu_backward(da, a)


@dataclass(frozen=True)
class LeakyReLU(Layer):
    """``a = z`` for z > 0, else ``slope · z``; see `calculus.leaky_relu`."""

    name: ClassVar[str] = "leaky-relu"

    slope: float = 0.01

    def forward(self, z: Array, params: Numbers) -> tuple[Array, Array]:
        return calculus.leaky_relu(z, self.slope), z

    def backward(self, da: Array, z: Array, params: Numbers, grads: Numbers) -> Array:
        return calculus.leaky_relu_backward(da, z, self.slope)


@dataclass(frozen=True)
class ELU(Layer):
    """``a = z`` for z > 0, else ``α (eᶻ - 1)``; see `calculus.elu`."""

    name: ClassVar[str] = "elu"

    alpha: float = 1.0

    def forward(self, z: Array, params: Numbers) -> tuple[Array, Array]:
        return calculus.elu(z, self.alpha), z

    def backward(self, da: Array, z: Array, params: Numbers, grads: Numbers) -> Array:
        return calculus.elu_backward(da, z, self.alpha)


@dataclass(frozen=True)
class GELU(Layer):
    """``a = z Φ(z)``; see `calculus.gelu`."""

    name: ClassVar[str] = "gelu"

    def forward(self, z: Array, params: Numbers) -> tuple[Array, Array]:
        return calculus.gelu(z), z

    def backward(self, da: Array, z: Array, params: Numbers, grads: Numbers) -> Array:
        return calculus.gelu_backward(da, z)


@dataclass(frozen=True)
class SiLU(Layer):
    """``a = z σ(z)``; see `calculus.silu`."""

    name: ClassVar[str] = "silu"

    def forward(self, z: Array, params: Numbers) -> tuple[Array, Array]:
        return calculus.silu(z), z

    def backward(self, da: Array, z: Array, params: Numbers, grads: Numbers) -> Array:
        return calculus.silu_backward(da, z)


@dataclass(frozen=True)
class Softmax(Layer):
    """``s_k = e^(z_k) / Σ_j e^(z_j)``; see `calculus.softmax`.

    For the loss on probabilities, as the tutorials derive it; the loss on scores
    ("softmax cross-entropy") has it inside and needs no such layer.
    """

    name: ClassVar[str] = "softmax"

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise RecipeError(f"softmax: found samples of shape {shape}; expected a row of scores")
        return shape

    def forward(self, z: Array, params: Numbers) -> tuple[Array, Array]:
        s = calculus.softmax(z)
        return s, s

    def backward(self, ds: Array, s: Array, params: Numbers, grads: Numbers) -> Array:
        return calculus.softmax_backward(ds, s)
