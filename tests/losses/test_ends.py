"""Every loss where its numbers end: finite wherever the mathematics is, and no warning."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Loss,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
)
from handgrad.tables import members

SCORES = [0.0, 1e-45, 1e4, -1e4, 3e38, -3e38]
PROBABILITIES = [0.0, 1e-45, 0.5, 1.0]
ENDS = {
    SoftmaxCrossEntropy: SCORES,
    SigmoidCrossEntropy: SCORES,
    SquaredError: [0.0, 1e-45, 1e4, -1e4, 1e18, -1e18],  # whose squares float32 can hold
    CrossEntropy: PROBABILITIES,
    BinaryCrossEntropy: PROBABILITIES,
}


def expected(kind, value, label):
    """Of the outputs (v, 0), or of v alone, in float64 by the definition."""
    if kind is SoftmaxCrossEntropy:
        return np.logaddexp(0, -value if label == 0 else value)
    if kind is SigmoidCrossEntropy:
        return np.logaddexp(0, value if label == 0 else -value)
    if kind is SquaredError:
        return 0.5 * (value - label) ** 2
    true = {CrossEntropy: [value, 1 - value], BinaryCrossEntropy: [1 - value, value]}[kind][label]
    return -np.log(max(true, float(np.finfo(np.float32).tiny)))


def test_every_loss_is_here():
    assert set(members(Loss).values()) == set(ENDS)


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, values in ENDS.items() for value in values]
)
def test_a_loss_and_its_gradient_at_the_ends_of_float32(kind, value, label):
    value = float(np.float32(value))
    row = [value] if kind.single else [value, 1 - value if kind is CrossEntropy else 0]
    outputs = np.array([row], np.float32)
    found, gradient = kind()(outputs, np.array([label]))
    assert np.isfinite(gradient).all()
    assert gradient.dtype == np.float32
    assert found == pytest.approx(expected(kind, value, label), rel=1e-6, abs=1e-37)
    probabilities = kind().probabilities(outputs)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_scores_further_apart_than_float32_reaches():
    """3e38 and -3e38: the right one costs nothing, the wrong one more than there is."""
    scores = np.array([[3e38, -3e38]], np.float32)
    right, gradient = SoftmaxCrossEntropy()(scores, np.array([0]))
    assert (right, gradient.tolist()) == (0, [[0, 0]])
    wrong, gradient = SoftmaxCrossEntropy()(scores, np.array([1]))
    assert (wrong, gradient.tolist()) == (np.inf, [[1, -1]])
