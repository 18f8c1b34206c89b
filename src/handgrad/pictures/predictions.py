"""What a network said: images with their predictions, and how often which class was called what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handgrad.errors import HandgradError
from handgrad.pictures.framed import Framed, framed
from handgrad.pictures.pixels import pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from handgrad.pictures.figure import Picture

__all__ = ["confusion", "judged", "predictions", "table", "verdict"]

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
) -> Picture:
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
    figure : one axes, the images in it row by row; large ones are reduced

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
        _known("predictions", truth, len(class_names))
    if file_names is not None:
        _expect("file_names", (len(file_names),), (n,))
    shown = min(n, most)
    if shown < 1:
        raise HandgradError(f"predictions: found {n} images, {most} at most; expected at least 1")

    places = [
        verdict(
            pictures[i],
            class_names,
            p[i],
            None if truth is None else int(truth[i]),
            "" if file_names is None else file_names[i],
        )
        for i in range(shown)
    ]
    figure = framed(places)
    names = file_names or [f"{i}" for i in range(n)]
    called = p.argmax(axis=1)
    if truth is None:
        figure.alt = f"{_images(shown)} with what the network says of each."
    else:
        wrong = [i for i in range(shown) if called[i] != truth[i]]
        figure.alt = f"{_images(shown)}, {shown - len(wrong)} of them called right."
        figure.alt += _told(wrong, p, truth, class_names)
    figure.numbers = table(range(shown), p, truth, class_names, names)
    return figure


def verdict(
    image: NDArray[Any],
    class_names: Sequence[str],
    p: NDArray[np.float64],
    truth: int | None,
    below: str,
) -> Framed:
    """One image, its prediction, and how it is marked as right or wrong."""
    from handgrad.pictures.figure import BLUE, GREEN, ORANGE

    called = int(p.argmax())
    mark, colour, line = "", BLUE, "-"
    if truth is not None:
        mark, colour, line = ("✓ ", GREEN, "-") if called == truth else ("✗ ", ORANGE, "--")
    above = [(mark, class_names[called], f" {_percent(p[called])}")]
    if truth is not None and called != truth:
        above.append(("is ", class_names[truth], ""))
    return Framed(image, above, below, colour, line)


def table(
    places: Iterable[int],
    p: NDArray[np.float64],
    truth: NDArray[Any] | None,
    class_names: Sequence[str],
    names: Sequence[str],
) -> list[list[str]]:
    """Image, truth where it is known, prediction and probability: rows of text under a header."""
    rows = [["image", *(["truth"] if truth is not None else []), "prediction", "probability"]]
    for i in places:
        called = int(p[i].argmax())
        known = [class_names[int(truth[i])]] if truth is not None else []
        rows.append([names[i], *known, class_names[called], f"{p[i, called]:.6f}"])
    return rows


def judged(
    what: str, labels: ArrayLike, probabilities: ArrayLike, classes: int | None = None
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Labels and probabilities that fit together, or a sentence about what they are.

    Raises
    ------
    HandgradError : shapes that do not fit; a probability outside 0..1 or not finite; a label that
        is no class
    """
    truth, p = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    shape = (len(truth) if truth.ndim else 0, classes or (p.shape[1] if p.ndim == 2 else 1))
    _expect(f"{what}: probabilities", p.shape, shape)
    _expect(f"{what}: labels", truth.shape, shape[:1])
    lost = int((~np.isfinite(p)).any(axis=1).sum())
    if lost:
        raise HandgradError(
            f"{what}: found probabilities that are not finite, for {lost:,} of {len(p):,} images; "
            "expected 0..1"
        )
    if p.size and not (p.min() >= 0 and p.max() <= 1 + 1e-5):
        raise HandgradError(
            f"{what}: found probabilities from {p.min():g} to {p.max():g}; expected 0..1"
        )
    _known(what, truth, shape[1])
    return truth, np.minimum(p, 1)


def confusion(matrix: ArrayLike, class_names: Sequence[str]) -> Picture:
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
    figure.alt = _confused(counts, class_names)
    figure.numbers = _counted(counts, class_names)
    return figure


def _confused(counts: NDArray[Any], class_names: Sequence[str]) -> str:
    """The confusion matrix in words: how many are right, and what is taken for what."""
    words = (
        f"Confusion matrix of {len(counts):,} class{'es' if len(counts) > 1 else ''}: "
        f"{int(counts.trace()):,} of {int(counts.sum()):,} right."
    )
    wrong = counts - np.diag(counts.diagonal())
    i, j = divmod(int(wrong.argmax()), len(wrong))
    if n := int(wrong[i, j]):
        times = "once" if n == 1 else f"{n:,} times"
        words += f" Most often {class_names[i]} was called {class_names[j]}, {times}."
    return words


def _counted(counts: NDArray[Any], class_names: Sequence[str]) -> list[list[str]]:
    """The matrix as rows of text; beyond 20 classes what is confused, the most frequent first."""
    if len(counts) <= 20:
        rows = zip(class_names, counts, strict=True)
        return [
            ["truth \\ predicted", *class_names],
            *([name, *map(str, row.tolist())] for name, row in rows),
        ]
    wrong = counts - np.diag(counts.diagonal())
    pairs = [divmod(int(at), len(wrong)) for at in np.argsort(-wrong, axis=None, kind="stable")]
    return [
        ["truth", "predicted", "count"],
        *(
            [class_names[i], class_names[j], str(wrong[i, j])]
            for i, j in pairs[:100]
            if wrong[i, j]
        ),
    ]


def _write_counts(
    axes: Axes, counts: NDArray[Any], share: NDArray[np.float64], size: float
) -> None:
    for (i, j), count in np.ndenumerate(counts):
        if len(counts) > 20 and not count:
            continue
        ink = "white" if share[i, j] > _DARK else "#050505" if count else "#707070"
        text = axes.text(j, i, str(count), ha="center", va="center", color=ink, fontsize=size)
        text.set_in_layout(False)  # it lies inside; measuring thousands would take seconds


def _expect(what: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise HandgradError(f"{what}: found shape {found}; expected {expected}")


def _known(what: str, labels: NDArray[Any], classes: int) -> None:
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise HandgradError(
            f"{what}: found labels {labels.min()}..{labels.max()}; "
            f"expected 0..{classes - 1}, one of {classes} classes"
        )


def _images(n: int) -> str:
    return "1 image" if n == 1 else f"{n:,} images"


def _told(
    wrong: Sequence[int],
    p: NDArray[np.float64],
    truth: NDArray[Any],
    class_names: Sequence[str],
) -> str:
    """The first wrong ones, in words."""
    some = [
        f"{class_names[int(truth[i])]} called {class_names[int(p[i].argmax())]} "
        f"with {_percent(p[i].max())}"
        for i in wrong[:3]
    ]
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return f" Wrong: {'; '.join(some)}{more}." if wrong else ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
