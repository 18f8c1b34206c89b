"""A contact sheet: many photographs on one sheet, each with what a network says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from handgrad.errors import HandgradError
from handgrad.pictures.framed import Framed, framed
from handgrad.pictures.labelled import rgb
from handgrad.pictures.pixels import pixels

if TYPE_CHECKING:
    from handgrad.pictures.figure import Picture

__all__ = ["MOST_ON_A_SHEET", "contact_sheet", "thumbnail"]

MOST_ON_A_SHEET = 300
"""More would be an image that few programs like to open."""

_SIDE = 260  # twice what is drawn, so that the reduction is one of boxes of pixels


def contact_sheet(
    thumbnails: Sequence[NDArray[Any]],
    labels: Sequence[str],
    probabilities: Sequence[float],
    file_names: Sequence[str],
) -> Picture:
    """Draw photographs in a grid, each under its label and probability and over its name.

    Parameters
    ----------
    thumbnails : N of (H, W, 3) uint8, each of its own shape, which is kept: see `thumbnail`
    labels : N, in any script
    probabilities : N, 0..1
    file_names : N; shortened in the middle where they are long

    Returns
    -------
    figure : one axes, the images in it row by row

    Raises
    ------
    HandgradError : none or more than 300; counts that differ; no images
    """
    n = len(thumbnails)
    if not 1 <= n <= MOST_ON_A_SHEET:
        raise HandgradError(
            f"contact sheet: found {n} images; expected 1 to {MOST_ON_A_SHEET} on a sheet"
        )
    counts = len(labels), len(probabilities), len(file_names)
    if counts != (n, n, n):
        raise HandgradError(
            f"contact sheet: found {n} images and {', '.join(map(str, counts))} labels, "
            "probabilities and names; expected as many of each"
        )
    figure = framed(
        [
            Framed(
                pixels(np.asarray(image)[None], "contact sheet")[0],
                [("", label, f" {100 * probability:.1f} %")],
                name,
            )
            for image, label, probability, name in zip(
                thumbnails, labels, probabilities, file_names, strict=True
            )
        ],
        tallest=1.0,
        fine=True,
    )
    counted = sorted(set(labels), key=lambda label: (-labels.count(label), label))
    some = ", ".join(f"{labels.count(label)} {label}" for label in counted[:5])
    more = f" and {len(counted) - 5} classes more" if len(counted) > 5 else ""
    figure.alt = f"Contact sheet of {n} image{'s' if n > 1 else ''}: {some}{more}."
    figure.numbers = [
        ["image", "label", "probability"],
        *(
            [name, label, f"{probability:.6f}"]
            for name, label, probability in zip(file_names, labels, probabilities, strict=True)
        ),
    ]
    return figure


def thumbnail(image: Image.Image) -> NDArray[np.uint8]:
    """A photograph as a contact sheet needs it: (H, W, 3), upright, its larger side at most 260.

    Parameters
    ----------
    image : any size and mode, transparent on white; a JPEG that is not loaded yet is decoded at
        the lower detail that is asked for
    """
    image.draft("RGB", (2 * _SIDE, 2 * _SIDE))
    small = rgb(image)
    if max(small.size) > _SIDE:
        small = ImageOps.contain(small, (_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small)
