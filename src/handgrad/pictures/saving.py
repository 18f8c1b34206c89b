"""A figure to a file, the same bytes for the same figure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from handgrad.errors import HandgradError
from handgrad.writing import written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["check_ending", "said", "save"]

# What each kind of file would say about when and with what it was made; None leaves it out.
_UNSAID: dict[str, dict[str, str | None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}

_SEEN = {".png": "Description", ".svg": "Description", ".pdf": "Subject"}


def check_ending(path: str | os.PathLike[str]) -> str:
    """The end of a file's name, ".png", ".svg" or ".pdf"; a sentence if it is another."""
    suffix = Path(path).suffix.lower()
    if suffix not in _UNSAID:
        raise HandgradError(
            f"{os.fspath(path)}: found a name that ends in {suffix or 'nothing'!r}; "
            "expected .png, .svg or .pdf"
        )
    return suffix


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG, SVG or PDF, as the end of the file's name says.

    The file is there whole or not at all, and holds no date, no version and no random name: with
    the same libraries and fonts, the same figure gives the same bytes. It says what is seen on it,
    where the figure has words for that.

    Parameters
    ----------
    figure : what the functions of this room return
    path : ends in .png, .svg or .pdf

    Raises
    ------
    HandgradError : another ending; a place that cannot be written to
    """
    suffix = check_ending(path)
    from handgrad.pictures.figure import house_style

    with written(path) as beside, house_style():
        figure.savefig(beside, format=suffix[1:], metadata=said(figure, suffix))


def said(figure: Figure, suffix: str) -> dict[str, str | None]:
    """What a file says of itself: what is seen, where the figure knows it."""
    alt = getattr(figure, "alt", "")
    return _UNSAID[suffix] | ({_SEEN[suffix]: alt} if alt else {})
