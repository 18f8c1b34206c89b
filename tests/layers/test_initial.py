"""First values: their distribution, its bounds, and the order of draws."""

import math

import numpy as np
import pytest

from handgrad.layers import Glorot, He, Initial, Normal, Uniform, Zeros
from handgrad.tables import members

N_IN, N_OUT = 300, 200
VARIANCES = [
    (Normal(), 1 / N_IN),
    (Normal(0.04), 0.04),
    (Glorot(), 2 / (N_IN + N_OUT)),
    (Glorot("normal"), 2 / (N_IN + N_OUT)),
    (He(), 2 / N_IN),
    (He("uniform"), 2 / N_IN),
    (Uniform(-0.5, 0.5), 1 / 12),
    (Zeros(), 0.0),
]


def test_every_way_to_begin_is_tested():
    assert {type(initial) for initial, _ in VARIANCES} == set(members(Initial).values())


@pytest.mark.parametrize(("initial", "variance"), VARIANCES, ids=str)
def test_mean_and_variance(initial, variance):
    """Of n values the mean deviates by σ/√n, and the variance by σ² √((κ-1)/n).

    κ is the kurtosis, 3 for a normal and 9/5 for a uniform distribution; 3 bounds both. Five
    deviations leave a right generator about one chance in a million to fail, over all seeds.
    """
    drawn = initial.draw(N_IN, N_OUT, np.random.default_rng(1))
    n = drawn.size
    assert drawn.shape == (N_OUT, N_IN)
    assert drawn.mean() == pytest.approx(0, abs=5 * math.sqrt(variance / n))
    assert drawn.var() == pytest.approx(variance, abs=5 * variance * math.sqrt(2 / n))


@pytest.mark.parametrize(
    ("initial", "low", "high"),
    [
        (Uniform(), 0, 1),
        (Uniform(-2, 3), -2, 3),
        (Glorot("uniform"), -math.sqrt(6 / (N_IN + N_OUT)), math.sqrt(6 / (N_IN + N_OUT))),
        (He("uniform"), -math.sqrt(6 / N_IN), math.sqrt(6 / N_IN)),
    ],
    ids=str,
)
def test_uniform_values_fill_their_bounds(initial, low, high):
    """The largest of n uniform values misses its bound by 1/n of the width, on average; the chance
    to miss it by 20/n is e^-20."""
    drawn = initial.draw(N_IN, N_OUT, np.random.default_rng(2))
    width = 20 * (high - low) / drawn.size
    assert low <= drawn.min() < low + width
    assert high - width < drawn.max() < high


@pytest.mark.parametrize("initial", [Glorot("normal"), He("normal"), Normal()], ids=str)
def test_normal_values_have_tails(initial):
    """A uniform distribution ends at √3 = 1.73 deviations; of a normal one 4.55 % lie beyond 2."""
    drawn = initial.draw(N_IN, N_OUT, np.random.default_rng(3))
    share = (abs(drawn) > 2 * drawn.std()).mean()
    assert share == pytest.approx(0.0455, abs=5 * math.sqrt(0.0455 * 0.9545 / drawn.size))


def test_the_draw_a_reader_would_make_by_hand():
    expected = np.random.default_rng(7).normal(size=(6, 9)) / 3
    np.testing.assert_array_equal(Normal().draw(9, 6, np.random.default_rng(7)), expected)
