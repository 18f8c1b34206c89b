"""An optimizer as a recipe names it: a rule, and what is chained around it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from handgrad.errors import RecipeError
from handgrad.optimizers.chain import Chain, ClipNorm, Decay, Rates, Scale, Transformation
from handgrad.optimizers.rules import AdamRule, MomentumRule, RMSPropRule
from handgrad.optimizers.schedules import Constant, Schedule
from handgrad.tables import Named

__all__ = ["SGD", "Adam", "AdamW", "Momentum", "Nesterov", "Optimizer", "RMSProp"]


@dataclass(frozen=True)
class Optimizer(Named):
    """Clip, then the rule, then decay, then the rate: ``w ← w - η(t) (rule(clip(g)) + λ w)``.

    Parameters
    ----------
    learning_rate : η
    schedule : its factor over the training
    weight_decay : λ, decoupled from the loss and from the rule, on weights alone. For a penalty
        that is part of the loss, see the losses.
    clip_norm : c, the largest global norm of a gradient; None for no limit
    rates : factors on η by the name of what is learned, such as ``{"b": 2}`` for all offsets
    """

    tag: ClassVar[str] = "kind"

    learning_rate: float = 0.01
    schedule: Schedule = Constant()
    weight_decay: float = 0.0
    clip_norm: float | None = None
    rates: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate = {self.learning_rate}; expected more than 0")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay = {self.weight_decay}; expected 0 or more")
        for name, rate in self.rates.items():
            if not 0 <= rate < math.inf:
                raise ValueError(f"rates.{name} = {rate}; expected 0 or more")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"clip_norm = {self.clip_norm}; expected more than 0")
        for name in ("beta", "beta1", "beta2", "rho"):
            if not 0 <= getattr(self, name, 0) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}; expected a number in [0, 1)")
        epsilon = getattr(self, "epsilon", 1.0)
        if not epsilon > 0:
            raise ValueError(f"epsilon = {epsilon}; expected more than 0")

    def rule(self) -> Transformation | None:
        """What sets this optimizer apart; None where the gradient itself is the direction."""
        return None

    def chain(self, places: Callable[[str], Sequence[slice]]) -> Chain:
        """The whole way from gradient to step, for a vector with named ``places``.

        What is named W decays; what `rates` names has its own factor (and decays by it as well).
        """
        for name in self.rates:
            if not places(name):
                raise RecipeError(f"optimizer: rates.{name}: nothing that is learned has this name")
        parts_with_rates = [(p, rate) for name, rate in self.rates.items() for p in places(name)]
        parts: list[Transformation | None] = [
            ClipNorm(self.clip_norm) if self.clip_norm is not None else None,
            self.rule(),
            Decay(self.weight_decay, tuple(places("W"))) if self.weight_decay else None,
            Rates(tuple(parts_with_rates)) if parts_with_rates else None,
            Scale(self.learning_rate, self.schedule),
        ]
        return Chain(tuple(part for part in parts if part is not None))


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent: ``w ← w - η g``; stochastic when the batch is a part of the data."""

    name: ClassVar[str] = "sgd"


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Gradient descent with momentum; see `MomentumRule`."""

    name: ClassVar[str] = "momentum"

    beta: float = 0.9

    def rule(self) -> Transformation:
        return MomentumRule(self.beta)


@dataclass(frozen=True)
class Nesterov(Optimizer):
    """Gradient descent with Nesterov's momentum; see `MomentumRule`."""

    name: ClassVar[str] = "nesterov"

    beta: float = 0.9

    def rule(self) -> Transformation:
        return MomentumRule(self.beta, nesterov=True)


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """See `RMSPropRule`."""

    name: ClassVar[str] = "rmsprop"

    learning_rate: float = 0.001
    rho: float = 0.99
    epsilon: float = 1e-8

    def rule(self) -> Transformation:
        return RMSPropRule(self.rho, self.epsilon)


@dataclass(frozen=True)
class Adam(Optimizer):
    """See `AdamRule`."""

    name: ClassVar[str] = "adam"

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def rule(self) -> Transformation:
        return AdamRule(self.beta1, self.beta2, self.epsilon)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay; see `AdamRule` and `Decay`."""

    name: ClassVar[str] = "adamw"

    weight_decay: float = 0.01
