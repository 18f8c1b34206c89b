"""What a sweep found: a table, a picture, and the winner, scored on the test set."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from handgrad.datasets import catalogue
from handgrad.errors import DataError, HandgradError
from handgrad.experiments.experiment import Progress
from handgrad.experiments.manifest import data_hashes, file_hash
from handgrad.experiments.run import MANIFEST, SUMMARY, Run
from handgrad.experiments.scoreboard import scoreboard
from handgrad.experiments.subject import Subject
from handgrad.experiments.sweeps.trials import TRIALS, Outcome, Plan, ranked, worded
from handgrad.experiments.threads import limited
from handgrad.storage import save_model, written
from handgrad.training import Report

__all__ = ["RESULTS", "Sweep", "ended", "score", "write_results"]

RESULTS = CSV, JSON, PICTURE = "results.csv", "results.json", "sweep.svg"

_FIGURES = (
    "validation_accuracy", "validation_loss", "train_accuracy", "loss", "epochs", "seconds"
)  # fmt: skip


@dataclass(frozen=True)
class Sweep:
    """A sweep that has ended, or was interrupted.

    Parameters
    ----------
    folder : of its results
    outcomes : of all trials, in the order of the plan
    best : the winner, once no trial is left to do; None if there is none
    test : what the winner achieves on the test set: ``test_accuracy`` with ``test_low`` and
        ``test_high``, of ``test_n`` images, and a ``scoreboard`` for images of one's own; empty
        where there is no test part
    validation_n : images that trials were judged by
    """

    folder: Path
    outcomes: tuple[Outcome, ...]
    best: Outcome | None
    test: dict[str, Any]
    validation_n: int

    @property
    def ranked(self) -> list[Outcome]:
        """The trials that have ended, the best first."""
        return ranked(self.outcomes)

    @property
    def left(self) -> int:
        """How many trials have not ended, by the user's wish."""
        return sum(one.status == "open" for one in self.outcomes)

    @property
    def run(self) -> Run:
        """The winner's.

        Raises
        ------
        HandgradError : there is none
        """
        if self.best is None:
            raise HandgradError(f"{self.folder}: found no winner; expected a trial that has ended")
        return Run(self.best.run)

    def table(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "folder": str(self.folder),
            "trials": [one.table() for one in self.outcomes],
            "best": None if self.best is None else self.best.number,
            "validation_n": self.validation_n,
            **self.test,
        }


def score(folder: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Judge a trial on its test part, and let its run say so, as every training's does.

    Its model is then, byte for byte, what `train` makes of its recipe. One that was judged before
    is not judged again.

    Returns
    -------
    figures : "test_accuracy" and what belongs to it; empty where there is no test part
    """
    from handgrad.experiments.drawn import draw_pictures

    run = Run(folder)
    summary = run.summary
    if "test_accuracy" not in summary:
        subject = Subject(run.recipe, folder / "pictures", run, progress=progress)
        experiment = subject.experiment
        test = experiment.splits.test
        if test is None:
            return {}
        experiment.history = msgspec.convert(run.history, list[Report])
        with limited(experiment.threads.blas):
            found = experiment.figures()
            if experiment.recipe.data.source not in catalogue():
                found["scoreboard"] = scoreboard(experiment, test).table()
            model = experiment.model()
            draw_pictures(experiment, model, folder / "pictures")
        save_model(model, run.model_file)
        told = run.manifest
        told |= {"model": file_hash(run.model_file), "data": data_hashes(experiment)}
        summary |= {key: value for key, value in found.items() if key not in summary}
        # What says that all is done comes last.
        for name, table in ((MANIFEST, told), (SUMMARY, summary)):
            with written(folder / name) as path:
                path.write_text(json.dumps(table, indent=2) + "\n", "utf-8")
    return {
        key: value for key, value in summary.items() if key[:5] == "test_" or key == "scoreboard"
    }


def write_results(
    plan: Plan,
    folder: Path,
    outcomes: Sequence[Outcome],
    progress: Progress | None = None,
) -> Sweep:
    """Score the winner, if no trial is left to do, and write table and picture.

    ``results.csv`` has a row a trial, ``results.json`` the same and the winner's test figures;
    ``sweep.svg`` is drawn where two trials or more have ended.
    """
    best: Outcome | None = None
    test: dict[str, Any] = {}
    if all(one.status != "open" for one in outcomes):  # not for the best so far
        best = next(iter(ranked(outcomes)), None)
    if best is not None:
        test = score(Path(best.run), progress)
    found = Sweep(folder, tuple(outcomes), best, test, plan.validation)
    paths = list(dict.fromkeys(path for settings in plan.trials for path in settings))
    with written(folder / CSV) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["trial", "status", *paths, *_FIGURES, "error"])
        for one in outcomes:
            values = [worded(one.settings[path]) for path in paths]
            figures = ["" if (v := getattr(one, key)) is None else v for key in _FIGURES]
            rows.writerow([one.number, one.status, *values, *figures, one.error])
    _draw(plan, found, paths)
    with written(folder / JSON) as path:
        path.write_text(json.dumps(found.table(), indent=1) + "\n", "utf-8")
    return found


def _draw(plan: Plan, found: Sweep, paths: list[str]) -> None:
    from handgrad.pictures import save, sweep_picture

    judged = [one for one in found.outcomes if one in found.ranked]
    if len(judged) < 2 or not paths:
        (found.folder / PICTURE).unlink(missing_ok=True)
        return
    settings = {path: [one.settings[path] for one in judged] for path in paths}
    accuracies = [one.validation_accuracy or 0.0 for one in judged]
    save(sweep_picture(settings, accuracies, winner=judged.index(found.ranked[0])),
         found.folder / PICTURE)  # fmt: skip


def ended(plan: Plan, folder: Path) -> Sweep | None:
    """What a sweep found that has ended, whose winner was scored; None where there is more to do.

    Raises
    ------
    DataError : results that are none
    """
    path = folder / JSON
    if not path.is_file():
        return None
    try:
        table = json.loads(path.read_text("utf-8"))
        outcomes = tuple(
            replace(one, run=str(folder / TRIALS / Path(one.run).name))  # it may have been moved
            for one in msgspec.convert(table["trials"], list[Outcome])
        )
        best = next((one for one in outcomes if one.number == table["best"]), None)
        if best is None or any(one.status == "open" for one in outcomes):
            return None
        kept = {"folder", "trials", "best", "validation_n"}
        test = {key: value for key, value in table.items() if key not in kept}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(path, str(error), "a sweep's results in JSON") from None
    return Sweep(folder, outcomes, best, test, plan.validation)
