"""What a user can have done wrong, each with its sentence.

Everything that a user can mend is raised as a `HandgradError`; its text is one sentence that names
the file or the setting, what was found and what was expected. The command line prints it and ends
with exit code 2. Anything else that is raised is a fault of ours.
"""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

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
    """Something that the user can mend, said in one sentence.

    Attributes
    ----------
    everywhere : whether every rank of a training has met it, so that one of them tells it
    """

    everywhere = False


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
    """A loss, a gradient or a step that is no longer a finite number: the training cannot go on.

    The network that was being trained still holds its last finite weights.

    Parameters
    ----------
    step : the updates made before it happened
    epoch : counted from 0
    what : which quantity of the training, and its value
    where : what of the network was not finite first, such as "the output"
    layer : of which layer, such as "2 dense"; "" where it is of none
    largest : by name the largest absolute values of that batch
    rows : which samples of the batch were not finite first; empty where all were, or none
    hint : what usually helps

    Attributes
    ----------
    images : the places of the batch's images in the training part, where that is known
    files : their files, where they have any
    repeat : the seed, if it happened to a repeat of the training with another seed
    everywhere : true, since all ranks have the same loss and make the same step

    >>> error = NotFiniteError(12, 0, "the loss is nan", "the output", "2 dense", rows=(1,))
    >>> error.files = ("a.png", "b.png")
    >>> print(error)
    step 12 (epoch 0): the loss is nan; the training stopped there and kept the last finite \
weights. First not finite: the output of layer 2 dense. The batch: b.png first of 2 images. \
A smaller learning rate, or clip_norm in [optimizer], usually helps
    """

    everywhere = True
    SMALLER = "A smaller learning rate, or clip_norm in [optimizer], usually helps"
    NAMED = 5
    """So many files stand in the sentence; all are in `files`."""

    def __init__(
        self,
        step: int,
        epoch: int,
        what: str,
        where: str = "",
        layer: str = "",
        largest: Mapping[str, float] | None = None,
        rows: tuple[int, ...] = (),
        hint: str = SMALLER,
    ) -> None:
        super().__init__(step, epoch, what, where, layer, largest, rows, hint)
        self.step, self.epoch, self.what = step, epoch, what
        self.where, self.layer, self.rows, self.hint = where, layer, rows, hint
        self.largest = dict(largest or {})
        self.images: tuple[int, ...] = ()
        self.files: tuple[str, ...] = ()
        self.repeat: int | None = None

    def __str__(self) -> str:
        whose = "" if self.repeat is None else f" of the repeat with seed {self.repeat}"
        said = [
            f"step {self.step} (epoch {self.epoch}){whose}: {self.what}; the training stopped "
            "there and kept the last finite weights"
        ]
        if self.where:
            said.append(
                f"First not finite: {self.where}" + f" of layer {self.layer}" * bool(self.layer)
            )
        if self.largest:
            values = (f"{name} {value:.3g}" for name, value in self.largest.items())
            said.append(f"Largest absolute values: {', '.join(values)}")
        if self.files or self.images:
            said.append(self._batch())
        return ". ".join([*said, self.hint])

    def _batch(self) -> str:
        """Which images the batch held, the ones that were not finite first."""
        names = [printable(name) for name in self.files] or [f"image {i}" for i in self.images]
        shown = [names[row] for row in self.rows if row < len(names)] or names
        listed = ", ".join(shown[: self.NAMED])
        if len(shown) > self.NAMED:
            listed += f" and {len(shown) - self.NAMED:,} more"
        few = f" first of {len(names):,} images" if len(shown) < len(names) else ""
        return f"The batch: {listed}{few}"

    def table(self) -> dict[str, Any]:
        """As plain data, in which what is no finite number is a word."""
        return {
            "step": self.step,
            "epoch": self.epoch,
            "what": self.what,
            "where": self.where,
            "layer": self.layer,
            "largest": {
                name: value if math.isfinite(value) else str(value)
                for name, value in self.largest.items()
            },
            "rows": list(self.rows),
            "images": list(self.images),
            "files": list(self.files),
            "hint": self.hint,
        }


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
