"""Why a rival does not take part."""

from __future__ import annotations

__all__ = ["NotMeantError", "SkippedError"]


class SkippedError(Exception):
    """It could, but not here; its text says why."""


class NotMeantError(Exception):
    """It does no such thing."""
