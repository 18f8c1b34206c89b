"""Train a recipe and keep the run: the whole way in one call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from handgrad.errors import NotFiniteError, RecipeError
from handgrad.experiments.experiment import Experiment
from handgrad.experiments.recipe import read_recipe, with_settings
from handgrad.experiments.run import Run, run_folder, save_run
from handgrad.experiments.threads import limited
from handgrad.experiments.verified import model_check
from handgrad.training import BatchSource, Report
from handgrad.verification import certificate, checks
from handgrad.verification import verify as verified

__all__ = ["Viewer", "train"]


class Viewer:
    """Somebody who watches a training; this one says nothing. The command line has another."""

    interrupted = False
    """Whether the batches that `watch` hands on ended early, by the user's wish."""

    def loading(self, stage: str, done: int, total: int) -> None:
        """Files are being read: so many of so many."""

    def begins(self, experiment: Experiment) -> None:
        """Data and network are there."""

    def watch(self, batches: BatchSource) -> BatchSource:
        """The batches of the training, to be counted or cut short."""
        return batches

    def report(self, report: Report) -> None:
        """A report came."""

    def repeats(self, seed: int, figures: dict[str, Any]) -> None:
        """The same training with another seed has ended."""


def train(
    source: str | os.PathLike[str] = "digits",
    settings: dict[str, Any] | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    verify: bool = False,
    viewer: Viewer | None = None,
) -> Run:
    """Train, and leave a run behind.

    Parameters
    ----------
    source : the name of a recipe, a TOML file, a prepared .h5, or a folder of images
    settings : values of the recipe by path, such as ``{"training.epochs": 3}``
    out : the run's folder; None for ``runs/NAME-TIME``
    force : write into ``out`` even if it is not empty
    verify : put the gradient certificate into the model file
    viewer : is told how it goes

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
    viewer = viewer or Viewer()
    try:
        table = with_settings(read_recipe(source), settings or {})
        experiment = Experiment(table, progress=viewer.loading)
    except RecipeError as error:
        if Path(source).suffix != ".toml":
            raise
        raise RecipeError(f"{os.fspath(source)}: {error}") from None
    fault: NotFiniteError | None = None
    repeats: list[dict[str, Any]] = []
    with run_folder(experiment.recipe.name, out, force) as (beside, target):
        viewer.begins(experiment)
        try:
            for report in experiment.train(viewer.watch):
                viewer.report(report)
            for seed, figures in experiment.repeats(viewer.watch):
                if viewer.interrupted:
                    break
                repeats.append({"seed": seed, **figures})
                viewer.repeats(seed, figures)
        except NotFiniteError as error:
            fault = error
            fault.add_note(f"the run with these weights is in {target}")
        if verify:
            checked = {**checks(), "model": model_check(experiment.model(), experiment.recipe.name)}
            experiment.certificate = certificate(verified(checked.items()))
        stopped = str(fault) if fault else "interrupted" if viewer.interrupted else None
        with limited(experiment.threads):
            save_run(experiment, beside, repeats, stopped)
    if fault:
        raise fault
    return Run(target)
