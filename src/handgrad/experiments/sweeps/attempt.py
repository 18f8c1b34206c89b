"""One trial of a sweep, begun or taken up again, without its test part."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from handgrad.datasets import Splits
from handgrad.errors import HandgradError
from handgrad.experiments.conduct import Viewer, resume
from handgrad.experiments.experiment import Experiment, Progress, loaded
from handgrad.experiments.recipe import Recipe
from handgrad.experiments.unfinished import RECIPE, UNFINISHED, begun
from handgrad.training import BatchSource, Report

__all__ = ["Event", "Job", "attempt", "untested", "without_test"]

MOMENT = 0.2
"""Seconds between two reports that are handed on."""


class Job(NamedTuple):
    """What a worker is given: plain data, for any wire.

    Parameters
    ----------
    number : of the trial
    folder : of its run
    table : its recipe's
    checkpoint_every : as for `train`
    """

    number: int
    folder: str
    table: dict[str, Any]
    checkpoint_every: str


class Event(NamedTuple):
    """What a worker tells of a trial.

    Parameters
    ----------
    kind : "report" and "note" while it goes on; then "ended", "failed" (it cannot be trained),
        "cut" (it was asked to stop, and can be taken up again) or "died" (with its process)
    data : of a report; else the words, as ``text``
    """

    kind: Literal["report", "note", "ended", "failed", "cut", "died"]
    number: int
    data: dict[str, Any] = {}  # noqa: RUF012 - never written to

    @property
    def last(self) -> bool:
        """Whether the trial has left its worker."""
        return self.kind not in ("report", "note")

    @property
    def text(self) -> str:
        return str(self.data.get("text", ""))


Tell = Callable[[Event], None]


def untested(table: dict[str, Any], progress: Progress | None = None) -> Experiment:
    """An experiment that has no test part, nor any other but validation: what is not there cannot
    be looked at."""
    recipe = Recipe.of(table)
    return Experiment(table, splits=without_test(loaded(recipe.data, recipe.seed, progress)))


def without_test(splits: Splits) -> Splits:
    """The training part, and a validation part where there is one."""
    kept = {name: part for name, part in splits.others.items() if name == "validation"}
    return dataclasses.replace(splits, test=None, others=kept)


def attempt(job: Job, stops: Callable[[], bool], tell: Tell) -> Event:
    """Train a trial, from its beginning or from where it was cut; one that has ended is left alone.

    Parameters
    ----------
    stops : asked before every step, whether to write a checkpoint and leave
    tell : is told of reports and notes
    """
    folder = Path(job.folder)
    try:
        if not folder.exists():
            begun(job.table, folder)
        resume(
            folder,
            checkpoint_every=job.checkpoint_every,
            viewer=_Telling(job.number, stops, tell),
            experiment_of=untested,
        )
    except HandgradError as error:  # also where its numbers are no longer finite
        return Event("failed", job.number, {"text": str(error)})
    except MemoryError:
        return Event("died", job.number, {"text": "found too little memory"})
    cut = (folder / UNFINISHED / RECIPE).exists()
    return Event("cut" if cut else "ended", job.number)


class _Telling(Viewer):
    """Hands on what a training tells, and ends it when it is to stop."""

    def __init__(self, number: int, stops: Callable[[], bool], tell: Tell) -> None:
        self.number, self.stops, self.tell = number, stops, tell
        self._told = 0.0

    @property
    def interrupted(self) -> bool:  # type: ignore[override]  # it may change at any time
        return self.stops()

    def note(self, text: str) -> None:
        self.tell(Event("note", self.number, {"text": text}))

    def begins(self, experiment: Experiment) -> None:
        training = experiment.recipe.training
        self.epochs, self.full = training.epochs, training.batch_size is None
        if experiment.state.steps:
            self.note(f"resumed at step {experiment.state.steps:,}")

    def watch(self, batches: BatchSource) -> BatchSource:
        return _Until(batches, self.stops)

    def report(self, report: Report) -> None:
        done, now = report.epoch + self.full, time.monotonic()
        if now - self._told < MOMENT and done < self.epochs:
            return
        self._told = now
        told: dict[str, Any] = {"epoch": done, "epochs": self.epochs, "loss": report.loss}
        told["validation_accuracy"] = report.validation_accuracy
        self.tell(Event("report", self.number, told))


class _Until:
    """Batches that end when it is asked for."""

    def __init__(self, batches: BatchSource, stops: Callable[[], bool]) -> None:
        self.batches, self.stops = batches, stops
        self.full, self.steps_per_epoch = batches.full, batches.steps_per_epoch

    def __call__(self, epoch: int, first: int = 0) -> Iterator[Any]:
        for batch in self.batches(epoch, first):
            if self.stops():
                return
            yield batch
