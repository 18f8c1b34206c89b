"""How time and memory of a training step grow with batch, width, depth and image size."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from handgrad.bench.memory import Memory, growth_of, warm_up
from handgrad.bench.rivals import SkippedError
from handgrad.bench.threads import environment
from handgrad.bench.works import descent
from handgrad.layers import Convolution, Dense, GlobalAveragePool, Layer, ReLU
from handgrad.optimizers import SGD

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from handgrad.bench.problems import Descent

__all__ = ["AXES", "BASE", "Point", "Size", "draw", "grow", "one", "slope", "step_of"]


@dataclass(frozen=True)
class Size:
    """A network of 3x3 convolutions with ReLU, a global average and a dense layer, and its batch.

    Parameters
    ----------
    depth : convolutions
    width : channels of each
    image : height and width
    """

    batch: int = 32
    width: int = 32
    depth: int = 4
    image: int = 16


BASE = Size()
AXES = {
    "batch": (8, 16, 32, 64),
    "width": (16, 32, 64, 128),
    "depth": (2, 4, 8, 16),
    "image": (8, 16, 32, 64),
}
"""What grows, the others standing at `BASE`."""


@dataclass(frozen=True)
class Point:
    """A size, a side, milliseconds of a step (median), and bytes above what was prepared."""

    axis: str
    value: int
    side: str
    ms: float
    memory: int


def step_of(size: Size) -> Descent:
    """One training step of a size, on random images."""
    layers: list[Layer] = []
    for _ in range(size.depth):
        layers += [Convolution(size.width), ReLU()]
    shape = (size.image, size.image, 3)
    architecture = (*layers, GlobalAveragePool(), Dense(10))
    return descent(architecture, shape, size.batch, size.batch, SGD(learning_rate=0.01))


def grow(
    sides: Sequence[str],
    threads: int,
    rounds: int,
    axes: Mapping[str, Sequence[int]] = AXES,
    tell: Callable[[str], None] = lambda text: None,
) -> Iterator[Point]:
    """Measure every size, each side in a process of its own; a side that cannot is left out."""
    for axis, values in axes.items():
        for value in values:
            for side in sides:
                tell(f"growth: {axis} {value}: {side}")
                size = asdict(BASE) | {axis: value}
                program = "import sys; from handgrad.bench.growth import one; one(*sys.argv[1:])"
                done = subprocess.run(
                    [sys.executable, "-c", program, json.dumps(size), side, str(threads),
                     str(rounds)],
                    env=environment(threads), capture_output=True, text=True, check=False,
                )  # fmt: skip
                if done.returncode == 0:
                    ms, memory = json.loads(done.stdout.splitlines()[-1])
                    yield Point(axis, value, side, ms, memory)


def one(size: str, side: str, threads: str, rounds: str) -> None:
    """What such a process does: prepare a step, weigh its first run, time the others, print."""
    import time

    from handgrad.bench.ours import ours
    from handgrad.bench.rivals import rival
    from handgrad.bench.threads import held

    problem, limit = step_of(Size(**json.loads(size))), int(threads)
    warm_up(side)
    try:
        made = ours(problem, limit) if side == "ours" else rival(side, problem, limit)
    except SkippedError as reason:
        sys.exit(str(reason))
    with held(limit):
        memory: Memory = growth_of(made, 1)
        laps = []
        for _ in range(int(rounds)):
            made.restart()
            start = time.perf_counter()
            made.run(1)
            laps.append(1e3 * (time.perf_counter() - start))
    print(json.dumps([statistics.median(laps), memory.above]))


def slope(values: Sequence[float], found: Sequence[float]) -> float:
    """The exponent p of ``found ≈ c · valuesᵖ``: the least-squares line through the logarithms.

    >>> round(slope([8, 16, 32], [3.0, 12.0, 48.0]), 6)
    2.0
    """
    if len(values) < 2 or min(found) <= 0:
        return math.nan
    x, y = [math.log(v) for v in values], [math.log(f) for f in found]
    fitted: float = statistics.linear_regression(x, y).slope
    return fitted


def draw(points: Sequence[Point]) -> Figure:
    """Time above, memory below, a column for each axis, both scales logarithmic."""
    from handgrad.pictures.figure import PALETTE, Picture, house_style, roomy

    axes = list(dict.fromkeys(point.axis for point in points))
    sides = list(dict.fromkeys(point.side for point in points))
    kinds: list[tuple[str, Callable[[Point], float]]] = [
        ("ms a step", lambda point: point.ms),
        ("MB above what was prepared", lambda point: point.memory / 1e6),
    ]
    with house_style():
        figure = Picture(3.6 * len(axes), 8, layout=roomy())
        grid: Any = figure.subplots(2, len(axes), squeeze=False)
        for row, (label, of) in enumerate(kinds):
            for column, axis in enumerate(axes):
                place = grid[row, column]
                for side, colour in zip(sides, PALETTE, strict=False):
                    mine = [p for p in points if (p.axis, p.side) == (axis, side)]
                    x, y = [p.value for p in mine], [of(p) for p in mine]
                    steep = slope(x, y)
                    place.loglog(x, y, "o-", color=colour, label=f"{side}: slope {steep:.2f}")
                    place.set_xticks(x, [str(value) for value in x], minor=False)
                _plain(place)
                place.set_xlabel(axis)
                place.set_ylabel(label if column == 0 else "")
                place.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=8)
        figure.alt = f"Time and memory of a training step over {', '.join(axes)}, by side."
        figure.settle()
    return figure


def _plain(axes: Any) -> None:
    """Ticks as plain numbers: powers of ten would need formula text."""
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
