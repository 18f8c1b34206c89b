"""Explanations, held to numbers worked by hand and to finite differences."""

import numpy as np
import pytest

from handgrad.errors import HandgradError
from handgrad.layers import (
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
    ReLU,
    Residual,
    Tanh,
)
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Network
from handgrad.training.explanation import contribution, input_gradient, layer_outputs, occluded


def linear():
    """2x2 pixels to 2 scores, W[:, 0] = 1 2 3 4, W[:, 1] = 0 -1 0 5, b = 10 20."""
    network = Network((Dense(2),), (2, 2, 1), dtype=np.float64)
    network.params[0].W[...] = [[1, 0], [2, -1], [3, 0], [4, 5]]
    network.params[0].b[...] = [10, 20]
    return network


def deep():
    """Of every kind: what is drawn, what is gathered, a block, a convolution."""
    block = Residual((Convolution(4), Tanh()))
    architecture = (
        Convolution(4), BatchNorm(), Tanh(), Dropout(0.5), block, MaxPool(2), Flatten(), Dense(3),
    )  # fmt: skip
    network = Network(architecture, (5, 6, 3), dtype=np.float64)
    generator = np.random.default_rng(0)
    network.initialize(generator)
    gathered = network.vector[network.layout.learned :]
    gathered[...] = generator.uniform(0.5, 2, gathered.shape)
    return network, generator


def test_contributions_of_a_linear_network_are_weight_times_pixel():
    x = np.array([[1.0, 2.0], [0.0, 0.5]]).reshape(1, 2, 2, 1)
    found = contribution(linear(), x, 0)  # 1·1, 2·2, 0·3, 0.5·4; z = 7 + 10
    np.testing.assert_array_equal(found.values.ravel(), [1, 4, 0, 2])
    assert found.values.shape == x.shape
    assert found.score.tolist() == [17]
    assert found.rest.tolist() == [10]
    both = contribution(linear(), np.concatenate([x, x]), [0, 1])  # 1·0, 2·-1, 0·0, 0.5·5
    np.testing.assert_array_equal(both.values.reshape(2, 4), [[1, 4, 0, 2], [0, -2, 0, 2.5]])
    assert both.score.tolist() == [17, 20.5]


def test_the_gradient_of_a_linear_network_is_its_weights():
    x = np.random.default_rng(0).normal(size=(3, 2, 2, 1))
    g = input_gradient(linear(), x, 1)
    np.testing.assert_array_equal(g.reshape(3, 4), [[0, -1, 0, 5]] * 3)


@pytest.mark.parametrize("k", [0, 2, [2, 0]])
def test_the_gradient_is_the_slope_of_the_prediction(k):
    network, generator = deep()
    x = generator.normal(size=(2, 5, 6, 3))
    g = input_gradient(network, x, k)
    chosen = np.broadcast_to(k, 2)
    for _ in range(3):
        v = generator.normal(size=x.shape)
        h = 1e-6
        ahead, behind = (
            network.frozen().forward(x + s * h * v)[0][[0, 1], chosen] for s in (1, -1)
        )
        np.testing.assert_allclose(
            (g * v).sum(axis=(1, 2, 3)), (ahead - behind) / (2 * h), rtol=1e-6, atol=1e-8
        )
    found = contribution(network, x, k)
    np.testing.assert_array_equal(found.values, x * g)
    np.testing.assert_allclose(found.score, network.outputs(x)[[0, 1], chosen])


def test_explaining_changes_no_number():
    network, generator = deep()
    before, x = network.vector.copy(), generator.normal(size=(1, 5, 6, 3))
    seen = x.copy()
    input_gradient(network, x, 0)
    layer_outputs(network, x)
    occluded(network, x[0], 0, 2, 1)
    np.testing.assert_array_equal(network.vector, before)
    np.testing.assert_array_equal(x, seen)


def test_covering_a_linear_network_takes_the_contributions_away():
    generator = np.random.default_rng(1)
    network = Network((Dense(2),), (4, 6, 3), dtype=np.float64)
    network.initialize(generator)
    x = generator.normal(size=(4, 6, 3))
    d = occluded(network, x, 1, patch=2, step=2, fill=0)
    values = contribution(network, x[None], 1).values[0]
    for top in (0, 2):
        for left in (0, 2, 4):
            square = np.s_[top : top + 2, left : left + 2]
            np.testing.assert_allclose(d[square], values[square].sum())


def test_overlapping_squares_are_averaged_and_end_at_the_edge():
    # A row of 4 pixels, W = 1: squares of 1 at every other place, 0 and 2, and at the end, 3.
    network = Network((Dense(1, offset=False),), (1, 4, 1), dtype=np.float64)
    network.params[0].W[...] = 1
    x = np.array([1.0, 10.0, 100.0, 1000.0]).reshape(1, 4, 1)
    np.testing.assert_array_equal(occluded(network, x, 0, 1, 2, 0), [[1, 0, 100, 1000]])
    # 3x3 pixels, squares of 2 by 1: the middle pixel lies in all four.
    network = Network((Dense(1, offset=False),), (3, 3, 1), dtype=np.float64)
    network.params[0].W[...] = 1
    x = np.arange(9.0).reshape(3, 3, 1)  # sums of the squares: 8, 12, 20, 24
    d = occluded(network, x, 0, 2, 1, 0)
    np.testing.assert_allclose(d, [[8, 10, 12], [14, 16, 18], [20, 22, 24]])


def test_the_mean_colour_is_what_covers_and_probabilities_can_be_asked_for():
    network = linear()
    x = np.array([[1.0, 2.0], [3.0, 6.0]]).reshape(2, 2, 1)  # mean 3
    d = occluded(network, x, 0, 1, 1)  # (x - 3)·W: -2·1, -1·2, 0·3, 3·4
    np.testing.assert_allclose(d, [[-2, -2], [0, 12]])
    loss = SoftmaxCrossEntropy()
    p = occluded(network, x, 1, 2, 1, says=loss.probabilities)
    # z = 1+4+9+24+10 = 48 and -2+30+20 = 48; covered by 3: 40 and 32.
    np.testing.assert_allclose(p, np.full((2, 2), 0.5 - 1 / (1 + np.exp(8))))


def test_many_squares_are_covered_in_groups(monkeypatch):
    network, generator = deep()
    x = generator.normal(size=(5, 6, 3))
    whole = occluded(network, x, 0, 2, 1)
    monkeypatch.setattr("handgrad.training.explanation._AT_ONCE", 3)
    np.testing.assert_allclose(occluded(network, x, 0, 2, 1), whole, atol=1e-12)


def test_every_layer_says_what_it_says_in_turn():
    network, generator = deep()
    x = generator.normal(size=(2, 5, 6, 3))
    found = layer_outputs(network, x)
    assert [name.split()[0] for name in found] == ["0", "1", "2", "4", "5", "6", "7"]
    assert list(found)[1] == f"1 {network.architecture[1]}"  # not what stands for it, frozen
    np.testing.assert_array_equal(np.tanh(found["1 batch-norm"]), found["2 tanh"])
    np.testing.assert_allclose(found[list(found)[-1]], network.outputs(x))


def test_a_dead_unit_passes_no_contribution():
    # z = 2·relu(x - 1): at 3 the slope is 2, z = 4 = 6 - 2; at 0.5 all is 0.
    network = Network((Dense(1), ReLU(), Dense(1)), (1,), dtype=np.float64)
    network.vector[...] = [1, -1, 2, 0]
    found = contribution(network, np.array([[3.0], [0.5]]), 0)
    assert found.values.ravel().tolist() == [6, 0]
    assert found.rest.tolist() == [-2, 0]


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda n, x: contribution(n, x, 2), "found output 2; expected 0 to 1"),
        (lambda n, x: input_gradient(n, x, -1), "found output -1; expected 0 to 1"),
        (lambda n, x: occluded(n, x[0], 2, 1, 1), "found output 2; expected 0 to 1"),
        (lambda n, x: occluded(n, x[0], 0, 3, 1), "a square of 3, moved by 1; expected 1 to 2"),
        (lambda n, x: occluded(n, x[0], 0, 0, 1), "expected 1 to 2"),
        (lambda n, x: occluded(n, x[0], 0, 1, 0), "moved by at least 1"),
    ],
)
def test_what_cannot_be_explained_is_a_sentence(ask, sentence):
    with pytest.raises(HandgradError, match=sentence):
        ask(linear(), np.ones((1, 2, 2, 1)))
