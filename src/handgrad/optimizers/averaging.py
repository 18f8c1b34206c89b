"""Averages of the weights over a training: steadier than the last step alone."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar

from handgrad.arrays import Array
from handgrad.optimizers.chain import State
from handgrad.tables import Named

__all__ = ["Averaging", "Lookahead", "MovingAverage"]


class Averaging(Named, abc.ABC):
    """What is made of the weights after each update; all numbers of a network, statistics too."""

    tag: ClassVar[str] = "kind"

    def start(self, vector: Array) -> State:
        """The average before the first step."""
        return {"average": vector.copy()}

    @abc.abstractmethod
    def after(self, vector: Array, state: State, t: int, total: int) -> None:
        """Take an update into account; ``t`` are the steps made, this one among them."""

    def kept(self, vector: Array, state: State) -> Array:
        """The weights to judge and to keep."""
        return vector


@dataclass(frozen=True)
class MovingAverage(Averaging):
    """An exponential moving average beside the training: ``a ← d a + (1 - d) w``.

    In the first steps d is no more than (1 + t)/(10 + t), so that the start is soon forgotten.

    Source: Polyak, Juditsky (1992) for averaging; the bound on d is that of TensorFlow's
    ``ExponentialMovingAverage``.
    """

    name: ClassVar[str] = "moving average"

    decay: float = 0.999

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise ValueError(f"decay = {self.decay}; expected at least 0 and less than 1")

    def after(self, vector: Array, state: State, t: int, total: int) -> None:
        decay = min(self.decay, (1 + t) / (10 + t))
        average = state["average"]
        average *= decay
        average += (1 - decay) * vector

    def kept(self, vector: Array, state: State) -> Array:
        average: Array = state["average"]
        return average


@dataclass(frozen=True)
class Lookahead(Averaging):
    """Every k steps go back to a slow average, which has moved towards where they led.

    ``s ← d s + (1 - d) w``, then ``w ← s``, with d = decay · (t/T)³: at first the weights run free,
    at the end they are the average, and after the last step they are exactly that.

    Parameters
    ----------
    every : k
    decay : d at the end of the training

    Source: Zhang, Lucas, Hinton, Ba, Lookahead Optimizer, arXiv 1907.08610; the rising d is that of
    K. Jordan, arXiv 2404.00498, whose numbers are the defaults.
    """

    name: ClassVar[str] = "lookahead"

    every: int = 5
    decay: float = 0.95**5

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every = {self.every}; expected at least 1")
        if not 0 <= self.decay < 1:
            raise ValueError(f"decay = {self.decay}; expected at least 0 and less than 1")

    def after(self, vector: Array, state: State, t: int, total: int) -> None:
        slow = state["average"]
        if t % self.every == 0:
            decay = self.decay * (t / total) ** 3
            slow *= decay
            slow += (1 - decay) * vector
            vector[...] = slow
        if t == total:
            vector[...] = slow
