"""Training is a generator of reports; stopping is a generator around it; metrics judge the result.

`fit` is handed a network, batches, a loss, an optimizer and how a gradient is computed.
Experiments and the command line loop over what it yields; it writes no file and prints nothing.
"""

from handgrad.training.calibration import Calibration, calibration
from handgrad.training.diagnosis import Diagnosis, HowDiagnosed, diagnose
from handgrad.training.explanation import (
    Contribution,
    contribution,
    input_gradient,
    layer_outputs,
    occluded,
)
from handgrad.training.gradient import HowGradient, by_the_book, in_groups, penalty
from handgrad.training.health import UnitHealth, unit_health
from handgrad.training.loop import BatchSource, fit
from handgrad.training.metrics import (
    ClassScore,
    accuracy,
    baseline,
    class_scores,
    confusion_matrix,
    mcnemar,
    wilson_interval,
)
from handgrad.training.ranking import least_sure, most_typical, most_wrong
from handgrad.training.report import Report
from handgrad.training.snapshots import Snapshots, moments, read_snapshots
from handgrad.training.span import Span, in_coordinates, spans
from handgrad.training.state import State
from handgrad.training.stopping import keep_best, stop_at

__all__ = [
    "BatchSource",
    "Calibration",
    "ClassScore",
    "Contribution",
    "Diagnosis",
    "HowDiagnosed",
    "HowGradient",
    "Report",
    "Snapshots",
    "Span",
    "State",
    "UnitHealth",
    "accuracy",
    "baseline",
    "by_the_book",
    "calibration",
    "class_scores",
    "confusion_matrix",
    "contribution",
    "diagnose",
    "fit",
    "in_coordinates",
    "in_groups",
    "input_gradient",
    "keep_best",
    "layer_outputs",
    "least_sure",
    "mcnemar",
    "moments",
    "most_typical",
    "most_wrong",
    "occluded",
    "penalty",
    "read_snapshots",
    "spans",
    "stop_at",
    "unit_health",
    "wilson_interval",
]
