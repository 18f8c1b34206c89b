"""A run once more: whether the same recipe and data give the same bits."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handgrad.errors import DataError, HandgradError, NotFiniteError
from handgrad.experiments.conduct import Viewer, train
from handgrad.experiments.experiment import Experiment
from handgrad.experiments.manifest import data_hashes, differences, file_hash
from handgrad.experiments.run import MANIFEST, Run
from handgrad.experiments.unfinished import RECIPE, UNFINISHED, write_recipe
from handgrad.networks import Network

__all__ = ["Rerun", "rerun"]


@dataclass(frozen=True)
class Rerun:
    """A run beside its repetition.

    Parameters
    ----------
    run : the folder of the run
    out : that of its repetition; None where it was not kept
    same : whether the two model files are the same, byte for byte
    largest_difference : between two numbers of the networks; None where they cannot be compared
    where : the name of the array in which that is, such as "0.W"; "" where there is none
    test_accuracy : of the run and of its repetition; None where there is no test part
    differences : what of the two manifests differs, in words
    interrupted : whether the repetition ended early, by the user's wish
    """

    run: str
    out: str | None
    same: bool
    largest_difference: float | None
    where: str
    test_accuracy: tuple[float, float] | None
    differences: tuple[str, ...]
    interrupted: bool = False

    def table(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def rerun(
    run: str | os.PathLike[str] | Run,
    *,
    out: str | os.PathLike[str] | None = None,
    viewer: Viewer | None = None,
) -> Rerun:
    """Train a run's recipe on its data once more, and compare the model files.

    The same seed, data, versions, threads and machine give the same bits. Where they differ, the
    two manifests are compared as well.

    Parameters
    ----------
    run : its folder
    out : the folder of the repetition; None for one that is gone afterwards
    viewer : is told how it goes, as by `train`

    Raises
    ------
    DataError, HandgradError : no run; one that has not ended; data that are not there, or are no
        longer those of the run; nothing is trained then

    Example
    -------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> run = train("lines", {"training.epochs": 3}, out=folder.name)
    >>> again = rerun(run)
    >>> again.same, again.largest_difference
    (True, 0.0)
    >>> folder.cleanup()
    """
    run = run if isinstance(run, Run) else Run(run)
    told = _ended(run)
    watching: Any = _Checking(viewer or Viewer(), run, told)
    with ExitStack() as stack:
        parent = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="handgrad-")))
        write_recipe(run.recipe, parent)
        verify = "certificate" in run.model.about
        target = parent / "run" if out is None else Path(out)
        try:
            again = train(parent / RECIPE, out=target, verify=verify, viewer=watching)
        except NotFiniteError:  # as the run itself did, or not: the models say
            again = Run(target)
        return _compared(run, told, again, out, watching.interrupted)


def _ended(run: Run) -> dict[str, Any]:
    """The manifest of a run that can be repeated; empty where it was trained before there was one.

    Raises
    ------
    HandgradError : no recipe; an end that no recipe repeats
    """
    if (run.folder / UNFINISHED / RECIPE).exists():
        raise HandgradError(
            f"{run.folder}: found a run that has not ended; expected one that has (`handgrad train "
            f"--resume {run.folder}` goes on with it)"
        )
    if not run.recipe:
        raise DataError(run.folder, f"no {RECIPE}", "that of the run")
    if not run.folder.joinpath(MANIFEST).exists():
        return {}
    if not isinstance(run.manifest.get("data"), dict):
        raise DataError(run.folder / MANIFEST, "no hashes of the data", "a run's manifest")
    return run.manifest


class _Checking:
    """Hands on to a viewer what a training tells, and refuses data that are not the run's."""

    def __init__(self, viewer: Viewer, run: Run, told: dict[str, Any]) -> None:
        self.viewer, self.run, self.told = viewer, run, told

    def begins(self, experiment: Experiment) -> None:
        found, source = data_hashes(experiment), experiment.recipe.data.source
        for part, recorded in self.told.get("data", {}).items():
            if found.get(part) != recorded:
                what = "other classes" if part == "classes" else f"other images ({part})"
                raise DataError(
                    source,
                    f"{what} than those of {self.run.folder}",
                    "the same, to repeat the run",
                )
        self.viewer.begins(experiment)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.viewer, name)


def _compared(
    run: Run,
    told: dict[str, Any],
    again: Run,
    out: str | os.PathLike[str] | None,
    interrupted: bool,
) -> Rerun:
    same = file_hash(run.model_file) == file_hash(again.model_file)
    largest, where = _apart(run.model.network, again.model.network)
    accuracies = [each.model.about.get("test", {}).get("accuracy") for each in (run, again)]
    return Rerun(
        run=str(run.folder),
        out=None if out is None else os.fspath(out),
        same=same,
        largest_difference=largest,
        where=where,
        test_accuracy=None if None in accuracies else (accuracies[0], accuracies[1]),
        differences=tuple(differences(told, again.manifest)),
        interrupted=interrupted,
    )


def _apart(before: Network, after: Network) -> tuple[float | None, str]:
    """The largest difference of two networks' numbers, and where it is."""
    if before.layout.slots != after.layout.slots:
        return None, ""
    largest, where = 0.0, ""
    for name, slot in before.layout.slots.items():
        apart = np.abs(slot.of(after.vector).astype(np.float64) - slot.of(before.vector))
        if apart.size and apart.max() > largest:
            largest, where = float(apart.max()), name
    return largest, where
