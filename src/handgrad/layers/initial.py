"""First values of weights and offsets, all from one generator.

A matrix is drawn neuron by neuron, as (O, I): one row of the textbook's W a neuron, whatever the
layer makes of it. Draws are in float64, so that float32 begins at the same values, rounded.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from handgrad.arrays import Array
from handgrad.tables import Named

__all__ = ["Glorot", "He", "Initial", "Normal", "Uniform", "Zeros"]


class Initial(Named, abc.ABC):
    """A way to begin."""

    tag: ClassVar[str] = "initial"

    @abc.abstractmethod
    def draw(self, n_in: int, n_out: int, generator: np.random.Generator) -> Array:
        """(n_out, n_in) numbers for neurons with ``n_in`` inputs, ``n_out`` in their layer."""


@dataclass(frozen=True)
class Zeros(Initial):
    """All 0: right for offsets, and for the weights of one neuron, which has no twin to differ
    from."""

    name: ClassVar[str] = "zeros"

    def draw(self, n_in: int, n_out: int, generator: np.random.Generator) -> Array:
        return np.zeros((n_out, n_in))


@dataclass(frozen=True)
class Normal(Initial):
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

    def draw(self, n_in: int, n_out: int, generator: np.random.Generator) -> Array:
        drawn = generator.normal(size=(n_out, n_in))
        if self.variance == "1/n_in":
            return drawn / math.sqrt(n_in)
        return drawn * math.sqrt(self.variance)


@dataclass(frozen=True)
class Glorot(Initial):
    """Variance 2 / (n_in + n_out): a compromise between the way there and the way back.

    Keeping the variance of what goes forward asks for 1/n_in, of what comes back for 1/n_out.
    The uniform form is U(-r, r) with r = √(6 / (n_in + n_out)), since its variance is r²/3.

    Source: Glorot, Bengio, Understanding the difficulty of training deep feedforward neural
    networks (AISTATS 2010), equation 16.
    """

    name: ClassVar[str] = "glorot"

    distribution: Literal["normal", "uniform"] = "uniform"

    def draw(self, n_in: int, n_out: int, generator: np.random.Generator) -> Array:
        return _drawn(self.distribution, 2 / (n_in + n_out), (n_out, n_in), generator)


@dataclass(frozen=True)
class He(Initial):
    """Variance 2 / n_in: for ReLU, which passes half of a symmetric input's second moment.

    Source: He, Zhang, Ren, Sun, Delving Deep into Rectifiers (ICCV 2015).
    """

    name: ClassVar[str] = "he"

    distribution: Literal["normal", "uniform"] = "normal"

    def draw(self, n_in: int, n_out: int, generator: np.random.Generator) -> Array:
        return _drawn(self.distribution, 2 / n_in, (n_out, n_in), generator)


@dataclass(frozen=True)
class Uniform(Initial):
    """Uniform in [low, high)."""

    name: ClassVar[str] = "uniform"

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"low = {self.low} is above high = {self.high}")

    def draw(self, n_in: int, n_out: int, generator: np.random.Generator) -> Array:
        return generator.uniform(self.low, self.high, size=(n_out, n_in))


def _drawn(
    distribution: str, variance: float, size: tuple[int, int], generator: np.random.Generator
) -> Array:
    if distribution == "normal":
        return generator.normal(size=size) * math.sqrt(variance)
    radius = math.sqrt(3 * variance)
    return generator.uniform(-radius, radius, size=size)
