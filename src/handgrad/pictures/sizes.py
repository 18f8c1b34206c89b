"""How large the images of a folder are: width and height, a dot each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from handgrad.errors import HandgradError

if TYPE_CHECKING:
    from handgrad.pictures.figure import Picture

__all__ = ["image_sizes"]

_DOTS = 2000  # that are drawn at most
_FROM, _MOST = 14.0, 180.0  # points²: the area of a dot of one image, and of the commonest


def image_sizes(
    widths: ArrayLike, heights: ArrayLike, labels: ArrayLike, class_names: Sequence[str]
) -> Picture:
    """Draw how wide and how high images are, a dot for each size of each class.

    A class whose dots lie apart from all others can be told without looking at a picture.

    Parameters
    ----------
    widths, heights : (N,) int, pixels, 1 or more
    labels : (N,) int
    class_names : K names, in any script; of more than six, all dots have one colour

    Returns
    -------
    figure : one axes, logarithmic where sizes differ much; dots on the drawn line are squares, and
        the larger a dot, the more images have this size

    Raises
    ------
    HandgradError : no images; shapes that do not fit together; a size below 1; a label that is no
        class
    """
    w, h, truth = (np.asarray(given) for given in (widths, heights, labels))
    K = len(class_names)
    if not (len(w) and w.shape == h.shape == truth.shape == (len(w),)):
        raise HandgradError(
            f"image sizes: found widths, heights and labels of shapes {w.shape}, {h.shape} and "
            f"{truth.shape}; expected as many of each, at least 1"
        )
    if min(w.min(), h.min()) < 1 or not 0 <= truth.min() <= truth.max() < K:
        raise HandgradError(
            f"image sizes: found sizes from {min(w.min(), h.min())} and labels "
            f"{truth.min()}..{truth.max()}; expected sizes from 1 and labels 0..{K - 1}"
        )
    told = K <= 6
    shown, counts = np.unique(
        np.stack([truth if told else np.zeros_like(truth), w, h]), axis=1, return_counts=True
    )
    sizes = len(np.unique(np.stack([w, h]), axis=1)[0])
    if len(counts) > _DOTS:
        some = np.linspace(0, len(counts) - 1, _DOTS).round().astype(int)
        shown, counts = shown[:, some], counts[some]
    area = _FROM + (_MOST - _FROM) * (counts - 1) / max(int(counts.max()) - 1, 1)

    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    from handgrad.pictures.figure import PALETTE, Picture, house_style, roomy
    from handgrad.pictures.lettering import drawable, families, shortened, width

    with house_style():
        figure = Picture(7.0, 4.6, layout=roomy())
        axes = figure.add_subplot()
        low, high = min(w.min(), h.min()), max(w.max(), h.max())
        if high > 8 * low:
            axes.set(xscale="log", yscale="log")
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 200 * low else (1,)))
                axis.set_minor_locator(NullLocator())
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.axline((low, low), (high + 1, high + 1), color="#6E6E6E", linewidth=0.8, zorder=1)
        names = [
            shortened(drawable(name), lambda text: width(text, 9) <= 170) for name in class_names
        ]
        # The commonest class first, so that it does not lie on the others.
        for k in sorted(range(K if told else 1), key=lambda k: -int((shown[0] == k).sum())):
            mine = shown[0] == k
            axes.scatter(
                shown[1, mine], shown[2, mine], area[mine], color=PALETTE[k], alpha=0.6,
                linewidths=0, label=names[k] if told else f"{K} classes", marker="osD^vP"[k],
            )  # fmt: skip
        if told:
            handles, texts = axes.get_legend_handles_labels()
            order = [texts.index(name) for name in dict.fromkeys(names)]
            legend = figure.legend(
                [handles[i] for i in order],
                [texts[i] for i in order],
                loc="outside right upper",
                frameon=False,
                prop={"family": families(names), "size": 9},
            )
            for handle in legend.legend_handles:
                handle.set_sizes([40])  # type: ignore[union-attr]
        axes.set(xlabel="width in pixels", ylabel="height in pixels")
        figure.settle()
    figure.alt = f"Sizes of {len(w):,} images, {sizes:,} different ones: " + "; ".join(
        f"{class_names[k]} {_span(w[truth == k])} wide and {_span(h[truth == k])} high"
        for k in range(K if told else 0)
        if (truth == k).any()
    )
    if not told:
        figure.alt += f"{_span(w)} wide and {_span(h)} high"
    figure.alt += "."
    figure.numbers = [["class", "images", "width", "median", "height", "median"]]
    figure.numbers += [
        [
            class_names[k],
            str(int((truth == k).sum())),
            _span(w[truth == k]),
            f"{np.median(w[truth == k]):g}",
            _span(h[truth == k]),
            f"{np.median(h[truth == k]):g}",
        ]
        for k in range(K)
        if (truth == k).any()
    ]
    return figure


def _span(values: ArrayLike) -> str:
    low, high = np.min(values), np.max(values)
    return f"{low}" if low == high else f"{low} to {high}"
