"""Many images in a grid, each with a frame and lines of text, drawn in a single axes."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from handgrad.pictures.figure import Picture

__all__ = ["Framed", "Line", "framed"]

Line = tuple[str, str, str]
"""A line of text: what stands before a name, the name, which is shortened, and what comes after."""

# Dots, 100 an inch: the width of a place, the side of the image in it, the letters around it.
_WIDE, _IMAGE, _LINE, _EDGE = 160, 130, 14, 8
_LETTERS = 8.0  # points
_ROOM = 72 * (_WIDE - 8) / 100


@dataclass(frozen=True)
class Framed:
    """An image of the grid.

    Parameters
    ----------
    image : (H, W) or (H, W, 1 or 3), uint8, or float 0..1
    above : lines of text
    below : a line of text under it, shortened; "" for none
    colour, line : of its frame; the line is "-" or "--"
    """

    image: NDArray[Any]
    above: Sequence[Line]
    below: str = ""
    colour: str = "#6E6E6E"
    line: str = "-"


def framed(
    images: Sequence[Framed],
    *,
    columns: int | None = None,
    tallest: float = 1.5,
    fine: bool = False,
) -> Picture:
    """Draw images row by row.

    Small images are enlarged by a whole factor, so that pixels stay squares; large ones are
    reduced. An image is one embedded picture and no axes of its own, so that hundreds are drawn in
    a second or two.

    Parameters
    ----------
    images : at least one
    columns : images in a row; default: as many as there are rows
    tallest : every image gets the height that the tallest needs, up to so many times the width
    fine : show large images with all the detail that the printed size has; else half of it, so that
        a page with some such grids stays light
    """
    from matplotlib.collections import PolyCollection
    from matplotlib.image import AxesImage

    from handgrad.pictures.figure import Picture, house_style

    shape = max(place.image.shape[0] / place.image.shape[1] for place in images)
    box = (_IMAGE, max(4, round(_IMAGE * min(tallest, shape))))
    head = _LINE * max(len(place.above) for place in images) + 6
    foot = _LINE + 5 if any(place.below for place in images) else 0
    columns = min(columns or math.ceil(math.sqrt(len(images))), len(images))
    high = head + box[1] + foot + _EDGE
    width, height = columns * _WIDE, math.ceil(len(images) / columns) * high + _EDGE
    with house_style():
        figure = Picture(width / 100, height / 100)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set(xlim=(0, width), ylim=(height, 0))
        corners = []
        for i, place in enumerate(images):
            row, column = divmod(i, columns)
            pixels, factor = _sized(place.image, box, fine)
            h, w = factor * pixels.shape[0], factor * pixels.shape[1]
            left = column * _WIDE + (_WIDE - w) // 2
            top = row * high + _EDGE + head + (box[1] - h) // 2
            drawn = AxesImage(
                axes,
                cmap="gray",
                interpolation="none",  # an SVG then holds each pixel once
                extent=(left, left + w, top + h, top),
                origin="upper",
            )
            drawn.set_data(pixels)
            drawn.set_clim(0, 255 if pixels.dtype == np.uint8 else 1)
            axes.add_image(drawn)
            corners.append([(left, top), (left + w, top), (left + w, top + h), (left, top + h)])
            middle = (column + 0.5) * _WIDE
            for number, line in enumerate(reversed(place.above)):
                _write(axes, middle, top - 5 - number * _LINE, line, "bottom")
            if place.below:
                _write(axes, middle, top + h + 5, ("", place.below, ""), "top")
        frames = PolyCollection(
            corners,
            facecolors="none",
            edgecolors=[place.colour for place in images],
            linestyles=[place.line for place in images],
            linewidths=2.2,
        )
        axes.add_collection(frames, autolim=False)
    return figure


def _sized(image: NDArray[Any], box: tuple[int, int], fine: bool) -> tuple[NDArray[Any], int]:
    """The image as it is embedded, and how many dots wide each of its pixels is drawn."""
    plain: NDArray[Any] = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    h, w = plain.shape[:2]
    least = 1 if fine else 2
    scale = min(box[0] / w, box[1] / h) / least
    if scale >= 1:
        return plain, int(least * scale)
    size = max(1, round(scale * w)), max(1, round(scale * h))
    if plain.dtype != np.uint8:
        plain = np.rint(255 * plain).astype(np.uint8)
    return np.asarray(Image.fromarray(plain).resize(size, Image.Resampling.BOX)), least


def _write(axes: Any, x: float, y: float, line: Line, vertical: str) -> None:
    from handgrad.pictures.lettering import families

    text = _fitting(*line)
    axes.text(x, y, text, ha="center", va=vertical, fontsize=_LETTERS, fontfamily=families([text]))


@functools.lru_cache(maxsize=4096)
def _fitting(before: str, name: str, after: str) -> str:
    """A line that fits into its place: of its parts, only the name is shortened."""
    from handgrad.pictures.lettering import drawable, shortened, width

    room = _ROOM - width(before + after, _LETTERS)
    return before + shortened(drawable(name), lambda text: width(text, _LETTERS) <= room) + after
