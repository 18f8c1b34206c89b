"""The span of the inputs: where full-batch descent keeps the first weights, and how few they are.

Let X (N, I) be all images, one a row, and W (I, O) the weights of a first layer z = X W + b. The
gradient of any loss is dW = Xᵀ dz: its columns are weighted sums of images. A step of gradient
descent subtracts a multiple of it; momentum sums such steps. Whatever the number of steps,

    W = W₀ + Xᵀ A

with first values W₀ and coordinates A (N, O), 0 at the start. All that the network sees of W is

    z = X W + b = z₀ + K A + b        K = X Xᵀ (N, N)        z₀ = X W₀

and the step W ← W - η Xᵀ dz is the step A ← A - η dz. So with N images of more than N numbers each,
K and z₀ are computed once; then a step takes one product with K (N² O) in place of two with X
(2 N I O), and the way back none at all. Nothing is approximated. At the end W is written out.

What is not linear in dW leaves the span: Adam's root, a clipped norm ‖dW‖; a penalty or decay of W
itself brings W₀ in. A mini-batch would do, but meets too few rows of K to gain much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from handgrad.arrays import Array, Numbers, Shape
from handgrad.layers import Dense, Layer
from handgrad.losses import Loss
from handgrad.networks import Network
from handgrad.optimizers import SGD, Momentum, Nesterov, Optimizer

__all__ = ["Span", "spans"]


@dataclass(frozen=True)
class Coordinates(Layer):
    """``z = K A + z₀ + b``; a sample is its row of K and then its z₀. Not for recipes.

    Parameters
    ----------
    units : O, the numbers of z₀
    """

    units: int

    def output_shape(self, shape: Shape) -> Shape:
        return (self.units,)

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return {"W": (shape[0] - self.units, self.units), "b": (self.units,)}  # A, under W's rates

    def forward(self, x: Array, params: Numbers) -> tuple[Array, None]:
        z: Array = x[:, : -self.units] @ params.W
        z += x[:, -self.units :]
        z += params.b
        return z, None

    def backward(self, dz: Array, memory: None, params: Numbers, grads: Numbers) -> Array:
        """The coordinates of dW are dz; it is first, so that nobody asks for its dx."""
        grads.W[...] = dz
        np.sum(dz, axis=0, out=grads.b)
        return dz

    def flops(self, shape: Shape) -> int:
        return 2 * shape[0] * self.units

    def largest_product(self, shape: Shape, n: int) -> int:
        return n * self.flops(shape)

    def __str__(self) -> str:
        return f"dense {self.units}, in the span of the inputs"


class Span:
    """A network whose first weights are trained as coordinates in the span of all its images.

    Parameters
    ----------
    network : begins with a dense layer; its weights change with `carry_back` only
    images : (N, …), the whole training set

    Attributes
    ----------
    network : the same function in coordinates: the one to train
    images : (N, N + O), what it is to be trained with

    Cost: N² I flops, and N² numbers.

    >>> network = Network((Dense(1),), (3,), dtype=np.float64)
    >>> X, dz = np.array([[1.0, 2.0, 2.0]]), np.array([[0.5]])
    >>> span = Span(network, X)
    >>> span.network.params[0].W -= dz
    >>> span.carry_back()
    >>> network.params[0].W.ravel()  # 0 - Xᵀ dz
    array([-0.5, -1. , -1. ])
    """

    def __init__(self, network: Network, images: Array) -> None:
        first, *others = network.architecture
        assert isinstance(first, Dense)
        self._whole, self._X = network, images.reshape(len(images), -1)
        self._W = network.params[0].W.copy()
        self.images = self.of(images)
        shape = (self.images.shape[1],)
        self.network = Network((Coordinates(first.units), *others), shape, dtype=network.dtype)
        self.network.params[0].b[...] = network.params[0].b
        _after_first(self.network)[...] = _after_first(network)

    def of(self, images: Array) -> Array:
        """Any images (n, …) as the network in coordinates takes them: (n, N + O)."""
        x = images.reshape(len(images), -1)
        return np.concatenate([x @ self._X.T, x @ self._W], axis=1)

    def carry_back(self) -> None:
        """Write all numbers, as they are now, into the network that was given.

        Cost: 2·N·I·O flops.
        """
        own, there = self.network.params[0], self._whole.params[0]
        np.matmul(self._X.T, own.W, out=there.W)
        there.W += self._W
        there.b[...] = own.b
        _after_first(self._whole)[...] = _after_first(self.network)


def spans(network: Network, loss: Loss, optimizer: Optimizer, samples: int, steps: int) -> bool:
    """Whether full-batch training stays in the span of the inputs, and is shorter for it.

    Parameters
    ----------
    samples : N, of the whole training set
    steps : of the whole training; they must save more than K costs
    """
    first = network.architecture[0]
    if not isinstance(first, Dense) or type(optimizer) not in (SGD, Momentum, Nesterov):
        return False
    if optimizer.clip_norm is not None or optimizer.weight_decay or loss.penalty:
        return False
    I, O = math.prod(network.shapes[0]), first.units
    return samples < I and steps * O * (2 * I - samples) > samples * I


def _after_first(network: Network) -> Array:
    """All numbers but those of the first layer: a view."""
    return network.vector[network.layout.layer(0).stop :]
