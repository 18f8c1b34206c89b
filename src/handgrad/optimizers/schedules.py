"""Schedules of the learning rate: a factor for step t of ``total``.

Lengths are parts of the whole training, so that a recipe with more epochs keeps its shape.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import ClassVar

from handgrad.tables import Named

__all__ = ["Constant", "Cosine", "OneCycle", "Schedule", "Step", "Triangular", "WarmUp"]


class Schedule(Named, abc.ABC):
    """From the number of a step to the factor on the learning rate."""

    tag: ClassVar[str] = "kind"

    @abc.abstractmethod
    def __call__(self, t: int, total: int) -> float:
        """The factor of step ``t``, counted from 0, of ``total``."""


@dataclass(frozen=True)
class Constant(Schedule):
    """Always 1."""

    name: ClassVar[str] = "constant"

    def __call__(self, t: int, total: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Step(Schedule):
    """Times ``factor`` after each further part ``every`` of the training.

    >>> [Step(every=0.5, factor=0.1)(t, 4) for t in range(4)]
    [1.0, 1.0, 0.1, 0.1]
    """

    name: ClassVar[str] = "step"

    every: float = 0.3
    factor: float = 0.1

    def __post_init__(self) -> None:
        if not self.every > 0:
            raise ValueError(f"every = {self.every}; expected a part of the training above 0")

    def __call__(self, t: int, total: int) -> float:
        # 1e-9: a part such as 0.3 of 10 steps must end at step 3 in spite of rounding
        return float(self.factor ** math.floor(t / (self.every * total) + 1e-9))


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from 1 down to ``final``: ``final + (1 - final) (1 + cos(π t/total)) / 2``.

    Source: Loshchilov, Hutter, SGDR, arXiv 1608.03983, without restarts.

    >>> Cosine()(5, 10)
    0.5
    """

    name: ClassVar[str] = "cosine"

    final: float = 0.0

    def __call__(self, t: int, total: int) -> float:
        return self.final + (1 - self.final) * _half_cosine(t / total)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up to 1 and down again, once, along half cosines.

    From 1/``start`` at step 0 up to 1 at the part ``peak`` of the training, then down to
    1/(``start`` · ``end``) at the last step: PyTorch's ``OneCycleLR`` with its default numbers.

    Source: Smith, Topin, Super-Convergence, arXiv 1708.07120; PyTorch's documentation of
    ``OneCycleLR`` for the cosine and the three numbers.
    """

    name: ClassVar[str] = "one-cycle"

    peak: float = 0.3
    start: float = 25.0
    end: float = 1e4

    def __post_init__(self) -> None:
        if not 0 < self.peak < 1:
            raise ValueError(f"peak = {self.peak}; expected a part of the training, in (0, 1)")
        for name in ("start", "end"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} = {getattr(self, name)}; expected more than 0")

    def __call__(self, t: int, total: int) -> float:
        top, last = self.peak * total - 1, total - 1
        first, final = 1 / self.start, 1 / (self.start * self.end)
        if t <= top:
            return 1 + (first - 1) * _half_cosine(t / top) if top > 0 else 1.0
        return final + (1 - final) * _half_cosine((t - top) / (last - top))


@dataclass(frozen=True)
class Triangular(Schedule):
    """Straight up from ``start`` to 1 at the part ``peak`` of the training, then down to ``end``.

    With ``peak = 0`` it begins at 1.

    Source: K. Jordan, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU, arXiv 2404.00498, whose
    numbers are the defaults.

    >>> [round(Triangular(start=0.5, peak=0.5, end=0.0)(t, 4), 2) for t in range(4)]
    [0.5, 0.75, 1.0, 0.5]
    """

    name: ClassVar[str] = "triangular"

    start: float = 0.2
    peak: float = 0.23
    end: float = 0.07

    def __post_init__(self) -> None:
        if not 0 <= self.peak < 1:
            raise ValueError(f"peak = {self.peak}; expected a part of the training, in [0, 1)")

    def __call__(self, t: int, total: int) -> float:
        done = t / total
        if done < self.peak:
            return self.start + (1 - self.start) * done / self.peak
        return 1 + (self.end - 1) * (done - self.peak) / (1 - self.peak)


@dataclass(frozen=True)
class WarmUp(Schedule):
    """A line from 0 to 1 over the part ``part`` of the training, then another schedule.

    Step t of a warm-up of w steps has the factor (t + 1)/w; what comes after is told that it
    begins at 0 and has the remaining steps.

    Source: Goyal et al., Accurate, Large Minibatch SGD, arXiv 1706.02677.

    >>> [WarmUp(part=0.5)(t, 8) for t in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    name: ClassVar[str] = "warm-up"

    part: float = 0.05
    then: Schedule = Constant()

    def __post_init__(self) -> None:
        if not 0 <= self.part < 1:
            raise ValueError(f"part = {self.part}; expected a part of the training, in [0, 1)")

    def __call__(self, t: int, total: int) -> float:
        steps = round(self.part * total)
        return (t + 1) / steps if t < steps else self.then(t - steps, total - steps)


def _half_cosine(progress: float) -> float:
    """From 1 at 0 to 0 at 1."""
    return (1 + math.cos(math.pi * progress)) / 2
