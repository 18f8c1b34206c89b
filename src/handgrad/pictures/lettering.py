"""Letters that can be drawn: a font for every character, and a code where no font has it.

A class is named in any script, and a file may be called anything. matplotlib brings DejaVu Sans;
what it lacks is looked for among the installed fonts; what no font has is written as its code,
such as ``\\u732b``, so that two names never look alike because both are empty boxes.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable, Iterable
from pathlib import Path

import matplotlib
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.textpath import TextToPath

__all__ = ["BOLD", "FAMILY", "drawable", "families", "file_for", "shortened", "width"]

FAMILY = "DejaVu Sans"
_BUNDLED = Path(matplotlib.get_data_path())
REGULAR = str(_BUNDLED / "fonts" / "ttf" / "DejaVuSans.ttf")
BOLD = str(_BUNDLED / "fonts" / "ttf" / "DejaVuSans-Bold.ttf")


@functools.cache
def _characters(path: str) -> frozenset[int]:
    """The characters that a font file has; none when it cannot be read."""
    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


@functools.cache
def _installed() -> tuple[tuple[str, str], ...]:
    """Family and file of the upright installed fonts, in an order that stays.

    The fonts that matplotlib brings for formulas are left out (they have other signs in the place
    of letters), and so are the "last resort" fonts, which have a box for everything.
    """
    found = {
        (font.name, font.fname)
        for font in fontManager.ttflist
        if font.style == "normal"
        and font.weight in (400, "normal", "regular", "book")
        and not Path(font.fname).is_relative_to(_BUNDLED)
        and "lastresort" not in font.name.lower().replace(" ", "")
    }
    return tuple(sorted(found))


@functools.cache
def _font_with(character: str) -> tuple[str, str] | None:
    """Family and file of the first installed font that has a character."""
    for family, path in _installed():
        if ord(character) in _characters(path):
            return family, path
    return None


def _in_dejavu(character: str) -> bool:
    return ord(character) in _characters(REGULAR)


def families(texts: Iterable[str]) -> list[str]:
    """The font families that draw all these texts, DejaVu Sans first."""
    missing = {c for text in texts for c in drawable(text) if not _in_dejavu(c)}
    return [FAMILY, *sorted({font[0] for c in missing if (font := _font_with(c))})]


def file_for(text: str) -> str:
    """One font file for a text: bold DejaVu Sans, or the installed font that has most of the rest.

    Pillow draws a text with one font, so what the chosen one lacks needs `drawable` again.
    """
    missing = {c for c in text if ord(c) not in _characters(BOLD)}
    files = sorted({font[1] for c in missing if (font := _font_with(c))})
    return max([BOLD, *files], key=lambda path: sum(ord(c) in _characters(path) for c in text))


def drawable(text: str, path: str | None = None) -> str:
    """A text on one line, with the code of a character in the place of one that no font has.

    Parameters
    ----------
    text : any text; line breaks and tabs become spaces
    path : the one font file to draw with; default: all that are installed

    >>> drawable("a\\nb $x_1$ \\ue000")
    'a b $x_1$ \\\\ue000'
    """
    return "".join(
        c if _has(c, path) else c.encode("unicode_escape").decode("ascii")
        for c in " ".join(text.split())
    )


def _has(character: str, path: str | None) -> bool:
    if path is not None:
        return ord(character) in _characters(path)
    return _in_dejavu(character) or _font_with(character) is not None


def width(text: str, size: float) -> float:
    """How wide a text is when drawn by matplotlib, in points, as `size` is."""
    font = FontProperties(family=families([text]), size=size)
    return float(TextToPath().get_text_width_height_descent(text, font, ismath=False)[0])


def shortened(text: str, fits: Callable[[str], bool]) -> str:
    """A text with its middle left out until it fits: the start and the end tell names apart.

    Parameters
    ----------
    text : what `drawable` gave
    fits : whether there is room for a text; what is shorter fits better

    >>> shortened("airplane", lambda text: len(text) <= 8)
    'airplane'
    >>> shortened("airplane with four engines", lambda text: len(text) <= 9)
    'airp…ines'
    """
    if fits(text):
        return text

    def without(left_out: int) -> str:
        kept = len(text) - left_out
        return f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"

    least = bisect.bisect_left(range(len(text)), True, key=lambda n: fits(without(n)))
    return without(least)
