"""The expected calibration error: by hand, at the edges of bins, and beside scikit-learn."""

import numpy as np
import pytest

from handgrad.errors import HandgradError
from handgrad.training.calibration import calibration


def _sure(*confidences):
    """Predictions of class 0 of two, with these probabilities."""
    p = np.array(confidences)
    return np.stack([p, 1 - p], axis=1)


def test_by_hand():
    """Bin (0.5, 0.6]: 0.55 wrong and 0.6 right, so accuracy 1/2 and confidence 0.575.

    Bin (0.9, 1]: 0.95, 0.99 and 1 right, 0.98 wrong, so accuracy 3/4 and confidence 0.98.
    ECE = 2/6 · 0.075 + 4/6 · 0.23 = 0.15 / 6 + 0.92 / 6 = 1.07 / 6.
    """
    p = _sure(0.55, 0.6, 0.95, 0.98, 0.99, 1.0)
    found = calibration(p, np.array([1, 0, 0, 1, 0, 0]))
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 0, 4]
    assert found.correct.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 3]
    np.testing.assert_allclose(found.confidences[[5, 9]], [0.575, 0.98])
    np.testing.assert_allclose(found.accuracies[[5, 9]], [0.5, 0.75])
    empty = found.counts == 0
    assert np.isnan(found.confidences[empty]).all()
    assert np.isnan(found.accuracies[empty]).all()
    assert found.error == pytest.approx(1.07 / 6, rel=1e-12)
    assert (found.n, found.accuracy) == (6, pytest.approx(4 / 6))
    assert found.confidence == pytest.approx((0.55 + 0.6 + 0.95 + 0.98 + 0.99 + 1) / 6)


def test_an_edge_belongs_to_the_bin_that_it_ends():
    # Guo et al.: the bins are ((m-1)/M, m/M].
    p = np.array([[0.25] * 4, [0.5, 0.5, 0, 0], [0.75, 0.25, 0, 0], [1.0, 0, 0, 0]])
    found = calibration(p, np.zeros(4, int), bins=4)
    assert found.counts.tolist() == [1, 1, 1, 1]
    assert found.edges.tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_right_as_often_as_it_says_is_an_error_of_zero():
    # 10 with 0.7 of which 7 are right, 20 with 0.95 of which 19 are.
    p = _sure(*[0.7] * 10, *[0.95] * 20)
    labels = np.array([0] * 7 + [1] * 3 + [0] * 19 + [1])
    assert calibration(p, labels).error == pytest.approx(0, abs=1e-12)
    # Always the commonest class, with its share.
    p = np.tile([0.75, 0.25], (8, 1))
    assert calibration(p, np.array([0] * 6 + [1] * 2)).error == pytest.approx(0, abs=1e-12)


def test_the_extremes():
    assert calibration(_sure(1.0, 1.0), np.array([1, 1])).error == 1.0
    assert calibration(_sure(1.0, 1.0), np.array([0, 0])).error == 0.0
    # One bin: |mean accuracy - mean confidence| = |1/2 - 0.8|.
    one = calibration(_sure(0.7, 0.9), np.array([0, 1]), bins=1)
    assert one.error == pytest.approx(0.3, rel=1e-12)


@pytest.mark.parametrize("bins", [1, 5, 10, 15])
def test_beside_scikit_learn(bins):
    """Its curve asks how often an event of a given probability happens: here, being right."""
    sklearn = pytest.importorskip("sklearn.calibration")
    generator = np.random.default_rng(0)
    p = generator.dirichlet(np.full(4, 0.4), size=500)
    labels = generator.integers(0, 4, 500)
    found = calibration(p, labels, bins)
    shares, means = sklearn.calibration_curve(
        p.argmax(axis=1) == labels, p.max(axis=1), n_bins=bins
    )
    filled = found.counts > 0
    np.testing.assert_allclose(found.accuracies[filled], shares, rtol=1e-12)
    np.testing.assert_allclose(found.confidences[filled], means, rtol=1e-12)
    weights = found.counts[filled] / 500
    assert found.error == pytest.approx(np.sum(weights * abs(shares - means)), rel=1e-12)


@pytest.mark.parametrize(("n", "bins"), [(0, 10), (2, 0)])
def test_nothing_to_judge_is_a_sentence(n, bins):
    with pytest.raises(HandgradError, match=f"found {n} predictions and {bins} bins"):
        calibration(np.zeros((n, 2)), np.zeros(n, int), bins)
