"""When to stop: generators around the generator of reports."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from handgrad.networks import Network
from handgrad.training.report import Report
from handgrad.training.state import Best, State

__all__ = ["keep_best", "stop_at"]


def keep_best(
    reports: Iterable[Report],
    network: Network,
    patience: int | None = None,
    state: State | None = None,
) -> Generator[Report]:
    """Pass reports on, and end with the weights that were best on the validation part.

    Best is the highest validation accuracy, and among equals the lowest validation loss.

    Parameters
    ----------
    reports : as `fit` yields them; those without a validation accuracy are passed on unjudged
    network : the one that is being trained; its vector is set back to its best when the reports
        end, or when whoever reads them leaves
    patience : stop after so many judged reports without a better one; None: never
    state : of the training; keeps the best, and brings that of a training that goes on
    """
    state = state if state is not None else State()
    try:
        for report in reports:
            if report.validation_accuracy is not None:
                accuracy, loss = report.validation_accuracy, report.validation_loss or 0.0
                best = state.best
                if best is None or (accuracy, -loss) > (best.accuracy, -best.loss):
                    state.best = Best(accuracy, loss, 0, network.vector.copy())
                else:
                    best.since += 1
            yield report
            if patience is not None and state.best and state.best.since >= patience:
                return
    finally:
        if state.best is not None:
            network.vector[...] = state.best.weights


def stop_at(reports: Iterable[Report], what: str, value: float) -> Generator[Report]:
    """Pass reports on until one is good enough: an accuracy at least, or a loss at most, ``value``.

    Parameters
    ----------
    what : the name of a number in a `Report`, such as "train_accuracy" or "loss"
    """
    for report in reports:
        yield report
        found = getattr(report, what)
        if found is not None and (found <= value if "loss" in what else found >= value):
            return
