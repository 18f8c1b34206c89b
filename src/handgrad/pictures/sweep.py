"""Many trainings with different settings: which settings went with which accuracy."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from handgrad.errors import HandgradError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from handgrad.pictures.figure import Picture

__all__ = ["sweep_picture"]

_MOST = 8  # settings that have an axis
_TICKS = 6  # values that are written at an axis
_LOG = 20.0  # from the smallest to the largest, from which factors say more than distances
_NAMED = 30  # words that can be told apart on an axis
_ABREAST = 8  # words that stand side by side
_GREY = "#6E6E6E"


@dataclass(frozen=True)
class _Axis:
    """A setting's values as heights between 0 and 1."""

    name: str
    values: tuple[Any, ...]

    @cached_property
    def numbers(self) -> bool:
        """Whether distances between the values mean something."""
        return all(
            isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)
            for v in self.values
        )

    @cached_property
    def log(self) -> bool:
        return self.numbers and min(self.values) > 0 and max(self.values) > _LOG * min(self.values)

    @cached_property
    def different(self) -> list[Any]:
        """The values, each once: numbers rising, words in the order in which they came."""
        once = list({_word(v): v for v in self.values}.values())
        return sorted(once) if self.numbers else once

    def height(self, value: Any) -> float:
        """Where a value stands."""
        if not self.numbers:
            words = [_word(v) for v in self.different]
            return 0.5 if len(words) == 1 else words.index(_word(value)) / (len(words) - 1)
        low, high = self.different[0], self.different[-1]
        if low == high:
            return 0.5
        if self.log:
            return math.log(value / low) / math.log(high / low)
        return float((value - low) / (high - low))

    def ticks(self) -> list[Any]:
        """The values that are written: all, or some of them, no two on one place."""
        shown: list[Any] = []
        for value in self.different:
            apart = 0.9 / _TICKS if self.numbers else 0.9 / _NAMED
            if not shown or self.height(value) - self.height(shown[-1]) >= apart:
                shown.append(value)
        last = self.different[-1]
        if self.numbers and shown[-1] != last:  # the end is written rather than its neighbour
            shown[-1 if len(shown) > 1 else len(shown) :] = [last]
        return shown


def sweep_picture(
    settings: Mapping[str, Sequence[Any]], accuracies: Sequence[float], winner: int
) -> Picture:
    """Draw trials by their settings and their validation accuracy.

    For one setting, value against accuracy, a dot a trial, and a line through the means where the
    values are numbers. For several, parallel coordinates: an upright axis for each, the last one
    the accuracy, and a line a trial, darker where it is more accurate. The winner is orange.

    Parameters
    ----------
    settings : by name, the value in each of N trials; one that never changes is left out, and of
        more than eight that do, those that come later
    accuracies : (N,) float, 0..1
    winner : its place among the N

    Returns
    -------
    figure : one axes

    Raises
    ------
    HandgradError : fewer than two trials; sequences of other lengths; an accuracy outside of 0..1
    """
    N = len(accuracies)
    if N < 2 or any(len(values) != N for values in settings.values()) or not 0 <= winner < N:
        raise HandgradError(
            f"sweep: found {N} accuracies, winner {winner} and "
            f"{', '.join(f'{len(v)} values of {name}' for name, v in settings.items())}; expected "
            "as many of each, at least 2"
        )
    wrong = next((share for share in accuracies if not 0 <= share <= 1), None)
    if wrong is not None:
        raise HandgradError(f"sweep: found an accuracy of {wrong}; expected 0..1")
    every = [_Axis(name, tuple(values)) for name, values in settings.items()]
    axes = [axis for axis in every if len(axis.different) > 1] or every[:1]
    if not axes:
        raise HandgradError("sweep: found no settings; expected at least one")
    from handgrad.pictures.figure import house_style

    with house_style():
        if len(axes) == 1:
            figure = _against(axes[0], accuracies, winner)
        else:
            figure = _parallel(axes[:_MOST], accuracies, winner)
        figure.settle()
    how = ", ".join(f"{axis.name} {_word(axis.values[winner])}" for axis in axes)
    figure.alt = (
        f"Validation accuracy of {N:,} trials, from {min(accuracies):.2%} to "
        f"{max(accuracies):.2%}; the winner, with {accuracies[winner]:.2%}, has {how}."
    )
    figure.numbers = [["trial", *(axis.name for axis in axes), "validation accuracy"]]
    figure.numbers += [
        [str(i + 1), *(_word(axis.values[i]) for axis in axes), f"{accuracies[i]:.4f}"]
        for i in range(N)
    ]
    return figure


def _against(axis: _Axis, accuracies: Sequence[float], winner: int) -> Picture:
    """Value against accuracy."""
    from handgrad.pictures.figure import BLUE, ORANGE, Picture, roomy

    figure = Picture(7.0, 4.2, layout=roomy())
    axes = figure.add_subplot()
    x = [axis.height(value) for value in axis.values]
    if axis.numbers:
        means = [
            (axis.height(value), sum(found) / len(found))
            for value in axis.different
            if (found := [a for v, a in zip(axis.values, accuracies, strict=True) if v == value])
        ]
        axes.plot(*zip(*means, strict=True), color=BLUE, linewidth=1.2, alpha=0.6)
    axes.scatter(x, accuracies, 40, color=BLUE, linewidths=0, zorder=2)
    axes.scatter([x[winner]], [accuracies[winner]], 110, color=ORANGE, linewidths=0, zorder=3,
                 marker="D", label=f"winner: {100 * accuracies[winner]:.2f} %")  # fmt: skip
    shown = axis.ticks()
    shown = shown[:: math.ceil(len(shown) / _ABREAST)]
    names = _short(shown, 360 / len(shown))
    axes.set_xticks([axis.height(value) for value in shown], names, fontfamily=_families(names))
    axes.set_xlim(-0.06, 1.06)
    axes.set_xlabel(_short([axis.name], 500)[0] + " (logarithmic)" * axis.log)
    _percent(axes)
    axes.set_ylabel("validation accuracy")
    axes.legend(frameon=False, loc="best")
    return figure


def _percent(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.margins(y=0.12)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.6g} %"))


def _parallel(columns: list[_Axis], accuracies: Sequence[float], winner: int) -> Picture:
    """Parallel coordinates."""
    from matplotlib import colormaps

    from handgrad.pictures.figure import ORANGE, Picture, roomy

    columns = [*columns, _Axis("validation.accuracy", tuple(accuracies))]
    each = 160.0 if len(columns) < 7 else 130.0  # dots
    figure = Picture(max(7.0, each * len(columns) / 100), 4.6, layout=roomy())
    axes = figure.add_subplot()
    heights = [[column.height(v[i]) for column in columns for v in [column.values]]
               for i in range(len(accuracies))]  # fmt: skip
    # The best last, so that it lies above; pale enough at the lower end to stay in the background.
    colours = colormaps["viridis_r"]
    for i in sorted(range(len(accuracies)), key=lambda i: (i == winner, accuracies[i])):
        own = i == winner
        axes.plot(
            range(len(columns)),
            heights[i],
            color=ORANGE if own else colours(0.08 + 0.92 * heights[i][-1]),
            linewidth=3 if own else 1.3,
            alpha=1 if own else 0.75,
            solid_joinstyle="round",
            label=f"winner: {100 * accuracies[winner]:.2f} %" if own else None,
        )
    for place, column in enumerate(columns):
        axes.plot([place, place], [0, 1], color="black", linewidth=1)
        last = place == len(columns) - 1
        shown = column.ticks()
        names = [f"{100 * v:.2f} %" for v in shown] if last else _short(shown, 0.55 * each)
        for value, name in zip(shown, names, strict=True):
            axes.annotate(
                name, (place, column.height(value)), xytext=(5, 0), textcoords="offset points",
                va="center", fontsize=8, fontfamily=_families([name]),
                bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.8,
                      "linewidth": 0},
            )  # fmt: skip
        parent, _, end = column.name.rpartition(".")
        for word, up, colour in ((parent, 27, _GREY), (end, 14, "black")):
            title = _short([word], 0.62 * each)
            axes.annotate(
                title[0], (place, 1), xytext=(0, up), textcoords="offset points", ha="center",
                fontsize=9, color=colour, fontfamily=_families(title),
            )  # fmt: skip
        if column.log:
            axes.annotate("logarithmic", (place, 0), xytext=(0, -16), textcoords="offset points",
                          ha="center", fontsize=7, color=_GREY)  # fmt: skip
    axes.set(xlim=(-0.3, len(columns) - 0.4), ylim=(-0.1, 1.17))
    axes.set_axis_off()
    figure.legend(loc="outside lower center", frameon=False)
    return figure


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None else json.dumps(value)


def _short(values: Sequence[Any], room: float) -> list[str]:
    from handgrad.pictures.lettering import drawable, shortened, width

    return [shortened(drawable(_word(v)), lambda text: width(text, 9) <= room) for v in values]


def _families(names: list[str]) -> list[str]:
    from handgrad.pictures.lettering import families

    return families(names)
