"""A run: the folder that a training leaves behind, and finding one again."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from handgrad.arrays import Device, device_name
from handgrad.errors import DataError, NotFiniteError
from handgrad.experiments.manifest import manifest
from handgrad.experiments.toml_files import read_toml
from handgrad.experiments.unfinished import RECIPE, write_recipe
from handgrad.networks import ForwardOn, InBatches, Model
from handgrad.plans import PlannedForward
from handgrad.storage import load_model, save_model, written
from handgrad.training import Report

if TYPE_CHECKING:
    from handgrad.experiments.experiment import Experiment
    from handgrad.experiments.scoreboard import Scoreboard
    from handgrad.experiments.work import Work

__all__ = ["Run", "save_run"]

MODEL, HISTORY, SUMMARY, MANIFEST = (
    "model.safetensors",
    "history.jsonl",
    "summary.json",
    "manifest.json",
)


class _Summary(msgspec.Struct):
    """What those who show a summary rely on; see `save_run`."""

    recipe: str = ""
    parameters: int = 0
    seconds: float = 0.0
    loss: float | None = None  # what is no finite number is null
    train_accuracy: float | None = None
    validation_accuracy: float | None = None
    test_accuracy: float | None = None
    test_low: float | None = None
    test_high: float | None = None
    test_n: int | None = None
    epochs: float = 0.0
    steps: int = 0
    stopped: str | None = None
    images_per_second: float = 0.0
    classes: list[str] = []  # msgspec copies it
    note: str = ""
    threads: int = 1
    shards: int = 1


class Run:
    """What stands in a run's folder, read when it is asked for.

    Parameters
    ----------
    folder : a run's folder, or the model file in one; a model file alone will do, where no more
        than the model is asked for
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        path = Path(folder)
        if path.is_dir():
            self.folder, self.model_file = path, path / MODEL
            if not self.model_file.is_file():
                raise DataError(path, f"no {MODEL} in it", "a run's folder")
        else:
            self.folder, self.model_file = path.parent, path

    @staticmethod
    def newest(runs: str | os.PathLike[str] = "runs") -> Run:
        """The run written last under a folder."""
        models = list(Path(runs).glob(f"[!.]*/{MODEL}"))
        if not models:
            raise DataError(runs, "no run in it", "one; `handgrad train` makes it")
        return Run(max(models, key=lambda model: (model.stat().st_mtime_ns, model)).parent)

    @cached_property
    def model(self) -> Model:
        model = load_model(self.model_file)
        model.network.how_outputs = InBatches(PlannedForward())
        return model

    def compute_on(self, device: Device) -> None:
        """Let its model answer on a device.

        Raises
        ------
        HandgradError : there is none that can be used
        """
        device_name(device)
        if device != "cpu":
            self.model.network.how_outputs = InBatches(ForwardOn(device))

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe's table: of the run, with the whole path of its data; else of the model."""
        path = self.folder / RECIPE
        about: dict[str, Any] = self.model.about.get("recipe", {})
        if not path.is_file():
            return about
        table = read_toml(path)
        # A model that was laid beside another run's recipe is not of that run.
        return table if table.get("name") == about.get("name") else about

    @property
    def history(self) -> list[dict[str, Any]]:
        """The reports, oldest first."""
        path = self.folder / HISTORY
        try:
            rows = [json.loads(line) for line in _text(path).splitlines()]
            msgspec.convert(rows, list[Report])  # refuses what is no report
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(path, str(error), "one JSON object a line") from None
        return rows

    @property
    def summary(self) -> dict[str, Any]:
        """Figures, dates, durations, versions."""
        return _table(self.folder / SUMMARY, "a run's summary in JSON", _Summary)

    @property
    def manifest(self) -> dict[str, Any]:
        """All on which its bits depend; see `manifest`."""
        return _table(self.folder / MANIFEST, "a run's manifest in JSON", dict[str, Any])

    @property
    def work(self) -> Work | None:
        """How its recipe would be computed on this machine; None where the model says no recipe."""
        from handgrad.experiments.recipe import Recipe
        from handgrad.experiments.threads import cores
        from handgrad.experiments.work import work_for

        model = self.model
        if "recipe" not in model.about or "images" not in model.about:
            return None
        recipe = Recipe.of(model.about["recipe"], classes=len(model.class_names))
        return work_for(recipe, model.network, model.about["images"], cores())

    @property
    def test_accuracy(self) -> float | None:
        found: float | None = self.summary.get("test_accuracy")
        return found

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def _repr_html_(self) -> str:
        """What it achieved, and its page, which a notebook asks for under this name."""
        from handgrad.experiments.notebook import run_html

        return run_html(self)


def save_run(
    experiment: Experiment,
    folder: Path,
    repeats: list[dict[str, Any]],
    stopped: str | None = None,
    board: Scoreboard | None = None,
    fault: NotFiniteError | None = None,
    figures: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write what a training leaves behind into a folder, and return its summary.

    ``recipe.toml`` is what was run, ``history.jsonl`` one report a line, ``model.safetensors`` and
    the two before it equal for equal trainings; ``manifest.json`` is on what that depends, and
    ``summary.json`` holds whatever may differ.

    Parameters
    ----------
    stopped : why the training ended before its recipe said so; None where it did not
    board : what its accuracy is worth, where that was asked
    fault : what was not finite, where that ended the training
    figures : those of the experiment, where they are known already
    """
    from handgrad.experiments.checkpoints import versions
    from handgrad.experiments.drawn import draw_pictures

    recipe = experiment.recipe
    model = experiment.model()
    save_model(model, folder / MODEL)
    write_recipe(recipe.table(), folder)
    with written(folder / HISTORY) as path:
        lines = [json.dumps(report.known()) + "\n" for report in experiment.history]
        path.write_text("".join(lines), encoding="utf-8")
    summary = {
        "recipe": recipe.name,
        **(figures or experiment.figures()),
        "views": recipe.views,
        "epochs": experiment.epochs,
        "steps": experiment.state.steps,
        "stopped": stopped,
        "seconds": experiment.seconds,
        "images_per_second": experiment.images_per_second,
        "parameters": experiment.network.layout.learned,
        "classes": list(experiment.class_names),
        "note": " ".join(filter(None, [recipe.note, experiment.splits.note])),
        "repeats": {"split": recipe.repeats.split, "runs": repeats},
        "threads": experiment.threads.total,
        "shards": experiment.threads.shards,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
    }
    if board is not None:
        summary["scoreboard"] = board.table()
    if fault is not None:
        summary["fault"] = fault.table()
    draw_pictures(experiment, model, folder / "pictures")
    told = manifest(experiment, folder / RECIPE, folder / MODEL)
    for name, table in ((MANIFEST, told), (SUMMARY, summary)):
        with written(folder / name) as path:
            path.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    return summary


def _table(path: Path, expected: str, kind: Any) -> dict[str, Any]:
    """What a file holds, as JSON that could be read as ``kind``."""
    try:
        table: dict[str, Any] = json.loads(_text(path))
        msgspec.convert(table, kind)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(path, str(error), expected) from None
    return table


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():  # a pipe or a device would never end
        raise OSError("what is no file")
    return path.read_text(encoding="utf-8")
