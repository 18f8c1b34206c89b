"""Why an image was called what it was: contributions, gradients and covered patches, as maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handgrad.errors import HandgradError
from handgrad.pictures.mosaic import shrunk
from handgrad.pictures.pixels import pixels

if TYPE_CHECKING:
    from handgrad.pictures.figure import Picture

__all__ = ["contributions", "occlusion", "saliency"]

# Inches: a map, the gap to the next, the margin, the rooms above and below.
_SIDE, _GAP, _EDGE, _ABOVE, _SCALE, _LINE = 2.3, 0.35, 0.12, 0.3, 0.55, 0.2
_MOST = 20_000  # pixels of one map

Panel = tuple[str, NDArray[np.float64], float, tuple[str, str]]
"""A title, a map, the largest value that its colours reach, and the words at the ends of it."""


def contributions(
    image: ArrayLike,
    weight_times_pixel: ArrayLike,
    answer: str,
    *,
    score: float | None = None,
    truth: str | None = None,
    linear: bool = True,
) -> Picture:
    """Draw what each pixel adds to the score of a class, beside the image.

    Parameters
    ----------
    image : (H, W, C) uint8, or float 0..1; C = 1 or 3
    weight_times_pixel : (H, W, C) float; the channels of a pixel are added up
    answer : the class whose score it is
    score : z, which the contributions sum to but for the rest, the offset b
    truth : the true class, if it is known
    linear : whether they are weight times pixel of a linear network, or of a deeper one gradient
        times pixel, which the title then says

    Returns
    -------
    figure : the image, and its contributions: warm speaks for the class, cold against it. Under
        them their sum

    Raises
    ------
    HandgradError : shapes that do not fit together; a contribution that is not finite
    """
    given, values = _checked("contributions", image, weight_times_pixel)
    adds = values.sum(axis=2)
    total = float(values.sum())
    plus, minus = float(adds[adds > 0].sum()), float(adds[adds < 0].sum())
    said = f"for {plus:+.3f}, against {minus:+.3f}: together {total:+.3f}"
    if score is not None:
        rest = "offset b" if linear else "rest"
        said += f"; {rest} {score - total:+.3f}; score z = {score:+.3f}"
    title = "weight x pixel" if linear else "gradient x pixel"
    from handgrad.pictures.cells import largest

    limit = largest([adds])
    ends = f"-{limit:.3g} against", f"for +{limit:.3g}"
    figure = _beside(given, [(title, adds, limit, ends)], _called(answer, truth), said)
    y, x = np.unravel_index(int(np.abs(adds).argmax()), adds.shape)
    figure.alt = (
        f"Contribution of each pixel to {answer}{_is(truth)}: {said}. "
        f"The largest is {adds[y, x]:+.3g}, in row {y}, column {x}."
    )
    figure.numbers = _rows(adds)
    return figure


def saliency(
    image: ArrayLike, gradient: ArrayLike, answer: str, *, truth: str | None = None
) -> Picture:
    """Draw how strongly the score of a class would change with each pixel, beside the image.

    Parameters
    ----------
    image : (H, W, C) uint8, or float 0..1; C = 1 or 3
    gradient : (H, W, C) float, of the score at the image
    answer : the class whose score it is
    truth : the true class, if it is known

    Returns
    -------
    figure : the image; the largest absolute gradient over the channels of each pixel, black to
        white; and their sum, warm where a lighter pixel raises the score, cold where it lowers it

    Raises
    ------
    HandgradError : shapes that do not fit together; a gradient that is not finite
    """
    given, values = _checked("saliency", image, gradient)
    strength, signed = np.abs(values).max(axis=2), values.sum(axis=2)
    from handgrad.pictures.cells import largest

    most, limit = largest([strength]), largest([signed])
    panels: list[Panel] = [
        ("how much it matters", strength, most, ("0", f"{most:.3g}")),
        ("lighter: raises or lowers", signed, limit, (f"-{limit:.3g}", f"+{limit:.3g}")),
    ]
    if given.shape[2] == 3:
        panels[0] = ("strongest channel", *panels[0][1:])
        panels[1] = ("sum of the channels", *panels[1][1:])
    figure = _beside(given, panels, _called(answer, truth), "", unsigned=1)
    y, x = np.unravel_index(int(strength.argmax()), strength.shape)
    figure.alt = (
        f"Gradient of the score of {answer}{_is(truth)} at each pixel. It is largest, "
        f"{strength[y, x]:.3g}, in row {y}, column {x}; on average {strength.mean():.3g}."
    )
    figure.numbers = _rows(signed)
    return figure


def occlusion(
    image: ArrayLike, drops: ArrayLike, answer: str, *, truth: str | None = None, patch: int = 0
) -> Picture:
    """Draw how much of its probability a class loses when a part of the image is covered.

    Parameters
    ----------
    image : (H, W, C) uint8, or float 0..1; C = 1 or 3
    drops : (H, W) float, -1..1, probability lost when a patch around each pixel is covered
    answer : the class whose probability it is
    truth : the true class, if it is known
    patch : pixels of a side of the patch, for the title; 0 to leave it out

    Returns
    -------
    figure : the image, and the map: warm where the class loses, cold where it gains, in percentage
        points

    Raises
    ------
    HandgradError : shapes that do not fit together; a drop outside -1..1, or not finite
    """
    given, values = _checked("occlusion", image, np.asarray(drops)[..., None])
    lost = 100 * values[..., 0]
    if np.abs(lost).max() > 100 + 1e-3:
        raise HandgradError(
            f"occlusion: found drops from {lost.min() / 100:g} to {lost.max() / 100:g}; "
            "expected -1..1, a difference of probabilities"
        )
    from handgrad.pictures.cells import largest

    limit = largest([lost])
    covered = f"covered, {patch}x{patch} at a time" if patch else "when covered"
    ends = f"gains {limit:.3g}", f"loses {limit:.3g}"
    words = "percentage points of its probability, by which part is covered"
    figure = _beside(given, [(covered, lost, limit, ends)], _called(answer, truth), words)
    y, x = np.unravel_index(int(lost.argmax()), lost.shape)
    figure.alt = (
        f"Probability that {answer}{_is(truth)} loses when a part of the image is covered: at most "
        f"{lost[y, x]:.1f} percentage points, around row {y}, column {x}."
    )
    if lost.min() < 0:
        y, x = np.unravel_index(int(lost.argmin()), lost.shape)
        figure.alt += f" It gains {-lost[y, x]:.1f} where row {y}, column {x} is covered."
    figure.numbers = _rows(lost)
    return figure


def _checked(
    what: str, image: ArrayLike, values: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The image in 0..1, and values for its pixels."""
    given = pixels(np.asarray(image)[None], what)[0]
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 3 or found.shape[:2] != given.shape[:2] or not found.shape[2]:
        raise HandgradError(
            f"{what}: found values of shape {found.shape}; expected {given.shape}, as the image"
        )
    if not np.isfinite(found).all():
        raise HandgradError(
            f"{what}: found {np.count_nonzero(~np.isfinite(found))} values that are not finite"
        )
    return given.astype(np.float64) / (255 if given.dtype == np.uint8 else 1), found


def _called(answer: str, truth: str | None) -> str:
    return answer if truth is None else f"{answer} (is {truth})"


def _is(truth: str | None) -> str:
    return "" if truth is None else f" (it is {truth})"


def _rows(values: NDArray[np.float64]) -> list[list[str]] | None:
    """A small map as rows of text."""
    if values.size > 1024:
        return None
    header = ["row", *(f"column {x}" for x in range(values.shape[1]))]
    return [header, *([str(y), *(f"{v:.6g}" for v in row)] for y, row in enumerate(values))]


def _beside(
    image: NDArray[np.float64],
    panels: list[Panel],
    name: str,
    words: str,
    unsigned: int = 0,
) -> Picture:
    """The image under its name and maps of the same size, each over its scale; words at the end.

    Parameters
    ----------
    unsigned : so many of the maps, the first ones, are never negative
    """
    from handgrad.pictures.cells import Sheet, greys, printed, signed
    from handgrad.pictures.figure import house_style

    H, W = image.shape[:2]
    wide, high = _SIDE * min(1, W / H), _SIDE * min(1, H / W)
    step = max(wide, 2.0) + _GAP
    width = step * (1 + len(panels)) - _GAP + 2 * _EDGE
    width = max(width, 0.072 * len(words) + 2 * _EDGE)
    with house_style():
        sheet = Sheet(width, _EDGE + _ABOVE + high + _SCALE + (_LINE if words else 0) + _EDGE)
        top = _EDGE + _ABOVE
        sheet.text(_EDGE, top - 0.13, name, room=step - 0.1)
        drawn = sheet.mosaic((_EDGE, top, wide, high), shrunk(image[None], _MOST)[0])
        assert drawn.axes is not None
        drawn.axes.spines[:].set_visible(True)
        for i, (title, values, limit, ends) in enumerate(panels):
            left = _EDGE + (i + 1) * step
            how = {"cmap": greys(), "vmin": 0.0, "vmax": limit} if i < unsigned else signed(limit)
            sheet.text(left, top - 0.13, title)
            shown = sheet.image((left, top, wide, high), shrunk(values[None], _MOST)[0], **how)
            texts = printed(values, wide / W) if values.size <= 150 and high / H >= 0.16 else None
            if texts:
                sheet.write(shown, texts)
            _scale(sheet, left, top + high + 0.14, how, ends)
        if words:
            sheet.text(_EDGE, top + high + _SCALE + 0.1, words)
    return sheet.figure


def _scale(sheet: Any, left: float, top: float, how: dict[str, Any], ends: tuple[str, str]) -> None:
    """A scale as wide as the words at its ends need, which stand within it, not around it."""
    from handgrad.pictures.cells import LETTERS

    low, high = how["vmin"], how["vmax"]
    sheet.image((left, top, 2.0, 0.09), np.linspace(low, high, 41)[None], **how)
    sheet.text(left, top + 0.19, ends[0], size=LETTERS)
    sheet.text(left + 2.0, top + 0.19, ends[1], ha="right")
