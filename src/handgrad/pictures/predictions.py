"""What a network said: images with their predictions, and how often which class was called what."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handgrad.errors import HandgradError
from handgrad.pictures.pixels import pixels, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confusion", "predictions"]

# Inches and points: one place of the grid, the image in it, and the letters around it.
_WIDE, _IMAGE, _ABOVE, _BELOW = 1.9, 1.55, 0.42, 0.28
_LETTERS = 8.0
_DARK = 0.715  # from this share on, white stands out from the blue more than black does
_NAME = 150.0  # points that a class name may take beside the confusion matrix


def predictions(
    images: ArrayLike,
    labels: ArrayLike | None,
    probabilities: ArrayLike,
    class_names: Sequence[str],
    most: int = 25,
    *,
    file_names: Sequence[str] | None = None,
) -> Figure:
    """Draw images in a grid, each under its prediction and probability, with the truth when wrong.

    A right one has a ✓ and a solid green frame, a wrong one a ✗ and a dashed orange frame: mark
    and line say it without the colour.

    Parameters
    ----------
    images : (N, H, W, C) uint8, or float 0..1; C = 1 or 3
    labels : (N,) int, the true class of each; None when unknown
    probabilities : (N, K) float
    class_names : K names, in any script
    most : draw only the first ``most`` images
    file_names : N names, drawn under the images

    Returns
    -------
    figure : one axes an image, row by row

    Raises
    ------
    HandgradError : no images; shapes that do not fit together; values outside 0..1; a label that
        is no class
    """
    pictures = pixels(images, "predictions")
    p = np.asarray(probabilities, dtype=np.float64)
    n = len(pictures)
    _expect("probabilities", p.shape, (n, len(class_names)))
    truth = None if labels is None else np.asarray(labels)
    if truth is not None:
        _expect("labels", truth.shape, (n,))
        if n and not (truth.min() >= 0 and truth.max() < len(class_names)):
            raise HandgradError(
                f"predictions: found labels {truth.min()}..{truth.max()}; "
                f"expected 0..{len(class_names) - 1}, one of {len(class_names)} classes"
            )
    if file_names is not None:
        _expect("file_names", (len(file_names),), (n,))
    shown = min(n, most)
    if shown < 1:
        raise HandgradError(f"predictions: found {n} images, {most} at most; expected at least 1")

    from handgrad.pictures.figure import Picture, house_style

    columns = math.ceil(math.sqrt(shown))
    rows = math.ceil(shown / columns)
    # A wide image has a lower place; a tall one is made narrower rather than the grid endless.
    image = _IMAGE * min(1.5, pictures.shape[1] / pictures.shape[2])
    high = _ABOVE + image + (_BELOW if file_names is not None else 0.1)
    width, height = columns * _WIDE, rows * high
    with house_style():
        figure = Picture(width, height)
        for i in range(shown):
            row, column = divmod(i, columns)
            left = column * _WIDE + (_WIDE - _IMAGE) / 2
            bottom = height - row * high - _ABOVE - image
            axes = figure.add_axes((left / width, bottom / height, _IMAGE / width, image / height))
            show(axes, pictures[i])
            _verdict(axes, class_names, p[i], None if truth is None else int(truth[i]))
            if file_names is not None:
                _write(axes.set_xlabel, _fitting("", file_names[i], ""), labelpad=3)
    return figure


def confusion(matrix: ArrayLike, class_names: Sequence[str]) -> Figure:
    """Draw how often each class was called what.

    The colour of a cell is its share of its row (of the samples that are of that class), so that a
    rare class is judged as a frequent one is; the number in it is the count. Beyond 20 classes a 0
    is left empty, and where a cell is too small to read, so is every other count.

    Parameters
    ----------
    matrix : (K, K) int; row i, column j: how often class i was called j
    class_names : K names, in any script

    Returns
    -------
    figure : the matrix in the first axes, the scale of the colours in the second

    Raises
    ------
    HandgradError : shapes that do not fit together; a negative count
    """
    counts = np.asarray(matrix)
    K = len(class_names)
    _expect("confusion matrix", counts.shape, (K, K))
    if K == 0 or counts.dtype.kind not in "iu" or counts.min() < 0:
        found = f"{counts.dtype} from {counts.min():g}" if K else "no classes"
        raise HandgradError(f"confusion matrix: found {found}; expected counts of 0 or more")
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    from handgrad.pictures.figure import Picture, house_style, roomy
    from handgrad.pictures.lettering import drawable, families, shortened, width

    # Inches. A cell has room for its count; beyond 30 inches the cells and letters get smaller.
    longest = max(len(str(count)) for count in counts.flat)
    cell = max(min(max(0.45, 0.1 * longest + 0.1), 30 / K), 1.6 / K)
    in_cells = min(9.0, 72 * cell / (0.7 * longest + 0.7))
    beside = min(9.0, 60 * cell)
    with house_style():
        names = [
            shortened(drawable(name), lambda text: width(text, beside) <= _NAME)
            for name in class_names
        ]
        room = max(width(name, beside) for name in names)
        side = cell * K + room / 72
        figure = Picture(side + 1.9, side + 0.9, layout=roomy())
        axes = figure.add_subplot()
        drawn = axes.imshow(share, "Blues", vmin=0, vmax=1)
        lettering: dict[str, Any] = {
            "fontfamily": families(names),
            "fontsize": beside,
        }
        slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(K), names, **lettering, **(slanted if room > 72 * cell - 4 else {}))
        axes.set_yticks(range(K), names, **lettering)
        axes.tick_params(length=0)
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("predicted")
        axes.set_ylabel("truth")
        if in_cells >= 3:
            _write_counts(axes, counts, share, in_cells)
        scale = figure.colorbar(drawn, shrink=min(1.0, 2.5 / side), ticks=[0, 0.5, 1])
        scale.ax.set_yticklabels(["0 %", "50 %", "100 %"])
        scale.set_label("share of the row")
        scale.outline.set_visible(False)
        figure.settle()
    return figure


def _write_counts(
    axes: Axes, counts: NDArray[Any], share: NDArray[np.float64], size: float
) -> None:
    for (i, j), count in np.ndenumerate(counts):
        if len(counts) > 20 and not count:
            continue
        ink = "white" if share[i, j] > _DARK else "black" if count else "#6E6E6E"
        text = axes.text(j, i, str(count), ha="center", va="center", color=ink, fontsize=size)
        text.set_in_layout(False)  # it lies inside; measuring thousands would take seconds


def _expect(what: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise HandgradError(f"{what}: found shape {found}; expected {expected}")


def _verdict(
    axes: Axes, class_names: Sequence[str], p: NDArray[np.float64], truth: int | None
) -> None:
    """The title and the frame of one image."""
    from handgrad.pictures.figure import BLUE, GREEN, ORANGE

    called = int(p.argmax())
    mark, colour, line = "", BLUE, "-"
    if truth is not None:
        mark, colour, line = ("✓ ", GREEN, "-") if called == truth else ("✗ ", ORANGE, "--")
    title = _fitting(mark, class_names[called], f" {100 * p[called]:.1f} %")
    if truth is not None and called != truth:
        title += "\n" + _fitting("is ", class_names[truth], "")
    _write(axes.set_title, title, pad=4, linespacing=1.25)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=colour, linewidth=2.5, linestyle=line)


def _fitting(before: str, name: str, after: str) -> str:
    """A line that fits into a place of the grid: of its parts, only the name is shortened."""
    from handgrad.pictures.lettering import drawable, shortened, width

    room = 72 * _WIDE - 8 - width(before + after, _LETTERS)
    return before + shortened(drawable(name), lambda text: width(text, _LETTERS) <= room) + after


def _write(setter: Callable[..., object], text: str, **options: float) -> None:
    """Set a title or a label in letters that its characters have."""
    from handgrad.pictures.lettering import families

    fonts = families(text.splitlines())
    setter(text, fontsize=_LETTERS, fontfamily=fonts, **options)
