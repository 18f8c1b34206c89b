"""Accuracy, its interval, and what a confusion matrix says."""

import math

import numpy as np
import pytest

from handgrad.training import (
    accuracy,
    baseline,
    class_scores,
    confusion_matrix,
    mcnemar,
    wilson_interval,
)

Z = 1.959963984540054


@pytest.mark.parametrize(("correct", "n"), [(81, 263), (15, 148), (0, 20), (1, 29), (50, 50)])
def test_wilson_against_scipy(correct, n):
    """The first four are the examples of Newcombe, Two-sided confidence intervals for the single
    proportion (Statistics in Medicine 17, 1998)."""
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(correct, n).proportion_ci(0.95, method="wilson")
    found = wilson_interval(correct, n)
    assert found == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("first", "second"), [(8, 1), (1, 8), (3, 3), (0, 0), (0, 5), (20, 3), (500, 400), (3000, 2800)]
)
def test_mcnemar_is_the_binomial_test(first, second):
    stats = pytest.importorskip("scipy.stats")
    n = first + second
    expected = stats.binomtest(first, n).pvalue if n else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_by_hand():
    # Nine images, one for the second: 2 (C(9,0) + C(9,1)) / 512 = 20/512.
    assert mcnemar(8, 1) == 20 / 512


def test_wilson_by_hand():
    # p̂ = ½: the middle is ½, the half width z/2 √(1/n + z²/n²) / (1 + z²/n) = z / (2 √(n + z²))
    half = Z / (2 * math.sqrt(20 + Z * Z))
    assert wilson_interval(10, 20) == pytest.approx((0.5 - half, 0.5 + half), rel=1e-12)
    # p̂ = 0: from 0 to (z²/2n + z²/2n) / (1 + z²/n) = z² / (n + z²); p̂ = 1 is its mirror image
    edge = Z * Z / (20 + Z * Z)
    assert wilson_interval(0, 20) == (0.0, pytest.approx(edge, rel=1e-12))
    assert wilson_interval(20, 20) == (pytest.approx(1 - edge, rel=1e-12), 1.0)
    assert wilson_interval(0, 0) == (0.0, 1.0)
    # Wilson's ends are where |p̂ - p| is z standard errors of p itself.
    for p in wilson_interval(41, 50):
        assert abs(0.82 - p) == pytest.approx(Z * math.sqrt(p * (1 - p) / 50), rel=1e-12)


LABELS = np.array([0, 0, 0, 1, 1, 2])
CALLED = np.array([0, 0, 1, 1, 0, 1])


def test_the_confusion_matrix_has_the_truth_in_its_rows():
    # Of three 0s two are called 0 and one 1; of two 1s one each; the one 2 is called 1.
    matrix = confusion_matrix(CALLED, LABELS, 4)
    np.testing.assert_array_equal(matrix, [[2, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    sklearn = pytest.importorskip("sklearn.metrics")
    theirs = sklearn.confusion_matrix(LABELS, CALLED, labels=range(4))
    np.testing.assert_array_equal(matrix, theirs)


def test_precision_and_recall():
    matrix = confusion_matrix(CALLED, LABELS, 4)
    scores = class_scores(matrix, ("a", "b", "c", "d"))
    assert [(s.name, s.n) for s in scores] == [("a", 3), ("b", 2), ("c", 1), ("d", 0)]
    # Of three calls "a" two are right; of three calls "b" one; "c" and "d" are never called.
    assert [s.precision for s in scores] == [2 / 3, 1 / 3, None, None]
    # Of three a two are found; of two b one; of one c none; there is no d to find.
    assert [s.recall for s in scores] == [2 / 3, 0.5, 0.0, None]


def test_accuracy_and_the_baseline_beside_it():
    assert accuracy(CALLED, LABELS) == 0.5  # 2 + 1 of 6
    assert baseline(LABELS) == 0.5  # always "0": 3 of 6
    assert baseline(np.array([], np.int64)) == 0.0
