"""An optimizer as a recipe names it: a rule, and what is chained around it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from handgrad.arrays import Layout, Slot
from handgrad.errors import RecipeError
from handgrad.optimizers.chain import (
    Chain,
    ClipNorm,
    Decay,
    Frozen,
    Rates,
    Scale,
    Transformation,
)
from handgrad.optimizers.muon import FixedNorm, MuonRule
from handgrad.optimizers.rules import AdamRule, MomentumRule, RMSPropRule
from handgrad.optimizers.schedules import Constant, Schedule
from handgrad.tables import Named

__all__ = ["SGD", "Adam", "AdamW", "Momentum", "Muon", "Nesterov", "Optimizer", "RMSProp"]


@dataclass(frozen=True)
class Optimizer(Named):
    """Clip, then the rule, then decay, then the rate: ``w ← w - η(t) (rule(clip(g)) + λ w)``.

    ``rates``, ``decays`` and ``frozen`` speak of numbers by their name, in all layers (``"W"``) or
    in one (``"0.W"``), which counts before the other.

    Parameters
    ----------
    learning_rate : η
    schedule : its factor over the training
    weight_decay : λ, decoupled from the loss and from the rule. For a penalty that is part of the
        loss that is reported, see the losses.
    clip_norm : c, the largest global norm of a gradient; None for no limit
    rates : factors on η, such as ``{"b": 2}`` for all offsets
    decays : factors on λ; what is not named does not decay. A rate of its own makes a decay larger
        as well: at 64 times the rate, a factor of 1/64 leaves η λ w as it was.
    coupled : let the decay go through the rule with the gradient: ``rule(clip(g) + λ w)``, which is
        what ``weight_decay`` of PyTorch's SGD and Adam does
    frozen : after which part of the training numbers stay as they are, decay included: 0 from the
        start. Their gradient goes on counting in the norm that ``clip_norm`` limits.
    """

    tag: ClassVar[str] = "kind"

    learning_rate: float = 0.01
    schedule: Schedule = Constant()
    weight_decay: float = 0.0
    clip_norm: float | None = None
    rates: dict[str, float] = field(default_factory=dict)
    decays: dict[str, float] = field(default_factory=lambda: {"W": 1.0})
    coupled: bool = False
    frozen: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate = {self.learning_rate}; expected more than 0")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay = {self.weight_decay}; expected 0 or more")
        for key in ("rates", "decays"):
            for name, factor in getattr(self, key).items():
                if not 0 <= factor < math.inf:
                    raise ValueError(f"{key}.{name} = {factor}; expected 0 or more")
        for name, part in self.frozen.items():
            if not 0 <= part <= 1:
                raise ValueError(f"frozen.{name} = {part}; expected a part of the training, 0 to 1")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"clip_norm = {self.clip_norm}; expected more than 0")
        for name in ("beta", "beta_others", "beta1", "beta2", "rho"):
            if not 0 <= getattr(self, name, 0) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}; expected a number in [0, 1)")
        epsilon = getattr(self, "epsilon", 1.0)
        if not epsilon > 0:
            raise ValueError(f"epsilon = {epsilon}; expected more than 0")

    def rule(self, layout: Layout) -> Transformation | None:
        """What sets this optimizer apart; None where the gradient itself is the direction."""
        return None

    def last(self, layout: Layout) -> Transformation | None:
        """What is done to the step when all else is; None for nothing."""
        return None

    def chain(self, layout: Layout) -> Chain:
        """The whole way from gradient to step, for a vector laid out so."""

        def named(key: str, times: float = 1.0) -> tuple[tuple[slice, float], ...]:
            """The places that the setting ``key`` names, each with its number."""
            found: dict[int, tuple[slice, float]] = {}
            for name, number in sorted(getattr(self, key).items(), key=lambda item: "." in item[0]):
                places = layout.places(name)
                if not places and (key, name) != ("decays", "W"):
                    raise RecipeError(
                        f"optimizer: {key}.{name}: nothing that is learned has this name"
                    )
                found |= {place.start: (place, times * number) for place in places}
            return tuple(found.values())

        decay = Decay(named("decays", self.weight_decay)) if self.weight_decay else None
        parts: list[Transformation | None] = [
            ClipNorm(self.clip_norm) if self.clip_norm is not None else None,
            decay if self.coupled else None,
            self.rule(layout),
            None if self.coupled else decay,
            Rates(named("rates")) if self.rates else None,
            Scale(self.learning_rate, self.schedule),
            self.last(layout),
            Frozen(named("frozen")) if self.frozen else None,
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

    def rule(self, layout: Layout) -> Transformation:
        return MomentumRule(self.beta)


@dataclass(frozen=True)
class Nesterov(Optimizer):
    """Gradient descent with Nesterov's momentum; see `MomentumRule`."""

    name: ClassVar[str] = "nesterov"

    beta: float = 0.9

    def rule(self, layout: Layout) -> Transformation:
        return MomentumRule(self.beta, nesterov=True)


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """See `RMSPropRule`."""

    name: ClassVar[str] = "rmsprop"

    learning_rate: float = 0.001
    rho: float = 0.99
    epsilon: float = 1e-8

    def rule(self, layout: Layout) -> Transformation:
        return RMSPropRule(self.rho, self.epsilon)


@dataclass(frozen=True)
class Adam(Optimizer):
    """See `AdamRule`."""

    name: ClassVar[str] = "adam"

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def rule(self, layout: Layout) -> Transformation:
        return AdamRule(self.beta1, self.beta2, self.epsilon)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay; see `AdamRule` and `Decay`."""

    name: ClassVar[str] = "adamw"

    weight_decay: float = 0.01


@dataclass(frozen=True)
class Muon(Optimizer):
    """Momentum whose matrices are made orthogonal; see `MuonRule`.

    Meant for the weights of hidden layers. What is not named in ``matrices``, such as offsets and
    the last layer, goes by Nesterov's momentum, and wants ``rates`` of its own: a matrix moves by η
    in every direction, however small its gradient.

    Parameters
    ----------
    matrices : names of weights, such as ``"W"`` for all or ``"3.W"`` for those of layer 3
    beta : their momentum
    steps : of the iteration that makes them orthogonal; 0 for plain momentum of norm 1
    beta_others : the momentum of everything else
    fixed_norm : hold each of the matrices at the norm √n, for n neurons; see `FixedNorm`
    """

    name: ClassVar[str] = "muon"

    learning_rate: float = 0.02
    matrices: tuple[str, ...] = ("W",)
    beta: float = 0.95
    steps: int = 5
    beta_others: float = 0.9
    fixed_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 0:
            raise ValueError(f"steps = {self.steps}; expected 0 or more")

    def rule(self, layout: Layout) -> Transformation:
        return MuonRule(self._slots(layout), self.beta, self.steps, self.beta_others)

    def last(self, layout: Layout) -> Transformation | None:
        return FixedNorm(self._slots(layout)) if self.fixed_norm else None

    def _slots(self, layout: Layout) -> tuple[Slot, ...]:
        found: dict[str, Slot] = {}
        for name in self.matrices:
            slots = layout.named(name)
            if not slots and name != "W":
                raise RecipeError(f"optimizer: matrices: nothing that is learned is named {name}")
            found |= {slot.name: slot for slot in slots}
        return tuple(found.values())
