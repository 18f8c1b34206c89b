"""Draw the example of ``docs/convolution.md``: python docs/patches.py.

An image of 5x5 pixels and two channels, two filters of 3x3. Every number that is drawn and was not
put in below is computed by the library.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handgrad.calculus import convolve, patches
from handgrad.pictures import save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURE = Path(__file__).parent / "pictures" / "patches.png"

CHANNELS = (
    [[0, 1, 2, 1, 0], [1, 3, 2, 0, 1], [2, 1, 0, 1, 3], [0, 2, 1, 3, 0], [1, 0, 2, 1, 2]],
    [[1, 0, 0, 2, 1], [0, 2, 1, 0, 3], [3, 1, 0, 1, 0], [1, 0, 2, 1, 1], [0, 1, 3, 0, 2]],
)
NOTHING, CENTRE = np.zeros((3, 3)), np.pad([[1]], 1)
RIGHT = np.array([[-1, 0, 1]] * 3)
"""Where it becomes brighter to the right; turned, where it becomes brighter downwards."""
FILTERS = ((RIGHT, CENTRE), (NOTHING, RIGHT.T))
"""For each filter its two channels."""

X = np.moveaxis(np.array(CHANNELS, float), 0, -1)[np.newaxis]
"""(1, 5, 5, 2): N, H, W, C."""
W = np.moveaxis(np.array(FILTERS, float), (0, 1), (3, 2))
"""(3, 3, 2, 2): KH, KW, C, O."""

PATCHES = patches(X, (3, 3)).reshape(9, 18)
KERNEL = W.reshape(18, 2)
Y = convolve(X, W, None)

MARKED = {(0, 0): ("#0072B2", "-"), (1, 2): ("#D55E00", (0, (4, 1.5)))}
"""The patches that are followed: colour and line, so that they are told apart without colour."""
GREY = "#E6E6E6"
"""Behind the numbers of channel 1."""


def main() -> None:
    PICTURE.parent.mkdir(exist_ok=True)
    save(drawn(), PICTURE)


def drawn() -> Figure:
    """The input, its patches as rows, the filters as columns, and their product."""
    from handgrad.pictures.figure import Picture, house_style

    wide, high, cell = 38, 22.4, 0.3  # cells, and inches a cell
    with house_style():
        figure = Picture(wide * cell, high * cell)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, wide), ylim=(high, 0))
        axes.set_axis_off()
        _input(axes, 0.6, 3.3)
        _patches(axes, 9, 3.3)
        _write(axes, 27.8, 7.8, "·", size=22, weight="bold")
        _kernel(axes, 30.3, 3.3)
        _write(axes, 33.2, 7.8, "=", size=16)
        _output(axes, 35, 3.3)
        _filters(axes, 9, 13.8)
        _sums(axes, 9, 20)
    return figure


def _input(axes: Axes, left: float, top: float) -> None:
    _title(axes, left + 2.5, "image  x", "5 × 5 pixels, 2 channels")
    for c in range(2):
        above = top + c * 6.7
        _grid(axes, left, above, X[0, :, :, c], grey=np.full((5, 5), c))
        _write(axes, left + 2.5, above + 5.5, f"channel {c}")
        for n, (h, w) in enumerate(MARKED):
            _frame(axes, left + w, above + h, 3, 3, (h, w), inset=0.07 + 0.09 * n)


def _patches(axes: Axes, left: float, top: float) -> None:
    _title(axes, left + 9, "patches", "one row for each position (h, w) of the kernel: 9 × 18")
    _grid(axes, left, top, PATCHES, grey=np.tile([0, 1], (9, 9)))
    for k, (i, j) in enumerate(np.ndindex(3, 3)):
        _write(axes, left + 2 * k + 1, top - 0.45, f"{i}, {j}")
        colour = MARKED.get((i, j), ("black",))[0]
        _write(axes, left - 0.25, top + k + 0.5, f"({i}, {j})", ha="right", color=colour)
        if k:
            axes.plot([left + 2 * k] * 2, [top, top + 9], color="black", linewidth=1)
    _write(axes, left - 0.25, top - 0.45, "place i, j", ha="right")
    for h, w in MARKED:
        _frame(axes, left, top + 3 * h + w, 18, 1, (h, w))


def _kernel(axes: Axes, left: float, top: float) -> None:
    _title(axes, left + 1, "kernel  W", "18 × 2")
    _grid(axes, left, top, KERNEL, grey=np.tile([[0], [1]], (9, 2)))
    for k, (i, j) in enumerate(np.ndindex(3, 3)):
        _write(axes, left - 0.25, top + 2 * k + 1, f"{i}, {j}", ha="right")
        if k:
            axes.plot([left, left + 2], [top + 2 * k] * 2, color="black", linewidth=1)
    _columns(axes, left, top)


def _output(axes: Axes, left: float, top: float) -> None:
    _title(axes, left + 1, "output  y", "9 × 2")
    _grid(axes, left, top, Y.reshape(9, 2))
    _columns(axes, left, top)
    for h, w in MARKED:
        _frame(axes, left, top + 3 * h + w, 2, 1, (h, w))
    for o in range(2):
        above, beside = top + 10.4 + 4.6 * o, left - 0.5
        _grid(axes, beside, above, Y[0, :, :, o])
        _write(axes, beside + 1.5, above + 3.5, f"filter {o}")
        for h, w in MARKED:
            _frame(axes, beside + w, above + h, 1, 1, (h, w))


def _filters(axes: Axes, left: float, top: float) -> None:
    _write(axes, left + 9, top, "the same filters as pictures: each is a column of W", size=9)
    for n, (o, c) in enumerate(np.ndindex(2, 2)):
        beside = left + 0.6 + 4.3 * n + (0.9 if o else 0)
        _grid(axes, beside, top + 1, W[:, :, c, o], grey=np.full((3, 3), c))
        _write(axes, beside + 1.5, top + 4.5, f"filter {o}, channel {c}")


def _sums(axes: Axes, left: float, top: float) -> None:
    """One product of a row and a column for each patch that is followed, written out."""
    for line, (h, w) in enumerate(MARKED):
        row = PATCHES[3 * h + w]
        terms = [
            f"{'+' if weight > 0 else '−'} {abs(weight) * x:.0f}"
            for x, weight in zip(row, KERNEL[:, 0], strict=True)
            if weight
        ]
        said = f"row ({h}, {w}) · column 0  =  {' '.join(terms)}  =  {row @ KERNEL[:, 0]:.0f}"
        _write(axes, left + 9, top + line, said, size=9.5, color=MARKED[h, w][0])


def _columns(axes: Axes, left: float, top: float) -> None:
    """Which filter a column belongs to."""
    _write(axes, left - 0.25, top - 0.45, "filter", ha="right")
    for o in range(2):
        _write(axes, left + o + 0.5, top - 0.45, f"{o}")


def _grid(
    axes: Axes, left: float, top: float, numbers: np.ndarray, grey: np.ndarray | None = None
) -> None:
    """Numbers in squares, row by row."""
    from matplotlib.patches import Rectangle

    for (row, column), number in np.ndenumerate(numbers):
        behind = GREY if grey is not None and grey[row, column] else "white"
        axes.add_patch(
            Rectangle(
                (left + column, top + row), 1, 1, facecolor=behind, edgecolor="#999999", lw=0.6
            )
        )
        text = f"{number:.0f}".replace("-", "−")
        faint = {"color": "#666666"} if not number else {}
        _write(axes, left + column + 0.5, top + row + 0.5, text, size=9.5, **faint)


def _frame(
    axes: Axes,
    left: float,
    top: float,
    wide: float,
    high: float,
    patch: tuple[int, int],
    inset: float = 0.07,
) -> None:
    """The colour and the line of a patch around its numbers."""
    from matplotlib.patches import Rectangle

    colour, line = MARKED[patch]
    axes.add_patch(
        Rectangle(
            (left + inset, top + inset),
            wide - 2 * inset,
            high - 2 * inset,
            fill=False,
            edgecolor=colour,
            linestyle=line,
            linewidth=2.2,
        )
    )


def _title(axes: Axes, middle: float, name: str, shape: str) -> None:
    _write(axes, middle, 0.9, name, size=11, weight="bold")
    _write(axes, middle, 1.9, shape, size=9)


def _write(axes: Axes, x: float, y: float, text: str, size: float = 8, **options: Any) -> None:
    options = {"ha": "center", "va": "center"} | options
    axes.text(x, y, text, fontsize=size, **options)


if __name__ == "__main__":
    main()
