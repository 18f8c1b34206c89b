"""What went in: the images and their labels, as a grid, as a matrix, as counts and as means."""

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
    from matplotlib.axes import Axes

    from handgrad.pictures.figure import Picture

__all__ = ["batch_matrix", "class_balance", "images", "mean_images"]

# Inches: an image of the grid, the room for its name, the margin around a figure.
_IMAGE, _NAME, _EDGE = 0.86, 0.24, 0.12
_CELL = 0.34  # a cell of a matrix, with room for "0.95"
_WIDE, _HIGH = 9.2, 4.4  # that a matrix may take at most
_SAMPLES, _ROWS = 64, 440  # that are drawn at most


def images(
    images: ArrayLike, labels: ArrayLike, class_names: Sequence[str], most: int = 40
) -> Picture:
    """Draw images in a grid, each under the name of its class.

    Parameters
    ----------
    images : (N, H, W, C) uint8, or float 0..1; C = 1 or 3
    labels : (N,) int
    class_names : K names, in any script
    most : how many are drawn at most, evenly over the N, which are often sorted by class

    Returns
    -------
    figure : one axes with all of them, row by row; large ones made smaller

    Raises
    ------
    HandgradError : no images; shapes that do not fit together; values outside 0..1; a label that
        is no class
    """
    given = pixels(images, "images")
    truth = _labels("images", labels, len(given), class_names)
    if not len(given) or most < 1:
        raise HandgradError(
            f"images: found {len(given)} images, {most} at most; expected at least 1"
        )
    some = np.unique(np.linspace(0, len(given) - 1, min(most, len(given))).round().astype(int))
    names = [class_names[label] for label in truth[some]]
    figure = _grid(_shares(given[some]), names)
    there = [name for k, name in enumerate(class_names) if k in truth[some]]
    what = _size(given.shape[1:])
    figure.alt = f"{_counted('image', len(given), len(some))} of {what}, with their labels: "
    figure.alt += f"{_listed(there)}."
    figure.numbers = [["image", "label"]]
    figure.numbers += [[str(i), name] for i, name in zip(some, names, strict=True)]
    return figure


def mean_images(images: ArrayLike, labels: ArrayLike, class_names: Sequence[str]) -> Picture:
    """Draw the mean of all images of each class.

    What is sharp in it is the same in all of them; a nearest-mean classifier knows nothing else.

    Parameters
    ----------
    images : (N, H, W, C) uint8, or float 0..1; C = 1 or 3
    labels : (N,) int
    class_names : K names, in any script; at most 200 of them are drawn

    Returns
    -------
    figure : one axes with all of them, row by row; a class without images has an empty place

    Raises
    ------
    HandgradError : no class; shapes that do not fit together; values outside 0..1; a label that is
        no class

    Cost: reads every pixel once.
    """
    given = pixels(images, "mean images")
    truth = _labels("mean images", labels, len(given), class_names)
    K = min(len(class_names), 200)
    if not K:
        raise HandgradError("mean images: found no class; expected at least one")
    means = np.full((K, *given.shape[1:]), np.nan)
    counts = np.bincount(truth, minlength=len(class_names))
    for k in range(K):
        if counts[k]:
            means[k] = given[truth == k].mean(axis=0, dtype=np.float64)
    if given.dtype == np.uint8:
        means /= 255
    names = [name if counts[k] else f"{name}: none" for k, name in enumerate(class_names[:K])]
    figure = _grid(means, names)
    shown = f"{K} of {len(class_names)}" if len(class_names) > K else f"{K}"
    classes = "class" if shown == "1" else "classes"
    figure.alt = f"The mean image of each of {shown} {classes}: {_listed(class_names[:K])}. "
    light = np.array([np.nan if not counts[k] else means[k].mean() for k in range(K)])
    if np.isfinite(light).any():
        bright, dark = int(np.nanargmax(light)), int(np.nanargmin(light))
        figure.alt += f"Lightest is {class_names[bright]} ({100 * light[bright]:.0f} % of white)"
        figure.alt += f", darkest {class_names[dark]} ({100 * light[dark]:.0f} %)."
    figure.numbers = [["class", "images", "mean brightness"]]
    figure.numbers += [
        [class_names[k], str(counts[k]), f"{light[k]:.4f}" if counts[k] else ""] for k in range(K)
    ]
    return figure


def batch_matrix(x: ArrayLike, labels: ArrayLike, class_names: Sequence[str]) -> Picture:
    """Draw a batch as the matrix that a network sees: one column a sample, one row a pixel.

    Under it the labels as a row, and the same as one-hot matrix Y: Y_kn is 1 where sample n is of
    class k. A value is printed where there is room. Of more than 64 samples the first are drawn, of
    more than 440 pixels some, evenly over the image; the titles say so. A pixel in colour is three
    numbers, a row each.

    Parameters
    ----------
    x : (N, …) float, prepared, as the network is given it; or uint8
    labels : (N,) int
    class_names : K names, in any script

    Returns
    -------
    figure : three axes, X, y and Y. X is grey (0 black, 1 white) where no value is negative, else
        warm and cold around 0

    Raises
    ------
    HandgradError : no samples; shapes that do not fit together; a label that is no class
    """
    given = np.asarray(x)
    if given.ndim < 2 or not given.size or given.dtype.kind not in "fui":
        raise HandgradError(
            f"batch matrix: found {given.dtype} of shape {given.shape}; expected numbers (N, …)"
        )
    truth = _labels("batch matrix", labels, len(given), class_names)
    N, K = min(len(given), _SAMPLES), len(class_names)
    X = given.reshape(len(given), -1)[:N].T.astype(np.float64)
    P = len(X)
    rows = np.unique(np.linspace(0, P - 1, min(P, _ROWS)).round().astype(int))
    Y = (np.arange(K)[:, None] == truth[:N]).astype(int)

    from handgrad.pictures.cells import LETTERS, Sheet, greys, largest, printed, signed
    from handgrad.pictures.figure import house_style
    from handgrad.pictures.lettering import drawable, width

    X = X[rows]
    what = "number" if given.ndim == 4 and given.shape[3] > 1 else "pixel"
    most = 1.0 if np.nanmin(X, initial=0) >= 0 and np.nanmax(X, initial=0) <= 1 else largest([X])
    grey: dict[str, Any] = {"cmap": greys(), "vmin": 0.0, "vmax": most}
    how = grey if not (X < 0).any() else signed(most)
    across = min(_CELL, _WIDE / N)
    # Thin lines of pixels where there are many; cells of full height where a number is to stand.
    down = _CELL if len(rows) * _CELL <= _HIGH else max(_HIGH / len(rows), 0.01)
    high = min(_CELL, 3.2 / K)
    with house_style():
        names = [drawable(name) for name in class_names]
        beside = min(1.5, max(width(name, LETTERS) for name in names) / 72 + 0.1)
        left = _EDGE + max(0.4, beside)
        wide = max(left + N * across + _EDGE, 5.2)
        tall = _EDGE + 0.3 + len(rows) * down + 0.35 + 0.3 + _CELL + 0.45 + high * K + 0.62
        sheet = Sheet(wide, tall)
        top = _EDGE + 0.3
        title = f"X: {_counted(what, P, len(rows))}, {_counted('sample', len(given), N)}; "
        sheet.text(left, top - 0.14, title + "one column a sample")
        drawn = sheet.image((left, top, N * across, len(rows) * down), X, **how)
        _ticks(drawn.axes, N, rows, down)
        texts = printed(X, across) if X.size <= 480 and down == _CELL else None
        if texts:
            sheet.write(drawn, texts)
        top += len(rows) * down + 0.35
        sheet.text(left, top + 0.14, "y: the class of each sample")
        top += 0.3
        drawn = sheet.image(
            (left, top, N * across, _CELL), truth[None, :N], **{**grey, "vmax": max(K - 1, 1)}
        )
        sheet.write(drawn, printed(truth[:N], across) or [])
        top += _CELL + 0.45
        sheet.text(left, top - 0.14, "Y: the same, one-hot")
        drawn = sheet.image((left, top, N * across, high * K), Y, **{**grey, "vmax": 1.0})
        if Y.size <= 480:
            sheet.write(drawn, (high >= 0.16 and printed(Y, across)) or [])
        for k in range(0, K, max(1, math.ceil(0.14 / high))):
            at = top + (k + 0.5) * high
            sheet.text(left - 0.06, at, class_names[k], ha="right", room=beside - 0.04)
        top += high * K + 0.3
        signs = how["vmin"] < 0
        ends = f"{-most:.3g}" if signs else "0", f"+{most:.3g}" if signs else f"{most:g}"
        sheet.scale(left + (0.3 if signs else 0), top, 1.4, how, ends)
    figure = sheet.figure
    figure.alt = (
        f"A batch as a matrix of {_counted(what, P, len(rows))} (rows) and "
        f"{_counted('sample', len(given), N)} (columns), from {np.nanmin(X):.3g} to "
        f"{np.nanmax(X):.3g}, over its labels and the same labels one-hot: "
        + ", ".join(f"{Y[k].sum()} of {class_names[k]}" for k in range(K) if Y[k].any())
        + "."
    )
    if len(rows) == P and X.size <= 2000:
        figure.numbers = [["", *(f"sample {n}" for n in range(N))]]
        figure.numbers += [[f"{what} {i}", *(f"{v:.6g}" for v in X[i])] for i in range(P)]
        figure.numbers += [["label", *map(str, truth[:N])]]
    return figure


def class_balance(counts: Mapping[str, ArrayLike], class_names: Sequence[str]) -> Picture:
    """Draw how many samples of each class there are, as their share of each part of the data.

    Parameters
    ----------
    counts : by the part ("train", "validation", "test"), (K,) int
    class_names : K names, in any script

    Returns
    -------
    figure : an axes a part, side by side, all on one scale; beside each bar its count and share
        (up to 150 classes)

    Raises
    ------
    HandgradError : no part, no class; counts of another length, or below 0
    """
    K = len(class_names)
    parts = {name: np.asarray(given) for name, given in counts.items()}
    if not (parts and K):
        raise HandgradError(
            f"class balance: found {len(parts)} parts of {K} classes; expected at least 1 of each"
        )
    for name, found in parts.items():
        if found.shape != (K,) or found.dtype.kind not in "iu" or found.min() < 0:
            raise HandgradError(
                f"class balance: found {name!r} of {found.dtype}, shape {found.shape}; expected "
                f"{K} counts of 0 or more"
            )
    shares = {name: found / max(found.sum(), 1) for name, found in parts.items()}

    from matplotlib.ticker import FuncFormatter, MaxNLocator

    from handgrad.pictures.figure import PALETTE, Picture, house_style, roomy
    from handgrad.pictures.lettering import drawable, families, shortened, width

    told = K <= 150
    row = 0.23 if K <= 40 else 0.15 if told else 10 / K
    panel = 2.5
    most = max(float(share.max()) for share in shares.values()) or 1.0
    with house_style():
        names = [
            # Measuring takes long, and what is short fits.
            name if len(name) < 12 else shortened(name, lambda text: width(text, 8) <= 130)
            for name in (map(drawable, class_names) if told else ())
        ]
        texts = {
            name: [f"{n:,} · {100 * s:.1f} %" for n, s in zip(found, shares[name], strict=True)]
            for name, found in parts.items()
        }
        room = max(width(max(row, key=len), 8) for row in texts.values()) / 72
        beside = max(width(name, 8) for name in names) / 72 if told else 0
        figure = Picture(max(panel * len(parts), 3.2) + beside + 0.5, row * K + 1.1, layout=roomy())
        panels = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
        for i, (axes, (name, share)) in enumerate(zip(panels, shares.items(), strict=True)):
            if told:
                axes.barh(range(K), share, height=0.72, color=PALETTE[i % 6])
            else:  # one outline instead of hundreds of bars
                edges = np.arange(K + 1) - 0.5
                axes.stairs(share, edges, orientation="horizontal", fill=True, color=PALETTE[i % 6])
            label = drawable(f"{name}: {parts[name].sum():,}")
            axes.set_title(label, fontsize=9, fontfamily=families([label]))
            axes.set_ylim(K - 0.5, -0.5)
            axes.set_xlim(0, most / max(0.3, 1 - (room + 0.1) / (panel - 0.15)))
            axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 2.5, 5, 10], prune="upper"))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.4g} %"))
            axes.tick_params(axis="both", length=0, labelsize=8)
            axes.grid(False, axis="y")
            if told:
                for k in range(K):
                    axes.text(
                        share[k] + 0.012 * axes.get_xlim()[1],
                        k,
                        texts[name][k],
                        va="center_baseline",
                        fontsize=8,
                    ).set_in_layout(False)
        if told:
            panels[0].set_yticks(range(K), names, fontfamily=families(names))
        else:
            panels[0].set_ylabel(f"{K} classes", fontsize=8)
            panels[0].set_yticks([])
        figure.supxlabel("share of the part", fontsize=8)
        figure.settle()
    figure.alt = f"Samples of each of {K} classes. " + " ".join(
        _spread(name, found, class_names) for name, found in parts.items()
    )
    figure.numbers = [["class", *(f"{n} {w}" for n in parts for w in ("count", "share"))]]
    figure.numbers += [
        [
            class_names[k],
            *(word for n in parts for word in (str(parts[n][k]), f"{100 * shares[n][k]:.2f} %")),
        ]
        for k in range(K)
    ]
    return figure


def _spread(name: str, counts: NDArray[Any], class_names: Sequence[str]) -> str:
    """The classes with most and least samples, in words."""
    high, low = int(counts.argmax()), int(counts.argmin())
    if counts[high] == counts[low]:
        return f"{name}: {counts[high]:,} of each."
    return (
        f"{name}: from {counts[low]:,} ({class_names[low]}) to {counts[high]:,} "
        f"({class_names[high]}) of {counts.sum():,}."
    )


def _grid(tiles: NDArray[Any], names: Sequence[str]) -> Picture:
    """Images (n, H, W, C) in 0..1 in one mosaic, each under its name."""
    from handgrad.pictures.cells import Sheet
    from handgrad.pictures.figure import house_style

    tiles = shrunk(tiles)
    n, H, W, _ = tiles.shape
    pixel = _IMAGE / max(H, W)  # inches
    columns = min(n, 10 if n > 32 else 8 if n > 12 else max(4, math.ceil(math.sqrt(n))))
    gap = math.ceil(_NAME / pixel)
    step = math.ceil((_IMAGE + 0.09) / pixel) if max(H, W) > 8 else W + 1
    step = max(step, math.ceil(_IMAGE / pixel))
    whole = mosaic(tiles, columns, (gap, 1), step)
    wide, high = whole.shape[1] * pixel, whole.shape[0] * pixel
    # A narrow last column still needs the room of its name.
    free = max(0.0, (_IMAGE - W * pixel) / 2)
    with house_style():
        sheet = Sheet(wide + 2 * free + 2 * _EDGE, high + _NAME + 2 * _EDGE)
        left, top = _EDGE + free, _EDGE + _NAME
        drawn = sheet.mosaic((left, top, wide, high), whole)
        corners = [(i % columns * step - 0.5, i // columns * (H + gap) - 0.5) for i in range(n)]
        sheet.frames(drawn, corners, W, H)
        # The outer ones may reach into the margin, but not beyond.
        room = min(step * pixel - 0.08, W * pixel + 2 * free + 2 * _EDGE - 0.04)
        for i, name in enumerate(names):
            x = left + (i % columns * step + W / 2) * pixel
            y = top + i // columns * (H + gap) * pixel - 0.09
            sheet.text(x, y, name, ha="center", room=room)
    return sheet.figure


def _ticks(axes: Axes | None, samples: int, rows: NDArray[Any], down: float) -> None:
    """Numbers of pixels and samples beside their rows and columns, as many as there is room for."""
    assert axes is not None
    each = max(1, math.ceil(0.16 / down), math.ceil(len(rows) / 12) if down < _CELL else 1)
    axes.set_yticks(range(0, len(rows), each), [f"{i:,}" for i in rows[::each]], fontsize=8)
    some = range(0, samples, 1 if samples <= 30 else 5)
    axes.set_xticks(some, [str(i) for i in some], fontsize=8)
    axes.tick_params(length=0, pad=2)


def _shares(given: NDArray[Any]) -> NDArray[np.float64]:
    """uint8 or 0..1 as 0..1."""
    return given.astype(np.float64) / (255 if given.dtype == np.uint8 else 1)


def _labels(
    what: str, labels: ArrayLike, n: int, class_names: Sequence[str]
) -> NDArray[np.signedinteger[Any]]:
    found = np.asarray(labels)
    if found.shape != (n,):
        raise HandgradError(f"{what}: found labels of shape {found.shape}; expected ({n},)")
    if not n:
        return found.astype(np.int64)
    if found.dtype.kind not in "iu" or found.min() < 0 or found.max() >= len(class_names):
        raise HandgradError(
            f"{what}: found labels {found.min()}..{found.max()}; "
            f"expected 0..{len(class_names) - 1}, one of {len(class_names)} classes"
        )
    return found.astype(np.int64)


def _counted(what: str, n: int, shown: int) -> str:
    """
    >>> _counted("pixel", 784, 440), _counted("sample", 1, 1)
    ('440 of 784 pixels', '1 sample')
    """
    plural = "s" if n != 1 else ""
    return f"{shown:,} of {n:,} {what}{plural}" if shown < n else f"{n:,} {what}{plural}"


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape[:2])) + (" in colour" if shape[2] == 3 else " in grey")


def _listed(names: Sequence[str]) -> str:
    """
    >>> _listed(["a", "b"]), _listed([str(i) for i in range(30)])
    ('a, b', '0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 20 more')
    """
    if len(names) <= 12:
        return ", ".join(names)
    return f"{', '.join(names[:10])} and {len(names) - 10} more"
