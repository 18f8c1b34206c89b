"""A network beside the simplest answers that there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from handgrad.errors import HandgradError
from handgrad.training.metrics import wilson_interval

if TYPE_CHECKING:
    from handgrad.pictures.figure import Picture

__all__ = ["scoreboard"]

_NAME = 170.0  # points that a name may take
_LETTERS = 9.0

Row = tuple[str, int, int]


def scoreboard(rows: Sequence[Row]) -> Picture:
    """Draw accuracies with their 95 % Wilson intervals, the network's above its baselines'.

    An accuracy says something only beside what is reached without learning: where 95 of 100 images
    are of one class, always naming that class is right in 95 %. The network's interval is shaded
    over all rows: a baseline that lies in it may be as good.

    Parameters
    ----------
    rows : (name, how many are right, of how many) each, the network first

    Returns
    -------
    figure : one axes, a row each, from the top

    Raises
    ------
    HandgradError : no rows; more right than there are
    """
    for name, correct, n in rows:
        if not 0 <= correct <= n or n < 1:
            raise HandgradError(
                f"scoreboard: found {correct} of {n} right for {name!r}; expected 0 to n of at "
                "least 1"
            )
    if not rows:
        raise HandgradError("scoreboard: found no rows; expected at least the network's")
    intervals = [wilson_interval(correct, n) for _, correct, n in rows]

    from matplotlib.ticker import FuncFormatter, MultipleLocator

    from handgrad.pictures.figure import BLUE, Picture, house_style, roomy
    from handgrad.pictures.lettering import drawable, families, shortened, width

    with house_style():
        figure = Picture(7.0, 0.42 * len(rows) + 0.9, layout=roomy())
        axes = figure.add_subplot()
        axes.axvspan(*intervals[0], color=BLUE, alpha=0.13, linewidth=0)
        for place, ((_, correct, n), (low, high)) in enumerate(zip(rows, intervals, strict=True)):
            own, share = place == 0, correct / n
            axes.errorbar(
                [share],
                [place],
                xerr=[[max(share - low, 0)], [max(high - share, 0)]],
                fmt="o" if own else "s",
                color=BLUE if own else "#6E6E6E",
                markersize=8 if own else 6,
                linewidth=2,
            )
            axes.annotate(
                _figures(correct, n, low, high),
                (1, place),
                xytext=(10, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                fontsize=_LETTERS,
                fontweight="bold" if own else "normal",
                annotation_clip=False,
            )
        names = [
            shortened(drawable(name), lambda text: width(text, _LETTERS) <= _NAME)
            for name, _, _ in rows
        ]
        axes.set_yticks(range(len(rows)), names, fontsize=_LETTERS, fontfamily=families(names))
        axes.tick_params(axis="y", length=0, pad=9)
        axes.set(xlim=(0, 1.0), ylim=(len(rows) - 0.4, -0.6), xlabel="accuracy, with 95 % interval")
        # A point at 0 or 1 is drawn whole.
        for line in axes.get_lines():
            line.set_clip_on(False)
        axes.xaxis.set_major_locator(MultipleLocator(0.2))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
        axes.grid(visible=False, axis="y")
        figure.settle()
    figure.alt = _words(rows, intervals)
    figure.numbers = [
        ["name", "right", "of", "accuracy", "low", "high"],
        *(
            [name, str(correct), str(n), f"{correct / n:.4f}", f"{low:.4f}", f"{high:.4f}"]
            for (name, correct, n), (low, high) in zip(rows, intervals, strict=True)
        ),
    ]
    return figure


def _figures(correct: int, n: int, low: float, high: float) -> str:
    return f"{100 * correct / n:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _words(rows: Sequence[Row], intervals: Sequence[tuple[float, float]]) -> str:
    (name, correct, n), *others = rows
    low, high = intervals[0]
    words = (
        f"{name}: {correct:,} of {n:,} right, {100 * correct / n:.1f} % "
        f"(95 % interval {100 * low:.1f} to {100 * high:.1f} %)."
    )
    if not others:
        return words
    beside = list(zip(others, intervals[1:], strict=True))
    above = [row[0] for row, (_, end) in beside if end < low]
    below = [row[0] for row, (begin, _) in beside if begin > high]
    within = [row[0] for row, _ in beside if row[0] not in above + below]
    if len(above) == len(others):
        (best, right, of), _ = max(beside, key=lambda each: each[0][1] / each[0][2])
        share = f"{100 * right / of:.1f} %"
        if len(others) == 1:
            return f"{words} Its interval lies above the baseline's, {best} with {share}."
        return f"{words} Its interval lies above all baselines'; the best is {best} with {share}."
    parts = [
        f"{verb} that of {_listed(names)}"
        for verb, names in (("lies below", below), ("overlaps", within), ("lies above", above))
        if names
    ]
    return f"{words} Its interval {', and '.join(parts)}."


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
