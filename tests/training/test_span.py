"""In the span of the inputs, a training ends with the weights it would have had, to rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handgrad.datasets import Batches
from handgrad.layers import BatchNorm, Convolution, Dense, Dropout, ReLU
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Network
from handgrad.optimizers import SGD, Adam, Cosine, Momentum, Nesterov
from handgrad.training import fit
from handgrad.training.span import Span, spans

LOSS = SoftmaxCrossEntropy()
SHAPE = (4, 5, 2)


def made(*layers, dtype=np.float64):
    """Nine images, of forty numbers each, a network and other images."""
    generator = np.random.default_rng(0)
    network = Network(layers or (Dense(6), ReLU(), Dense(3)), SHAPE, dtype=dtype)
    network.initialize(generator)
    x, other = (generator.normal(size=(n, *SHAPE)).astype(dtype) for n in (9, 5))
    return network, x, generator.integers(3, size=9), other


def trained(network, x, labels, optimizer, **besides):
    batches = Batches(x, labels, None, seed=0)
    return list(fit(network, batches, LOSS, optimizer, epochs=12, **besides))


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(learning_rate=0.3),
        Momentum(learning_rate=0.1, schedule=Cosine()),
        Nesterov(learning_rate=0.1, rates={"W": 0.5, "b": 2.0}),
    ],
    ids=lambda optimizer: optimizer.name,
)
def test_the_same_training(optimizer):
    network, x, labels, other = made(Dense(6), BatchNorm(), ReLU(), Dropout(0.2), Dense(3))
    twin = Network(network.architecture, SHAPE, network.vector.copy())
    watched = np.zeros(5, np.int64)
    expected = trained(network, x, labels, optimizer, watched={"validation": (other, watched)})
    span = Span(twin, x)
    found = trained(
        span.network, span.images, labels, optimizer,
        watched={"validation": (span.of(other), watched)},
    )  # fmt: skip
    span.carry_back()
    assert not np.allclose(network.params[0].W, span._W, atol=1e-2)
    np.testing.assert_allclose(twin.vector, network.vector, rtol=0, atol=1e-12)
    for a, b in zip(expected, found, strict=True):
        assert b.known() == pytest.approx(a.known(), abs=1e-12)


def test_in_float32():
    network, x, labels, _ = made(dtype=np.float32)
    twin = Network(network.architecture, SHAPE, network.vector.copy())
    trained(network, x, labels, SGD(learning_rate=0.1))
    span = Span(twin, x)
    trained(span.network, span.images, labels, SGD(learning_rate=0.1))
    span.carry_back()
    assert span.network.dtype == span.images.dtype == np.float32
    np.testing.assert_allclose(twin.vector, network.vector, rtol=0, atol=1e-5)


def test_what_leaves_the_span():
    network = made()[0]
    assert spans(network, LOSS, SGD(), 9, 100)
    assert spans(network, LOSS, Momentum(), 9, 100)
    assert not spans(network, LOSS, Adam(), 9, 100)
    assert not spans(network, LOSS, SGD(clip_norm=1.0), 9, 100)
    assert not spans(network, LOSS, SGD(weight_decay=0.1), 9, 100)
    assert not spans(network, replace(LOSS, penalty=0.1), SGD(), 9, 100)
    assert not spans(made(Convolution(2), Dense(3))[0], LOSS, SGD(), 9, 100)


def test_when_it_is_shorter():
    """9 images of 40 numbers, 6 outputs: K costs 9·40, and a step saves 6·(2·40 - 9) = 426."""
    network = made()[0]
    assert spans(network, LOSS, SGD(), 9, 1)
    assert not spans(network, LOSS, SGD(), 40, 10**9)
    # one output: a step saves 71 of 360
    single = made(Dense(1))[0]
    assert not spans(single, LOSS, SGD(), 9, 5)
    assert spans(single, LOSS, SGD(), 9, 6)
