"""What was learned: weights as matrices and as images, and what every layer makes of an image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handgrad.errors import HandgradError
from handgrad.pictures.mosaic import mosaic, shrunk
from handgrad.pictures.pixels import pixels

if TYPE_CHECKING:
    from handgrad.pictures.cells import Sheet
    from handgrad.pictures.figure import Picture

__all__ = ["activations", "first_weights", "weight_matrices"]

# Inches.
_EDGE, _TITLE, _GAP = 0.12, 0.28, 0.3
_CELL = 0.4  # with room for "-0.53"
_WIDE, _HIGH = 8.4, 3.4  # that a matrix may take at most
_THIN = 0.16  # that it takes at least
_FEW = 4  # neurons in colour, each channel of which is drawn


def weight_matrices(arrays: Mapping[str, ArrayLike]) -> Picture:
    """Draw weights as matrices side by side, warm for positive and cold for negative.

    One scale for all, with white for 0; a value is printed where there is room. Where there are
    many, the scale leaves out the offsets and the largest few percent of the weights, which would
    make all others pale; it then says so by ≤ and ≥.

    Parameters
    ----------
    arrays : by name, such as "W1" and "b1", in order: (O, I) float, one row a neuron (of a `Dense`
        layer W.T); (O,) as a column; any other shape (…, O) as O rows

    Returns
    -------
    figure : an axes each, then the scale

    Raises
    ------
    HandgradError : no array, or an empty one
    """
    found = {name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()}
    for name, array in found.items():
        if not array.size or not array.ndim:
            raise HandgradError(
                f"weight matrices: found {name} of shape {array.shape}; expected (O, I) or (O,)"
            )
    if not found:
        raise HandgradError("weight matrices: found no array; expected at least one")

    from handgrad.pictures.cells import Sheet, printed, signed
    from handgrad.pictures.figure import house_style

    matrices = [array for array in found.values() if array.ndim > 1]
    few = sum(array.size for array in found.values()) < 1000
    # Among many, offsets do not set the scale: a layer's may be ten times its weights.
    most, beyond = _robust(list(found.values()) if few or not matrices else matrices, 0.975)
    placed: list[tuple[str, NDArray[Any], tuple[float, float, float, float]]] = []
    left, top, row, high = _EDGE, _EDGE, 0, 0.0
    for name, array in found.items():
        matrix = array[:, None] if array.ndim == 1 else array
        matrix = matrix.reshape(-1, matrix.shape[-1]).T if matrix.ndim > 2 else matrix
        O, I = matrix.shape
        if array.ndim == 1 and row == O:
            cell = placed[-1][2][3] / O  # as high as the matrix that it belongs to
        else:
            cell = min(_CELL, _WIDE / I, _HIGH / O)
        size = max(min(cell, _CELL) * I, _THIN), max(cell * O, _THIN)
        title = name + " · " + "x".join(map(str, array.shape))
        shown, block = _in_blocks(matrix)
        if block > 1:
            title += f" (a dot is the mean of {block})"
        wide = max(size[0], 0.075 * len(title))
        if left > _EDGE and left + wide > _EDGE + _WIDE + 1:
            left, top, high = _EDGE, top + high + _TITLE + _GAP, 0.0
        placed.append((title, shown, (left, top + _TITLE, *size)))
        left, row, high = left + wide + _GAP, O, max(high, size[1])
    bottom = top + _TITLE + high
    width = max(max(at[0] + max(at[2], 0.075 * len(t)) for t, _, at in placed) + _EDGE, 2.8)
    letters = 0
    with house_style():
        sheet = Sheet(width, bottom + 0.65)
        for title, matrix, at in placed:
            sheet.text(at[0], at[1] - 0.13, title)
            drawn = sheet.image(at, matrix, **signed(most))
            texts = None
            if at[3] / len(matrix) >= 0.16 and letters + matrix.size <= 600:
                texts = printed(matrix, at[2] / matrix.shape[1])
            if texts:
                sheet.write(drawn, texts)
                letters += len(texts)
        sheet.scale(_EDGE + 0.35, bottom + 0.26, 1.6, signed(most), _ends(most, beyond))
    figure = sheet.figure
    figure.alt = "Weights as matrices: " + "; ".join(
        f"{name} ({'x'.join(map(str, a.shape))}) {_range(a)}" for name, a in found.items()
    )
    figure.alt += "."
    figure.numbers = [["array", "shape", "least", "mean", "most"]]
    for name, a in found.items():
        real = a[np.isfinite(a)]
        numbers = [f"{f(real):.6g}" for f in (np.min, np.mean, np.max)] if real.size else [""] * 3
        figure.numbers.append([name, "x".join(map(str, a.shape)), *numbers])
    return figure


def first_weights(
    W: ArrayLike,
    shape: tuple[int, int, int] | None = None,
    names: Sequence[str] | None = None,
    most: int = 144,
) -> Picture:
    """Draw the weights of a first layer as images, which show what each unit looks for.

    - Dense, one channel: an image a neuron, warm for positive and cold for negative, on one scale.
    - Dense, three channels, up to 4 neurons: a row a neuron, each channel on that scale, and all
      together in colour.
    - Convolution of three channels, and more neurons: an image a filter in colour, 0 being grey,
      and each scaled by its own largest weight.
    - Convolution of any other number of channels: a row a filter, an image a channel.

    Parameters
    ----------
    W : (I, O) float of a dense layer, or (KH, KW, C, O) of a convolution
    shape : (H, W, C) of the images that a dense layer sees; I = H·W·C
    names : (O,) of the units, drawn above them
    most : how many are drawn at most, the first ones; the title says so

    Returns
    -------
    figure : one mosaic, or an axes a channel of each neuron

    Raises
    ------
    HandgradError : shapes that do not fit together
    """
    given = np.asarray(W, dtype=np.float64)
    dense = given.ndim == 2
    if not given.size or not (
        given.ndim == 4 or (dense and shape is not None and given.shape[0] == math.prod(shape))
    ):
        raise HandgradError(
            f"first weights: found W of shape {given.shape} and images of {shape}; expected "
            "(H·W·C, O) and (H, W, C), or (KH, KW, C, O)"
        )
    O = given.shape[-1]
    if names is not None and len(names) != O:
        raise HandgradError(f"first weights: found {len(names)} names; expected {O}, one a unit")
    whole = np.moveaxis(given, -1, 0).reshape(O, *(shape or ()) if dense else given.shape[:3])
    units = "neuron" if dense else "filter"
    n = min(O, most)
    title = f"{n} of {O} {units}s" if n < O else f"{O} {units}" + ("s" if O > 1 else "")
    title += " of " + "x".join(map(str, whole.shape[1:]))
    tiles = whole[:n]

    if tiles.shape[3] == 3 and dense and n <= _FEW:
        figure = _by_channel(tiles, title, names)
    elif tiles.shape[3] == 3:
        figure = _in_colour(tiles, title, names)
    else:
        figure = _in_one_mosaic(tiles, title, names)
    figure.alt = f"Weights of the first layer as images, {title}: {_range(given)}."
    strongest = int(np.nanargmax(np.nan_to_num(np.abs(whole)).reshape(O, -1).max(axis=1)))
    if O > 1:
        called = names[strongest] if names is not None else f"{units} {strongest}"
        figure.alt += f" The largest is in {called}."
    figure.numbers = [[units, "least", "mean", "most"]]
    for i, weights in enumerate(whole):
        numbers = [f"{f(weights):.6g}" for f in (np.min, np.mean, np.max)]
        figure.numbers.append([names[i] if names is not None else str(i), *numbers])
    return figure


def activations(
    image: ArrayLike,
    outputs: Mapping[str, ArrayLike],
    probabilities: ArrayLike,
    class_names: Sequence[str],
    *,
    truth: int | None = None,
    most: int = 16,
) -> Picture:
    """Draw what every layer makes of one image: the image first, the probabilities last.

    Parameters
    ----------
    image : (H, W, C) uint8, or float 0..1; C = 1 or 3
    outputs : by the name of the layer, in order: (U,) or (H, W, C) float, for this image
    probabilities : (K,) float
    class_names : K names, in any script
    truth : the true class, if it is known
    most : maps of a layer that are drawn at most, the first ones

    Returns
    -------
    figure : an axes a row: feature maps as a mosaic, numbers of a dense layer as cells. A layer has
        a scale of its own, written beside it: black to white from 0 where nothing is negative, else
        warm and cold around 0

    Raises
    ------
    HandgradError : shapes that do not fit together
    """
    given = pixels(np.asarray(image)[None], "activations")[0]
    p = np.asarray(probabilities, dtype=np.float64)
    if p.shape != (len(class_names),) or not p.size:
        raise HandgradError(
            f"activations: found probabilities of shape {p.shape}; expected ({len(class_names)},)"
        )
    found = {name: np.asarray(a, dtype=np.float64) for name, a in outputs.items()}
    for name, array in found.items():
        if array.ndim not in (1, 3) or not array.size:
            raise HandgradError(
                f"activations: found {name!r} of shape {array.shape}; expected (U,) or (H, W, C)"
            )

    from handgrad.pictures.cells import Sheet, greys, largest, printed, signed
    from handgrad.pictures.figure import BLUE, ORANGE, house_style

    words, wide = 1.9, 6.4
    left = _EDGE + words
    budget = 200_000 // max(1, len(found))
    rows: list[tuple[str, NDArray[Any], NDArray[Any], float, float, bool]] = []
    for name, array in found.items():
        flat = array.ndim == 1
        shape = "x".join(map(str, array.shape))
        whole: NDArray[Any]
        if flat:
            across = min(len(array), 160)
            whole = np.full((math.ceil(len(array) / across), across), np.nan)
            whole.ravel()[: len(array)] = array
            cell = min(_CELL, wide / across)
            size = cell * across, len(whole) * (0.26 if len(whole) == 1 else 0.12)
        else:
            maps = np.moveaxis(array, 2, 0)[:most]
            if len(maps) < array.shape[2]:
                shape += f", {len(maps)} shown"
            maps = shrunk(maps, budget)
            columns = min(len(maps), 16)
            whole = mosaic(maps, columns)
            pixel = min(wide / columns, 0.8) / (max(maps.shape[1:]) + 1)
            size = whole.shape[1] * pixel, whole.shape[0] * pixel
        rows.append((f"{name}\n{shape}", array, whole, *size, flat))
    side = 0.9
    H, W = given.shape[:2]
    best = np.argsort(-p, kind="stable")[:10]
    tall = _EDGE + side + 0.16 + sum(max(high, 0.36) + 0.16 for *_, high, _ in rows)
    tall += len(best) * 0.2 + 0.1 + _EDGE
    with house_style():
        sheet = Sheet(left + wide + 1.0 + _EDGE, tall)
        top = _EDGE
        _two_lines(sheet, top + side / 2, f"image\n{'x'.join(map(str, given.shape))}", words)
        shares = given.astype(np.float64) / (255 if given.dtype == np.uint8 else 1)
        scale = side / max(H, W)
        shares = shrunk(shares[None], 16_000)[0]
        drawn = sheet.mosaic((left, top, W * scale, H * scale), shares)
        assert drawn.axes is not None
        drawn.axes.spines[:].set_visible(True)
        if truth is not None:
            sheet.text(left + W * scale + 0.1, top + side / 2, f"is {class_names[truth]}", room=3)
        top += side + 0.16
        for title, array, values, length, high, flat in rows:
            room = max(high, 0.36)
            _two_lines(sheet, top + room / 2, title, words)
            limit = largest([array])
            signs = bool((array < 0).any())
            how = signed(limit) if signs else {"cmap": greys(), "vmin": 0.0, "vmax": limit}
            at = left, top + (room - high) / 2, length, high
            if flat:
                shown = sheet.image(at, values, **how)
                texts = printed(array, length / values.shape[1]) if len(values) == 1 else None
                if texts:
                    sheet.write(shown, texts)
            else:
                sheet.mosaic(at, values, **how)
            span = f"±{limit:.3g}" if signs else f"0 to {limit:.3g}"
            sheet.text(left + length + 0.1, top + room / 2, span, color="#6E6E6E")
            top += room + 0.16
        bars = len(best) * 0.2
        _two_lines(sheet, top + bars / 2, "probabilities", words)
        axes = sheet.axes(left, top, 2.6, bars)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        colours = [ORANGE if truth is not None and k != truth else BLUE for k in best]
        axes.barh(range(len(best)), p[best], height=0.7, color=colours)
        axes.set(xlim=(0, 1), ylim=(len(best) - 0.5, -0.5))
        for i, k in enumerate(best):
            at_x = left + 2.6 * float(p[k]) + 0.06
            mark = " (the truth)" if k == truth else ""
            text = f"{100 * p[k]:.1f} % {class_names[k]}{mark}"
            sheet.text(at_x, top + 0.2 * (i + 0.5), text, room=4.2)
    figure = sheet.figure
    called = class_names[int(best[0])]
    figure.alt = (
        f"What {len(found)} layers make of one image, from {given.shape[0]}x{given.shape[1]} "
        f"pixels to the answer {called} with {100 * p[best[0]]:.1f} %"
    )
    figure.alt += f"; it is {class_names[truth]}." if truth is not None else "."
    figure.numbers = [["layer", "shape", "least", "mean", "most"]]
    for name, a in found.items():
        numbers = [f"{f(a):.6g}" for f in (np.min, np.mean, np.max)]
        figure.numbers.append([name, "x".join(map(str, a.shape)), *numbers])
    figure.numbers += [
        [f"probability of {class_names[k]}", "", "", f"{p[k]:.6g}", ""] for k in best
    ]
    return figure


def _two_lines(sheet: Sheet, y: float, text: str, room: float) -> None:
    """A name and under it what else is to know, beside what they belong to."""
    name, *below = text.split("\n")
    sheet.text(_EDGE, y - (0.075 if below else 0), name, room=room - 0.1)
    for line in below:
        sheet.text(_EDGE, y + 0.085, line, room=room - 0.1, color="#6E6E6E")


def _in_one_mosaic(tiles: NDArray[Any], title: str, names: Sequence[str] | None) -> Picture:
    """Each unit an image, or a row of images if it has several channels, on one scale."""
    n, _, _, C = tiles.shape
    most, beyond = _robust([tiles])
    if C > 1:
        tiles = np.moveaxis(tiles, 3, 1).reshape(n * C, *tiles.shape[1:3])
        columns, names = min(C, 32), None
    else:
        tiles, columns = tiles[..., 0], _columns(n, names)
    from handgrad.pictures.cells import signed

    return _mosaic(tiles, columns, title, names, signed(most), _ends(most, beyond))


def _in_colour(tiles: NDArray[Any], title: str, names: Sequence[str] | None) -> Picture:
    """Each unit an image in colour, around grey."""
    title += ", in colour: grey is 0, each on its own scale"
    return _mosaic(_around_grey(tiles), _columns(len(tiles), names), title, names, {}, None)


def _mosaic(
    tiles: NDArray[Any],
    columns: int,
    title: str,
    names: Sequence[str] | None,
    how: dict[str, Any],
    ends: tuple[str, str] | None,
) -> Picture:
    from handgrad.pictures.cells import Sheet
    from handgrad.pictures.figure import house_style

    tiles = shrunk(tiles)
    n, H, W = tiles.shape[:3]
    pixel = min(_WIDE / columns, 0.9) / (max(H, W) + 1)  # inches
    gap = math.ceil(0.2 / pixel) if names is not None else 1
    whole = mosaic(tiles, columns, (gap, 1))
    wide, high = whole.shape[1] * pixel, whole.shape[0] * pixel
    top = _EDGE + _TITLE + (0.2 if names is not None else 0)
    with house_style():
        sheet = Sheet(max(wide, 0.068 * len(title), 2.4) + 2 * _EDGE, top + high + 0.65)
        sheet.text(_EDGE, _EDGE + 0.12, title)
        drawn = sheet.mosaic((_EDGE, top, wide, high), whole, **how)
        corners = [(i % columns * (W + 1) - 0.5, i // columns * (H + gap) - 0.5) for i in range(n)]
        sheet.frames(drawn, corners, W, H)
        # The outer ones may reach into the margin, but not beyond.
        room = min((W + 1) * pixel - 0.06, W * pixel + 2 * _EDGE - 0.04)
        for i, name in enumerate((names or [])[:n]):
            x = _EDGE + (corners[i][0] + 0.5 + W / 2) * pixel
            y = top + (corners[i][1] + 0.5) * pixel
            sheet.text(x, y - 0.08, name, ha="center", room=room)
        if ends is not None:
            sheet.scale(_EDGE + 0.35, top + high + 0.26, 1.6, how, ends)
    return sheet.figure


def _by_channel(tiles: NDArray[Any], title: str, names: Sequence[str] | None) -> Picture:
    """A row a neuron: red, green, blue, and all together."""
    from handgrad.pictures.cells import Sheet, signed
    from handgrad.pictures.figure import house_style

    most, beyond = _robust([tiles])
    n, H, W, _ = tiles.shape
    side, together = 1.7, _around_grey(tiles)
    wide, high = side * min(1, W / H), side * min(1, H / W)
    step = max(wide, 1.5) + 0.2
    above = 0.5 if names is not None else 0.32
    with house_style():
        sheet = Sheet(4 * step + 2 * _EDGE, _EDGE + 0.24 + n * (above + high) + 0.65)
        sheet.text(_EDGE, _EDGE + 0.1, title)
        for i in range(n):
            top = _EDGE + 0.24 + i * (above + high) + above
            if names is not None:
                sheet.text(_EDGE, top - 0.33, names[i], room=4 * step, weight="bold")
            for c, channel in enumerate(("red", "green", "blue")):
                sheet.text(_EDGE + c * step, top - 0.12, channel)
                at = _EDGE + c * step, top, wide, high
                sheet.image(at, shrunk(tiles[i : i + 1, ..., c], 16_000)[0], **signed(most))
            sheet.text(_EDGE + 3 * step, top - 0.12, "together (grey is 0)")
            at = _EDGE + 3 * step, top, wide, high
            sheet.mosaic(at, shrunk(together[i : i + 1], 16_000)[0])
        bottom = _EDGE + 0.24 + n * (above + high) + 0.26
        sheet.scale(_EDGE + 0.35, bottom, 1.6, signed(most), _ends(most, beyond))
    return sheet.figure


def _columns(n: int, names: Sequence[str] | None) -> int:
    """How many images stand in a row: about twice as many as there are rows."""
    few = 10 if names is not None else 16
    rows = math.ceil(n / min(n, few, max(5, math.ceil(math.sqrt(2 * n)))))
    return math.ceil(n / rows)


def _around_grey(tiles: NDArray[Any]) -> NDArray[np.float64]:
    """(n, H, W, 3) weights as colours: 0 is grey, the largest of each image a full colour.

    >>> _around_grey(np.array([[[[4.0, 0.0, -2.0]]]])).tolist()
    [[[[1.0, 0.5, 0.25]]]]
    """
    finite = np.where(np.isfinite(tiles), tiles, 0)
    most = np.abs(finite).reshape(len(tiles), -1).max(axis=1)
    return np.asarray(0.5 + finite / (2 * np.where(most > 0, most, 1))[:, None, None, None])


def _robust(arrays: Sequence[NDArray[Any]], share: float = 0.995) -> tuple[float, bool]:
    """Where the colours end, and whether any value is beyond: a few large ones of many are."""
    from handgrad.pictures.cells import largest

    most = largest(arrays)
    values = [np.abs(a[np.isfinite(a)]) for a in arrays]
    if sum(a.size for a in values) < 1000:
        return most, False
    all_but = max(float(np.quantile(a, share)) for a in values if a.size)
    return (all_but, True) if 0 < all_but < 0.8 * most else (most, False)


def _ends(most: float, beyond: bool) -> tuple[str, str]:
    """
    >>> _ends(0.25, False), _ends(0.25, True)
    (('-0.25', '+0.25'), ('≤ -0.25', '≥ +0.25'))
    """
    low, high = ("≤ ", "≥ ") if beyond else ("", "")
    return f"{low}{-most:+.3g}", f"{high}{most:+.3g}"


def _range(array: NDArray[Any]) -> str:
    """
    >>> _range(np.array([1.0, np.nan, -2.0])), _range(np.array([np.nan]))
    ('from -2 to 1, 1 not finite', 'nothing finite')
    """
    finite = array[np.isfinite(array)]
    if not finite.size:
        return "nothing finite"
    lost = array.size - finite.size
    return f"from {finite.min():.3g} to {finite.max():.3g}" + (
        f", {lost} not finite" if lost else ""
    )


def _in_blocks(matrix: NDArray[Any], most: int = 1200) -> tuple[NDArray[Any], int]:
    """A matrix of at most so many columns, each the mean of a block, and how many make a block.

    >>> _in_blocks(np.array([[1.0, 3.0, 5.0, 7.0, 9.0]]), 2)
    (array([[3., 8.]]), 3)
    """
    block = math.ceil(matrix.shape[1] / most)
    if block == 1:
        return matrix, 1
    starts = range(0, matrix.shape[1], block)
    return np.stack([matrix[:, i : i + block].mean(axis=1) for i in starts], axis=1), block
