"""Training is a generator of reports; stopping is a generator around it; metrics judge the result.

`fit` is handed a network, batches, a loss, an optimizer and how a gradient is computed.
Experiments and the command line loop over what it yields; it writes no file and prints nothing.
"""

from handgrad.training.gradient import HowGradient, by_the_book, in_groups, penalty
from handgrad.training.loop import BatchSource, fit
from handgrad.training.metrics import (
    ClassScore,
    accuracy,
    baseline,
    class_scores,
    confusion_matrix,
    wilson_interval,
)
from handgrad.training.report import Report
from handgrad.training.span import Span, in_coordinates, spans
from handgrad.training.state import State
from handgrad.training.stopping import keep_best, stop_at

__all__ = [
    "BatchSource",
    "ClassScore",
    "HowGradient",
    "Report",
    "Span",
    "State",
    "accuracy",
    "baseline",
    "by_the_book",
    "class_scores",
    "confusion_matrix",
    "fit",
    "in_coordinates",
    "in_groups",
    "keep_best",
    "penalty",
    "spans",
    "stop_at",
    "wilson_interval",
]
