"""A run's folder while its training goes on.

    RUN/unfinished/recipe.toml             what is being run
    RUN/unfinished/checkpoint.safetensors  how far it has come
    RUN/unfinished/results/                what is about to take its place in RUN

So an older run in the same folder stays what it was until the new one has ended.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import tomli_w

from handgrad.errors import HandgradError
from handgrad.storage import made_folder, umask, written

__all__ = ["CHECKPOINT", "RECIPE", "UNFINISHED", "begun", "finished", "write_recipe"]

UNFINISHED, CHECKPOINT, RECIPE, RESULTS = (
    "unfinished",
    "checkpoint.safetensors",
    "recipe.toml",
    "results",
)


def write_recipe(table: dict[str, Any], folder: Path) -> None:
    """A run's own recipe, as TOML."""
    with written(folder / RECIPE) as path:
        path.write_text(tomli_w.dumps(table), encoding="utf-8")


def begun(
    table: dict[str, Any], out: str | os.PathLike[str] | None = None, force: bool = False
) -> Path:
    """Make a run's folder, or the unfinished part of one; whole with its recipe, by a rename.

    Parameters
    ----------
    table : the recipe's
    out : the run's folder; None for ``runs/NAME-TIME``, which is nobody else's
    force : whether ``out`` may hold files already
    """
    if out is None:
        # What some system does not take in a name, and a first dot, which would hide the folder.
        word = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "-", table["name"]).strip(" .-") or "run"
        first = made_folder("runs") / f"{word}-{datetime.now():%Y-%m-%d-%H%M%S}"
        names = itertools.chain([first], (Path(f"{first}-{i}") for i in itertools.count(2)))
    else:
        target = Path(out)
        if target.exists():
            _checked(target, force)
            _moved_in(table, target, target / UNFINISHED)
            return target
        names = itertools.chain([target])
    for target in names:
        with contextlib.suppress(FileExistsError):
            _moved_in(table, made_folder(target.parent), target)
            return target
    raise HandgradError(f"{out}: found a run that has just begun there; expected no folder yet")


@contextlib.contextmanager
def finished(folder: Path, keep: bool) -> Iterator[Path]:
    """Hand out a folder for results, which take their places in the run's when the block ends well.

    When the block fails, nothing old has changed.

    Parameters
    ----------
    keep : leave the checkpoint, for a training that was interrupted
    """
    results = made_folder(folder / UNFINISHED / RESULTS)
    try:
        yield results
        # The model last: where it is, a run is.
        for path in sorted(
            results.rglob("*"), key=lambda path: (path.name == "model.safetensors", path)
        ):
            if path.is_file():
                place = folder / path.relative_to(results)
                place.parent.mkdir(parents=True, exist_ok=True)
                path.replace(place)
    except OSError as error:
        raise HandgradError(f"{folder}: cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(results, ignore_errors=True)
    if not keep:
        shutil.rmtree(folder / UNFINISHED, ignore_errors=True)


def _checked(target: Path, force: bool) -> None:
    if not target.is_dir():
        raise HandgradError(f"{target}: found a file; expected a folder to write the run to")
    made_folder(target)
    if (target / UNFINISHED).exists() and not force:
        raise HandgradError(
            f"{target}: found an unfinished run; --resume {target} goes on with it, --force begins "
            "anew"
        )
    if any(target.iterdir()) and not force:
        raise HandgradError(
            f"{target}: the folder is not empty; --force writes into it all the same"
        )
    shutil.rmtree(target / UNFINISHED, ignore_errors=True)


def _moved_in(table: dict[str, Any], parent: Path, target: Path) -> None:
    """A folder with its recipe, made under ``parent`` and renamed to ``target``."""
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=parent))
    try:
        inner = beside if target.name == UNFINISHED else made_folder(beside / UNFINISHED)
        write_recipe(table, inner)
        beside.chmod(0o777 & ~umask())
        beside.rename(target)
    except FileExistsError:
        raise
    except OSError as error:
        if target.exists():
            raise FileExistsError(target) from None
        raise HandgradError(f"{target}: cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
