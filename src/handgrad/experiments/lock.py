"""One training at a time in a run's folder."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handgrad.errors import HandgradError, printable

__all__ = ["BEAT", "LOCK", "STALE", "Lock"]

LOCK = "lock"

BEAT, STALE = 60.0, 600.0
"""Seconds between two signs of life, and without one until another machine's training is over."""

_BYTE = 1 << 30
"""On Windows one byte is locked, which may lie behind the file's end: the rest can be read."""


class Lock:
    """Held in ``RUN/unfinished`` while a training goes on there; released however its process ends.

    It is the operating system's own lock on a file, which vanishes with the process that holds it.
    The file says who that is. Where another machine wrote it, or the file system has no locks, the
    time of its last sign of life decides.

    Parameters
    ----------
    folder : ``RUN/unfinished``
    note : is told of a training that was here before and ended without a word

    Raises
    ------
    HandgradError : another training goes on there, or the folder cannot be written to
    """

    def __init__(self, folder: Path, note: Callable[[str], None] = lambda text: None) -> None:
        self.folder, self.path, self.note = folder, folder / LOCK, note

    def __enter__(self) -> Lock:
        run = printable(str(self.folder.parent))
        try:
            self._handle, free = _opened(self.path)
            try:
                before = _read(self._handle)
                quiet = time.time() - os.fstat(self._handle).st_mtime
                here = before is not None and before.get("host") == platform.node()
                held = free is False
                if held or (before is not None and not (free and here) and quiet < STALE):
                    raise HandgradError(f"{run}: {_going_on(before or {}, self.path, held)}")
                if before is not None:
                    self.note(
                        f"a training in {run} ended without a word ({_who(before)}); this one "
                        "takes its place"
                    )
                _write(self._handle)
            except BaseException:
                os.close(self._handle)
                raise
        except OSError as error:
            raise HandgradError(f"{run}: cannot be written: {error.strerror}") from None
        self._beaten = time.monotonic()
        return self

    def beat(self) -> None:
        """Give a sign of life, if it is time; to be called every now and then."""
        if time.monotonic() - self._beaten >= BEAT:
            self._beaten = time.monotonic()
            with contextlib.suppress(OSError):  # a vanished folder is told by what is saved there
                os.utime(self.path)

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # empty, it is nobody's
            os.ftruncate(self._handle, 0)
        if os.name == "posix":  # while it is held, so that nobody else's is removed
            with contextlib.suppress(OSError):
                if os.path.samestat(os.stat(self.path), os.fstat(self._handle)):
                    self.path.unlink()
        os.close(self._handle)
        if os.name != "posix":
            with contextlib.suppress(OSError):
                self.path.unlink()
        with contextlib.suppress(OSError):  # of a training that has ended nothing else is there
            self.folder.rmdir()


def _opened(path: Path) -> tuple[int, bool | None]:
    """The file, locked, and whether that was free; None where there are no locks."""
    while True:
        # Through a link another file would be written to.
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        free = _locked(handle)
        with contextlib.suppress(FileNotFoundError):
            # Who held it may have removed it meanwhile.
            if os.name != "posix" or os.path.samestat(os.stat(path), os.fstat(handle)):
                return handle, free
        os.close(handle)


def _locked(handle: int) -> bool | None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _read(handle: int) -> dict[str, Any] | None:
    """Who wrote the file; None if nobody did, and nothing of whoever cannot be read."""
    os.lseek(handle, 0, os.SEEK_SET)
    text = os.read(handle, 4096)
    if not text:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def _write(handle: int) -> None:
    who = {
        "pid": os.getpid(),
        "host": platform.node(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    os.lseek(handle, 0, os.SEEK_SET)
    os.ftruncate(handle, 0)
    os.write(handle, json.dumps(who).encode())


def _who(found: dict[str, Any]) -> str:
    pid, host, since = (printable(str(found.get(key, "?"))) for key in ("pid", "host", "since"))
    return f"process {pid} on {host}, begun {since}"


def _going_on(found: dict[str, Any], path: Path, held: bool) -> str:
    """Why this training may not begin."""
    told = (
        f"found a training that goes on there ({_who(found)}); expected to be alone in the folder: "
        "wait for it, end it, or take another folder"
    )
    if not held:
        told += f". If it runs no more, remove {printable(str(path))}"
    return told
