"""What the chapter on backpropagation says was measured, and one identity that it derives."""

from itertools import combinations

import numpy as np
import pytest

import handgrad as hg
from handgrad.layers.initial import Glorot, He
from handgrad.training import unit_health

LOSS = hg.SoftmaxCrossEntropy()


@pytest.fixture(scope="module")
def digits():
    return hg.load("digits")


def deep(depth, activation, weights):
    """A network of hidden layers of 32 neurons, as the page makes them."""
    layers = [layer for _ in range(depth) for layer in (hg.Dense(32, weights), activation)]
    network = hg.Network((*layers, hg.Dense(10, Glorot())), (8, 8, 1), dtype=np.float64)
    network.initialize(np.random.default_rng(0))
    return network


def norms(network, part):
    gradient = network.gradient()
    hg.by_the_book(network, LOSS, part.images.astype(np.float64), part.labels, None, gradient)
    return [np.linalg.norm(views.W) for views in gradient.views if hasattr(views, "W")]


def test_the_expected_error_of_a_batch_is_what_the_page_derives():
    # Every batch of B of M images, so that the mean is the expectation and no estimate of it.
    M, B = 6, 2
    random = np.random.default_rng(0)
    x, t = random.normal(size=(M, 3)), random.integers(4, size=M)
    network = hg.Network((hg.Dense(5), hg.Sigmoid(), hg.Dense(4)), (3,), dtype=np.float64)
    network.initialize(random)

    def gradient(rows):
        found = network.gradient()
        hg.by_the_book(network, LOSS, x[rows], t[rows], None, found)
        return found.vector

    whole = gradient(list(range(M)))
    spread = sum(np.sum((gradient([n]) - whole) ** 2) for n in range(M)) / (M - 1)
    errors = [np.sum((gradient(list(rows)) - whole) ** 2) for rows in combinations(range(M), B)]
    np.testing.assert_allclose(np.mean(errors), spread * (1 / B - 1 / M))


def test_in_a_deep_sigmoid_network_the_gradient_vanishes_by_about_four_a_layer(digits):
    found = norms(deep(8, hg.Sigmoid(), Glorot()), digits.train)
    assert 3.5 < (found[7] / found[1]) ** (1 / 6) < 6.5
    assert found[0] < 1e-4 * found[8]


@pytest.mark.parametrize(("activation", "weights"), [(hg.Tanh(), Glorot()), (hg.ReLU(), He())])
def test_with_tanh_or_relu_it_does_not(digits, activation, weights):
    found = norms(deep(8, activation, weights), digits.train)
    assert max(found) < 5 * min(found)


def test_it_vanishes_without_any_saturation(digits):
    shares = unit_health(deep(8, hg.Sigmoid(), Glorot()), digits.train.images)
    assert [each.share for each in shares] == [0.0] * 8


@pytest.mark.parametrize(
    ("activation", "weights", "rate", "least", "most"),
    [(hg.Sigmoid(), Glorot(), 3.0, 0.05, 0.3), (hg.ReLU(), He(), 0.1, 0.85, 1.0)],
)
def test_eight_layers_learn_with_relu_only(digits, activation, weights, rate, least, most):
    network, train = deep(8, activation, weights), digits.train
    batches = hg.Batches(train.images.astype(np.float64), train.labels, 64, seed=0)
    for _ in hg.fit(network, batches, LOSS, hg.SGD(rate), epochs=15):
        pass
    right = network.outputs(digits.test.images).argmax(axis=1) == digits.test.labels
    assert least < right.mean() < most


def test_a_saturated_neuron_learns_from_cross_entropy_and_hardly_from_squared_error():
    outputs = {}
    for loss in (hg.BinaryCrossEntropy(), hg.SquaredError()):
        network = hg.Network((hg.Dense(1), hg.Sigmoid()), (1,), dtype=np.float64)
        network.vector[...] = 2
        gradient = network.gradient()
        for _ in range(100):
            hg.by_the_book(network, loss, np.ones((1, 1)), np.zeros(1, int), None, gradient)
            network.vector -= 0.15 * gradient.vector
        outputs[type(loss)] = network.outputs(np.ones((1, 1))).item()
    assert outputs[hg.BinaryCrossEntropy] < 0.1
    assert outputs[hg.SquaredError] > 0.9


def test_the_numbers_of_the_largest_jacobian():
    # 64 images of 128 sums, each in 784 x 128 weights: the page calls it thousands of networks.
    jacobian = (64 * 128) * (784 * 128)
    network = hg.Network((hg.Dense(128), hg.Sigmoid(), hg.Dense(10)), (28, 28, 1))
    assert jacobian == 822_083_584
    assert 1_000 < jacobian / network.vector.size < 10_000
