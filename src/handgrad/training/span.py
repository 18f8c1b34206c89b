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

Three things leave the span: Adam and RMSProp, by a root or quotient of each number of dW; a
penalty or decay of W, which pulls at W₀ as well; augmentation, which brings new images. Others
stay in it and need more than dz: a clipped or reported norm is ‖dW‖ = √⟨dz, K dz⟩, Muon takes a
root of a matrix. A mini-batch stays in it too, but meets too few rows of K to gain much. Nothing
of that is done here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from handgrad.arrays import Array, Numbers, Shape
from handgrad.layers import Dense, Layer
from handgrad.losses import Loss
from handgrad.networks import Network
from handgrad.optimizers import SGD, Momentum, Nesterov, Optimizer

__all__ = ["Span", "in_coordinates", "spans"]


FEW = 16
"""Outputs below which a step's products wait for memory, and cost what those of so many do."""

WORTH_HALVING = 1000
"""Images from which on K is no longer near the processor, and reading half of it counts."""


class _Unlisted:
    """Has the name that a layer has, where `tables.members` does not look: not for recipes."""

    name: ClassVar[str] = "coordinates"


@dataclass(frozen=True)
class Coordinates(_Unlisted, Layer):
    """``z = K A + z₀ + b``; a sample is its row of K and then its z₀.

    Parameters
    ----------
    units : O, the numbers of z₀
    offset : whether there is a b
    halved : read one half of K, of the training set with itself, which is symmetric; for one unit
    """

    units: int
    offset: bool = True
    halved: bool = False

    def output_shape(self, shape: Shape) -> Shape:
        return (self.units,)

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        A: dict[str, Shape] = {"W": (shape[0] - self.units, self.units)}  # under W's name and rate
        return A | {"b": (self.units,)} if self.offset else A

    def forward(self, x: Array, params: Numbers) -> tuple[Array, None]:
        product = _symmetric if self.halved else np.matmul
        z: Array = product(x[:, : -self.units], params.W)
        z += x[:, -self.units :]
        if self.offset:
            z += params.b
        return z, None

    def backward(self, dz: Array, memory: None, params: Numbers, grads: Numbers) -> Array:
        """The coordinates of dW are dz; it is first, so that nobody asks for its dx."""
        grads.W[...] = dz
        if self.offset:
            np.sum(dz, axis=0, out=grads.b)
        return dz

    def frozen(self) -> Coordinates:
        return replace(self, halved=False)  # for any images

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
    network : the same function in coordinates: the one to train, with ``of(images)``
    images : as given

    >>> network = Network((Dense(1),), (3,), dtype=np.float64)
    >>> X, dz = np.array([[1.0, 2.0, 2.0]]), np.array([[0.5]])
    >>> span = Span(network, X)
    >>> span.of(X)  # K and z₀
    array([[9., 0.]])
    >>> span.network.params[0].W -= dz
    >>> span.carry_back()
    >>> network.params[0].W.ravel()  # 0 - Xᵀ dz
    array([-0.5, -1. , -1. ])
    """

    def __init__(self, network: Network, images: Array) -> None:
        images = np.asarray(images)  # which stay in no file: every step back needs all of them
        self.images, self._X = images, images.reshape(len(images), -1)
        self._whole = network
        self._W = network.params[0].W.copy()
        self.network = in_coordinates(network, len(images))
        self._halved = _halves(self._W.shape[1], len(images))
        if self._halved:
            import scipy.linalg  # noqa: F401  # now: threads are limited of what is loaded by then
        _after_W(self.network)[...] = _after_W(network)

    def of(self, images: Array) -> Array:
        """Images (n, …) as the network in coordinates takes them: (n, N + O).

        Cost: 2·n·N·I flops; half of that for the training set itself, whose products with each
        other are symmetric.
        """
        x = np.asarray(images).reshape(len(images), -1)
        K, z = x @ self._X.T, x @ self._W
        if images is self.images and self._halved:
            return np.concatenate([K, z.T]).T  # K = Kᵀ, in the columns that BLAS asks for
        return np.concatenate([K, z], axis=1)

    def carry_back(self) -> None:
        """Write all numbers, as they are now, into the network that was given.

        Cost: 2·N·I·O flops.
        """
        W = self._whole.params[0].W
        np.matmul(self._X.T, self.network.params[0].W, out=W)
        W += self._W
        _after_W(self._whole)[...] = _after_W(self.network)


def in_coordinates(network: Network, samples: int) -> Network:
    """The architecture with coordinates for the weights of its first layer; all numbers are 0."""
    first, *others = network.architecture
    assert isinstance(first, Dense)
    layers = (
        Coordinates(first.units, first.offset, _halves(first.units, samples)),
        *others,
    )
    return Network(layers, (samples + first.units,), dtype=network.dtype)


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
    return samples < I and steps * max(O, FEW) * (2 * I - samples) > samples * I


def _halves(units: int, samples: int) -> bool:
    """Whether half of K will do in a step; more than one output asks for a product, not a walk."""
    return units == 1 and samples >= WORTH_HALVING


def _symmetric(K: Array, A: Array) -> Array:
    """``K A`` for a symmetric K (N, N) in columns and A (N, 1)."""
    from scipy.linalg import blas  # 0.15 s to import, so only where used

    symv = blas.ssymv if K.dtype == np.float32 else blas.dsymv
    z: Array = symv(1.0, K, A[:, 0])
    return z[:, None]


def _after_W(network: Network) -> Array:
    """All numbers but the first layer's weights, with which the vector begins: a view."""
    return network.vector[network.params[0].W.size :]
