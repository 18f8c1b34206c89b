"""Gradient in, step out: transformations of one flat vector, chained; and schedules of the rate.

An `Optimizer` is what a recipe names; it chains clipping, its own rule, decay and the rate.
Training calls `start` once and `step` for every batch; all state is plain arrays.
"""

from handgrad.optimizers.averaging import Averaging, Lookahead, MovingAverage
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
from handgrad.optimizers.optimizer import (
    SGD,
    Adam,
    AdamW,
    Momentum,
    Muon,
    Nesterov,
    Optimizer,
    RMSProp,
)
from handgrad.optimizers.rules import AdamRule, MomentumRule, RMSPropRule
from handgrad.optimizers.schedules import (
    Constant,
    Cosine,
    OneCycle,
    Schedule,
    Step,
    Triangular,
    WarmUp,
)

__all__ = [
    "SGD",
    "Adam",
    "AdamRule",
    "AdamW",
    "Averaging",
    "Chain",
    "ClipNorm",
    "Constant",
    "Cosine",
    "Decay",
    "FixedNorm",
    "Frozen",
    "Lookahead",
    "Momentum",
    "MomentumRule",
    "MovingAverage",
    "Muon",
    "MuonRule",
    "Nesterov",
    "OneCycle",
    "Optimizer",
    "RMSProp",
    "RMSPropRule",
    "Rates",
    "Scale",
    "Schedule",
    "Step",
    "Transformation",
    "Triangular",
    "WarmUp",
]
