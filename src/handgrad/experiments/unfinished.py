"""A run's folder while its training goes on.

    RUN/unfinished/recipe.toml             what is being run
    RUN/unfinished/checkpoint.safetensors  how far it has come
    RUN/unfinished/lock                    which process it is that trains, while it does
    RUN/unfinished/results/                what is about to take its place in RUN

So an older run in the same folder stays what it was until the new one has ended. Where the recipe
is, there is something to go on with: it comes with the folder and is the first to leave it.
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

from handgrad.errors import DataError, HandgradError
from handgrad.experiments.lock import Lock
from handgrad.storage import made_folder, umask, written
from handgrad.writing import folder_to_disk

__all__ = [
    "CHECKPOINT",
    "RECIPE",
    "UNFINISHED",
    "begun",
    "dated",
    "discarded",
    "finished",
    "no_links",
    "swept",
    "write_recipe",
]

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


def dated(parent: str, name: str) -> Iterator[Path]:
    """Folders ``PARENT/NAME-TIME`` to try, one after the other until one is nobody's yet."""
    # Without what some system does not take in a name, and a first dot, which would hide the folder
    word = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "-", name).strip(" .-")[:100] or "run"
    first = made_folder(parent) / f"{word}-{datetime.now():%Y-%m-%d-%H%M%S}"
    yield first
    yield from (Path(f"{first}-{i}") for i in itertools.count(2))


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
        names = dated("runs", table["name"])
    else:
        target = Path(out)
        if target.exists():
            _checked(target, force)
            _moved_in(table, target, target / UNFINISHED)
            return target
        names = iter([target])
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
        files = sorted(
            (path for path in results.rglob("*") if path.is_file()),
            key=lambda path: (path.name == "model.safetensors", path),
        )
        places = {path: folder / path.relative_to(results) for path in files}
        parents = {place.parent for place in places.values()}
        for parent in parents:  # what may be refused, before anything old is replaced
            made_folder(parent)
        for path, place in places.items():
            path.replace(place)
        for parent in parents:
            folder_to_disk(parent)
    except OSError as error:
        raise HandgradError(f"{folder}: cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(results, ignore_errors=True)
    if not keep:
        discarded(folder)


def no_links(folder: Path) -> None:
    """Refuse a run's folder with links in it that would have files elsewhere written over.

    Raises
    ------
    DataError : a link to a folder, or any link in the unfinished part
    """
    for place, folders, files in os.walk(folder):
        below = Path(place)
        own = UNFINISHED in below.relative_to(folder).parts
        for name in folders + files * own:
            if (below / name).is_symlink():
                raise DataError(below / name, "a link", "what is in the run's folder itself")


def discarded(folder: Path) -> None:
    """Remove the unfinished part of a run; cut short by anything, it is no unfinished run."""
    unfinished = folder / UNFINISHED
    with contextlib.suppress(OSError):
        (unfinished / RECIPE).unlink(missing_ok=True)
        folder_to_disk(unfinished)
    shutil.rmtree(unfinished, ignore_errors=True)


def swept(folder: Path) -> None:
    """Remove what a training that was killed in the middle of writing has left in its own part."""
    unfinished = folder / UNFINISHED
    shutil.rmtree(unfinished / RESULTS, ignore_errors=True)
    for path in unfinished.glob(".*"):
        with contextlib.suppress(OSError):
            path.unlink()


def _checked(target: Path, force: bool) -> None:
    if not target.is_dir():
        raise HandgradError(f"{target}: found a file; expected a folder to write the run to")
    made_folder(target)
    no_links(target)
    if (target / UNFINISHED).is_dir():
        with Lock(target / UNFINISHED):  # refused beside a training that goes on
            if (target / UNFINISHED / RECIPE).exists() and not force:
                raise HandgradError(
                    f"{target}: found an unfinished run; --resume {target} goes on with it, "
                    "--force begins anew"
                )
            discarded(target)
    if any(target.iterdir()) and not force:
        raise HandgradError(
            f"{target}: the folder is not empty; --force writes into it all the same"
        )


def _moved_in(table: dict[str, Any], parent: Path, target: Path) -> None:
    """A folder with its recipe, made under ``parent`` and renamed to ``target``."""
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=parent))
    try:
        inner = beside if target.name == UNFINISHED else made_folder(beside / UNFINISHED)
        write_recipe(table, inner)
        beside.chmod(0o777 & ~umask())
        beside.rename(target)
        folder_to_disk(parent)
    except FileExistsError:
        raise
    except OSError as error:
        if target.exists():
            raise FileExistsError(target) from None
        raise HandgradError(f"{target}: cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
