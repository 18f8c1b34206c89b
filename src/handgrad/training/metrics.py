"""How good a classifier is, and how sure one can be of that."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from handgrad.arrays import Array

__all__ = [
    "ClassScore",
    "accuracy",
    "baseline",
    "class_scores",
    "confusion_matrix",
    "mcnemar",
    "wilson_interval",
]


def accuracy(predicted: Array, labels: Array) -> float:
    """The share of predictions that are right."""
    return float((predicted == labels).mean())


def wilson_interval(correct: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """The interval that holds a true accuracy with 95 % confidence, from ``correct`` of ``n``.

    It is the set of all p whose distance from the share p̂ found is at most z standard errors *of
    p itself*, |p̂ - p| ≤ z √(p (1-p)/n): a quadratic inequality in p, with the solutions

        (p̂ + z²/2n ± z √(p̂ (1-p̂)/n + z²/4n²)) / (1 + z²/n)

    Unlike the textbook's p̂ ± z √(p̂ (1-p̂)/n) it never leaves [0, 1] and is no point at p̂ = 1.

    Parameters
    ----------
    z : 1.96 for 95 %

    Source: Wilson, Probable inference, the law of succession, and statistical inference
    (JASA 22, 1927).

    >>> low, high = wilson_interval(41, 50)
    >>> round(low, 3), round(high, 3)
    (0.692, 0.902)
    """
    if n == 0:
        return 0.0, 1.0
    share = correct / n
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low, high = (middle - half) / scale, (middle + half) / scale
    return max(low, 0.0) if correct else 0.0, min(high, 1.0) if correct < n else 1.0


def mcnemar(first: int, second: int) -> float:
    """How often chance alone would tell two answers apart as clearly as they were: McNemar's test.

    Both were asked about the same images. Those on which both are right, or both wrong, say
    nothing. Of the n others, each is for one of the two; were neither better, a fair coin would
    say for which, so that the number for the first is binomial, and

        p = min(1, 2 Σ_{k ≤ m} C(n, k) / 2ⁿ),    m the smaller of the two numbers

    is the probability of a split as uneven as this one or more. It is the exact form of the test.

    Parameters
    ----------
    first, second : the images on which the one alone, or the other alone, is right

    Source: McNemar, Note on the sampling error of the difference between correlated proportions or
    percentages (Psychometrika 12, 1947), where p is taken from χ² instead.

    >>> mcnemar(8, 1), mcnemar(3, 3)
    (0.0390625, 1.0)
    """
    n, fewer = first + second, min(first, second)
    term, total = 1, 0
    for k in range(fewer + 1):  # C(n, k+1) = C(n, k) (n-k)/(k+1), in whole numbers
        total += term
        term = term * (n - k) // (k + 1)
    return float(min(1.0, 2 * total / 2**n))


def confusion_matrix(predicted: Array, labels: Array, classes: int) -> Array:
    """(K, K) int: how often class i (row, the truth) was called j (column).

    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    pairs = labels * classes + predicted
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class ClassScore:
    """One class: the share of its calls that are right, of its samples that are found.

    ``precision`` is None where the class was never called, ``recall`` where it never appears.
    """

    name: str
    precision: float | None
    recall: float | None
    n: int


def class_scores(matrix: Array, class_names: tuple[str, ...]) -> list[ClassScore]:
    """Precision and recall of every class, from a confusion matrix."""
    called, there = matrix.sum(axis=0), matrix.sum(axis=1)
    return [
        ClassScore(
            name,
            precision=float(matrix[k, k] / called[k]) if called[k] else None,
            recall=float(matrix[k, k] / there[k]) if there[k] else None,
            n=int(there[k]),
        )
        for k, name in enumerate(class_names)
    ]


def baseline(labels: Array) -> float:
    """The accuracy of always answering the commonest class of ``labels``."""
    return float(np.bincount(labels).max() / len(labels)) if len(labels) else 0.0
