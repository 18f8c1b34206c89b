"""What a network saw of its training images: each as prepared, then as every epoch showed it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from handgrad.errors import HandgradError
from handgrad.pictures.pixels import pixels, show

if TYPE_CHECKING:
    from handgrad.pictures.figure import Picture

__all__ = ["augmented"]

# Inches and points: an image, the gaps between them, the room for names and headings, the letters.
_IMAGE, _GAP, _APART, _NAMES, _ABOVE, _EDGE = 1.0, 0.08, 0.3, 1.15, 0.35, 0.12
_LETTERS = 8.0


def augmented(images: ArrayLike, drawn: ArrayLike, names: Sequence[str]) -> Picture:
    """Draw each image in a row: first as it was prepared, then as each epoch showed it.

    Parameters
    ----------
    images : (N, H, W, C) uint8, or float 0..1; C = 1 or 3
    drawn : (N, E, H, W, C) alike, for E epochs; NaN where an epoch left an image out
    names : N names, of the images' classes, in any script

    Returns
    -------
    figure : one axes an image, row by row

    Raises
    ------
    HandgradError : no images; shapes that do not fit together; values outside 0..1
    """
    prepared = pixels(images, "augmented")
    rows, *shape = prepared.shape
    shown = np.asarray(drawn)
    if not rows or shown.ndim != 5 or (shown.shape[0], *shown.shape[2:]) != (rows, *shape):
        raise HandgradError(
            f"augmented: found images of shape {prepared.shape} and draws of {shown.shape}; "
            "expected at least one image, and draws (N, E, H, W, C) of it"
        )
    if len(names) != rows:
        raise HandgradError(f"augmented: found {len(names)} names; expected {rows}, one an image")
    epochs = shown.shape[1]
    absent = np.isnan(shown).all(axis=(2, 3, 4))
    seen = pixels(
        np.where(absent[..., None, None, None], 0, shown).reshape(-1, *shape), "augmented"
    )
    seen = seen.reshape(shown.shape)

    from handgrad.pictures.figure import BLUE, Picture, house_style
    from handgrad.pictures.lettering import drawable, families, shortened, width

    high = _IMAGE * min(1.5, shape[0] / shape[1])
    wide = 2 * _EDGE + _NAMES + (epochs + 1) * (_IMAGE + _GAP) + _APART
    tall = 2 * _EDGE + _ABOVE + rows * (high + _GAP)
    with house_style():
        figure = Picture(wide, tall)
        for row, column in np.ndindex(rows, epochs + 1):
            left = _EDGE + _NAMES + column * (_IMAGE + _GAP) + (_APART if column else 0)
            bottom = tall - _EDGE - _ABOVE - row * (high + _GAP) - high
            axes = figure.add_axes((left / wide, bottom / tall, _IMAGE / wide, high / tall))
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(visible=True, color="#999999", linewidth=0.6)
            if not column:
                show(axes, prepared[row])
                axes.spines[:].set(color=BLUE, linewidth=1.8)
                name = shortened(
                    drawable(names[row]), lambda text: width(text, _LETTERS) <= 72 * _NAMES - 8
                )
                axes.set_ylabel(
                    name,
                    rotation=0,
                    ha="right",
                    va="center",
                    labelpad=5,
                    fontsize=_LETTERS,
                    fontfamily=families([name]),
                )
            elif absent[row, column - 1]:
                axes.grid(False)
                axes.set_facecolor("#F0F0F0")
                axes.text(
                    0.5,
                    0.5,
                    "left out",
                    ha="center",
                    va="center",
                    color="#555555",
                    fontsize=_LETTERS,
                    transform=axes.transAxes,
                )
            else:
                show(axes, seen[row, column - 1])
            if not row:
                heading = f"epoch {column}" if column else "prepared"
                axes.set_title(heading, fontsize=_LETTERS, pad=5)
        figure.alt = (
            f"{rows} images, a row each ({', '.join(names)}): first as it was prepared, then as "
            f"{epochs} epochs showed it to the network, moved or changed anew each time."
        )
    return figure
