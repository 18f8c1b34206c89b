"""The planned reading of a network: compiled once for a shape into calls with their buffers.

It computes what the layers compute one after another, in another layout and order, a few samples at
a time. `Planned` is handed to training in place of `by_the_book`; `ways` says how each layer is
read. Layers know nothing of it.
"""

from handgrad.plans.forward import ForwardPlan, PlannedForward
from handgrad.plans.plan import Plan, together
from handgrad.plans.planned import Planned
from handgrad.plans.reading import WAYS, is_planned, ways
from handgrad.plans.through import Through

__all__ = [
    "WAYS",
    "ForwardPlan",
    "Plan",
    "Planned",
    "PlannedForward",
    "Through",
    "is_planned",
    "together",
    "ways",
]
