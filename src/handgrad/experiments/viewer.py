"""Who watches a training: a terminal, a notebook, nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handgrad.training import BatchSource, Report

if TYPE_CHECKING:
    from handgrad.experiments.experiment import Experiment
    from handgrad.experiments.run import Run

__all__ = ["Viewer"]


class Viewer:
    """Somebody who watches a training; this one says nothing. The command line has another."""

    interrupted = False
    """Whether the batches that `watch` hands on ended early, by the user's wish."""

    training = False
    """Whether the first batch was handed on."""

    @property
    def heard(self) -> Viewer:
        """Who is told of a signal: this one, where nobody else has to agree."""
        return self

    def loading(self, stage: str, done: int, total: int) -> None:
        """Files are being read: so many of so many."""

    def note(self, text: str) -> None:
        """Something to know, in a line."""

    def begins(self, experiment: Experiment) -> None:
        """Data and network are there."""

    def watch(self, batches: BatchSource) -> BatchSource:
        """The batches of the training, to be counted or cut short."""
        return batches

    def report(self, report: Report) -> None:
        """A report came."""

    def repeats(self, seed: int, figures: dict[str, Any]) -> None:
        """The same training with another seed has ended."""

    def stopping(self) -> None:
        """The user wishes the training to end after the current step."""

    def ends(self, run: Run) -> None:
        """The run is there."""
