"""Writing so that a file is there whole or not at all: beside, flushed, then renamed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from handgrad.errors import HandgradError

__all__ = ["made_folder", "umask", "written"]


@contextlib.contextmanager
def written(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Hand out a path beside ``path``; when the block ends well, rename it to ``path``.

    When the block fails, nothing is left behind and an older file at ``path`` stays as it was.
    An operating system's refusal becomes a sentence with the path in it.
    """
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise HandgradError(f"{target}: cannot be written: {_reason(error)}") from None
    beside = Path(name)
    try:
        yield beside
        _to_disk(beside)
        beside.chmod(0o666 & ~umask())
        beside.replace(target)
    except OSError as error:
        raise HandgradError(f"{target}: cannot be written: {_reason(error)}") from None
    finally:
        beside.unlink(missing_ok=True)


def made_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder and its parents; a refusal is a sentence with the path in it."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileExistsError:
        raise HandgradError(f"{folder}: found a file; expected a folder, or none yet") from None
    except OSError as error:
        raise HandgradError(f"{folder}: cannot be written: {_reason(error)}") from None
    return folder


def _to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def umask() -> int:
    """The permissions that new files do not get; to be read, it has to be set for a moment."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
