"""The images that say most about a classifier: the most wrong, the least sure, the most typical."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from handgrad.errors import HandgradError, nearest
from handgrad.pictures.framed import framed
from handgrad.pictures.pixels import pixels
from handgrad.pictures.predictions import judged, table, verdict
from handgrad.training.ranking import least_sure, most_typical, most_wrong

if TYPE_CHECKING:
    from handgrad.pictures.figure import Picture

__all__ = ["Kind", "gallery"]

Kind = Literal["most wrong", "least sure", "most typical"]

_CHOICES = {"most wrong": most_wrong, "least sure": least_sure, "most typical": most_typical}


def gallery(
    images: ArrayLike,
    labels: ArrayLike,
    probabilities: ArrayLike,
    class_names: Sequence[str],
    kind: Kind,
    *,
    file_names: Sequence[str] | None = None,
    most: int = 20,
) -> Picture:
    """Draw the images that a network is most wrong about, least sure of, or finds most typical.

    - "most wrong": wrong ones, the largest probability first;
    - "least sure": the smallest gap between the first and the second class first, right or wrong;
    - "most typical": class by class, right ones with the largest probability.

    Equals are in the order in which they are given. Each has its prediction and probability above
    it, and the truth where that is another; below is its file name, or its place in the set.

    Parameters
    ----------
    images : (N, H, W, C) uint8, or float 0..1; C = 1 or 3
    labels : (N,) int, the true classes
    probabilities : (N, K) float
    class_names : K names, in any script
    kind : which of the three
    file_names : N names
    most : draw so many at most

    Returns
    -------
    figure : one axes, the images in it row by row; a sentence where there is none to show

    Raises
    ------
    HandgradError : shapes that do not fit together; probabilities outside 0..1 or not finite; a
        label that is no class; another kind
    """
    if kind not in _CHOICES:
        raise HandgradError(f"gallery {kind!r} is unknown{nearest(kind, _CHOICES)}")
    what = f"gallery of the {kind}"
    truth, p = judged(what, labels, probabilities, len(class_names))
    given: Any = images if hasattr(images, "shape") else np.asarray(images)
    names = file_names or [f"{i}" for i in range(len(truth))]
    if len(given) != len(truth) or len(names) != len(truth) or most < 1:
        raise HandgradError(
            f"{what}: found {len(given)} images, {len(names)} names and {len(truth)} labels, "
            f"{most} at most; expected as many of each, and at least 1"
        )
    chosen = _CHOICES[kind](p, truth, most)
    if not len(chosen):
        which = "wrong" if kind == "most wrong" else "right"
        return _nothing(f"None of {len(truth):,} images is called {which}.")
    shown = pixels(given[chosen], what)
    figure = framed(
        [
            verdict(image, class_names, p[i], int(truth[i]), names[i])
            for image, i in zip(shown, chosen, strict=True)
        ],
        columns=5,
    )
    figure.alt = _words(kind, len(chosen), len(truth), _first(chosen[0], p, truth, class_names))
    figure.numbers = table(chosen.tolist(), p, truth, class_names, names)
    return figure


def _words(kind: Kind, shown: int, n: int, first: str) -> str:
    many = f"{shown} image{'s' if shown > 1 else ''}"
    if kind == "most wrong":
        return f"The {many} of {n:,} that the network is most wrong about; first {first}."
    if kind == "least sure":
        return f"The {many} of {n:,} that the network is least sure of; first {first}."
    return f"The {many} of {n:,} most typical of their classes to the network; first {first}."


def _first(i: int, p: np.ndarray, truth: np.ndarray, class_names: Sequence[str]) -> str:
    called, real = class_names[int(p[i].argmax())], class_names[int(truth[i])]
    sure = f"{100 * p[i].max():.1f} %"
    if called == real:
        return f"{real}, rightly called so with {sure}"
    return f"{real}, called {called} with {sure}"


def _nothing(words: str) -> Picture:
    from handgrad.pictures.figure import Picture, house_style

    with house_style():
        figure = Picture(5, 0.6)
        figure.text(0.5, 0.5, words, ha="center", va="center", fontsize=10)
    figure.alt = words
    return figure
