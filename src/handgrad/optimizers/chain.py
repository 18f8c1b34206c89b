"""Transformations of a gradient into a step, closed under chaining."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.arrays import Array
from handgrad.optimizers.schedules import Constant, Schedule

__all__ = ["Chain", "ClipNorm", "Decay", "Rates", "Scale", "State", "Transformation"]

State = dict[str, Any]


class Transformation(abc.ABC):
    """From a gradient to a step, or a part of that way.

    A transformation owns no numbers: what it remembers between steps is the state that `start`
    makes: plain arrays by name, those of a chain's parts one level down. A checkpoint can hold it.
    """

    def start(self, vector: Array) -> State:
        """The state before the first step, for a vector of learned numbers."""
        return {}

    @abc.abstractmethod
    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        """Turn ``g`` into the next thing on its way to a step, in place.

        Parameters
        ----------
        g : (P,) float         overwritten
        state : as `start` made it; overwritten
        vector : (P,)          the learned numbers before this step; only read
        t : the steps made before this one, from 0
        total : the steps of the whole training, for schedules
        """


@dataclass(frozen=True)
class Chain(Transformation):
    """One transformation after the other; itself a transformation."""

    parts: Sequence[Transformation]

    def start(self, vector: Array) -> State:
        return {str(i): part.start(vector) for i, part in enumerate(self.parts)}

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        for part, own in zip(self.parts, state.values(), strict=True):
            part.apply(g, own, vector, t, total)


@dataclass(frozen=True)
class ClipNorm(Transformation):
    """Clip by the global norm: where ‖g‖ > c, ``g ← g · c/‖g‖``.

    Source: Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks
    (ICML 2013).
    """

    norm: float

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        found = math.sqrt(float(g @ g))
        if math.isinf(found):  # of squares too large for float32, which float64 still holds
            found = float(np.linalg.norm(g.astype(np.float64)))
        if found > self.norm:
            g *= self.norm / found


@dataclass(frozen=True)
class Decay(Transformation):
    """Decoupled weight decay: ``g ← g + λ w``, after the optimizer's own rule.

    With the rate η that follows, a step takes η λ w away from each weight and is no part of any
    loss.

    Parameters
    ----------
    rate : λ
    places : which parts of the vector decay: the weights, not the offsets

    Source: Loshchilov, Hutter, arXiv 1711.05101 (Decoupled Weight Decay Regularization, ICLR 2019).
    """

    rate: float
    places: Sequence[slice]

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        for place in self.places:
            g[place] += self.rate * vector[place]


@dataclass(frozen=True)
class Rates(Transformation):
    """Rates of their own for some parts of the vector: ``g ← r g`` there.

    Parameters
    ----------
    parts : places in the vector, each with its factor r
    """

    parts: Sequence[tuple[slice, float]]

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        for place, factor in self.parts:
            g[place] *= factor


@dataclass(frozen=True)
class Scale(Transformation):
    """The learning rate, by its schedule: ``g ← η(t) g``."""

    learning_rate: float
    schedule: Schedule = Constant()

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        g *= self.learning_rate * self.schedule(t, total)
