"""What a user can have done wrong, each with its sentence.

Everything that a user can mend is raised as a `HandgradError`; its text is one sentence that names
the file or the setting, what was found and what was expected. The command line prints it and ends
with exit code 2. Anything else that is raised is a fault of ours.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable

__all__ = [
    "DataError",
    "HandgradError",
    "ImageError",
    "NotFiniteError",
    "RecipeError",
    "nearest",
    "printable",
]


class HandgradError(Exception):
    """Something that the user can mend, said in one sentence."""


class DataError(HandgradError):
    """A file that is not what it should be.

    Parameters
    ----------
    path : the file or folder
    found : what is there
    expected : what should be there

    >>> str(DataError("a.gz", "magic number 7", "2051 (IDX images)"))
    'a.gz: found magic number 7; expected 2051 (IDX images)'
    """

    def __init__(self, path: str | os.PathLike[str], found: str, expected: str) -> None:
        self.path, self.found, self.expected = os.fspath(path), found, expected
        super().__init__(f"{printable(self.path)}: found {found}; expected {expected}")


class ImageError(DataError):
    """A file that is no image that can be read.

    Parameters
    ----------
    kind : "not an image", "empty", "truncated", "damaged", "too large", "unreadable" or
        "unsupported"
    """

    def __init__(
        self, path: str | os.PathLike[str], kind: str, found: str, expected: str = "an image"
    ) -> None:
        super().__init__(path, found, expected)
        self.kind = kind


class RecipeError(HandgradError):
    """A recipe, or a setting of it, that cannot be used."""


class NotFiniteError(HandgradError):
    """A loss or a step that is no longer a finite number: the training cannot go on.

    The network that was being trained still holds its last finite weights.

    Parameters
    ----------
    step : the updates made before it happened
    epoch : counted from 0
    what : which quantity, and its value
    """

    def __init__(self, step: int, epoch: int, what: str) -> None:
        self.step, self.epoch = step, epoch
        super().__init__(
            f"step {step} (epoch {epoch}): {what}; the training stopped there and kept the last "
            "finite weights. A smaller learning rate, or clip_norm in [optimizer], usually helps"
        )


def printable(text: str) -> str:
    """A file's name on one line: line ends and what would steer a terminal are written as escapes.

    >>> print(printable("two\\nlines"))
    two\\nlines
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def nearest(word: str, words: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the closest known one, and all of them.

    >>> nearest("unts", ["units", "weights"])
    "; did you mean 'units'? Known: units, weights"
    >>> nearest("x", ["units"])
    '; known: units'
    """
    known = sorted(words)
    close = difflib.get_close_matches(word, known, n=1)
    listed = ", ".join(known)
    return f"; did you mean {close[0]!r}? Known: {listed}" if close else f"; known: {listed}"
