"""In the span of the inputs, a training ends with the weights it would have had, to rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handgrad.datasets import Batches
from handgrad.layers import BatchNorm, Convolution, Dense, Dropout, Layer, ReLU
from handgrad.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy
from handgrad.networks import Network
from handgrad.optimizers import SGD, Adam, Cosine, Momentum, Nesterov
from handgrad.tables import members
from handgrad.training import fit
from handgrad.training import span as module
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


def trained(network, x, labels, optimizer, loss=LOSS, **besides):
    batches = Batches(x, labels, None, seed=0)
    return list(fit(network, batches, loss, optimizer, epochs=12, **besides))


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
        span.network, span.of(x), labels, optimizer,
        watched={"validation": (span.of(other), watched)},
    )  # fmt: skip
    span.carry_back()
    assert not np.allclose(network.params[0].W, span._W, atol=1e-2)
    np.testing.assert_allclose(twin.vector, network.vector, rtol=0, atol=1e-12)
    for a, b in zip(expected, found, strict=True):
        assert b.known() == pytest.approx(a.known(), abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_half_of_K(monkeypatch, dtype):
    """For one output of many images; those that are watched, as many, are no training images."""
    monkeypatch.setattr(module, "WORTH_HALVING", 9)
    network, x, labels, _ = made(Dense(1), dtype=dtype)
    twin = Network(network.architecture, SHAPE, network.vector.copy())
    other = np.random.default_rng(1).normal(size=x.shape).astype(dtype)
    options = {"loss": SigmoidCrossEntropy(), "optimizer": Momentum(learning_rate=0.1)}
    expected = trained(
        network, x, labels % 2, watched={"validation": (other, labels % 2)}, **options
    )
    span = Span(twin, x)
    asked = []
    monkeypatch.setattr(
        module,
        "_symmetric",
        lambda K, A, original=module._symmetric: (
            asked.append(K.flags.f_contiguous) or original(K, A)
        ),
    )
    found = trained(
        span.network, span.of(x), labels % 2,
        watched={"validation": (span.of(other), labels % 2)}, **options,
    )  # fmt: skip
    assert asked == [True] * 12  # a step each; a copy of K would cost more than is saved
    span.carry_back()
    exact = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(twin.vector, network.vector, rtol=0, atol=exact)
    for a, b in zip(expected, found, strict=True):
        assert b.known() == pytest.approx(a.known(), abs=exact)
    assert not module._halves(1, 8)
    assert not module._halves(2, 9)


def test_without_an_offset():
    network, x, labels, _ = made(Dense(6, offset=False), ReLU(), Dense(3))
    twin = Network(network.architecture, SHAPE, network.vector.copy())
    trained(network, x, labels, SGD(learning_rate=0.1))
    span = Span(twin, x)
    trained(span.network, span.of(x), labels, SGD(learning_rate=0.1))
    span.carry_back()
    np.testing.assert_allclose(twin.vector, network.vector, rtol=0, atol=1e-12)


def test_no_recipe_knows_of_coordinates():
    assert module.Coordinates not in members(Layer).values()
    assert "coordinates" not in members(Layer)


def test_in_float32():
    network, x, labels, _ = made(dtype=np.float32)
    twin = Network(network.architecture, SHAPE, network.vector.copy())
    trained(network, x, labels, SGD(learning_rate=0.1))
    span = Span(twin, x)
    trained(span.network, span.of(x), labels, SGD(learning_rate=0.1))
    span.carry_back()
    assert span.network.dtype == span.of(x).dtype == np.float32
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
    """30 images of 40 numbers: K costs 30·40, and a step saves 2·40 - 30 = 50 for each output."""
    wide = made(Dense(25))[0]
    assert spans(wide, LOSS, SGD(), 30, 1)
    assert not spans(wide, LOSS, SGD(), 40, 10**9)
    # 20 outputs: 1000 of 1200
    narrow = made(Dense(20))[0]
    assert not spans(narrow, LOSS, SGD(), 30, 1)
    assert spans(narrow, LOSS, SGD(), 30, 2)
    # one output reads as much as sixteen: 800 of 1200
    single = made(Dense(1))[0]
    assert not spans(single, LOSS, SGD(), 30, 1)
    assert spans(single, LOSS, SGD(), 30, 2)
