"""Which images say most about a classifier: the most wrong, the least sure, the most typical."""

from __future__ import annotations

import numpy as np

from handgrad.arrays import Array

__all__ = ["least_sure", "most_typical", "most_wrong"]


def most_wrong(probabilities: Array, labels: Array, most: int) -> Array:
    """The places of the wrong predictions, the one made with the largest probability first.

    Parameters
    ----------
    probabilities : (N, K) float
    labels : (N,) int, the true classes
    most : return so many at most; of equal ones the first come first

    Returns
    -------
    places : (n,) int, n = 0 where nothing is wrong

    >>> p = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]])
    >>> most_wrong(p, np.array([1, 1, 1]), 5)
    array([1, 0])
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[_largest_first(probabilities.max(axis=1)[wrong])][:most]


def least_sure(probabilities: Array, labels: Array, most: int) -> Array:
    """The places of the predictions with the smallest gap between the first and the second class.

    Right or wrong, so ``labels`` are not looked at; parameters and order as in `most_wrong`.

    >>> least_sure(np.array([[0.6, 0.4, 0], [0.3, 0.5, 0.2], [0.45, 0.1, 0.45]]), np.zeros(3), 2)
    array([2, 0])
    """
    if probabilities.shape[1] < 2:
        return np.arange(len(probabilities))[:most]  # one class: equally sure of each
    ranked = np.sort(probabilities, axis=1)
    return _largest_first(ranked[:, -2] - ranked[:, -1])[:most]


def most_typical(probabilities: Array, labels: Array, most: int) -> Array:
    """The places of the right predictions with the largest probability, class by class.

    Every class gives as many as the others, ``most`` divided by K but at least one; a class that
    was never called rightly gives none. With more classes than ``most``, the first classes.
    Parameters and order within a class as in `most_wrong`.

    >>> p = np.array([[0.6, 0.4], [0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    >>> most_typical(p, np.array([0, 0, 1, 1]), 2)
    array([1, 3])
    """
    classes = probabilities.shape[1]
    right, sure = probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)
    found = []
    for k in range(classes):
        of_class = np.flatnonzero(right & (labels == k))
        found.append(of_class[_largest_first(sure[of_class])][: max(1, most // classes)])
    return np.concatenate(found)[:most]


def _largest_first(values: Array) -> Array:
    """The order from the largest down; equal ones stay in theirs."""
    return np.argsort(-values, kind="stable")
