"""A gradient in groups is the gradient of the whole batch."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.datasets import Batches
from handgrad.layers import BatchNorm, Dense, Dropout, Layer, Residual, Tanh
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Network
from handgrad.optimizers import SGD
from handgrad.training import by_the_book, fit, in_groups

N, I, K = 10, 5, 3
X = np.random.default_rng(0).normal(size=(N, I))
LABELS = np.arange(N) % K


class Counting(Layer):
    """Passes everything on and notes how many samples came."""

    def __init__(self):
        self.seen = []

    def forward(self, x, params):
        self.seen.append(len(x))
        return x, None

    def backward(self, dy, memory, params, grads):
        return dy


def made(*front):
    block = Residual((Dense(4), Dropout(0.2), Tanh()), (Dropout(0.5),))
    network = Network((*front, Dense(4), Dropout(0.3), block, Dense(K)), (I,), dtype=np.float64)
    network.initialize(np.random.default_rng(1))
    return network


def computed(how, network, loss, n=N):
    draws, gradient = network.draw(n, np.random.default_rng(2)), network.gradient()
    gradient.vector[...] = np.nan
    value, outputs = how(network, loss, X[:n], LABELS[:n], draws, gradient)
    return value, outputs, gradient.vector


@pytest.mark.parametrize("penalty", [0.0, 0.3])
@pytest.mark.parametrize("over", ["mean", "sum"])
@pytest.mark.parametrize(
    ("n", "size", "sizes"),
    [
        (10, 10, [10]),
        (10, 99, [10]),
        (10, 5, [5, 5]),
        (10, 4, [4, 3, 3]),
        (10, 3, [3, 3, 2, 2]),
        (10, 1, [1] * 10),
        (1, 2, [1]),
    ],
)
def test_in_groups_it_is_the_same(n, size, sizes, over, penalty):
    """Loss, outputs in their order, and gradient; draws are sliced, the penalty counts once."""
    loss = SoftmaxCrossEntropy(over, penalty, class_weights=(0.5, 1.0, 2.0), smoothing=0.1)
    counting = Counting()
    whole = computed(by_the_book, made(), loss, n)
    found = computed(in_groups(size), made(counting), loss, n)
    assert counting.seen == sizes
    for ours, expected in zip(found, whole, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-14)


def test_without_chance_there_is_nothing_to_slice():
    network = Network((Dense(K),), (I,), dtype=np.float64)
    network.initialize(np.random.default_rng(1))
    gradients = []
    for how in (by_the_book, in_groups(3)):
        gradient = network.gradient()
        how(network, SoftmaxCrossEntropy(), X, LABELS, None, gradient)
        gradients.append(gradient.vector)
    np.testing.assert_allclose(*gradients, rtol=1e-12)


def test_a_training_in_groups_is_the_same_training():
    """Batches of 4, 4 and 2 in groups of 2."""
    networks = made(), made()
    for network, how in zip(networks, (by_the_book, in_groups(2)), strict=True):
        batches = Batches(X, LABELS, 4, 0)
        list(fit(network, batches, SoftmaxCrossEntropy(), SGD(0.1), epochs=3, gradient=how))
    np.testing.assert_allclose(networks[0].vector, networks[1].vector, rtol=1e-10)


def test_what_normalizes_over_a_batch_normalizes_over_a_group():
    """Each group gathers: of halves with means 1 and 3, ½ · 1 · ½ + ½ · 3 = 1.75 is kept."""
    network = Network((BatchNorm(keep=0.5), Dense(2)), (1,), dtype=np.float64)
    network.initialize(np.random.default_rng(0))
    x, labels = np.array([[0.0], [2.0], [2.0], [4.0]]), np.array([0, 1, 0, 1])
    _, outputs = in_groups(2)(network, SoftmaxCrossEntropy(), x, labels, None, network.gradient())
    np.testing.assert_allclose(outputs[:2], outputs[2:], rtol=1e-12)
    assert network.params[0].mean == pytest.approx(1.75, rel=1e-12)


@pytest.mark.parametrize("size", [0, -1])
def test_a_group_has_at_least_one_sample(size):
    with pytest.raises(ValueError, match=f"size = {size}; expected at least 1"):
        in_groups(size)
