"""Transformations of a gradient into a step, closed under chaining."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, ClassVar

import numpy as np

from handgrad.arrays import Array, at_once
from handgrad.optimizers.schedules import Constant, Schedule

__all__ = ["Chain", "ClipNorm", "Decay", "Frozen", "Rates", "Scale", "State", "Transformation"]

State = dict[str, Any]

TILE = 1 << 15
"""Numbers that are walked over at once: all operations on g and what is remembered find them in the
cache."""


class Transformation(abc.ABC):
    """From a gradient to a step, or a part of that way.

    A transformation owns no numbers: what it remembers between steps is the state that `start`
    makes: plain arrays by name, those of a chain's parts one level down. A checkpoint can hold it.
    """

    elementwise: ClassVar[bool] = False
    """Whether it treats each number by itself, wherever it stands in the vector."""

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
    """One transformation after the other; itself a transformation.

    Neighbours that treat each number by itself, and remember something of it, go together over one
    tile of the vector after another: the same numbers, fetched once.
    """

    parts: Sequence[Transformation]

    def start(self, vector: Array) -> State:
        return {str(i): part.start(vector) for i, part in enumerate(self.parts)}

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        for elementwise, parts in self._runs:
            if elementwise and any(state.get(name) for name, _ in parts):
                size = at_once(g, TILE)
                for first in range(0, len(g), size):
                    tile = slice(first, first + size)
                    for name, part in parts:
                        own = {key: array[tile] for key, array in state.get(name, {}).items()}
                        part.apply(g[tile], own, vector[tile], t, total)
            else:
                for name, part in parts:
                    part.apply(g, state.get(name, {}), vector, t, total)

    @cached_property
    def _runs(self) -> list[tuple[bool, list[tuple[str, Transformation]]]]:
        """Neighbours that are elementwise, or are not, each part with its name in the state."""
        named = ((str(i), part) for i, part in enumerate(self.parts))
        return [(same, list(run)) for same, run in groupby(named, lambda each: each[1].elementwise)]


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
    """Weight decay: ``g ← g + λ w`` there.

    After the optimizer's own rule it is decoupled: with the rate η that follows, a step takes
    η λ w away from each weight and is no part of any loss. Before the rule it is coupled: λ w is
    then the gradient of a penalty ½ λ w², and passes through momentum or a running mean with the
    gradient of the loss.

    Parameters
    ----------
    parts : places in the vector, each with its λ

    Source: Loshchilov, Hutter, arXiv 1711.05101 (Decoupled Weight Decay Regularization, ICLR 2019).
    """

    parts: Sequence[tuple[slice, float]]

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        for place, decay in self.parts:
            g[place] += decay * vector[place]


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
class Frozen(Transformation):
    """Parts of the vector that stay as they are from some step on: ``g ← 0`` there, at the end.

    Parameters
    ----------
    parts : places in the vector, each with the part of the training after which it stands still
    """

    parts: Sequence[tuple[slice, float]]

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        for place, after in self.parts:
            # 1e-9: a part such as 0.3 of 10 steps must end at step 3 in spite of rounding
            if t >= after * total - 1e-9:
                g[place] = 0


@dataclass(frozen=True)
class Scale(Transformation):
    """The learning rate, by its schedule: ``g ← η(t) g``."""

    elementwise: ClassVar[bool] = True

    learning_rate: float
    schedule: Schedule = Constant()

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        g *= self.learning_rate * self.schedule(t, total)
