"""What docs/book/lines.md says besides its formulas: of the 24 images, and of descent on them.

The text draws conclusions from the numbers that its cells compute. Here the conclusions are held
against the package's own training, or against sums that a reader can do.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import handgrad as hg
from handgrad.datasets.lines import published_lines
from handgrad.experiments import Experiment, read_recipe, with_settings
from handgrad.pictures.descent import MAXIMUM, descend, himmelblau_gradient
from handgrad.training import by_the_book


def experiment(**settings):
    return Experiment(with_settings(read_recipe("lines"), settings))


def trained(begun):
    """Its losses, and how many of its hidden neurons say nothing of any image in the end."""
    reports = [report.loss for report in begun.train()]
    x = published_lines().images.swapaxes(1, 2)
    W, b = begun.network.params[0].W, begun.network.params[0].b
    dead = (x.reshape(24, 9) @ W + b <= 0).all(axis=0)
    return reports, dead


@pytest.fixture(scope="module")
def first_step():
    """The network at its start, and its gradient."""
    begun = experiment()
    gradient = begun.network.gradient()
    x = published_lines().images.swapaxes(1, 2)
    by_the_book(begun.network, begun.recipe.loss, x, published_lines().labels, None, gradient)
    return begun.network, gradient


def test_image_1_is_the_middle_vertical_line_column_by_column():
    images = published_lines()
    assert images.labels[1] == 0
    np.testing.assert_array_equal(images.images[1, :, :, 0], [[0, 1, 0]] * 3)
    np.testing.assert_array_equal(
        images.images[1].swapaxes(0, 1).ravel(), [0, 0, 0, 1, 1, 1, 0, 0, 0]
    )


def test_no_threshold_on_one_weighted_sum_can_tell_the_lines_apart():
    """The argument of the page: the full lines of each class add up to the same image."""
    images = published_lines()
    whole = (images.images.reshape(24, -1) > 0).sum(axis=1) == 3
    full = images.images.reshape(24, 9).max(axis=1) * images.images.reshape(24, 9).sum(axis=1) == 3
    vertical, horizontal = (images.images[full & (images.labels == k)].sum(axis=0) for k in (0, 1))
    assert whole.all()
    assert [int((full & (images.labels == k)).sum()) for k in (0, 1)] == [3, 3]
    np.testing.assert_array_equal(vertical, np.ones((3, 3, 1)))
    np.testing.assert_array_equal(horizontal, vertical)


def test_the_weight_that_is_followed(first_step):
    """Its four terms as the page's table has them, with four decimals, and their sum."""
    network, gradient = first_step
    assert network.params[0].W[3, 5] == pytest.approx(-0.2138, abs=5e-5)
    terms = 1 * 0.1038 + 1 * 0.1033 + 0.8 * 0.1029 + 0.95 * 0.1029
    assert gradient.views[0].W[3, 5] == pytest.approx(terms, abs=2e-4)
    pixel_3 = published_lines().images.swapaxes(1, 2).reshape(24, 9)[:, 3]
    np.testing.assert_array_equal(np.flatnonzero(pixel_3), [1, 6, 7, 8, 12, 15, 18, 21])


def test_neuron_2_is_dead_from_the_start_and_neuron_3_dies(first_step):
    _, gradient = first_step
    assert not gradient.views[0].W[:, 2].any()
    assert not gradient.views[2].W[2].any()
    assert gradient.views[0].W[:, [0, 1, 3, 4, 5]].any(axis=0).all()
    np.testing.assert_array_equal(np.flatnonzero(trained(experiment())[1]), [2, 3])


def test_the_mean_with_24_times_the_rate_is_the_same_descent():
    mean = experiment(**{"loss.over": "mean", "optimizer.learning_rate": 0.24})
    np.testing.assert_allclose(24 * np.array(trained(mean)[0]), trained(experiment())[0], rtol=1e-9)


def test_rates_that_are_too_large():
    faster, _ = trained(experiment(**{"optimizer.learning_rate": 0.05}))
    leaping, _ = trained(experiment(**{"optimizer.learning_rate": 0.1}))
    broken, dead = trained(experiment(**{"optimizer.learning_rate": 0.2}))
    assert faster[200] < 1.1803
    assert leaping[0] > leaping[1] > leaping[2] > leaping[3] < leaping[4]
    assert leaping[5] > leaping[0]
    assert leaping[200] > 10
    assert dead.all()
    assert broken[200] == pytest.approx(broken[199], rel=1e-6) != 24 * math.log(2)


def test_from_zeros_nothing_moves():
    begun = experiment()
    begun.network.vector[:] = 0
    losses, _ = trained(begun)
    assert losses[0] == losses[200] == pytest.approx(24 * math.log(2), rel=1e-12)
    assert not begun.network.vector.any()


def test_equal_neurons_stay_equal():
    begun = experiment()
    W1, W2 = begun.network.params[0].W, begun.network.params[2].W
    W1[:, 1], W2[1] = W1[:, 0], W2[0]
    before = W1.copy()
    trained(begun)
    np.testing.assert_allclose(W1[:, 1], W1[:, 0], rtol=1e-9)
    np.testing.assert_allclose(W2[1], W2[0], rtol=1e-9)
    assert np.abs(W1[:, 0] - before[:, 0]).max() > 0.1


def test_the_largest_rate_at_a_minimum_of_himmelblaus_function():
    """At (3, 2), f_xx = 74, f_yy = 34 and f_xy = 20: the larger eigenvalue is 54 + 20 √2."""
    largest = 2 / (54 + 20 * math.sqrt(2))
    assert largest == pytest.approx(0.0243, abs=5e-5)
    start = (3.001, 2.001)
    below, above = (descend(start, hg.SGD(rate * largest), 200) for rate in (0.95, 1.05))
    assert math.dist(below[-1], (3, 2)) < 1e-6
    assert math.dist(above[-1], (3, 2)) > 0.1


def test_descent_stands_still_at_the_maximum():
    np.testing.assert_allclose(himmelblau_gradient(*MAXIMUM), 0, atol=1e-4)
