"""Ctrl-C and a notebook's stop button: a wish at first, then an order."""

from __future__ import annotations

import signal
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handgrad.experiments.conduct import Viewer

__all__ = ["interruptible"]


class interruptible:
    """Once the training runs, the first Ctrl-C is a wish; before, and the second, ends at once.

    In another thread than the main one, where signals never come, it does nothing.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer

    def __enter__(self) -> None:
        try:
            self.before = signal.signal(signal.SIGINT, self._wish)
        except ValueError:
            self.before = None

    def __exit__(self, *_: object) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def _wish(self, signum: int, frame: FrameType | None) -> None:
        if self.viewer.interrupted or not self.viewer.training:
            raise KeyboardInterrupt
        self.viewer.interrupted = True
        self.viewer.stopping()
