"""Watching a training from a terminal, or from a log file."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from handgrad.cli.words import percent, time_left
from handgrad.experiments.interrupts import interruptible
from handgrad.experiments.viewer import Viewer

if TYPE_CHECKING:
    from handgrad.experiments import Experiment
    from handgrad.training import BatchSource, Report

__all__ = ["LINES", "Terminal", "interruptible", "spacing"]

LINES = 45
"""Reports that a run says at most, beside a few lines before and after."""


def spacing(total: int) -> int:
    """The round number of reports between two lines, so that no more than `LINES` are said.

    >>> spacing(30), spacing(201), spacing(2000)
    (1, 5, 50)
    """
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if total / step <= LINES:
                return step
        power *= 10


class _Console(Console):
    """Falls silent when nobody reads any more (``| head``): the training goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Terminal(Viewer):
    """Bars on a terminal, plain lines elsewhere; the first Ctrl-C ends after the current step.

    Parameters
    ----------
    stream : where it is said
    quiet : say nothing while it runs
    """

    def __init__(self, stream: TextIO, quiet: bool = False) -> None:
        self.console = _Console(file=stream, highlight=False, soft_wrap=True)
        self.quiet = quiet
        self.training = self.interrupted = False
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=quiet or not self.console.is_terminal,
            transient=True,
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Terminal:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.bar.stop()

    def say(self, text: str) -> None:
        if not self.quiet:
            try:
                self.console.print(text, markup=False)
            except OSError:  # the terminal was closed: the training goes on
                self.quiet = True

    def loading(self, stage: str, done: int, total: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self.bar.add_task(stage, total=total)
        self.bar.update(self._tasks[stage], completed=done, total=total)
        if done >= total:
            self.bar.remove_task(self._tasks.pop(stage))

    def note(self, text: str) -> None:
        self.say(f"note     {text}")

    def begins(self, experiment: Experiment) -> None:
        recipe, network = experiment.recipe, experiment.network
        parts = {"training": experiment.train_set, "validation": experiment.validation_set}
        parts |= {"test": experiment.splits.test}
        counts = ", ".join(f"{len(d):,} {name}" for name, d in parts.items() if d is not None)
        size = "x".join(map(str, network.shapes[0]))
        self.say(f"{recipe.name}: {recipe.about}")
        self.say(f"data     {counts} images of {size}")
        names = experiment.class_names
        labelled = [name if name == f"{i}" else f"{i} {name}" for i, name in enumerate(names)]
        listed = ", ".join(labelled[:12]) + (", …" if len(names) > 12 else "")
        self.say(f"classes  {len(names)}: {listed}")
        way = " → ".join(str(layer) for layer in network.architecture)
        self.say(f"network  {way}: {network.layout.learned:,} numbers, {recipe.dtype}")
        self.say(f"work     {experiment.work}")
        if experiment.splits.note:
            self.say(f"note     {experiment.splits.note}")
        training = recipe.training
        self._full = training.batch_size is None
        self._epochs = training.epochs
        self._spacing = spacing(training.epochs)
        self._images = len(experiment.train_set)
        self._start = time.perf_counter() - experiment.seconds
        if experiment.state.steps:
            self.say(f"resumed  at step {experiment.state.steps:,}")

    def watch(self, batches: BatchSource) -> BatchSource:
        return _Watched(batches, self)

    def report(self, report: Report) -> None:
        done = report.epoch + self._full
        if report.epoch % self._spacing and done != self._epochs:
            return
        seconds = time.perf_counter() - self._start
        left = seconds / done * (self._epochs - done)
        unit, last = ("step", self._epochs - 1) if self._full else ("epoch", self._epochs)
        words = [
            f"{unit} {report.epoch:>{len(str(last))}}/{last}",
            f"loss {report.loss:.6f}",
            f"train {percent(report.train_accuracy)}",
        ]
        for name in ("validation", "test"):
            if (found := getattr(report, f"{name}_accuracy")) is not None:
                words.append(f"{name} {percent(found)}")
        words.append(f"{self._images * done / seconds:,.0f} images/s")
        words.append(f"left {time_left(left)}")
        self.say("   ".join(words))

    def repeats(self, seed: int, figures: dict[str, Any]) -> None:
        self.say(
            f"again with seed {seed}: train {percent(figures['train_accuracy'])}   "
            f"test {percent(figures.get('test_accuracy'))}"
        )

    def stopping(self) -> None:
        print("stopping after this step; once more to stop at once", file=sys.stderr)


class _Watched:
    """Batches that move a bar, and end when the user interrupts."""

    def __init__(self, batches: BatchSource, viewer: Terminal) -> None:
        self.batches, self.viewer = batches, viewer
        self.full, self.steps_per_epoch = batches.full, batches.steps_per_epoch
        self.fresh = True

    def __call__(self, epoch: int, first: int = 0) -> Iterator[Any]:
        viewer = self.viewer
        if viewer.interrupted:
            return
        viewer.training = True
        if self.fresh:
            self.fresh = False
            if "train" in viewer._tasks:  # of the seed before
                viewer.bar.remove_task(viewer._tasks["train"])
            total, done = (
                viewer._epochs * self.steps_per_epoch,
                epoch * self.steps_per_epoch + first,
            )
            viewer._tasks["train"] = viewer.bar.add_task("training", total=total, completed=done)
        for batch in self.batches(epoch, first):
            if viewer.interrupted:
                return
            yield batch
            viewer.bar.advance(viewer._tasks["train"])
