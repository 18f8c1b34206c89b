"""Whether a classifier is right as often as it says it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handgrad.arrays import Array
from handgrad.errors import HandgradError

__all__ = ["Calibration", "calibration"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Predictions in M bins by their confidence, which is the probability of the class called.

    Parameters
    ----------
    edges : (M + 1,) where the bins begin and end, 0..1
    counts : (M,) int, the predictions in each bin
    correct : (M,) int, how many of them are right
    confidences : (M,) their mean confidence; NaN in an empty bin
    accuracies : (M,) the share that is right; NaN in an empty bin
    error : the expected calibration error, 0..1
    """

    edges: Array
    counts: Array
    correct: Array
    confidences: Array
    accuracies: Array
    error: float

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def confidence(self) -> float:
        """The mean over all predictions."""
        return float(np.nansum(self.confidences * self.counts) / self.n)

    @property
    def accuracy(self) -> float:
        return int(self.correct.sum()) / self.n


def calibration(probabilities: Array, labels: Array, bins: int = 10) -> Calibration:
    """Hold what a classifier says of itself against how often it is right.

    The interval 0..1 is divided into M bins of one width, B_m = ((m-1)/M, m/M] (the first has its
    0 too). With acc(B_m) the share of the predictions in a bin that are right, and conf(B_m) their
    mean confidence, the expected calibration error is the mean distance between the two,

        ECE = Σ_m |B_m|/N · |acc(B_m) - conf(B_m)|

    0 means that of the predictions made with 80 %, 80 % are right. It is a property of the
    probabilities, and not of how many predictions are right: always answering the commonest class
    with its share is perfectly calibrated.

    Parameters
    ----------
    probabilities : (N, K) float, 0..1
    labels : (N,) int, the true classes
    bins : M

    Raises
    ------
    HandgradError : no predictions, or no bins

    Source: Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks (2017,
    arXiv 1706.04599).

    Four predictions with 0.9, of which three are right: |3/4 - 0.9| = 0.15.

    >>> p = np.array([[0.9, 0.1]] * 4)
    >>> round(calibration(p, np.array([0, 0, 0, 1])).error, 9)
    0.15
    """
    if not len(labels) or bins < 1:
        raise HandgradError(
            f"calibration: found {len(labels)} predictions and {bins} bins; expected at least 1"
        )
    p = np.asarray(probabilities, dtype=np.float64)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], confidence)  # an edge belongs to the bin that it ends
    counts = np.bincount(place, minlength=bins)
    correct = np.bincount(place[right], minlength=bins)
    sums = np.bincount(place, weights=confidence, minlength=bins)
    filled = np.where(counts > 0, counts, np.nan)
    return Calibration(
        edges,
        counts,
        correct,
        confidences=sums / filled,
        accuracies=correct / filled,
        error=float(np.abs(correct - sums).sum() / len(p)),
    )
