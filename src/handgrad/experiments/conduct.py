"""Train a recipe and keep the run: the whole way in one call."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from handgrad.datasets import catalogue
from handgrad.errors import DataError, HandgradError, NotFiniteError, RecipeError
from handgrad.experiments.checkpoints import Checkpoints, interval, restore
from handgrad.experiments.experiment import Experiment
from handgrad.experiments.film import SNAPSHOTS, Filming
from handgrad.experiments.interrupts import interruptible
from handgrad.experiments.lock import Lock
from handgrad.experiments.ranked import stand_together, started, steps
from handgrad.experiments.recipe import read_recipe, with_settings
from handgrad.experiments.repeats import repeated
from handgrad.experiments.report import write_report
from handgrad.experiments.run import Run, save_run
from handgrad.experiments.scoreboard import scoreboard
from handgrad.experiments.subject import Subject
from handgrad.experiments.threads import limited
from handgrad.experiments.unfinished import (
    CHECKPOINT,
    RECIPE,
    UNFINISHED,
    begun,
    discarded,
    finished,
    no_links,
    swept,
)
from handgrad.experiments.verified import model_check
from handgrad.experiments.viewer import Viewer
from handgrad.parallel import Ranks, all_or_none
from handgrad.verification import certificate, checks
from handgrad.verification import verify as verified

__all__ = ["Viewer", "resume", "train"]


@contextlib.contextmanager
def _watched(viewer: Viewer | None) -> Iterator[Viewer]:
    """Who watches: whoever is given, else the notebook in which this runs, else nobody."""
    from handgrad.experiments import notebook  # which is a viewer itself

    if viewer is None and (shown := notebook.here()) is not None:
        with interruptible(shown, [signal.SIGINT]):  # its stop button
            yield shown
    else:
        yield viewer or Viewer()


def train(
    source: str | os.PathLike[str] = "digits",
    settings: dict[str, Any] | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    verify: bool = False,
    checkpoint_every: str = "2m",
    report: bool = False,
    viewer: Viewer | None = None,
    ranks: Ranks | None = None,
) -> Run:
    """Train, and leave a run behind.

    Parameters
    ----------
    source : the name of a recipe, a TOML file, a prepared .h5, or a folder of images
    settings : values of the recipe by path, such as ``{"training.epochs": 3}``
    out : the run's folder; None for ``runs/NAME-TIME``
    force : write into ``out`` even if it is not empty
    verify : put the gradient certificate into the model file
    checkpoint_every : after so many steps ("500") or so much time ("10m") everything is kept that
        `resume` needs
    report : write the run's page, ``RUN/report.html``, at the end
    viewer : is told how it goes; None for a display in the notebook in which this runs, if it does
    ranks : the processes that train it together, of which this is rank 0; the others call `helped`

    Raises
    ------
    RecipeError, DataError : before anything is written
    NotFiniteError : after the run was written with the last finite weights

    Example
    -------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> run = train("lines", {"training.epochs": 201}, out=folder.name)
    >>> round(run.summary["loss"], 2), run.summary["train_accuracy"]
    (1.17, 1.0)
    >>> folder.cleanup()
    """
    every = interval(checkpoint_every)
    with _watched(viewer) as viewer:
        with all_or_none(ranks), _named(source):
            table = with_settings(read_recipe(source), settings or {})
        if ranks is not None:
            ranks.from_first(table)
        with _named(source):
            experiment = started(table, ranks, viewer.loading)
        existed = out is not None and Path(out).exists()
        with all_or_none(ranks):
            folder = begun(experiment.recipe.table(), out, force)
        try:
            with Lock(folder / UNFINISHED, viewer.note) as lock:
                try:
                    return _conducted(experiment, folder, lock, verify, viewer, every, report)
                except BaseException:
                    if not (folder / UNFINISHED / CHECKPOINT).exists():
                        discarded(folder)
                    raise
        except BaseException:
            if not existed:
                with contextlib.suppress(OSError):  # something else is in it
                    folder.rmdir()
            raise


def resume(
    run: str | os.PathLike[str],
    *,
    verify: bool = False,
    checkpoint_every: str = "2m",
    report: bool = False,
    viewer: Viewer | None = None,
    ranks: Ranks | None = None,
    experiment_of: Callable[..., Experiment] = Experiment,
) -> Run:
    """Go on with a training that was interrupted, to the same bits as without the interruption.

    From its last checkpoint, or from the start if there is none yet. A run that has ended is
    returned as it is.

    Parameters
    ----------
    run : its folder
    verify, checkpoint_every, report, viewer, ranks : as for `train`; there may be another number
        of ranks than before
    experiment_of : makes an experiment of a recipe's table; a sweep's has no test part

    Raises
    ------
    DataError : no run, a checkpoint that cannot be used, other training images than before
    HandgradError : the training goes on elsewhere, or the folder cannot be written to
    """
    folder, every = Path(run), interval(checkpoint_every)
    unfinished = folder / UNFINISHED
    with _watched(viewer) as viewer, contextlib.ExitStack() as held:
        with all_or_none(ranks):
            if not folder.is_dir():
                raise DataError(folder, "no such folder", "a run's folder")
            no_links(folder)
            ended = not (unfinished / RECIPE).exists()
            if ended:
                done = Run(folder)
            else:
                lock = held.enter_context(Lock(unfinished, viewer.note))
                swept(folder)
                table = read_recipe(unfinished / RECIPE)
        if ranks is not None:
            ranks.from_first(None if ended else table)
        if ended:
            discarded(folder)  # of which nothing may be left but remains
            viewer.note(f"{folder} has ended; nothing is left to do")
            return done
        experiment = started(table, ranks, viewer.loading, experiment_of)
        with all_or_none(ranks):
            if (unfinished / CHECKPOINT).exists():
                for difference in restore(experiment, unfinished / CHECKPOINT):
                    viewer.note(
                        f"{difference}: the last bits may differ from an uninterrupted training's"
                    )
        return _conducted(experiment, folder, lock, verify, viewer, every, report)


@contextlib.contextmanager
def _named(source: str | os.PathLike[str]) -> Iterator[None]:
    """Let an error in a recipe's file name the file."""
    try:
        yield
    except RecipeError as error:
        if Path(source).suffix != ".toml":
            raise
        raise RecipeError(f"{os.fspath(source)}: {error}") from None


def _conducted(
    experiment: Experiment,
    folder: Path,
    lock: Lock,
    verify: bool,
    viewer: Viewer,
    every: tuple[float, float],
    report: bool,
) -> Run:
    """Train in a folder that has begun, and let the results take their places in it."""
    unfinished = folder / UNFINISHED
    filming = Filming(experiment, unfinished / SNAPSHOTS)
    # A film is never older than the checkpoint beside it; what is newer is taken anew.
    checkpoints = Checkpoints(
        experiment, unfinished / CHECKPOINT, every, filming.write, viewer.note
    )
    fault: NotFiniteError | None = None
    figures: dict[str, Any] | None = None
    repeats: list[dict[str, Any]] = []
    cut = False  # whether there was more to do
    try:
        viewer.begins(experiment)
        stand_together(experiment)
        try:

            def between() -> None:
                nonlocal cut
                cut = viewer.interrupted
                lock.beat()
                filming()
                checkpoints(now=cut)

            for one in steps(experiment, experiment.train(viewer.watch, between)):
                viewer.report(one)
            for seed, found in repeated(experiment, unfinished, every, viewer, lock.beat):
                repeats.append({"seed": seed, **found})
                viewer.repeats(seed, found)
            cut = cut or len(repeats) < len(experiment.recipe.repeats.seeds)
            if experiment.ranks is not None:
                with experiment.among_ranks():
                    figures = experiment.figures()
        except NotFiniteError as error:
            fault = error
            fault.add_note(f"the run with these weights is in {folder}")
        if verify:
            checked = {**checks(), "model": model_check(experiment.model(), experiment.recipe.name)}
            experiment.certificate = certificate(verified(checked.items()))
        stopped = str(fault) if fault else "interrupted" if cut else None
        # The last finite weights may be so large that what they say of images is not.
        quiet = np.errstate(over="ignore", invalid="ignore") if fault else contextlib.nullcontext()
        with (
            quiet,
            limited(experiment.threads.blas),
            finished(folder, cut and not fault) as results,
        ):
            board = None
            if experiment.splits.test is not None and _own(experiment):
                viewer.loading("judging", 0, 1)
                board = scoreboard(experiment, experiment.splits.test)
                viewer.loading("judging", 1, 1)
            save_run(experiment, results, repeats, stopped, board, fault, figures)
            filming.save(results / SNAPSHOTS)
    except BaseException as error:
        if checkpoints.path.exists():
            error.add_note(
                f"{checkpoints.path} is the last checkpoint, of step {checkpoints.last:,}; "
                f"`handgrad train --resume {folder}` goes on from there"
            )
        raise
    run = Run(folder)
    if report:
        subject = Subject(run.recipe, folder / "pictures", run, experiment, viewer.loading)
        try:
            with limited(experiment.threads.blas):
                write_report(run, None, subject, viewer.loading)
        except HandgradError as error:
            error.add_note(f"the run itself is whole, in {folder}")
            raise
    viewer.ends(run)
    if fault:
        raise fault
    return run


def _own(experiment: Experiment) -> bool:
    """Whether the images are the user's, of which nobody knows what is easy."""
    return experiment.recipe.data.source not in catalogue()
