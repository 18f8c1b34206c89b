"""First values of weights and offsets, all from one generator.

A matrix is drawn neuron by neuron, as (O, I): one row of the textbook's W a neuron, whatever the
layer makes of it. Draws are in float64, so that float32 begins at the same values, rounded; of a
large matrix they are made and rounded some neurons at a time, for all of them would take twice the
memory of the matrix, and their scaling as much again.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from handgrad.arrays import Array, Shape
from handgrad.calculus import patches
from handgrad.errors import RecipeError
from handgrad.tables import Named

__all__ = [
    "Dirac",
    "Glorot",
    "He",
    "Initial",
    "Normal",
    "PyTorch",
    "Uniform",
    "Whitening",
    "Zeros",
]


class Initial(Named, abc.ABC):
    """A way to begin."""

    tag: ClassVar[str] = "initial"

    @abc.abstractmethod
    def draw(self, n_in: int, n_out: int, generator: np.random.Generator) -> Array:
        """(n_out, n_in) numbers for neurons with ``n_in`` inputs, ``n_out`` in their layer."""

    def write(self, W: Array, generator: np.random.Generator) -> None:
        """Write the numbers of `draw` into (n_in, n_out) weights."""
        n_in, n_out = W.shape
        W[...] = self.draw(n_in, n_out, generator).T

    def offsets(self, n_in: int, n_out: int, generator: np.random.Generator) -> Array:
        """(n_out,) offsets of the neurons of a layer, drawn as weights of one input each."""
        return self.draw(1, n_out, generator)[:, 0]

    def filters(
        self, shape: Shape, generator: np.random.Generator, images: Array | None = None
    ) -> Array:
        """(KH, KW, C, O) filters of a convolution, drawn as neurons with KH·KW·C inputs.

        Parameters
        ----------
        shape : (KH, KW, C, O)
        images : (N, H, W, C) float, for a way to begin that looks at them
        """
        KH, KW, C, O = shape
        return self.draw(KH * KW * C, O, generator).T.reshape(shape)


class Independent(Initial):
    """Numbers that are drawn each for itself, all from one distribution."""

    @abc.abstractmethod
    def numbers(
        self, n_in: int, n_out: int, size: tuple[int, ...], generator: np.random.Generator
    ) -> Array:
        """So many numbers, (size), of a layer with ``n_in`` inputs and ``n_out`` neurons."""

    def draw(self, n_in: int, n_out: int, generator: np.random.Generator) -> Array:
        return self.numbers(n_in, n_out, (n_out, n_in), generator)

    def write(self, W: Array, generator: np.random.Generator) -> None:
        """As `Initial.write`: a generator gives the same numbers in pieces as at once."""
        n_in, n_out = W.shape
        neurons = max(1, AT_ONCE // n_in)
        for i in range(0, n_out, neurons):
            some = W[:, i : i + neurons]
            some[...] = self.numbers(n_in, n_out, (some.shape[1], n_in), generator).T


AT_ONCE = 2**20
"""So many numbers are drawn before they are written: 8 MB of float64."""


@dataclass(frozen=True)
class Zeros(Initial):
    """All 0: right for offsets, and for the weights of one neuron, which has no twin to differ
    from."""

    name: ClassVar[str] = "zeros"

    def draw(self, n_in: int, n_out: int, generator: np.random.Generator) -> Array:
        return np.zeros((n_out, n_in))


@dataclass(frozen=True)
class Normal(Independent):
    """Normal with mean 0 and a stated variance, drawn as N(0, 1) over a square root.

    With variance 1/n_in a weighted sum of n_in inputs of variance 1 has variance 1 again. The
    tutorial on 3x3 lines calls this Xavier initialization; what Glorot (Xavier is the first name)
    published also has the width of the next layer in it: see `Glorot`.

    Parameters
    ----------
    variance : "1/n_in", or a number
    """

    name: ClassVar[str] = "normal"

    variance: Literal["1/n_in"] | float = "1/n_in"

    def __post_init__(self) -> None:
        if not isinstance(self.variance, str) and not self.variance >= 0:
            raise ValueError(f"variance = {self.variance}; expected 0 or more, or '1/n_in'")

    def numbers(
        self, n_in: int, n_out: int, size: tuple[int, ...], generator: np.random.Generator
    ) -> Array:
        drawn = generator.normal(size=size)
        if self.variance == "1/n_in":
            return drawn / math.sqrt(n_in)
        return drawn * math.sqrt(self.variance)


@dataclass(frozen=True)
class Glorot(Independent):
    """Variance 2 / (n_in + n_out): a compromise between the way there and the way back.

    Keeping the variance of what goes forward asks for 1/n_in, of what comes back for 1/n_out.
    The uniform form is U(-r, r) with r = √(6 / (n_in + n_out)), since its variance is r²/3.

    Source: Glorot, Bengio, Understanding the difficulty of training deep feedforward neural
    networks (AISTATS 2010), equation 16.
    """

    name: ClassVar[str] = "glorot"

    distribution: Literal["normal", "uniform"] = "uniform"

    def numbers(
        self, n_in: int, n_out: int, size: tuple[int, ...], generator: np.random.Generator
    ) -> Array:
        return _drawn(self.distribution, 2 / (n_in + n_out), size, generator)


@dataclass(frozen=True)
class He(Independent):
    """Variance 2 / n_in: for ReLU, which passes half of a symmetric input's second moment.

    Source: He, Zhang, Ren, Sun, Delving Deep into Rectifiers (ICCV 2015).
    """

    name: ClassVar[str] = "he"

    distribution: Literal["normal", "uniform"] = "normal"

    def numbers(
        self, n_in: int, n_out: int, size: tuple[int, ...], generator: np.random.Generator
    ) -> Array:
        return _drawn(self.distribution, 2 / n_in, size, generator)


@dataclass(frozen=True)
class Uniform(Independent):
    """Uniform in [low, high)."""

    name: ClassVar[str] = "uniform"

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"low = {self.low} is above high = {self.high}")

    def numbers(
        self, n_in: int, n_out: int, size: tuple[int, ...], generator: np.random.Generator
    ) -> Array:
        return generator.uniform(self.low, self.high, size=size)


@dataclass(frozen=True)
class PyTorch(Independent):
    """As PyTorch begins by default: uniform in ±1/√n_in, offsets as well.

    The variance of a number is 1/(3 n_in), so that a weighted sum of inputs of variance 1 has
    variance 1/3: right for a layer that is normalized after it, and small for others.

    Source: PyTorch's documentation of ``Linear`` and ``Conv2d``.
    """

    name: ClassVar[str] = "pytorch"

    def numbers(
        self, n_in: int, n_out: int, size: tuple[int, ...], generator: np.random.Generator
    ) -> Array:
        return _drawn("uniform", 1 / (3 * n_in), size, generator)

    def offsets(self, n_in: int, n_out: int, generator: np.random.Generator) -> Array:
        return self.numbers(n_in, n_out, (n_out,), generator)


@dataclass(frozen=True)
class Dirac(Initial):
    """Hand on what comes in: filter i begins as the identity of channel i, as long as there is one.

    It is 1 at its centre for its own channel and 0 elsewhere, so that a convolution over as many
    channels, padded to the same size, begins as y = x, and a deep network with its gradients
    already reaching all the way. Filters for which no channel is left are drawn.

    Parameters
    ----------
    others : how the filters beyond the first C begin

    Source: Zagoruyko, Komodakis, DiracNets, arXiv 1706.00388; over the first C filters only, as in
    K. Jordan, arXiv 2404.00498.

    >>> Dirac().draw(2, 2, np.random.default_rng(0))
    array([[1., 0.],
           [0., 1.]])
    """

    name: ClassVar[str] = "dirac"

    others: Initial = PyTorch()

    def draw(self, n_in: int, n_out: int, generator: np.random.Generator) -> Array:
        W: Array = self.filters((1, 1, n_in, n_out), generator)[0, 0]
        return W.T

    def filters(
        self, shape: Shape, generator: np.random.Generator, images: Array | None = None
    ) -> Array:
        W = self.others.filters(shape, generator, images)
        KH, KW, C, O = shape
        own = np.arange(min(C, O))
        W[..., own] = 0
        W[(KH - 1) // 2, (KW - 1) // 2, own, own] = 1
        return W


@dataclass(frozen=True)
class Whitening(Initial):
    """Filters whose outputs are uncorrelated and of one size, made from the training images.

    Let p be the D = KH·KW·C numbers that a filter sees at one place of an image, and S = E[p pᵀ]
    over all places and images: their covariance, where images are normalized to mean 0. S is
    symmetric, S = E Λ Eᵀ with orthonormal columns e_i, so the projections e_i·p have

        E[(e_i·p)(e_j·p)] = e_iᵀ S e_j = λ_i δ_ij

    and with the weights e_i / √(λ_i + ε) that becomes λ_i/(λ_i + ε) δ_ij: the identity, but for
    directions in which images hardly vary, whose noise ε holds down. Neighbouring pixels are much
    alike, so that λ spans orders of magnitude; after this step gradient descent meets all
    directions alike. Each e_i has its negative beside it, so that an activation that cuts off
    negative values loses nothing: the filters are (e_1, …, e_m, -e_1, …, -e_m) over their roots,
    the largest λ first. An eigenvector is one up to its sign: here its largest number is positive.

    Parameters
    ----------
    epsilon : ε, in units of the squared input

    Source: K. Jordan, arXiv 2404.00498 (94% on CIFAR-10 in 3.29 Seconds on a Single GPU), and its
    program airbench94, whose ε is the default.
    """

    name: ClassVar[str] = "whitening"

    epsilon: float = 5e-4

    def __post_init__(self) -> None:
        if not self.epsilon > 0:
            raise ValueError(f"epsilon = {self.epsilon}; expected more than 0")

    def draw(self, n_in: int, n_out: int, generator: np.random.Generator) -> Array:
        raise RecipeError("whitening: found a layer of another kind; expected a convolution")

    def filters(
        self, shape: Shape, generator: np.random.Generator, images: Array | None = None
    ) -> Array:
        """As `Initial.filters`, without chance; ``images`` as the network will see them.

        Raises
        ------
        RecipeError : no images, an odd number of filters, or more than 2·KH·KW·C
        """
        KH, KW, C, O = shape
        if images is None:
            raise RecipeError(
                "whitening: found no images; expected a convolution at the head of a network that "
                "is given images to begin with"
            )
        if images.shape[-1] != C:
            raise RecipeError(
                f"whitening: found a convolution over {C} channels; expected one at the head of "
                f"the network, over the {images.shape[-1]} channels of its images"
            )
        D = KH * KW * C
        if O % 2 or O > 2 * D:
            raise RecipeError(
                f"whitening: found {O} filters of {KH}x{KW} on {C} channels; expected an even "
                f"number up to {2 * D}, each direction and its negative"
            )
        S, places = np.zeros((D, D)), 0
        for i in range(0, len(images), 100):  # a few at a time: patches are KH·KW times as large
            p = patches(images[i : i + 100], (KH, KW)).reshape(-1, D).astype(np.float64)
            S += p.T @ p
            places += len(p)
        eigenvalues, E = np.linalg.eigh(S / places)  # ascending
        eigenvalues, E = eigenvalues[::-1][: O // 2], E[:, ::-1][:, : O // 2]
        E = E * np.sign(E[abs(E).argmax(axis=0), np.arange(O // 2)])
        # A singular S can have eigenvalues of -1e-17.
        W = E / np.sqrt(np.maximum(eigenvalues, 0) + self.epsilon)
        return np.concatenate([W, -W], axis=1).reshape(shape)


def _drawn(
    distribution: str, variance: float, size: tuple[int, ...], generator: np.random.Generator
) -> Array:
    if distribution == "normal":
        return generator.normal(size=size) * math.sqrt(variance)
    radius = math.sqrt(3 * variance)
    return generator.uniform(-radius, radius, size=size)
