"""What a reader may not do, seen while it does it: write elsewhere, run anything, take too much."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from targets import SECONDS

__all__ = ["TooLongError", "watched"]

RUNNING = frozenset(
    ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.startfile")
    + ("pickle.find_class", "marshal.loads", "exec", "compile", "ctypes.dlopen", "socket.connect")
)
CHANGING = frozenset(
    ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate")
    + ("os.chmod", "shutil.move", "shutil.rmtree")
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_inside: Path | None = None
_seen: list[str] = []


class TooLongError(BaseException):
    """No reader catches it by mistake."""


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if _inside is None:
        return
    if event in RUNNING and not _own():
        _seen.append(f"{event} {arguments!r:.100}")
    paths: tuple[Any, ...] = ()
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
        paths = arguments[:1]
    elif event in CHANGING:
        paths = arguments[: 2 if event in ("os.rename", "os.link", "shutil.move") else 1]
    for path in paths:
        if isinstance(path, str | bytes | os.PathLike):
            whole = os.path.realpath(os.fsdecode(path))
            # What is removed by its name within an open folder has no slash in it.
            if os.sep in os.fsdecode(path) and not Path(whole).is_relative_to(_inside):
                _seen.append(f"{event} {whole}")


def _own() -> bool:
    """Whether it is the package's own code that runs: a module imported late, an annotation."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.endswith(("<frozen importlib._bootstrap>", "typing.py")):
            return True
        frame = frame.f_back
    return False


sys.addaudithook(_look)


def _ring(*_: object) -> None:
    raise TooLongError(f"more than {SECONDS} seconds")


@contextlib.contextmanager
def watched(folder: Path, most: int) -> Iterator[None]:
    """Fail if the block writes outside a folder, runs anything, or takes more memory or time.

    To watch the memory makes Python some six times slower, so the time is five times `SECONDS`.

    Parameters
    ----------
    most : bytes of memory, as Python and NumPy ask for them
    """
    global _inside
    clock = hasattr(signal, "setitimer")
    before = signal.signal(signal.SIGVTALRM, _ring) if clock else None
    tracemalloc.start()
    _inside = folder.resolve()
    try:
        if clock:  # of processor time: the machine may be busy
            signal.setitimer(signal.ITIMER_VIRTUAL, 5 * SECONDS)
        yield
    finally:
        _inside = None
        if clock:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        seen = list(_seen)
        _seen.clear()
    if seen:
        raise AssertionError("; ".join(seen))
    if peak > most:
        raise AssertionError(f"{peak:,} bytes")
