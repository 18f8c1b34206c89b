"""Writing so that a file is there whole or not at all: beside, flushed, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from handgrad.errors import HandgradError

__all__ = ["folder_to_disk", "made_folder", "umask", "written"]


@contextlib.contextmanager
def written(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Hand out a path beside ``path``; when the block ends well, rename it to ``path``.

    When the block fails, nothing is left behind and an older file at ``path`` stays as it was.
    Where the power fails, the old file or the new one is there: the new one's bytes reach the disk
    before its name, and its name before this returns. An operating system's refusal becomes a
    sentence with the path in it.
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
        folder_to_disk(target.parent)
    except OSError as error:
        raise HandgradError(f"{target}: cannot be written: {_reason(error)}") from None
    finally:
        with contextlib.suppress(OSError):  # what was refused is what is to be told
            beside.unlink(missing_ok=True)


def made_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder and its parents; a refusal is a sentence with the path in it."""
    folder = Path(path)
    try:
        new = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for one in new:
            folder_to_disk(one.parent)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileExistsError:
        raise HandgradError(f"{folder}: found a file; expected a folder, or none yet") from None
    except OSError as error:
        raise HandgradError(f"{folder}: cannot be written: {_reason(error)}") from None
    return folder


def folder_to_disk(folder: Path) -> None:
    """Wait until the names in a folder, after a renaming in it, are on the disk.

    Where a system has no such thing for folders, or this one may not be opened, nothing is done.
    """
    if os.name != "posix":
        return
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # it may be written to, but not read
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


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
