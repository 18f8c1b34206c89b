"""A sweep: many trainings of one recipe, the best by validation, and the test set once."""

from __future__ import annotations

import collections
import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handgrad.errors import HandgradError, RecipeError
from handgrad.experiments.checkpoints import interval
from handgrad.experiments.conduct import Viewer
from handgrad.experiments.lock import Lock
from handgrad.experiments.sweeps.attempt import Event, Job
from handgrad.experiments.sweeps.planning import planned
from handgrad.experiments.sweeps.trials import (
    PLAN,
    TRIALS,
    Outcome,
    Plan,
    Trial,
    outcome_of,
    read_plan,
)
from handgrad.experiments.sweeps.winner import RESULTS, Sweep, ended, write_results
from handgrad.experiments.sweeps.workers import Here, Processes, Workers
from handgrad.experiments.unfinished import UNFINISHED, dated
from handgrad.storage import made_folder

__all__ = ["SweepViewer", "resume_sweep", "sweep"]

TRIES = 2
"""So often a trial is begun whose process dies."""


class SweepViewer(Viewer):
    """Somebody who watches a sweep; this one says nothing. The command line has another."""

    def planned(self, plan: Plan, folder: Path, left: int, workers: Workers) -> None:
        """The plan is there, and so many trials are left of it."""

    def starts(self, trial: Trial) -> None:
        """A trial begins, or goes on."""

    def reported(self, trial: Trial, data: dict[str, Any]) -> None:
        """A running trial tells how far it is: epoch, of how many, loss, validation accuracy."""

    def ended(self, outcome: Outcome) -> None:
        """A trial has ended, or failed, or was interrupted."""


def sweep(
    source: str | os.PathLike[str] = "digits",
    settings: Mapping[str, Any] | None = None,
    *,
    random: int | None = None,
    seed: int = 0,
    workers: int | Workers | None = None,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    checkpoint_every: str = "2m",
    viewer: SweepViewer | None = None,
) -> Sweep:
    """Train a recipe with many settings, and score the best by validation on the test set, once.

    Every trial is an ordinary run, in ``SWEEP/trials/NNN``, but for its test part, which is not
    there while it trains. A recipe that keeps no validation part gets one. The winner has the
    highest validation accuracy; among equals the lowest validation loss, then the lowest number.

    Parameters
    ----------
    source : the name of a recipe, a TOML file, a prepared .h5, or a folder of images
    settings : by path, a list of values to try, a range such as ``"0.001..0.1:log"`` to draw from,
        or one value for all trials
    random : draw so many trials; None for every combination
    seed : of these draws, not of the trainings
    workers : so many processes, each with its share of the cores; None: one trial after the other,
        in this process
    out : the sweep's folder; None for ``sweeps/NAME-TIME``
    force : write into ``out`` even if it is not empty; trials of an older sweep there are removed
    checkpoint_every : as for `train`
    viewer : is told how it goes

    Raises
    ------
    RecipeError, DataError : before anything is written; a setting that no recipe has, in any trial
    HandgradError : the folder is not empty, or cannot be written to

    Example
    -------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> found = sweep("lines", {"optimizer.learning_rate": [1e-9, 0.01]}, out=folder.name)
    >>> found.best.settings, found.best.validation_accuracy
    ({'optimizer.learning_rate': 0.01}, 1.0)
    >>> folder.cleanup()
    """
    viewer = viewer or SweepViewer()
    interval(checkpoint_every)
    workers = _workers(workers, viewer)
    plan = planned(source, dict(settings or {}), random, seed, viewer.loading)
    folder = _folder(plan.name, out, force)
    try:
        with Lock(made_folder(folder / UNFINISHED), viewer.note) as lock:
            _cleared(folder)
            plan.write(folder)
            return _run(plan, folder, lock, workers, checkpoint_every, viewer)
    except BaseException as error:
        if (folder / PLAN).exists():
            error.add_note(f"`handgrad sweep --resume {folder}` goes on with the sweep")
        raise


def resume_sweep(
    folder: str | os.PathLike[str],
    *,
    workers: int | Workers | None = None,
    checkpoint_every: str = "2m",
    viewer: SweepViewer | None = None,
) -> Sweep:
    """Go on with a sweep: trials that have ended are read, those that were cut are taken up again.

    One that failed for want of memory or with its process is tried again, one whose numbers were no
    longer finite is not. A sweep whose winner was scored on the test set is returned as it is.

    Parameters
    ----------
    folder : of the sweep
    workers, checkpoint_every, viewer : as for `sweep`

    Raises
    ------
    DataError : no sweep
    HandgradError : it goes on elsewhere, or the folder cannot be written to
    """
    viewer, path = viewer or SweepViewer(), Path(folder)
    interval(checkpoint_every)
    workers = _workers(workers, viewer)
    plan = read_plan(path)
    if (found := ended(plan, path)) is not None:
        viewer.note(f"{path} has ended; nothing is left to do")
        return found
    with Lock(made_folder(path / UNFINISHED), viewer.note) as lock:
        return _run(plan, path, lock, workers, checkpoint_every, viewer)


def _workers(asked: int | Workers | None, viewer: SweepViewer) -> Workers:
    if isinstance(asked, Workers):
        return asked
    if asked is None:
        return Here(lambda: viewer.interrupted)
    if asked < 1:
        raise RecipeError(f"--workers {asked}: expected at least 1")
    return Processes(asked)


def _folder(name: str, out: str | os.PathLike[str] | None, force: bool) -> Path:
    if out is not None:
        return _checked(made_folder(out), force)
    for folder in dated("sweeps", name):
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError("there is always another name")


def _checked(folder: Path, force: bool) -> Path:
    """The folder, if a sweep may write into it."""
    if (folder / PLAN).exists() and not force:
        raise HandgradError(
            f"{folder}: found a sweep; --resume {folder} goes on with it, --force begins anew"
        )
    if any(folder.iterdir()) and not force:
        raise HandgradError(
            f"{folder}: the folder is not empty; --force writes into it all the same"
        )
    return folder


def _cleared(folder: Path) -> None:
    """Remove what an older sweep has left, its plan first: without it nothing is taken for its."""
    for path in (folder / PLAN, *(folder / name for name in RESULTS)):
        path.unlink(missing_ok=True)
    for trial in (folder / TRIALS).glob("[0-9]*"):
        shutil.rmtree(trial)


def _run(
    plan: Plan,
    folder: Path,
    lock: Lock,
    workers: Workers,
    checkpoint_every: str,
    viewer: SweepViewer,
) -> Sweep:
    """Run the trials that are left, and say what was found."""
    trials = {trial.number: trial for trial in plan.in_folder(folder)}
    outcomes = {number: outcome_of(trial) for number, trial in trials.items()}
    made_folder(folder / TRIALS)
    left = collections.deque(n for n, outcome in outcomes.items() if outcome.status == "open")
    tries: collections.Counter[int] = collections.Counter()

    def happened(event: Event) -> None:
        number, trial = event.number, trials[event.number]
        lock.beat()
        if event.kind == "report":
            viewer.reported(trial, event.data)
        elif event.kind == "note":
            viewer.note(f"trial {number}: {event.text}")
        elif _died(event, viewer) and tries[number] < TRIES:
            viewer.note(f"trial {number}: {event.text or 'ended early'}; it is taken up again")
            left.append(number)
        else:
            error = event.text or "ended early" if _died(event, viewer) else event.text
            outcomes[number] = outcome_of(trial, error)
            viewer.ended(outcomes[number])

    viewer.planned(plan, folder, len(left), workers)
    viewer.training = True
    with workers:
        while workers.running() or (left and not viewer.interrupted):
            while left and workers.running() < workers.count and not viewer.interrupted:
                number = left.popleft()
                tries[number] += 1
                viewer.starts(trials[number])
                workers.start(
                    Job(
                        number,
                        str(trials[number].folder),
                        plan.table(trials[number]),
                        checkpoint_every,
                    )
                )
            if viewer.interrupted:
                workers.stop()
            workers.wait(happened)
            lock.beat()
    viewer.training = False
    return write_results(plan, folder, [outcomes[n] for n in sorted(outcomes)], viewer.loading)


def _died(event: Event, viewer: SweepViewer) -> bool:
    """Whether a trial was lost with its process, or ended by somebody who did not ask the sweep."""
    return event.kind == "died" or (event.kind == "cut" and not viewer.interrupted)
