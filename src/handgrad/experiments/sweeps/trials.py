"""A sweep's plan and its trials: each an ordinary run, whose outcome is read from its folder.

SWEEP/sweep.json       the plan: recipe, and the settings of every trial
SWEEP/trials/007/      a run, or the unfinished part of one
SWEEP/results.csv, results.json, sweep.svg
SWEEP/unfinished/lock  which process it is that runs the sweep, while it does
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from handgrad.errors import DataError
from handgrad.experiments.recipe import with_settings
from handgrad.experiments.run import Run
from handgrad.experiments.unfinished import RECIPE, UNFINISHED
from handgrad.storage import written

__all__ = [
    "PLAN",
    "TRIALS",
    "Outcome",
    "Plan",
    "Trial",
    "outcome_of",
    "ranked",
    "read_plan",
    "said",
    "worded",
]

PLAN, TRIALS, FORMAT = "sweep.json", "trials", 1


@dataclass(frozen=True)
class Trial:
    """One of a sweep's trainings.

    Parameters
    ----------
    number : counted from 1
    settings : by path, what makes it another than the rest
    folder : of its run
    """

    number: int
    settings: dict[str, Any]
    folder: Path

    @property
    def words(self) -> str:
        """Its settings in a line."""
        return said(self.settings)


def said(settings: dict[str, Any]) -> str:
    """Settings in a line, with what their paths have of their own.

    >>> said({"optimizer.learning_rate": 0.1, "architecture.0.units": 64})
    'learning_rate=0.1 architecture.0.units=64'
    """
    ends = [path.rpartition(".")[2] for path in settings]
    short = {
        path: end if ends.count(end) == 1 and not path.startswith("architecture.") else path
        for path, end in zip(settings, ends, strict=True)
    }
    return " ".join(f"{short[path]}={worded(value)}" for path, value in settings.items())


def worded(value: Any) -> str:
    """A setting's value as it is typed."""
    if isinstance(value, str):
        return value
    return "none" if value is None else json.dumps(value)


class Plan(msgspec.Struct, frozen=True):
    """What a sweep tries; all of it is fixed before the first trial.

    Parameters
    ----------
    name : of the recipe
    recipe : its table, with what a sweep changes of it
    trials : the settings of each
    seed, random : of the draws, and how many were asked for; None for a grid
    validation : images that trials are judged by (of the first trial, where they differ)
    notes : what the user should know of it
    format : of the file
    """

    name: str
    recipe: dict[str, Any]
    trials: list[dict[str, Any]]
    seed: int = 0
    random: int | None = None
    validation: int = 0
    notes: list[str] = []  # msgspec copies it
    format: int = FORMAT

    def in_folder(self, folder: Path) -> list[Trial]:
        """The trials, with their places below a sweep's folder."""
        width = max(3, len(str(len(self.trials))))
        return [
            Trial(number, settings, folder / TRIALS / f"{number:0{width}}")
            for number, settings in enumerate(self.trials, start=1)
        ]

    def table(self, trial: Trial) -> dict[str, Any]:
        """A trial's recipe."""
        return with_settings(self.recipe, trial.settings)

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        with written(folder / PLAN) as path:
            path.write_text(json.dumps(msgspec.to_builtins(self), indent=1) + "\n", "utf-8")


def read_plan(folder: Path) -> Plan:
    """The plan of a sweep.

    Raises
    ------
    DataError : there is none, or something else
    """
    path = folder / PLAN
    if not path.is_file():
        raise DataError(folder, f"no {PLAN} in it", "a sweep's folder")
    try:
        plan = msgspec.convert(json.loads(path.read_text("utf-8")), Plan)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(path, str(error), "a sweep's plan in JSON") from None
    if plan.format != FORMAT:
        raise DataError(path, f"format {plan.format}", f"format {FORMAT}")
    return plan


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Parameters
    ----------
    status : "open": it has not begun, or was interrupted
    validation_accuracy, validation_loss : of the weights that were kept; the loss by the image
        alone, the accuracy by the recipe's views
    error : why it failed
    """

    number: int
    settings: dict[str, Any]
    run: str
    status: Literal["ended", "failed", "open"] = "open"
    validation_accuracy: float | None = None
    validation_loss: float | None = None
    train_accuracy: float | None = None
    loss: float | None = None
    epochs: float | None = None
    seconds: float | None = None
    error: str = ""

    @property
    def words(self) -> str:
        """Its settings in a line."""
        return said(self.settings)

    @property
    def order(self) -> tuple[float, float, int]:
        """The best has the smallest: by validation accuracy, its loss, and who came first."""
        loss = float("inf") if self.validation_loss is None else self.validation_loss
        return -(self.validation_accuracy or 0.0), loss, self.number

    def table(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def outcome_of(trial: Trial, error: str = "") -> Outcome:
    """How a trial stands, by what is in its folder.

    Parameters
    ----------
    error : why it could not go on, where it was tried just now and left no run
    """
    known: dict[str, Any] = {
        "number": trial.number, "settings": trial.settings, "run": str(trial.folder)
    }  # fmt: skip
    begun = (trial.folder / UNFINISHED / RECIPE).exists()
    if begun or not trial.folder.is_dir():
        return Outcome(**known, status="failed" if error else "open", error=error)
    run = Run(trial.folder)
    summary = run.summary
    judged = [
        (row["validation_accuracy"], -row["validation_loss"])
        for row in run.history
        if row.get("validation_accuracy") is not None and row.get("validation_loss") is not None
    ]
    known |= {
        key: summary.get(key)
        for key in ("validation_accuracy", "train_accuracy", "loss", "epochs", "seconds")
    }
    if judged:  # the weights that were kept, by `training.keep_best`
        known["validation_loss"] = -max(judged)[1]
    if "fault" in summary:
        return Outcome(**known, status="failed", error=str(summary.get("stopped")))
    return Outcome(**known, status="ended")


def ranked(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those that have ended and were judged, the best first."""
    judged = (
        one for one in outcomes if one.status == "ended" and one.validation_accuracy is not None
    )
    return sorted(judged, key=lambda one: one.order)
