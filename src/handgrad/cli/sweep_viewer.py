"""Watching a sweep from a terminal, or from a log file."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handgrad.cli.viewer import Terminal, interruptible
from handgrad.cli.words import percent, time_left
from handgrad.experiments.sweeps.conduct import SweepViewer

if TYPE_CHECKING:
    from handgrad.experiments.sweeps.trials import Outcome, Plan, Trial
    from handgrad.experiments.sweeps.workers import Workers

__all__ = ["SweepTerminal", "interruptible"]


class SweepTerminal(Terminal, SweepViewer):
    """A line for each trial that has ended, and on a terminal a bar for each that goes on."""

    def planned(self, plan: Plan, folder: Path, left: int, workers: Workers) -> None:
        self.total, self.left = len(plan.trials), left
        self.done, self.start = 0, time.monotonic()
        many = f", {workers.count} at once" if workers.count > 1 else ""
        drawn = "" if plan.random is None else f", drawn with seed {plan.seed}"
        self.say(f"sweep    {plan.name}: {self.total:,} trials{drawn}{many}; in {folder}")
        if left < self.total:
            self.say(f"resumed  {self.total - left:,} trials have ended, {left:,} are left")
        for note in plan.notes:
            self.note(note)

    def starts(self, trial: Trial) -> None:
        name = f"trial {trial.number}"
        if name not in self._tasks:  # it is there if its first process died
            self._tasks[name] = self.bar.add_task(f"{name} {trial.words}"[:60], total=None)

    def reported(self, trial: Trial, data: dict[str, Any]) -> None:
        task = self._tasks[f"trial {trial.number}"]
        self.bar.update(task, completed=data["epoch"], total=data["epochs"])

    def ended(self, outcome: Outcome) -> None:
        self.bar.remove_task(self._tasks.pop(f"trial {outcome.number}"))
        head = f"trial {outcome.number:>{len(str(self.total))}}/{self.total}   {outcome.words}   "
        if outcome.status == "open":
            self.say(f"{head}interrupted")
            return
        self.done += 1
        spent, left = time.monotonic() - self.start, self.left - self.done
        ends = f"   left {time_left(spent / self.done * left)}"
        if outcome.status == "failed":
            self.say(f"{head}failed: {outcome.error}")
        else:
            accuracy, seconds = percent(outcome.validation_accuracy), outcome.seconds or 0
            self.say(f"{head}validation {accuracy}   {seconds:.1f} s{ends}")

    def stopping(self) -> None:
        print("stopping: what runs writes a checkpoint; once more to stop at once", file=sys.stderr)
