"""Several shards compute what one hand computes, and always the same bits."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from handgrad.datasets import Batches
from handgrad.layers import (
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Layer,
    MaxPool,
    ReLU,
    Residual,
)
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Network
from handgrad.optimizers import Momentum
from handgrad.parallel import Shards
from handgrad.training import by_the_book, fit, in_groups

K = 3


def made(dtype=np.float64, batch_norm=True):
    norm = (BatchNorm(keep=0.6),) if batch_norm else ()
    block = Residual((Convolution(4, offset=False), *norm, ReLU(), Dropout(0.2)))
    network = Network(
        (Convolution(4), *norm, ReLU(), block, MaxPool(2), Dropout(0.4), Dense(K)),
        (6, 6, 2),
        dtype=dtype,
    )
    network.initialize(np.random.default_rng(1))
    return network


def images(n, dtype=np.float64):
    return np.random.default_rng(5).normal(size=(n, 6, 6, 2)).astype(dtype), np.arange(n) % K


def computed(how, network, loss, n):
    draws, gradient = network.draw(n, np.random.default_rng(2)), network.gradient()
    gradient.vector[...] = np.nan
    value, outputs = how(network, loss, *images(n, network.dtype), draws, gradient)
    return value, outputs, gradient.vector, network.vector


@pytest.mark.parametrize(
    "loss",
    [
        SoftmaxCrossEntropy(),
        SoftmaxCrossEntropy(over="sum", penalty=0.3),
        SoftmaxCrossEntropy(class_weights=(1.0, 2.0, 0.5), penalty=0.1, smoothing=0.2),
    ],
    ids=["mean", "sum", "weighted"],
)
@pytest.mark.parametrize(("n", "threads"), [(8, 2), (9, 2), (7, 3), (2, 4), (1, 2)])
def test_shards_compute_what_one_hand_computes(loss, n, threads):
    expected = computed(by_the_book, made(), loss, n)
    found = computed(Shards(threads), made(), loss, n)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-10, atol=1e-12)


def test_each_group_of_a_batch_is_split_over_the_shards():
    """Batch normalization has the statistics of its group, whoever computes which part of it."""
    loss = SoftmaxCrossEntropy()
    expected = computed(in_groups(4), made(), loss, 9)
    found = computed(in_groups(4, Shards(2)), made(), loss, 9)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-10, atol=1e-12)
    whole = computed(by_the_book, made(), loss, 9)
    assert not np.allclose(whole[1], found[1], rtol=1e-3)


def test_in_float32_they_agree_to_its_precision():
    expected = computed(by_the_book, made(np.float32), SoftmaxCrossEntropy(), 32)
    found = computed(Shards(2), made(np.float32), SoftmaxCrossEntropy(), 32)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-5)


def test_the_same_shards_give_the_same_bits():
    first = computed(Shards(3), made(np.float32), SoftmaxCrossEntropy(), 31)
    for _ in range(5):
        again = computed(Shards(3), made(np.float32), SoftmaxCrossEntropy(), 31)
        for one, other in zip(first, again, strict=True):
            np.testing.assert_array_equal(other, one)


def test_a_training_ends_where_that_of_one_hand_does():
    """Nine steps with batches of 8, the last of each epoch with 4: running statistics too."""
    ends = []
    for how in (by_the_book, Shards(2)):
        network = made()
        batches = Batches(*images(20), batch_size=8, seed=0)
        for _ in fit(network, batches, SoftmaxCrossEntropy(), Momentum(), epochs=3, gradient=how):
            pass
        ends.append(network.vector)
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-9, atol=1e-11)


def test_each_part_is_computed_by_a_thread_of_its_own():
    seen = []

    class Noting(Layer):
        def forward(self, x, params):
            seen.append((threading.current_thread().name, len(x)))
            return x, None

        def backward(self, dy, memory, params, grads):
            return dy

    network = Network((Noting(), Dense(K)), (6, 6, 2), dtype=np.float64)
    meet = threading.Barrier(2)  # so that no thread takes both parts before the other has begun

    def how(*arguments):
        meet.wait(timeout=10)
        return by_the_book(*arguments)

    computed(Shards(2, how), network, SoftmaxCrossEntropy(), 9)
    assert sorted(n for _, n in seen) == [4, 5]
    assert len({name for name, _ in seen}) == 2


def test_a_fault_in_one_part_is_told_and_nobody_waits_for_it():
    class Failing(Layer):
        """Where the sample with a 7 is, something breaks, between two batch normalizations."""

        def forward(self, x, params):
            if (x == 7).any():
                raise ArithmeticError("found a 7")
            return x, None

        def backward(self, dy, memory, params, grads):
            return dy

    network = Network((Failing(), BatchNorm(), Dense(K)), (2,), dtype=np.float64)
    x, labels = np.arange(8.0).reshape(4, 2), np.array([0, 1, 2, 0])
    how, gradient = Shards(2), network.gradient()
    with pytest.raises(ArithmeticError, match="found a 7"):
        how(network, SoftmaxCrossEntropy(), x, labels, None, gradient)
    value, _ = how(network, SoftmaxCrossEntropy(), x - 100, labels, None, gradient)
    assert np.isfinite(value)  # and the next batch is computed


def test_it_takes_a_thread_at_least():
    with pytest.raises(ValueError, match="threads = 0"):
        Shards(0)
