"""Ctrl-C, a notebook's stop button, a machine that shuts down: a wish at first, then an order."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handgrad.experiments.viewer import Viewer

__all__ = ["ENDINGS", "Interrupted", "interruptible"]

ENDINGS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C, the wish of a system that shuts down, a terminal that is closed."""


class Interrupted(KeyboardInterrupt):
    """A signal asked for an end at once.

    Parameters
    ----------
    signum : which
    """

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.signum = signum


class interruptible:
    """Once the training runs, the first signal is a wish; before, and the second, ends at once.

    In another thread than the main one, where signals never come, it does nothing.

    Parameters
    ----------
    viewer : is told of the wish
    signals : which are meant; a hang-up that is ignored (``nohup``) stays so

    Attributes
    ----------
    signum : the signal that came first; that of Ctrl-C until one has come
    """

    def __init__(self, viewer: Viewer, signals: Sequence[int] = ENDINGS) -> None:
        self.viewer, self.signals = viewer, signals
        self.signum: int = signal.SIGINT
        self._before: dict[int, Any] = {}

    def __enter__(self) -> interruptible:
        for signum in self.signals:
            if signum != signal.SIGINT and signal.getsignal(signum) == signal.SIG_IGN:
                continue
            with contextlib.suppress(ValueError):
                self._before[signum] = signal.signal(signum, self._wish)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, before in self._before.items():
            signal.signal(signum, before)

    def _wish(self, signum: int, frame: FrameType | None) -> None:
        if self.viewer.interrupted or not self.viewer.training:
            raise Interrupted(signum)
        self.viewer.interrupted, self.signum = True, signum
        with contextlib.suppress(OSError):  # nobody may be left to be told
            self.viewer.stopping()
