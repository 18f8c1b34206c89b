"""A figure whose parts stand at given inches: matrices as cells, a scale, and letters.

Imports matplotlib at its top, so the drawing functions import this module when they are called.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap
from matplotlib.image import AxesImage
from matplotlib.text import Text
from numpy.typing import NDArray

from handgrad.pictures.figure import Picture
from handgrad.pictures.lettering import drawable, families, shortened, width

__all__ = ["LETTERS", "Sheet", "diverging", "greys", "ink", "largest", "printed", "signed"]

LETTERS = 8.0
"""Points."""

_DIGIT = 0.64  # of the size: how wide a digit is
_FRAME = "#9A9A9A"
_LEVELS = 41  # odd, so that 0 has one of its own


@functools.cache
def diverging() -> Colormap:
    """Warm for positive, cold for negative, white for 0; what is no number is left out.

    In few colours, so that an image in a page takes half the room.
    """
    return matplotlib.colormaps["RdBu_r"].resampled(_LEVELS)


@functools.cache
def greys() -> Colormap:
    """Black for 0, white for the most, as the images themselves."""
    return matplotlib.colormaps["gray"].resampled(_LEVELS)


def largest(arrays: Sequence[NDArray[Any]]) -> float:
    """The largest absolute value of what is finite; 1 where all are 0, so that it can divide."""
    found = max((float(np.abs(a[np.isfinite(a)]).max(initial=0)) for a in arrays), default=0.0)
    return found or 1.0


def signed(most: float) -> dict[str, Any]:
    """How values with a sign are drawn: for `Axes.imshow`."""
    return {"cmap": diverging(), "vmin": -most, "vmax": most}


def ink(ground: Sequence[float]) -> str:
    """The colour of letters that can be read on a colour, (r, g, b, …) in 0..1.

    Nearly black, not black: a page turns black into its own ink, which may be white.
    """
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in ground[:3])
    return "#111111" if 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.184 else "#FFFFFF"


def printed(values: NDArray[Any], room: float, size: float = LETTERS) -> list[str] | None:
    """All values as text with as many decimals (2 at most) as fit; None where they do not.

    Parameters
    ----------
    values : of any shape
    room : inches that one of them has

    >>> printed(np.array([[0.5, -1.0]]), 0.5), printed(np.array([1, 0]), 0.2)
    (['0.50', '-1.00'], ['1', '0'])
    >>> printed(np.array([1234.5]), 0.2) is None
    True
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    most = int((72 * room - 2) / (_DIGIT * size))
    whole = bool(np.all(flat == np.round(flat)))
    for decimals in (0,) if whole else (2, 1):
        # Adding 0 makes a 0 of the -0 that rounding leaves.
        texts = [f"{np.round(value, decimals) + 0.0:.{decimals}f}" for value in flat]
        if max(map(len, texts), default=0) <= most:
            return texts
    return None


class Sheet:
    """A figure that is filled from its upper left corner, in inches.

    Parameters
    ----------
    width, height : inches
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Picture(width, height)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes without ticks or grid, in a thin frame that is seen on any paper."""
        bottom = self.height - top - height
        place = left / self.width, bottom / self.height, width / self.width, height / self.height
        axes = self.figure.add_axes(place)
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        axes.patch.set_visible(False)
        axes.spines[:].set(visible=True, color=_FRAME, linewidth=0.7)
        return axes

    def image(
        self, at: tuple[float, float, float, float], values: NDArray[Any], **how: Any
    ) -> AxesImage:
        """An array as it is, a square or oblong of one colour a value.

        Parameters
        ----------
        at : left, top, width, height
        """
        # "none" leaves the pixels to whoever shows the file, which then holds each of them once.
        return self.axes(*at).imshow(values, aspect="auto", interpolation="none", **how)

    def mosaic(
        self, at: tuple[float, float, float, float], whole: NDArray[Any], **how: Any
    ) -> AxesImage:
        """A mosaic, whose gaps show the paper and which has no frame.

        Parameters
        ----------
        whole : (h, w) float, or (h, w, 1 or 3) in 0..1, drawn as it is
        """
        if whole.ndim == 3:
            there = np.isfinite(whole[..., :1])
            colours = np.broadcast_to(np.where(there, whole, 0), (*whole.shape[:2], 3))
            if (colours[..., :1] == colours).all():  # one number a pixel, and so a smaller file
                whole, how = whole[..., 0], {"cmap": "gray", "vmin": 0, "vmax": 1}
            else:
                whole = np.concatenate([colours, there], axis=2)
        drawn = self.image(at, whole, **how)
        axes = drawn.axes
        assert axes is not None
        axes.spines[:].set_visible(False)
        return drawn

    def frames(
        self, drawn: AxesImage, corners: Sequence[tuple[float, float]], wide: float, high: float
    ) -> None:
        """A thin frame around each image of a mosaic, which may be as white as the paper.

        Parameters
        ----------
        corners : (x, y) of the upper left ones, in pixels of the mosaic
        """
        outlines = [
            [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high), (x, y)] for x, y in corners
        ]
        axes = drawn.axes
        assert axes is not None
        lines = LineCollection(outlines, colors=_FRAME, linewidths=0.5, clip_on=False)
        axes.add_collection(lines, autolim=False)

    def write(self, drawn: AxesImage, texts: Sequence[str], size: float = LETTERS) -> None:
        """A text into each cell of an image, row by row, in an ink that can be read there."""
        array, axes = drawn.get_array(), drawn.axes
        assert array is not None
        assert axes is not None
        values = np.ma.getdata(array)
        colours = drawn.to_rgba(values).reshape(-1, 4)
        empty = ~np.isfinite(values).ravel()
        columns = values.shape[1]
        for i, text in enumerate(texts):
            letters = axes.text(
                i % columns,
                i // columns,
                text,
                ha="center",
                va="center_baseline",
                fontsize=size,
                color="#555555" if empty[i] else ink(colours[i]),
            )
            letters.set_in_layout(False)  # it lies inside; measuring hundreds would take long

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = LETTERS,
        room: float | None = None,
        **how: Any,
    ) -> Text:
        """Words at a place, in letters that they have.

        Parameters
        ----------
        y : of the middle of the line
        room : inches; a longer text is shortened
        """
        shown = drawable(text)
        if room is not None:
            # A text of ever fewer letters; measured only where it may be too long.
            shown = shortened(shown, lambda part: width(part, size) <= 72 * room)
        return self.figure.text(
            x / self.width,
            1 - y / self.height,
            shown,
            fontsize=size,
            fontfamily=families([shown]),
            **{"va": "center_baseline", **how},
        )

    def scale(
        self, left: float, top: float, width: float, how: dict[str, Any], ends: tuple[str, str]
    ) -> None:
        """What the colours mean: from the least to the most, with 0 where it lies within."""
        low, high = how["vmin"], how["vmax"]
        self.image((left, top, width, 0.09), np.linspace(low, high, _LEVELS)[None], **how)
        words = [(left, ends[0], "left"), (left + width, ends[1], "right")]
        if low < 0 < high:
            words.append((left + width * -low / (high - low), "0", "center"))
        for x, word, ha in words:
            self.text(x, top + 0.19, word, ha=ha)
