"""How a training went: cost and accuracy, step by step or epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from handgrad.errors import HandgradError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from handgrad.pictures.figure import Picture

__all__ = ["accuracy_curve", "cost_curve"]

Unit = Literal["step", "epoch"]
Series = Sequence[float | None]

# Colour, line and mark all differ, so that the curves are told apart in grey print too.
_PLACES = {"train": 0, "validation": 1, "test": 2}
_LINES = ("-", "--", "-.", ":")
_MARKS = ("o", "s", "^", "D", "v", "P", "X")
_MARKED = 40  # up to this many points, each gets a mark


@dataclass(frozen=True)
class _Curve:
    """The finite points of one curve, and how many of its values are not finite."""

    name: str
    points: list[tuple[float, float]]
    lost: int


def cost_curve(
    steps: Sequence[float],
    loss: Series,
    validation_loss: Series | None = None,
    *,
    log: bool = False,
    unit: Unit = "step",
) -> Picture:
    """Draw the loss that is descended, and the one on data that was not trained on.

    Parameters
    ----------
    steps : (n,) the steps or epochs at which something was measured
    loss : (n,) float, None where it was not measured
    validation_loss : (n,) float, None where it was not measured
    log : a logarithmic axis for the loss; values of 0 and below are then left out
    unit : what ``steps`` counts

    Returns
    -------
    figure : one axes; values that are not finite are left out and counted in the legend

    Raises
    ------
    HandgradError : nothing to draw; a sequence of another length
    """
    series = {"train": loss}
    if validation_loss is not None:
        series["validation"] = validation_loss
    curves = _measured("cost curve", steps, series)
    if log and not any(value > 0 for curve in curves for _, value in curve.points):
        raise HandgradError(
            "cost curve: found no loss above 0; expected at least one for a logarithmic axis"
        )
    from handgrad.pictures.figure import house_style

    with house_style():
        figure, axes = _axes(unit)
        _draw(axes, curves)
        if log:
            _logarithmic(axes)
        axes.set_ylabel("loss (log scale)" if log else "loss")
        _legend(axes)
        _told(figure, "Loss", curves, unit, "{:.4g}")
        figure.settle()
    return figure


def accuracy_curve(
    x: Sequence[float],
    accuracies: Mapping[str, Series],
    *,
    unit: Unit = "epoch",
    best: float | None = None,
) -> Picture:
    """Draw accuracies, one curve a set of samples.

    Parameters
    ----------
    x : (n,) the steps or epochs at which something was measured
    accuracies : by name ("train", "validation", "test", or any other), (n,) float, 0..1, None
        where it was not measured
    unit : what ``x`` counts
    best : the step or epoch whose weights were kept; marked by a vertical line

    Returns
    -------
    figure : one axes; the accuracy is in percent

    Raises
    ------
    HandgradError : nothing to draw; a sequence of another length; an accuracy outside 0..1
    """
    curves = _measured("accuracy curve", x, accuracies)
    for curve in curves:
        wrong = next((value for _, value in curve.points if not 0 <= value <= 1), None)
        if wrong is not None:
            raise HandgradError(f"accuracy curve: found {wrong:g} in {curve.name!r}; expected 0..1")
    from matplotlib.ticker import FuncFormatter

    from handgrad.pictures.figure import house_style

    with house_style():
        figure, axes = _axes(unit)
        _draw(axes, curves)
        if best is not None:
            axes.axvline(
                best, color="#555555", linewidth=1.2, linestyle=":", label=f"best: {unit} {best:g}"
            )
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.10g} %"))
        _, top = axes.get_ylim()
        axes.set_ylim(top=min(top, 1.005))  # the room above 100 % would suggest that there is more
        axes.set_ylabel("accuracy")
        _legend(axes)
        _told(figure, "Accuracy", curves, unit, "{:.2%}")
        figure.settle()
    return figure


def _measured(what: str, x: Sequence[float], series: Mapping[str, Series]) -> list[_Curve]:
    """The curves, each with the points that were measured and are finite."""
    curves = []
    for name, values in series.items():
        if len(values) != len(x):
            raise HandgradError(
                f"{what}: found {len(values)} values of {name!r}; expected {len(x)}, one a place"
            )
        pairs = zip(x, values, strict=True)
        measured = [(float(place), float(v)) for place, v in pairs if v is not None]
        finite = [(place, v) for place, v in measured if math.isfinite(v)]
        curves.append(_Curve(name, finite, len(measured) - len(finite)))
    if not any(curve.points or curve.lost for curve in curves):
        raise HandgradError(f"{what}: found no measured value; expected at least one")
    return curves


def _told(figure: Picture, what: str, curves: list[_Curve], unit: Unit, form: str) -> None:
    """Where each curve begins and ends, in words; and all its points, as a table."""
    ways = [
        f"{curve.name} from {form.format(curve.points[0][1])} at {unit} {curve.points[0][0]:g} "
        f"to {form.format(curve.points[-1][1])} at {unit} {curve.points[-1][0]:g}"
        for curve in curves
        if curve.points
    ]
    figure.alt = f"{what} over the training: {'; '.join(ways) or 'nothing finite'}."
    found = [dict(curve.points) for curve in curves]
    places = sorted({place for points in found for place in points})
    figure.numbers = [
        [unit, *(curve.name for curve in curves)],
        *(
            [f"{x:g}", *(form.format(points[x]) if x in points else "" for points in found)]
            for x in places
        ),
    ]


def _axes(unit: Unit) -> tuple[Picture, Axes]:
    from matplotlib.ticker import MaxNLocator

    from handgrad.pictures.figure import Picture, roomy

    figure = Picture(7, 4.2, layout=roomy())
    axes = figure.add_subplot()
    axes.set_xlabel(unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure, axes


def _draw(axes: Axes, curves: list[_Curve]) -> None:
    from handgrad.pictures.figure import PALETTE
    from handgrad.pictures.lettering import drawable

    others = [curve.name for curve in curves if curve.name not in _PLACES]
    for curve in curves:
        place = _PLACES.get(curve.name)
        if place is None:
            place = len(_PLACES) + others.index(curve.name)
        lost = f" ({curve.lost} not finite)" if curve.lost else ""
        axes.plot(
            [place for place, _ in curve.points],
            [value for _, value in curve.points],
            label=drawable(curve.name + lost),
            color=PALETTE[place % len(PALETTE)],
            linestyle=_LINES[place % len(_LINES)],
            marker=_MARKS[place % len(_MARKS)] if len(curve.points) <= _MARKED else None,
            markersize=4,
            linewidth=1.6,
        )


def _logarithmic(axes: Axes) -> None:
    """A logarithmic axis, its ticks as plain numbers (powers of ten would need formula text)."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_yscale("log", nonpositive="mask")
    low, high = axes.get_ylim()
    # Under two decades there would be one tick or none.
    subs = (1.0, 2.0, 5.0) if high < 100 * low else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _legend(axes: Axes) -> None:
    """The legend above the axes, where it never covers a curve."""
    from handgrad.pictures.lettering import families

    lines = axes.get_lines()
    legend = axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=min(4, len(lines)),
        frameon=False,
        borderaxespad=0.2,
        handlelength=3,
    )
    for text in legend.get_texts():
        text.set(fontfamily=families([text.get_text()]))
