"""Running somebody's own file: as it is now, within a time, and knowing its lines."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import CodeType, ModuleType

from handgrad.errors import DataError

__all__ = ["TooLongError", "line_of", "run_file", "source_of", "within"]


class TooLongError(Exception):
    """Somebody's code did not come to its end in time."""


class _Loader(SourceFileLoader):
    """Compiles what is in the file now.

    Python takes a compiled copy for the file where size and second of its last change agree, which
    they may after a quick correction.
    """

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def source_of(path: str | os.PathLike[str], expected: str) -> str:
    """The text of a Python file.

    Raises
    ------
    DataError : it is not there, or no text; ``expected`` says what it should be
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(path, "no such file", expected) from None
    except OSError as error:
        found = "a folder" if Path(path).is_dir() else f"a file that cannot be read ({error})"
        raise DataError(path, found, expected) from None
    except UnicodeDecodeError:
        raise DataError(path, "no text in UTF-8", expected) from None


def run_file(path: str | os.PathLike[str], expected: str, seconds: float) -> ModuleType:
    """Run a Python file, as an import does, and return it as a module.

    Raises
    ------
    DataError : it raises, ends Python, or is not done in time; with the line
    """
    name = f"_exercise_{Path(path).stem}"
    module = module_from_spec(ModuleSpec(name, _Loader(name, os.fspath(path)), is_package=False))
    module.__file__ = os.fspath(path)
    sys.modules[name] = module  # dataclasses look their own module up
    try:
        with within(seconds):
            module.__spec__.loader.exec_module(module)  # type: ignore[union-attr]
    except TooLongError as error:
        found = f"a line that runs for more than {seconds:g} s, line {line_of(error, path)}"
        raise DataError(path, found, expected) from None
    except (Exception, SystemExit) as error:  # whatever a user's file may raise
        line = getattr(error, "lineno", None) or line_of(error, path)
        found = f"{type(error).__name__} in line {line}: {getattr(error, 'msg', error)}"
        raise DataError(path, found, expected) from None
    return module


def line_of(error: BaseException, path: str | os.PathLike[str]) -> int | None:
    """The line of a file where an error came up, or passed through on its way."""
    name, frames = os.fspath(path), traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == name), None)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """End the block when the time is over, as Ctrl-C does, with a `TooLongError`.

    Only Python's main thread can be interrupted so; in another one there is no limit.
    """
    late = threading.Event()

    def stop() -> None:
        late.set()
        _thread.interrupt_main()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    # A process in the background may have been told to ignore what Ctrl-C sends.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer.start()
    try:
        yield
    except KeyboardInterrupt as error:
        if late.is_set():
            raise TooLongError().with_traceback(error.__traceback__) from None
        raise
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
