"""A run: the folder that a training leaves behind, and finding one again."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from handgrad import __version__
from handgrad.errors import DataError, HandgradError
from handgrad.experiments.drawn import draw_pictures
from handgrad.experiments.experiment import Experiment
from handgrad.networks import Model
from handgrad.storage import load_model, made_folder, save_model, umask, written

__all__ = ["Run", "run_folder", "save_run"]

MODEL, RECIPE, HISTORY, SUMMARY = (
    "model.safetensors",
    "recipe.toml",
    "history.jsonl",
    "summary.json",
)


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
        """The run written last under a folder; hidden ones are unfinished."""
        models = [
            model
            for model in Path(runs).glob(f"*/{MODEL}")
            if not model.parent.name.startswith(".")
        ]
        if not models:
            raise DataError(runs, "no run in it", "one; `handgrad train` makes it")
        return Run(max(models, key=lambda model: (model.stat().st_mtime_ns, model)).parent)

    @cached_property
    def model(self) -> Model:
        return load_model(self.model_file)

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe's table: of the run, with the whole path of its data; else of the model."""
        path = self.folder / RECIPE
        about: dict[str, Any] = self.model.about.get("recipe", {})
        if not path.is_file():
            return about
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(path, f"what is not TOML ({error})", "a recipe in TOML") from None
        # A model that was laid beside another run's recipe is not of that run.
        return table if table.get("name") == about.get("name") else about

    @property
    def history(self) -> list[dict[str, Any]]:
        """The reports, oldest first."""
        path = self.folder / HISTORY
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise DataError(path, str(error), "one JSON object a line") from None

    @property
    def summary(self) -> dict[str, Any]:
        """Figures, dates, durations, versions."""
        path = self.folder / SUMMARY
        try:
            table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(path, str(error), "a run's summary in JSON") from None
        return table

    @property
    def test_accuracy(self) -> float | None:
        found: float | None = self.summary.get("test_accuracy")
        return found

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"


@contextlib.contextmanager
def run_folder(
    name: str, out: str | os.PathLike[str] | None = None, force: bool = False
) -> Iterator[tuple[Path, Path]]:
    """Before a training: hand out a folder to write in, and the place it will move to at the end.

    Whatever speaks against writing is said before hours are spent. The run's folder appears whole,
    by a rename; when the block fails, nothing is left behind.

    Parameters
    ----------
    name : of the recipe: ``runs/NAME-TIME`` is the run's own folder without ``out``
    out : the run's own folder
    force : whether ``out`` may hold files already; those of the same name are replaced
    """
    target = _reserved(name) if out is None else Path(out)
    parent = target.parent
    if out is not None and target.exists():
        if not target.is_dir():
            raise HandgradError(f"{target}: found a file; expected a folder to write the run to")
        made_folder(target)
        if any(target.iterdir()) and not force:
            raise HandgradError(
                f"{target}: the folder is not empty; --force writes into it all the same"
            )
        parent = target  # what is around it may belong to somebody else, or be another disk
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=made_folder(parent)))
    try:
        yield beside, target
        _moved(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if out is None:
            with contextlib.suppress(OSError):  # empty, where the block failed
                target.rmdir()


def save_run(
    experiment: Experiment,
    folder: Path,
    repeats: list[dict[str, Any]],
    stopped: str | None = None,
) -> dict[str, Any]:
    """Write what a training leaves behind into a folder, and return its summary.

    ``recipe.toml`` is what was run, ``history.jsonl`` one report a line, ``model.safetensors`` and
    the two before it equal for equal trainings; ``summary.json`` holds whatever may differ.

    Parameters
    ----------
    stopped : why the training ended before its recipe said so; None where it did not
    """
    recipe = experiment.recipe
    model = experiment.model()
    save_model(model, folder / MODEL)
    with written(folder / RECIPE) as path:
        path.write_text(tomli_w.dumps(recipe.table()), encoding="utf-8")
    with written(folder / HISTORY) as path:
        lines = [json.dumps(report.known()) + "\n" for report in experiment.history]
        path.write_text("".join(lines), encoding="utf-8")
    summary = {
        "recipe": recipe.name,
        **experiment.figures(),
        "epochs": experiment.epochs,
        "steps": experiment.state.steps,
        "stopped": stopped,
        "seconds": experiment.seconds,
        "images_per_second": experiment.images_per_second,
        "parameters": experiment.network.layout.learned,
        "classes": list(experiment.class_names),
        "note": " ".join(filter(None, [recipe.note, experiment.splits.note])),
        "repeats": {"split": recipe.repeats.split, "runs": repeats},
        "threads": experiment.threads,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {
            "handgrad": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
    }
    draw_pictures(experiment, model, folder / "pictures")
    with written(folder / SUMMARY) as path:
        path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def _reserved(name: str) -> Path:
    """A new empty folder under ``runs/``, named for the recipe and the time.

    It is made at once, so that two trainings that begin together have one each.
    """
    # What some system does not take in a name, and a first dot, which would hide the folder.
    word = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "-", name).strip(" .-") or "run"
    first = made_folder("runs") / f"{word}-{datetime.now():%Y-%m-%d-%H%M%S}"
    for i in itertools.count(1):
        target = first if i == 1 else first.with_name(f"{first.name}-{i}")
        try:
            target.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise HandgradError(f"{target}: cannot be written: {error.strerror}") from None
        return target
    raise AssertionError


def _moved(beside: Path, target: Path) -> None:
    """Let a finished folder take its place: whole where nothing is there, else file by file."""
    beside.chmod(0o777 & ~umask())
    # An empty folder gives way too, unless it is a link, a disk's root or on Windows.
    with contextlib.suppress(OSError):
        beside.rename(target)
        return
    try:
        for path in sorted(beside.rglob("*")):
            if path.is_file():
                place = target / path.relative_to(beside)
                place.parent.mkdir(parents=True, exist_ok=True)
                path.replace(place)
    except OSError as error:
        raise HandgradError(f"{target}: cannot be written: {error.strerror}") from None
