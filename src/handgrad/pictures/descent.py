"""Gradient descent itself, on a function of two numbers whose landscape can be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handgrad.arrays import Layout
from handgrad.errors import HandgradError
from handgrad.optimizers import SGD, Optimizer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from handgrad.pictures.figure import Picture

__all__ = ["descend", "himmelblau", "himmelblau_descent", "himmelblau_gradient"]

MINIMA = ((3.0, 2.0), (-2.805118, 3.131312), (-3.779310, -3.283186), (3.584428, -1.848126))
"""In the four quadrants, counted as usual; f is 0 in each."""
MAXIMUM = (-0.270845, -0.923039)
STARTS = ((0.0, 0.0), (-0.5, 0.0), (-0.9, -1.4), (0.2, -2.0), (-5.0, 0.5), (-2.0, -5.0))

_SIDE = 5.5  # the picture goes from -5.5 to 5.5 both ways
_LEVELS = (1, 3, 10, 30, 60, 100, 150, 250, 400, 700)
_NAMED = (30, 100, 400)
_REACHED = 0.05  # an end this near to a minimum is at it
_GREY = "#8A8A8A"  # seen on light and on dark paper


def himmelblau(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Himmelblau's function, ``f = (x² + y - 11)² + (x + y² - 7)²``.

    f is 0 where both brackets are: the parabolas y = 11 - x² and x = 7 - y² cross in four points,
    (3, 2), (-2.805118, 3.131312), (-3.779310, -3.283186) and (3.584428, -1.848126). Between them
    lies one local maximum, f = 181.617 at (-0.270845, -0.923039).

    Parameters
    ----------
    x, y : any shapes that broadcast, float

    Source: the function and its points as in Wikipedia, "Himmelblau's function".

    >>> float(himmelblau(3, 2)), round(float(himmelblau(-0.270845, -0.923039)), 3)
    (0.0, 181.617)
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return np.asarray((x * x + y - 11) ** 2 + (x + y * y - 7) ** 2)


def himmelblau_gradient(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """The gradient of `himmelblau`.

    With the brackets p = x² + y - 11 and q = x + y² - 7, f = p² + q², and by the chain rule

        ∂f/∂x = 2 p ∂p/∂x + 2 q ∂q/∂x = 4 x p + 2 q
        ∂f/∂y = 2 p ∂p/∂y + 2 q ∂q/∂y = 2 p + 4 y q

    Parameters
    ----------
    x, y : any shapes that broadcast, float

    Returns
    -------
    (2, …) float : ∂f/∂x and ∂f/∂y

    >>> himmelblau_gradient(3, 2), himmelblau_gradient(0, 0)
    (array([0., 0.]), array([-14., -22.]))
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    p, q = x * x + y - 11, x + y * y - 7
    return np.stack([4 * x * p + 2 * q, 2 * p + 4 * y * q])


def descend(start: Sequence[float], optimizer: Optimizer, steps: int) -> NDArray[np.float64]:
    """The way of an optimizer down Himmelblau's function, as if (x, y) were weights.

    Parameters
    ----------
    start : x and y
    steps : the length of the whole training, for schedules

    Returns
    -------
    (n + 1, 2) float : the start and the place after each step; n is less than ``steps`` when a
        step led to infinity

    >>> descend((0, 0), SGD(0.01), 1)
    array([[0.  , 0.  ],
           [0.14, 0.22]])
    """
    way = np.array([start], np.float64)
    chain = optimizer.chain(Layout({"W": (2,)}))
    state = chain.start(way[0])
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(steps):
            g = himmelblau_gradient(*way[-1])
            chain.apply(g, state, way[-1], t, steps)
            after = way[-1] - g
            if not np.isfinite(himmelblau(*after)):
                break
            way = np.vstack([way, after])
    return way


def himmelblau_descent(
    starts: Sequence[Sequence[float]] = STARTS,
    optimizer: Optimizer | None = None,
    steps: int = 100,
) -> Picture:
    """Draw gradient descent on Himmelblau's function from several starts.

    Level lines, the four minima and the local maximum by name, and from each numbered start the way
    of the optimizer, a dot a step.

    Parameters
    ----------
    starts : x and y of each
    optimizer : any of ours; default: plain gradient descent at a rate of 0.01
    steps : how many, from each start

    Returns
    -------
    figure : one axes; the ways have the ids way-1, way-2, …, the minima minimum-A … minimum-D

    Raises
    ------
    HandgradError : no starts; one that is not two finite numbers; no steps
    """
    places = np.asarray(starts, np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or not len(places) or not np.isfinite(places).all():
        raise HandgradError(
            f"himmelblau descent: found starts of shape {places.shape}; "
            "expected at least one x and y, finite"
        )
    if steps < 1:
        raise HandgradError(f"himmelblau descent: found {steps} steps; expected at least 1")
    optimizer = optimizer if optimizer is not None else SGD(0.01)
    ways = [descend(start, optimizer, steps) for start in places]

    from handgrad.pictures.figure import PALETTE, Picture, house_style, roomy

    with house_style():
        figure = Picture(7, 7, layout=roomy())
        axes = figure.add_subplot()
        axes.set(xlim=(-_SIDE, _SIDE), ylim=(-_SIDE, _SIDE), aspect="equal", xlabel="x", ylabel="y")
        axes.grid(False)
        _landscape(axes)
        for i, way in enumerate(ways):
            colour = PALETTE[i % 6]
            axes.plot(
                *way.T, color=colour, linewidth=1.6, marker="o", markersize=3, gid=f"way-{i + 1}"
            )
            axes.plot(*way[0], "o", color=colour, markersize=8, gid=f"start-{i + 1}")
            x, y = _behind(way)
            axes.text(
                x,
                y,
                str(i + 1),
                fontweight="bold",
                fontsize=10,
                ha="center",
                va="center",
                clip_on=True,
            )
        _places(axes)
        axes.set_title(
            f"Gradient descent by {_said(optimizer)}, {steps} step{'s' * (steps > 1)}",
            fontsize=10,
            loc="left",
        )
        figure.settle()
    figure.numbers = [["start", "x", "y", "end x", "end y", "f there", "steps", "at"]]
    ends = []
    for i, way in enumerate(ways):
        made = len(way) - 1
        end = _end(way, steps)
        figure.numbers.append(
            [str(i + 1), *(f"{v:g}" for v in way[0]), *(f"{v:.6f}" for v in way[-1])]
            + [f"{float(himmelblau(*way[-1])):.6g}", str(made), end]
        )
        ends.append(f"start {i + 1} at ({way[0][0]:g}, {way[0][1]:g}) {end}")
    named = ", ".join(f"{name} {_point(*place)}" for name, place in _named_minima())
    figure.alt = (
        f"Level lines of Himmelblau's function with its four minima {named}, and the ways of "
        f"{_said(optimizer)} over {steps} steps: {'; '.join(ends)}."
    )
    return figure


def _named_minima() -> list[tuple[str, tuple[float, float]]]:
    return list(zip("ABCD", MINIMA, strict=True))


def _point(x: float, y: float) -> str:
    """
    >>> _point(3.0, -1.848126)
    '(3, -1.848126)'
    """
    return f"({round(x, 6):.7g}, {round(y, 6):.7g})"


def _behind(way: NDArray[np.float64]) -> tuple[float, float]:
    """A place beside the start, away from where the way goes."""
    x, y = way[min(1, len(way) - 1)] - way[0]
    away = -0.28 / (math.hypot(x, y) or 1.0)
    return way[0, 0] + away * x, way[0, 1] + away * y


def _said(optimizer: Optimizer) -> str:
    """Its name and rate, and whatever else is not as usual."""
    usual = type(optimizer)()
    settings = [
        f"{name.replace('_', ' ')} {value:g}"
        for name, value in vars(optimizer).items()
        if name == "learning_rate" or (isinstance(value, float) and value != getattr(usual, name))
    ]
    return f"{optimizer.name} ({', '.join(settings)})"


def _end(way: NDArray[np.float64], steps: int) -> str:
    """Where a way ends, in words."""
    if len(way) <= steps:
        return f"is lost to infinity after {len(way) - 1} steps"
    for name, minimum in _named_minima():
        if math.dist(way[-1], minimum) < _REACHED:
            return f"reaches {name}"
    place = f"({way[-1][0]:.3g}, {way[-1][1]:.3g})"
    return f"is at {place}, at no minimum, after {steps} steps"


def _landscape(axes: Axes) -> None:
    """The level lines: closer to each other in the valleys than equal distances would be."""
    side = np.linspace(-_SIDE, _SIDE, 111)
    levels: Any = axes.contour(
        side,
        side,
        himmelblau(side, side[:, None]),
        levels=_LEVELS,
        colors=_GREY,
        linewidths=0.7,
        alpha=0.8,
    )
    axes.clabel(levels, _NAMED, fmt="f = %g", fontsize=8, inline_spacing=3)


def _places(axes: Axes) -> None:
    """The minima and the maximum, each with its name and where it is."""
    for (name, (x, y)), up in zip(_named_minima(), (-0.62, 0.62, -0.82, -0.8), strict=True):
        axes.plot(x, y, "*", color="#D55E00", markersize=15, gid=f"minimum-{name}", zorder=5)
        axes.text(x, y + up, f"{name} {_point(x, y)}", ha="center", va="center", fontsize=9)
    x, y = MAXIMUM
    axes.plot(x, y, "^", color=_GREY, markersize=8, gid="maximum", zorder=5)
    axes.text(x + 0.3, y, f"maximum\n{_point(x, y)}", va="center", fontsize=8)
