"""The network itself: neuron by neuron while it is small, layer by layer when it is large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handgrad.errors import HandgradError
from handgrad.networks import LayerRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from handgrad.pictures.figure import Picture

__all__ = ["layer_drawing", "network_drawing", "neuron_drawing"]

SHOWN = 16
"""Neurons of a layer that are drawn; of more, those with the strongest weights."""

# The two ends of the map "RdBu_r", a little paler: seen on light and on dark paper, where its
# middle, white, would be nothing on the one and the brightest of all on the other.
_WARM, _COLD, _GREY = "#D6604D", "#4393C3", "#8A8A8A"
_RADIUS, _APART, _DOTS, _BETWEEN = (
    0.19,
    0.48,
    0.14,
    2.1,
)  # inches: a neuron, its neighbour, dots, a layer
_LETTERS = 8.0


def network_drawing(
    rows: Sequence[LayerRow],
    weights: Sequence[ArrayLike] | None = None,
    offsets: Sequence[ArrayLike | None] | None = None,
    class_names: Sequence[str] | None = None,
) -> Picture:
    """Draw a network: by `neuron_drawing` if it is small and dense, else by `layer_drawing`.

    Small: no layer after the input has more than 32 neurons, and there are at most 6 with weights.

    Parameters
    ----------
    rows : what `networks.layer_rows` gives
    weights : (I, O) float of every layer that learns, if all of them are dense
    offsets : (O,) float of each, None where a layer has none
    class_names : of the outputs

    Returns
    -------
    figure : see the two

    Raises
    ------
    HandgradError : no rows; weights that do not fit to them or to each other
    """
    if weights is None:
        return layer_drawing(rows)
    learning = [i for i, row in enumerate(rows) if row.parameters]
    if len(weights) != len(learning):
        raise HandgradError(
            f"network drawing: found {len(weights)} arrays of weights; "
            f"expected {len(learning)}, one a layer that learns"
        )
    widths = [math.prod(rows[i].output) for i in learning]
    if max(widths, default=0) > 2 * SHOWN or len(learning) > 6 or not learning:
        return layer_drawing(rows)
    names = []
    for i, after in zip(learning, [*learning[1:], len(rows)], strict=True):
        names.append(" → ".join(row.layer for row in rows[i:after]))
    before = "x".join(map(str, rows[0].input))
    return neuron_drawing(
        weights, offsets, names, input_name=f"input {before}", outputs=class_names
    )


def neuron_drawing(
    weights: Sequence[ArrayLike],
    offsets: Sequence[ArrayLike | None] | None = None,
    layer_names: Sequence[str] | None = None,
    *,
    input_name: str = "input",
    outputs: Sequence[str] | None = None,
    most: int = SHOWN,
) -> Picture:
    """Draw a dense network neuron by neuron, each weight as a line from one to the next.

    A line's colour is the sign of the weight (warm positive, cold negative); its width and strength
    are its size, on one scale for the whole figure. A neuron's ring says the same of its offset, on
    a scale of its own. Of a layer with more than ``most`` neurons, those are drawn whose weights
    are strongest (the largest sum of squares), in their order, with dots where some are left out.

    Parameters
    ----------
    weights : (I, O) float, one a layer
    offsets : (O,) float, one a layer; None where it has none
    layer_names : one a layer, written under its neurons
    outputs : names beside the last neurons, such as those of the classes
    most : draw at most so many neurons of a layer

    Returns
    -------
    figure : one axes; the ids are ``neuron-l-o`` (l = 0 for the inputs) and ``weight-l-i-o``, from
        neuron i of layer l - 1 to neuron o of layer l, neurons counted from 1

    Raises
    ------
    HandgradError : no weights; shapes that do not fit together; values that are not finite
    """
    W, b, names = _checked(weights, offsets, layer_names, outputs, most)
    widths = [W[0].shape[0], *(w.shape[1] for w in W)]
    shown = _strongest(W, widths, most)
    largest = max(float(np.abs(w).max()) for w in W) or 1.0
    largest_offset = max((float(np.abs(o).max()) for o in b if o is not None), default=0.0)

    from matplotlib.lines import Line2D
    from matplotlib.patches import Circle

    from handgrad.pictures.figure import Picture, house_style
    from handgrad.pictures.lettering import drawable, families, shortened, width

    with house_style():
        beside = [shortened(drawable(n), lambda t: width(t, 9) <= 150) for n in outputs or ()]
        right = 1.2 + max((width(n, 9) for n in beside), default=0) / 72
        places = [_column(own, wide) for own, wide in zip(shown, widths, strict=True)]
        tall = max(high for _, high in places)
        between = max(_BETWEEN, 0.36 * tall)  # else steep lines would cross the next neurons
        wide = 1.2 + between * len(W) + right
        figure = Picture(max(wide, 4.5), tall + 1.75)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-1.2, figure.get_figwidth() - 1.2), ylim=(-1.2, tall + 0.55))
        axes.axis("off")
        at = [  # where each drawn neuron stands, in inches
            {n: (between * layer, tall / 2 + high / 2 - y) for n, y in heights.items()}
            for layer, (heights, high) in enumerate(places)
        ]
        for layer, w in enumerate(W, 1):
            for i, (x0, y0) in at[layer - 1].items():
                for o, (x1, y1) in at[layer].items():
                    size = abs(float(w[i, o])) / largest
                    inset = _RADIUS / math.hypot(x1 - x0, y1 - y0)
                    dx, dy = inset * (x1 - x0), inset * (y1 - y0)
                    line = Line2D(
                        [x0 + dx, x1 - dx],
                        [y0 + dy, y1 - dy],
                        color=_colour(w[i, o]),
                        linewidth=0.3 + 3.2 * size,
                        alpha=0.15 + 0.85 * size,
                        gid=f"weight-{layer}-{i + 1}-{o + 1}",
                        clip_on=False,
                    )
                    axes.add_artist(line)
        for layer, column in enumerate(at):
            own = b[layer - 1] if layer else None
            letter = "x" if layer == 0 else "y" if layer == len(W) else "h"
            for n, (x, y) in column.items():
                value = 0.0 if own is None else float(own[n])
                size = abs(value) / (largest_offset or 1.0)
                ring = Circle(
                    (x, y),
                    _RADIUS,
                    fill=False,
                    edgecolor=_GREY if own is None else _colour(value),
                    linewidth=1.0 if own is None else 1.0 + 2.5 * size,
                    gid=f"neuron-{layer}-{n + 1}",
                )
                axes.add_patch(ring)
                label = f"{letter}{n + 1}"
                axes.text(x, y, label, ha="center", va="center", fontsize=_fit(label))
            _dots(axes, column, widths[layer])
            _under(
                axes, layer, input_name if layer == 0 else names[layer - 1], column, widths[layer]
            )
        for n, (x, y) in at[-1].items():
            if beside:
                axes.text(
                    x + 0.35, y, beside[n], va="center", fontsize=9, fontfamily=families(beside)
                )
        _key(axes, tall, largest, largest_offset)
    figure.numbers = [["layer", "from", "to", "value"]]
    for layer, w in enumerate(W, 1):
        for i, o in ((i, o) for i in shown[layer - 1] for o in shown[layer]):
            figure.numbers.append([names[layer - 1], str(i + 1), str(o + 1), f"{w[i, o]:.6g}"])
        own = b[layer - 1]
        if own is not None:
            figure.numbers += [
                [names[layer - 1], "offset", str(o + 1), f"{own[o]:.6g}"] for o in shown[layer]
            ]
    figure.alt = _neurons_said(W, widths, shown, names, input_name)
    return figure


def _checked(
    weights: Sequence[ArrayLike],
    offsets: Sequence[ArrayLike | None] | None,
    layer_names: Sequence[str] | None,
    outputs: Sequence[str] | None,
    most: int,
) -> tuple[list[NDArray[Any]], list[NDArray[Any] | None], list[str]]:
    W = [np.asarray(w, np.float64) for w in weights]
    if not W or most < 1:
        raise HandgradError(
            f"neuron drawing: found {len(W)} layers, {most} neurons at most; expected at least 1"
        )
    before = W[0].shape[0] if W[0].ndim else 0
    for layer, w in enumerate(W, 1):
        if w.ndim != 2 or w.shape[0] != before or 0 in w.shape:
            raise HandgradError(
                f"neuron drawing: found weights of shape {w.shape} in layer {layer}; "
                f"expected ({before or 'I'}, O)"
            )
        before = w.shape[1]
    given = [None] * len(W) if offsets is None else list(offsets)
    b = [None if o is None else np.asarray(o, np.float64) for o in given]
    names = [f"layer {i}" for i in range(1, len(W) + 1)] if layer_names is None else layer_names
    if not len(b) == len(names) == len(W):
        raise HandgradError(
            f"neuron drawing: found {len(b)} offsets and {len(names)} names; "
            f"expected {len(W)}, one a layer"
        )
    for layer, (w, o) in enumerate(zip(W, b, strict=True), 1):
        if o is not None and o.shape != w.shape[1:]:
            raise HandgradError(
                f"neuron drawing: found offsets of shape {o.shape} in layer {layer}; "
                f"expected {w.shape[1:]}"
            )
        if not np.isfinite(w).all() or not (o is None or np.isfinite(o).all()):
            raise HandgradError(
                f"neuron drawing: found a value that is not finite in layer {layer}; "
                "expected finite weights and offsets"
            )
    if outputs is not None and len(outputs) != before:
        raise HandgradError(
            f"neuron drawing: found {len(outputs)} names of outputs; expected {before}"
        )
    return W, b, [str(name) for name in names]


def _strongest(W: list[NDArray[Any]], widths: list[int], most: int) -> list[list[int]]:
    """Of each layer the neurons to draw, in their order.

    Where some are left out, a quarter fewer are drawn: the dots between them need room.
    """
    strength = [np.zeros(n) for n in widths]
    for layer, w in enumerate(W):
        strength[layer] += (w * w).sum(axis=1)
        strength[layer + 1] += (w * w).sum(axis=0)
    return [
        sorted(np.argsort(-own, kind="stable")[: most if n <= most else -(-3 * most // 4)].tolist())
        for own, n in zip(strength, widths, strict=True)
    ]


def _column(shown: list[int], wide: int) -> tuple[dict[int, float], float]:
    """How far below the top each neuron of a layer stands, and how high the layer is, in inches.

    Where neurons are left out there is room for dots, before the first and after the last too.
    """
    heights, y, last = {}, 0.0, -1
    for n in shown:
        y += (_APART if last >= 0 else 0.0) + (_DOTS if n != last + 1 else 0.0)
        heights[n] = y
        last = n
    return heights, y + (_DOTS if last != wide - 1 else 0.0)


def _colour(value: float) -> str:
    return _WARM if value > 0 else _COLD if value < 0 else _GREY


def _fit(label: str) -> float:
    """Letters that fit into a neuron."""
    return 9.0 if len(label) <= 3 else 8.0 if len(label) == 4 else 6.5


def _dots(axes: Axes, column: dict[int, tuple[float, float]], wide: int) -> None:
    """Three dots wherever neurons are left out."""

    def dots(x: float, y: float) -> None:
        axes.plot([x] * 3, [y - 0.06, y, y + 0.06], ".", color=_GREY, markersize=2.5)

    last = -1
    for n, (x, y) in column.items():
        if n != last + 1:
            dots(x, y + (_APART + _DOTS) / 2)
        last = n
    if last != wide - 1:
        dots(x, y - (_APART + _DOTS) / 2)


def _under(
    axes: Axes, layer: int, name: str, column: dict[int, tuple[float, float]], wide: int
) -> None:
    """The name of a layer under its neurons, with what of it is drawn."""
    from handgrad.pictures.lettering import drawable, families, shortened, width

    lines = [
        shortened(drawable(part), lambda t: width(t, 9) <= 72 * _BETWEEN - 10)
        for part in name.split(" → ")
    ]
    if len(column) < wide:
        lines.append(f"{len(column)} of {wide:,}: the strongest")
    text = "\n".join(lines[:5])
    x = next(iter(column.values()))[0]
    axes.text(x, -0.42, text, ha="center", va="top", fontsize=9, fontfamily=families(lines))


def _key(axes: Axes, tall: float, largest: float, largest_offset: float) -> None:
    """What colour and width mean: the largest weight either way, above the drawing."""
    y, x = tall + 0.4, -1.0
    for sign, colour in ((-1, _COLD), (1, _WARM)):
        axes.plot([x, x + 0.35], [y, y], color=colour, lw=3.5, gid=f"key{'-+'[sign > 0]}")
        axes.text(x + 0.42, y, f"{sign * largest:.3g}", va="center", fontsize=_LETTERS)
        x += 1.0
    said = "weight" if not largest_offset else f"weight; ring: offset, to ±{largest_offset:.3g}"
    axes.text(x, y, said, va="center", fontsize=_LETTERS)


def _neurons_said(
    W: list[NDArray[Any]],
    widths: list[int],
    shown: list[list[int]],
    names: list[str],
    input_name: str,
) -> str:
    layers = [f"{input_name} ({widths[0]:,} numbers)"] + [
        f"{name} ({n:,} neuron{'s' * (n > 1)})" for name, n in zip(names, widths[1:], strict=True)
    ]
    left_out = any(len(own) < n for own, n in zip(shown, widths, strict=True))
    strongest = max(range(len(W)), key=lambda layer: float(np.abs(W[layer]).max()))
    i, o = np.unravel_index(int(np.abs(W[strongest]).argmax()), W[strongest].shape)
    value = W[strongest][i, o]
    return (
        f"A network neuron by neuron: {'; '.join(layers)}. "
        + ("Of the widest layers only the strongest neurons are drawn. " if left_out else "")
        + f"Weights go from {min(float(w.min()) for w in W):.3g} to "
        f"{max(float(w.max()) for w in W):.3g}; the largest in size is {value:.3g}, in "
        f"{names[strongest]}, from neuron {i + 1} to neuron {o + 1}."
    )


def layer_drawing(rows: Sequence[LayerRow]) -> Picture:
    """Draw a network layer by layer, from the input at the top to the output at the bottom.

    Each layer is a block as wide as its input at the top and as its output at the bottom (the
    logarithm of how many numbers), its colour the kind of layer; beside it its output's shape, its
    parameters, the memory of its output and its flops for one image, each with a bar of its share
    of the largest. A residual block is one block, its inner layers by name, with a line past it.

    Parameters
    ----------
    rows : what `networks.layer_rows` gives, and `handgrad summary` prints

    Returns
    -------
    figure : one axes; the ids are ``block-l``, ``bypass-l`` and, for the bars, ``parameters-l``,
        ``memory-l`` and ``flops-l``, counted from 1

    Raises
    ------
    HandgradError : no rows
    """
    if not rows:
        raise HandgradError("layer drawing: found no layers; expected at least one")
    from matplotlib.patches import Polygon, Rectangle

    from handgrad.pictures.figure import Picture, house_style
    from handgrad.pictures.lettering import drawable, families, shortened, width

    lines = [_inner(row.layer) for row in rows]
    heights = [0.3 + 0.16 * (len(own) - 1) for own in lines]
    tall = sum(heights)
    most = max(_log(shape) for shape in (rows[0].input, *(row.output for row in rows)))
    with house_style():
        figure = Picture(8.2, tall + 1.35)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, 8.2), ylim=(-tall - 0.55, 0.8))
        axes.axis("off")

        def write(x: float, y: float, text: str, **options: Any) -> None:
            axes.text(x, y, text, va="center", fontsize=8.5, **options)

        for name, x in _COLUMNS.items():
            write(x, 0.55, name, ha="left" if name == "layer" else "right", fontweight="bold")
        write(_MIDDLE, 0.55, "numbers in, numbers out", ha="center", fontweight="bold")
        write(0.15, 0.2, "input")
        write(_COLUMNS["output"], 0.2, _shape(rows[0].input), ha="right")
        y = 0.0
        largest = {name: max(own) or 1 for name, own in _costs(rows).items()}
        for i, (row, own, high) in enumerate(zip(rows, lines, heights, strict=True), 1):
            top, bottom, middle = y - 0.02, y - high + 0.02, y - high / 2
            a, z = (_HALF * (0.06 + 0.94 * _log(s) / most) for s in (row.input, row.output))
            colour = _kind(row.layer)
            block = Polygon(
                [
                    (_MIDDLE - a, top),
                    (_MIDDLE + a, top),
                    (_MIDDLE + z, bottom),
                    (_MIDDLE - z, bottom),
                ],
                facecolor=colour,
                edgecolor="none",
                alpha=0.85 if row.parameters else 0.45,
                gid=f"block-{i}",
            )
            axes.add_patch(block)
            if row.layer.startswith("residual"):
                side = _MIDDLE + _HALF + 0.12
                axes.plot(
                    [_MIDDLE + a, side, side, _MIDDLE + z],
                    [y, y, y - high, y - high],
                    color=_GREY,
                    lw=1.4,
                    gid=f"bypass-{i}",
                )
            for k, part in enumerate(own):
                name = shortened(drawable(part), lambda t: width(t, 8.5) <= 72 * 1.75)
                place = y - 0.15 - 0.16 * k
                write(0.15 + 0.12 * (k > 0), place, name, fontfamily=families([name]))
            write(_COLUMNS["output"], middle, _shape(row.output), ha="right")
            for name, (value, text) in _cost(row).items():
                x = _COLUMNS[name]
                bar = 0.95 * value / largest[name]
                axes.add_patch(
                    Rectangle(
                        (x - bar, middle - 0.125),
                        bar,
                        0.03,
                        facecolor=colour,
                        edgecolor="none",
                        gid=f"{name}-{i}",
                    )
                )
                write(x, middle + 0.01, text, ha="right")
            y -= high
        write(0.15, y - 0.25, "in all", fontweight="bold")
        for name, text in _total(rows).items():
            write(_COLUMNS[name], y - 0.25, text, ha="right", fontweight="bold")
    figure.numbers = [["layer", "input", "output", *_total(rows)]]
    for row in rows:
        costs = [text for _, text in _cost(row).values()]
        figure.numbers.append([row.layer, _shape(row.input), _shape(row.output), *costs])
    figure.numbers.append(["in all", "", "", *_total(rows).values()])
    figure.alt = _layers_said(rows)
    return figure


# Inches from the left: where the columns of numbers end, and the blocks' middle and half width.
_COLUMNS = {"layer": 0.15, "output": 4.75, "parameters": 5.85, "memory": 6.9, "flops": 8.05}
_MIDDLE, _HALF = 2.95, 0.95

_KINDS = (
    (("convolution",), "#0072B2"),
    (("dense",), "#D55E00"),
    (("residual",), "#CC79A7"),
    (("batch-norm", "layer-norm", "group-norm", "instance-norm"), "#009E73"),
    (("max-pool", "average-pool", "global-average-pool"), "#56B4E9"),
)


def _kind(layer: str) -> str:
    """The colour of a kind of layer; grey for what only bends or reorders numbers."""
    for kinds, colour in _KINDS:
        if layer.startswith(kinds):
            return colour
    return _GREY


def _inner(layer: str) -> list[str]:
    """The lines that name a layer: of a residual block, its head and then its inner layers."""
    head, opened, rest = layer.partition("(")
    if head != "residual" or not opened:
        return [layer]
    return [head, *rest.removesuffix(")").split(" → ")]


def _log(shape: Sequence[int]) -> float:
    return math.log2(math.prod(shape) + 1)


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _bytes(count: int) -> str:
    return f"{count:,} B" if count < 10_000 else f"{count / 1000:,.1f} kB"


def _cost(row: LayerRow) -> dict[str, tuple[int, str]]:
    return {
        "parameters": (row.parameters, f"{row.parameters:,}"),
        "memory": (row.bytes, _bytes(row.bytes)),
        "flops": (row.flops, f"{row.flops:,}"),
    }


def _costs(rows: Sequence[LayerRow]) -> dict[str, list[int]]:
    return {name: [_cost(row)[name][0] for row in rows] for name in _cost(rows[0])}


def _total(rows: Sequence[LayerRow]) -> dict[str, str]:
    costs = {name: sum(own) for name, own in _costs(rows).items()}
    return {
        "parameters": f"{costs['parameters']:,}",
        "memory": _bytes(costs["memory"]),
        "flops": f"{costs['flops']:,}",
    }


def _layers_said(rows: Sequence[LayerRow]) -> str:
    total = _total(rows)
    said = (
        f"A network of {len(rows)} layer{'s' * (len(rows) > 1)}, from {_shape(rows[0].input)} to "
        f"{_shape(rows[-1].output)}: {total['parameters']} parameters, {total['memory']} of "
        f"outputs and {total['flops']} flops an image."
    )
    for name, what in (("parameters", "parameters"), ("flops", "flops")):
        own = _costs(rows)[name]
        if sum(own):
            i = max(range(len(own)), key=own.__getitem__)
            share = 100 * own[i] / sum(own)
            said += f" Most {what} ({share:.0f} %) are in layer {i + 1}, {rows[i].layer}."
    return said
