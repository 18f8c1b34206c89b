"""How a training went inside: its learning rate, its layers' norms, and units that fell silent."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from handgrad.errors import HandgradError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from handgrad.pictures.figure import Picture

__all__ = ["dead_units", "learning_rate_curve", "norm_curves", "update_ratio"]

Unit = Literal["step", "epoch"]
Line = Literal["-", "--", "-.", ":"]
Series = Sequence[float | None]
Points = list[tuple[float, float]]

HEALTHY = (1e-4, 1e-2)
"""A factor of ten around the 1e-3 of the rule; its source also calls 1e-2 healthy."""

_LINES: tuple[Line, ...] = ("-", "--", "-.", ":")
_MARKED = 200  # up to this many points in all, each gets a mark
_NAME = 150.0  # points that a layer's name may take


def learning_rate_curve(
    x: Sequence[float], rates: Series, *, unit: Unit = "step", log: bool = False
) -> Picture:
    """Draw the learning rate over a training, as its schedule made it.

    Parameters
    ----------
    x : (n,) the steps or epochs
    rates : (n,) float, None where it is not known
    unit : what ``x`` counts
    log : a logarithmic axis; a rate of 0 is then left out

    Returns
    -------
    figure : one axes; the line has the id ``learning-rate``

    Raises
    ------
    HandgradError : nothing to draw; a sequence of another length
    """
    points = _points("learning rate curve", x, {"learning rate": rates}, log=log)["learning rate"]
    from handgrad.pictures.figure import BLUE, Picture, house_style, roomy

    with house_style():
        figure = Picture(7, 3.2, layout=roomy())
        axes = figure.add_subplot()
        axes.plot(*zip(*points, strict=True), color=BLUE, marker=_mark(points), ms=3, lw=1.6)
        axes.get_lines()[0].set_gid("learning-rate")
        _across(axes, unit)
        if log:
            _logarithmic(axes)
        else:
            axes.set_ylim(bottom=0)
        axes.set_ylabel("learning rate" + " (log scale)" * log)
        figure.settle()
    first, last = points[0], points[-1]
    top = max(points, key=lambda point: point[1])
    figure.numbers = [[unit, "learning rate"], *([f"{a:g}", f"{b:.6g}"] for a, b in points)]
    figure.alt = (
        f"The learning rate goes from {first[1]:.3g} at {unit} {first[0]:g} to {last[1]:.3g} at "
        f"{unit} {last[0]:g}; its largest is {top[1]:.3g}, at {unit} {top[0]:g}."
    )
    return figure


def norm_curves(
    x: Sequence[float],
    norms: Mapping[str, Mapping[str, Series]],
    *,
    unit: Unit = "epoch",
) -> Picture:
    """Draw the norms of weights, gradients and updates, each layer a line, one axes each.

    Parameters
    ----------
    x : (n,) the steps or epochs
    norms : by what is measured ("weights", "gradient", "update"), then by layer, (n,) float, None
        where it was not measured; the layers in their order from the input on
    unit : what ``x`` counts

    Returns
    -------
    figure : an axes for each of ``norms``, one under the other, logarithmic; norms of 0 and what is
        not finite are left out. The lines' ids are such as ``weights-1``, layers counted from 1

    Raises
    ------
    HandgradError : nothing to draw; a sequence of another length
    """
    if not norms:
        raise HandgradError("norm curves: found nothing measured; expected at least one")
    found = {
        what: _points(f"norm curves, {what}", x, layers, log=True) for what, layers in norms.items()
    }
    names = list(dict.fromkeys(name for layers in found.values() for name in layers))
    from handgrad.pictures.figure import Picture, house_style, roomy

    with house_style():
        figure = Picture(8, 0.6 + 2.2 * len(found), layout=roomy())
        all_axes = figure.subplots(len(found), sharex=True, squeeze=False)[:, 0]
        for axes, (what, layers) in zip(all_axes, found.items(), strict=True):
            _draw(axes, layers, names, what)
            _logarithmic(axes)
            axes.set_ylabel(f"‖{what}‖ (log scale)")
        _across(all_axes[-1], unit)
        _legend(figure, names)
        figure.settle()
    figure.numbers = [["norm", "layer", f"first {unit}", "norm", f"last {unit}", "norm"]]
    said = []
    for what, layers in found.items():
        ends = {name: (points[0], points[-1]) for name, points in layers.items() if points}
        for name, (first, last) in ends.items():
            numbers = [f"{number:.6g}" for number in (*first, *last)]
            figure.numbers.append([what, name, *numbers])
        largest = max(ends, key=lambda name: ends[name][1][1])
        smallest = min(ends, key=lambda name: ends[name][1][1])
        said.append(
            f"{what} end between {ends[smallest][1][1]:.3g} ({smallest}) and "
            f"{ends[largest][1][1]:.3g} ({largest})"
        )
    figure.alt = (
        f"Norms of {len(names)} layer{'s' * (len(names) > 1)} on a log scale: {'; '.join(said)}."
    )
    return figure


def update_ratio(
    x: Sequence[float],
    update_norms: Mapping[str, Series],
    weight_norms: Mapping[str, Series],
    *,
    unit: Unit = "epoch",
) -> Picture:
    """Draw how large a step is beside the weights that it changes, ‖update‖ / ‖weights‖, per layer.

    A rule of thumb wants it near 0.001: far below, the learning rate may be too small; far above,
    it is likely too large. The band that is shaded, 0.0001 to 0.01, is a factor of ten around it;
    its upper end is what the same source calls healthy for a small network. Towards the end of a
    falling schedule the ratio leaves the band below, as it should.

    Parameters
    ----------
    x : (n,) the steps or epochs
    update_norms, weight_norms : by layer, (n,) float, None where it was not measured; the layers in
        their order from the input on
    unit : what ``x`` counts

    Returns
    -------
    figure : one axes, logarithmic; the band has the id ``healthy``, the lines ``ratio-1``, …. What
        is 0 or not finite is left out

    Raises
    ------
    HandgradError : nothing to draw; other layers; a sequence of another length

    Source: Stanford CS231n, Neural Networks Part 3, "Ratio of weights:updates".
    """
    if list(update_norms) != list(weight_norms):
        raise HandgradError(
            f"update ratio: found updates of {list(update_norms)} and weights of "
            f"{list(weight_norms)}; expected the same layers"
        )
    for of, layers in (("update norms", update_norms), ("weight norms", weight_norms)):
        _check_lengths(f"update ratio, {of}", x, layers)
    ratios = {
        name: [
            None if u is None or w is None else u / w if w else math.inf
            for u, w in zip(update_norms[name], weight_norms[name], strict=True)
        ]
        for name in update_norms
    }
    found = _points("update ratio", x, ratios, log=True)
    from handgrad.pictures.figure import GREEN, Picture, house_style, roomy

    with house_style():
        figure = Picture(8, 4.4, layout=roomy())
        axes = figure.add_subplot()
        low, high = HEALTHY
        axes.axhspan(low, high, color=GREEN, alpha=0.16, linewidth=0, gid="healthy")
        axes.axhline(1e-3, color=GREEN, linewidth=1.0, linestyle=":")
        _draw(axes, found, list(found), "ratio")
        every = [value for points in found.values() for _, value in points]
        axes.set_ylim(min(low / 3, min(every) / 1.5), max(high * 3, max(every) * 1.5))
        axes.annotate(
            "healthy: around 0.001",
            (1, high),
            xycoords=("axes fraction", "data"),
            xytext=(-4, 4),
            textcoords="offset points",
            ha="right",
            fontsize=9,
        )
        _across(axes, unit)
        _logarithmic(axes)
        axes.set_ylabel("‖update‖ / ‖weights‖ (log scale)")
        _legend(figure, list(found))
        figure.settle()
    # The last value would be below for every training whose learning rate falls to 0.
    figure.numbers = [["layer", "median ‖update‖ / ‖weights‖", "last", "median is"]]
    where: dict[str, list[str]] = {"within": [], "below": [], "above": []}
    for name, points in found.items():
        if points:
            middle = statistics.median(ratio for _, ratio in points)
            verdict = "below" if middle < low else "above" if middle > high else "within"
            where[verdict].append(f"{name} ({middle:.2g})")
            figure.numbers.append([name, f"{middle:.6g}", f"{points[-1][1]:.6g}", verdict])
    figure.alt = (
        "The size of a step beside that of the weights, per layer, on a log scale. By their median "
        "over the training, of the healthy band from 0.0001 to 0.01: "
        + "; ".join(f"{said}: {', '.join(layers)}" for said, layers in where.items() if layers)
        + "."
    )
    return figure


def dead_units(
    x: Sequence[float], shares: Mapping[str, Series], *, unit: Unit = "epoch"
) -> Picture:
    """Draw the share of dead units, or of saturated outputs, per activation layer.

    With one place in time, a bar for each layer; with more, a line over time.

    Parameters
    ----------
    x : (n,) the steps or epochs
    shares : by activation layer, such as "1 relu: dead", (n,) float, 0..1, None where it was not
        measured; see `training.unit_health`
    unit : what ``x`` counts

    Returns
    -------
    figure : one axes in percent; the ids are ``share-1``, …

    Raises
    ------
    HandgradError : nothing to draw; a sequence of another length; a share outside 0..1
    """
    found = _points("dead units", x, shares)
    for name, points in found.items():
        wrong = next((share for _, share in points if not 0 <= share <= 1), None)
        if wrong is not None:
            raise HandgradError(f"dead units: found {wrong:g} in {name!r}; expected 0..1")
    from matplotlib.ticker import FuncFormatter

    from handgrad.pictures.figure import Picture, house_style, roomy

    percent = FuncFormatter(lambda share, _: f"{100 * share:.10g} %")
    with house_style():
        if len(x) == 1:
            figure = Picture(7, 1.1 + 0.32 * len(found), layout=roomy())
            axes = figure.add_subplot()
            _bars(axes, found)
            axes.xaxis.set_major_formatter(percent)
            axes.set_xlabel(f"dead or saturated, at {unit} {x[0]:g}")
        else:
            figure = Picture(8, 4.2, layout=roomy())
            axes = figure.add_subplot()
            _draw(axes, found, list(found), "share")
            axes.set_ylim(-0.02, 1.02)
            axes.yaxis.set_major_formatter(percent)
            axes.set_ylabel("dead or saturated")
            _across(axes, unit)
            _legend(figure, list(found))
        figure.settle()
    last = {name: points[-1] for name, points in found.items() if points}
    figure.numbers = [["layer", unit, "share"]]
    figure.numbers += [[name, f"{at:g}", f"{share:.6g}"] for name, (at, share) in last.items()]
    said = ", ".join(f"{name} {100 * share:.3g} %" for name, (_, share) in last.items())
    figure.alt = (
        f"Share of units that are dead, or of outputs that are saturated, at the end: {said}."
    )
    return figure


def _check_lengths(what: str, x: Sequence[float], layers: Mapping[str, Series]) -> None:
    for name, values in layers.items():
        if len(values) != len(x):
            raise HandgradError(
                f"{what}: found {len(values)} values of {name!r}; expected {len(x)}, one a place"
            )


def _points(
    what: str, x: Sequence[float], layers: Mapping[str, Series], log: bool = False
) -> dict[str, Points]:
    """What of each layer can be drawn: measured, finite and, on a logarithmic axis, above 0."""
    _check_lengths(what, x, layers)
    found = {
        name: [
            (float(place), float(value))
            for place, value in zip(x, values, strict=True)
            if value is not None and math.isfinite(value) and (value > 0 or not log)
        ]
        for name, values in layers.items()
    }
    if not any(found.values()):
        above = " above 0" if log else ""
        raise HandgradError(f"{what}: found no finite value{above}; expected at least one")
    return found


def _look(i: int, n: int) -> tuple[str, Line]:
    """Colour and line of layer i of n: few by different colours, many by depth, from dark to pale.

    Both ends are left out, which would be lost on dark or on light paper.
    """
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    from handgrad.pictures.figure import PALETTE

    if n <= 6:
        return PALETTE[i], _LINES[i % 4]
    return to_hex(colormaps["plasma"](0.1 + 0.72 * i / (n - 1))), _LINES[i % 4]


def _mark(points: Points, lines: int = 1) -> str | None:
    """A line of one point would not be seen without; many would be all that is seen."""
    return "o" if len(points) == 1 or lines * len(points) <= _MARKED else None


def _draw(axes: Axes, layers: Mapping[str, Points], names: Sequence[str], gid: str) -> None:
    """A line for each layer, its look by its place among ``names``."""
    for name, points in layers.items():
        i = names.index(name)
        colour, line = _look(i, len(names))
        axes.plot(
            [place for place, _ in points],
            [value for _, value in points],
            color=colour,
            linestyle=line,
            marker=_mark(points, len(names)),
            markersize=3,
            linewidth=1.5,
            gid=f"{gid}-{i + 1}",
        )


def _across(axes: Axes, unit: Unit) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    low, high = axes.get_xlim()
    if high - low < 1:  # one place in time
        axes.set_xlim((low + high) / 2 - 1, (low + high) / 2 + 1)


def _logarithmic(axes: Axes) -> None:
    """A logarithmic axis, its ticks as plain numbers (powers of ten would need formula text)."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    # Under two decades there would be one tick or none.
    subs = (1.0, 2.0, 5.0) if high < 100 * low else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())  # they take most of the time to draw


def _legend(figure: Picture, names: Sequence[str]) -> None:
    """The layers beside the axes, from first to last; of very many, evenly chosen ones."""
    from matplotlib.lines import Line2D

    from handgrad.pictures.lettering import drawable, families, shortened, width

    room = int((figure.get_figheight() - 0.4) / 0.19)
    each = -(-len(names) // room)
    chosen = range(0, len(names), each)
    said = [shortened(drawable(names[i]), lambda text: width(text, 9) <= _NAME) for i in chosen]
    lines = []
    for i in chosen:
        colour, line = _look(i, len(names))
        lines.append(Line2D([], [], color=colour, linestyle=line, linewidth=1.8))
    legend = figure.legend(
        lines, said, loc="outside right upper", frameon=False, fontsize=9, handlelength=3
    )
    for text in legend.get_texts():
        text.set(fontfamily=families([text.get_text()]))


def _bars(axes: Axes, layers: Mapping[str, Points]) -> None:
    """A bar a layer, the first at the top, its share beside it."""
    from handgrad.pictures.figure import ORANGE
    from handgrad.pictures.lettering import drawable, families, shortened, width

    names = [shortened(drawable(name), lambda text: width(text, 9) <= _NAME) for name in layers]
    for i, points in enumerate(layers.values()):
        if points:
            share = points[0][1]
            (bar,) = axes.barh(i, share, height=0.6, color=ORANGE)
            bar.set_gid(f"share-{i + 1}")
            inside = share > 0.85
            axes.text(
                share - 0.01 if inside else share + 0.01,
                i,
                f"{100 * share:.3g} %",
                va="center",
                ha="right" if inside else "left",
                fontsize=9,
            )
    axes.set_yticks(range(len(names)), names, fontfamily=families(names), fontsize=9)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.grid(False, axis="y")
