"""Whether a network is right as often as it says it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from handgrad.errors import HandgradError
from handgrad.pictures.predictions import judged
from handgrad.training.calibration import Calibration, calibration
from handgrad.training.metrics import wilson_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from handgrad.pictures.figure import Picture

__all__ = ["reliability"]


def reliability(labels: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> Picture:
    """Draw the accuracy of the predictions of each confidence: the reliability diagram.

    A point is a bin of confidence: where it stands is the mean confidence in it, how high is the
    share that is right, with its 95 % Wilson interval. Below the diagonal the network is surer than
    it is right. Below are the predictions in each bin.

    Parameters
    ----------
    labels : (N,) int, the true classes
    probabilities : (N, K) float
    bins : of one width, from 0 to 1

    Returns
    -------
    figure : the diagram in the first axes, the counts in the second

    Raises
    ------
    HandgradError : no predictions; shapes that do not fit together; probabilities outside 0..1 or
        not finite; a label that is no class
    """
    truth, p = judged("reliability diagram", labels, probabilities)
    if not 1 <= bins <= 100:
        raise HandgradError(f"reliability diagram: found {bins} bins; expected 1 to 100")
    found = calibration(p, truth, bins)

    from matplotlib.ticker import FuncFormatter, MultipleLocator

    from handgrad.pictures.figure import Picture, house_style, roomy

    with house_style():
        figure = Picture(5.4, 6.2, layout=roomy())
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _diagram(above, found)
        _counts(below, found)
        percent = FuncFormatter(lambda share, _: f"{100 * share:.0f} %")
        for axis in (above.yaxis, below.xaxis):
            axis.set_major_locator(MultipleLocator(0.2))
            axis.set_major_formatter(percent)
        # The legend stands between: inside it could cover a point anywhere.
        above.set_title(
            f"expected calibration error: {100 * found.error:.1f} %", fontsize=11, pad=28
        )
        figure.settle()
    figure.alt = _words(found)
    figure.numbers = _numbers(found)
    return figure


def _intervals(found: Calibration) -> list[tuple[float, float]]:
    counted = zip(found.correct.tolist(), found.counts.tolist(), strict=True)
    return [wilson_interval(correct, n) for correct, n in counted]


def _diagram(axes: Axes, found: Calibration) -> None:
    from handgrad.pictures.figure import BLUE, ORANGE

    axes.plot(
        [0, 1], [0, 1], color="#6E6E6E", linestyle="--", linewidth=1.2, label="as sure as right"
    )
    filled = np.flatnonzero(found.counts)
    x, y = found.confidences[filled], found.accuracies[filled]
    low, high = np.array(_intervals(found))[filled].T
    # The error is the mean length of these, weighted by the counts.
    axes.vlines(x, x, y, color=ORANGE, linewidth=5, alpha=0.45, label="distance")
    axes.errorbar(
        x,
        y,
        # rounding may put the end of an interval a hair inside the share itself
        yerr=np.maximum([y - low, high - y], 0),
        fmt="o",
        color=BLUE,
        capsize=4,
        linewidth=1.6,
        markersize=6,
        label="accuracy, 95 % interval",
    )
    axes.set(xlim=(0, 1), ylim=(-0.03, 1.03), ylabel="accuracy")
    axes.legend(
        loc="lower center",
        bbox_to_anchor=(0.47, 1),
        ncols=3,
        frameon=False,
        fontsize=8.5,
        columnspacing=1.2,
    )


def _counts(axes: Axes, found: Calibration) -> None:
    from handgrad.pictures.figure import BLUE

    width = float(found.edges[1])
    axes.bar(found.edges[:-1] + width / 2, found.counts, 0.86 * width, color=BLUE, alpha=0.75)
    if len(found.counts) <= 12:
        for middle, n in zip(found.edges[:-1] + width / 2, found.counts.tolist(), strict=True):
            if n:
                axes.text(middle, n, f" {n:,}", ha="center", va="bottom", fontsize=8)
    axes.set(
        ylim=(0, 1.2 * found.counts.max()),
        yticks=[],
        xlabel="confidence: the probability of the class called",
        ylabel="predictions",
    )
    axes.grid(False)
    axes.spines["left"].set_visible(False)


def _words(found: Calibration) -> str:
    gap = 100 * (found.confidence - found.accuracy)
    if abs(gap) < 0.5:
        whole = "On the whole the network is as sure as it is right"
    else:
        whole = f"The network is {'surer' if gap > 0 else 'less sure'} than it is right"
    return (
        f"Reliability diagram of {found.n:,} predictions: expected calibration error "
        f"{100 * found.error:.1f} %. {whole}: mean confidence {100 * found.confidence:.1f} %, "
        f"accuracy {100 * found.accuracy:.1f} %."
    )


def _numbers(found: Calibration) -> list[list[str]]:
    rows = [["confidence", "predictions", "mean confidence", "accuracy", "low", "high"]]
    for m, (low, high) in enumerate(_intervals(found)):
        if found.counts[m]:
            shares = (found.confidences[m], found.accuracies[m], low, high)
            rows.append(
                [
                    f"{found.edges[m]:.2f} to {found.edges[m + 1]:.2f}",
                    str(found.counts[m]),
                    *(f"{share:.4f}" for share in shares),
                ]
            )
    return rows
