"""The reliability diagram: its points, its intervals, its bars, and what it says."""

import numpy as np
import pytest

from handgrad.errors import HandgradError
from handgrad.pictures.reliability import reliability


def _sure(*confidences):
    p = np.array(confidences)
    return np.stack([p, 1 - p], axis=1)


# Ten with 0.7, five of them right; ten with 0.95, all right; ECE = (0.2 + 0.05) / 2.
P = _sure(*[0.7] * 10, *[0.95] * 10)
LABELS = [0] * 5 + [1] * 5 + [0] * 10


def test_points_intervals_and_distances(texts_apart):
    figure = reliability(LABELS, P)
    axes = figure.axes[0]
    (errorbar,) = axes.containers
    points, _, (bars,) = errorbar.lines
    np.testing.assert_allclose(points.get_xdata(), [0.7, 0.95])
    np.testing.assert_allclose(points.get_ydata(), [0.5, 1.0])
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    # Wilson for 5 of 10, and for 10 of 10, from n / (n + z²); z² = 3.841459.
    np.testing.assert_allclose(ends, [[0.236593, 0.763407], [10 / 13.841459, 1]], atol=1e-6)
    (distances,) = (c for c in axes.collections if c is not bars)
    np.testing.assert_allclose(
        [segment[:, 1] for segment in distances.get_segments()], [[0.7, 0.5], [0.95, 1.0]]
    )
    diagonal = axes.get_lines()[0]
    assert (list(diagonal.get_xdata()), list(diagonal.get_ydata())) == ([0, 1], [0, 1])
    assert axes.get_title() == "expected calibration error: 12.5 %"
    texts_apart(figure)


def test_the_counts_of_each_bin():
    axes = reliability(LABELS, P).axes[1]
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == [0, 0, 0, 0, 0, 0, 10, 0, 0, 10]  # 0.7 ends its bin
    middles = [bar.get_x() + bar.get_width() / 2 for bar in axes.patches]
    np.testing.assert_allclose(middles, np.arange(0.05, 1, 0.1))
    assert [text.get_text().strip() for text in axes.texts] == ["10", "10"]
    assert axes.get_xlabel() == "confidence: the probability of the class called"


def test_the_words():
    assert reliability(LABELS, P).alt == (
        "Reliability diagram of 20 predictions: expected calibration error 12.5 %. The network "
        "is surer than it is right: mean confidence 82.5 %, accuracy 75.0 %."
    )
    modest = reliability([0] * 20, P).alt
    assert "The network is less sure than it is right" in modest
    # 7 of 10 with 0.7; 19 of 20 with 0.95.
    honest = reliability([0] * 7 + [1] * 3 + [0] * 19 + [1], _sure(*[0.7] * 10, *[0.95] * 20))
    assert "error 0.0 %. On the whole the network is as sure as it is right" in honest.alt


def test_the_numbers():
    assert reliability(LABELS, P).numbers == [
        ["confidence", "predictions", "mean confidence", "accuracy", "low", "high"],
        ["0.60 to 0.70", "10", "0.7000", "0.5000", "0.2366", "0.7634"],
        ["0.90 to 1.00", "10", "0.9500", "1.0000", "0.7225", "1.0000"],
    ]


@pytest.mark.parametrize("bins", [1, 10, 40])
@pytest.mark.parametrize("n", [1, 5000])
def test_few_and_many(bins, n, texts_apart):
    generator = np.random.default_rng(0)
    p = generator.dirichlet([0.3] * 5, size=n)
    figure = reliability(generator.integers(0, 5, n), p, bins)
    assert sum(bar.get_height() for bar in figure.axes[1].patches) == n
    texts_apart(figure)


@pytest.mark.parametrize(
    ("labels", "p", "bins", "sentence"),
    [
        ([], np.zeros((0, 2)), 10, "found 0 predictions"),
        ([0], [[0.5, 0.5]], 0, "found 0 bins; expected 1 to 100"),
        ([0, 1], [[0.5, 0.5]], 10, r"found shape \(1, 2\); expected \(2, 2\)"),
        ([2], [[0.5, 0.5]], 10, r"found labels 2\.\.2; expected 0\.\.1"),
        ([0], [[np.nan, 0.5]], 10, "not finite, for 1 of 1 images"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(labels, p, bins, sentence):
    with pytest.raises(HandgradError, match=sentence):
        reliability(labels, p, bins)
