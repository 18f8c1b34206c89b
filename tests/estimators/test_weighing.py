"""Weights of samples: the exact gradient, and an integer weight is so many equal rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import handgrad as hg
from handgrad.datasets import Batches, Preparation, measured
from handgrad.estimators.weighing import Weighing, measured_by_weight, relative_weights
from handgrad.parallel import Shards
from handgrad.plans import Planned
from handgrad.training import by_the_book, in_groups

WAYS = {
    "by the book": lambda: by_the_book,
    "shards": lambda: Shards(3),
    "groups": lambda: in_groups(2),
    "groups of shards": lambda: in_groups(4, Shards(2)),
    "a plan": Planned,
    "a plan in shards": lambda: Shards(2, Planned()),
}
LOSSES = {
    "softmax": hg.SoftmaxCrossEntropy(smoothing=0.1, penalty=0.2),
    "sum": hg.SoftmaxCrossEntropy(over="sum"),
    "squared": hg.SquaredError(class_weights=(1.0, 2.0, 0.5)),
}


def problem():
    generator = np.random.default_rng(0)
    layers = (hg.Convolution(8), hg.ReLU(), hg.Dense(3))
    network = hg.Network(layers, (4, 4, 8), dtype=np.float64)
    network.initialize(generator)
    x, labels = generator.normal(size=(7, 4, 4, 8)), generator.integers(3, size=7)
    weights = np.array([0.0, 3.0, 1.0, 0.5, 2.0, 0.25, 0.25])
    return network, x, labels, weights


def defined(network, loss, x, labels, weights):
    """1/N Σ v L and its penalty, or Σ v L, written out sample by sample."""
    outputs, _ = network.forward(x)
    each, _ = loss.each(outputs, labels)
    if loss.class_weights:
        each = each * np.array(loss.class_weights)[labels]
    total = sum(v * one for v, one in zip(weights, each, strict=True))
    W = np.concatenate([network.params[0].W.ravel(), network.params[2].W.ravel()])
    return total / (len(x) if loss.over == "mean" else 1) + 0.5 * loss.penalty * W @ W


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [*LOSSES])
def test_the_gradient_is_that_of_the_weighted_loss_whoever_computes_it(way, kind):
    loss, (network, x, labels, weights) = LOSSES[kind], problem()
    weighing = Weighing(Batches(x, np.arange(7), None, 0), labels, weights)
    how, gradient = weighing.gradient(WAYS[way]()), network.gradient()
    [(batch, theirs)] = weighing(0)
    np.testing.assert_array_equal(theirs, labels)
    value, outputs = how(network, loss, batch, theirs, None, gradient)
    np.testing.assert_allclose(outputs, network.forward(x)[0], rtol=1e-10)
    assert value == pytest.approx(defined(network, loss, x, labels, weights), rel=1e-10)
    begin, h = network.vector.copy(), 1e-5
    for seed in range(4):
        v = np.random.default_rng(seed).normal(size=begin.shape)
        ahead, behind = (
            _at(network, begin + sign * h * v, loss, x, labels, weights) for sign in (1, -1)
        )
        assert gradient.vector @ v == pytest.approx((ahead - behind) / (2 * h), rel=1e-6, abs=1e-7)


def _at(network, vector, loss, x, labels, weights):
    network.vector[...] = vector
    return defined(network, loss, x, labels, weights)


def test_the_mini_batches_of_an_epoch_have_the_whole_gradient_as_their_mean():
    network, x, labels, weights = problem()
    x, labels, weights = x[:6], labels[:6], weights[:6]
    loss = hg.SoftmaxCrossEntropy()
    whole = Weighing(Batches(x, np.arange(6), None, 0), labels, weights)
    few = Weighing(Batches(x, np.arange(6), 2, 0), labels, weights)

    def gradients(weighing):
        how = weighing.gradient(by_the_book)
        for batch, theirs in weighing(3):
            gradient = network.gradient()
            how(network, loss, batch, theirs, None, gradient)
            yield gradient.vector

    [expected] = gradients(whole)
    np.testing.assert_allclose(np.mean([*gradients(few)], axis=0), expected, atol=1e-14)


@pytest.mark.parametrize("kind", ["features", "images", "mini images"])
def test_an_integer_weight_is_so_many_equal_samples(kind):
    generator = np.random.default_rng(4)
    counts = np.array([1, 3, 0, 2, 1, 4, 1, 0, 2, 2, 1, 3])
    y = generator.integers(3, size=12)
    if kind == "features":
        X, settings = generator.normal(size=(12, 5)), {}
    else:
        side = 8 if kind == "images" else 4
        X, settings = generator.integers(256, size=(12, side, side, 3), dtype=np.uint8), {}
    once = hg.ImageClassifier(random_state=0, max_iter=40, **settings)
    once.fit(X, y, sample_weight=2.5 * counts)  # a common factor changes nothing
    again = hg.ImageClassifier(random_state=0, max_iter=40, **settings)
    again.fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    if kind != "features":
        a, b = once.model_.preparation, again.model_.preparation
        np.testing.assert_allclose(a.mean, b.mean, rtol=1e-10)
        np.testing.assert_allclose(a.deviation, b.deviation, rtol=1e-10)
    close = {"features": 1e-10}.get(kind, 2e-4)  # images in float32
    np.testing.assert_allclose(once.predict_proba(X), again.predict_proba(X), atol=close)
    plain = hg.ImageClassifier(random_state=0, max_iter=40, **settings).fit(X, y)
    assert np.abs(plain.predict_proba(X) - once.predict_proba(X)).max() > 0.05


def test_for_logistic_regression_too_with_a_penalty():
    generator = np.random.default_rng(4)
    X, y = generator.normal(size=(40, 3)), generator.integers(2, size=40)
    counts = generator.integers(4, size=40)
    once = hg.LogisticImageClassifier(0.1, tol=1e-12).fit(X, y, counts)
    again = hg.LogisticImageClassifier(0.1, tol=1e-12)
    again.fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_allclose(once.coef_, again.coef_, atol=1e-10)
    theirs = LogisticRegression(C=0.1, tol=1e-10).fit(X, y, counts)
    np.testing.assert_allclose(once.coef_, theirs.coef_, atol=1e-5)


def test_class_weights_are_weights_of_samples():
    classes, labels = np.array(["a", "b"]), np.array([0, 0, 0, 1])
    by_class, total = relative_weights(None, {"b": 6}, labels, classes)
    np.testing.assert_allclose(by_class, [4 / 9, 4 / 9, 4 / 9, 24 / 9])
    assert total == 9
    balanced, total = relative_weights([1, 1, 0, 1], "balanced", labels, classes)
    np.testing.assert_allclose(balanced, [1, 1, 0, 2])  # two classes of weight 2 and 1, 3 together
    assert total == pytest.approx(3)
    both, _ = relative_weights([1, 1, 2, 1], {"a": 1, "b": 4}, labels, classes)
    np.testing.assert_allclose(both, np.array([1, 1, 2, 4]) / 2)


@pytest.mark.parametrize(
    ("weights", "of_classes", "said"),
    [
        ([1, -1, 1, 1], None, "sample_weight: found -1; expected 0 or more"),
        ([0, 0, 0, 0], None, "zero"),
        (None, {"a": 0, "b": 0}, "found all samples with zero weight"),
        (None, "balance", "class_weight: found 'balance'; expected a dict, 'balanced' or None"),
        (None, {"c": 1}, r"class_weight: found the classes \['c'\], which are not in y"),
        (None, {"a": -1}, "expected finite, 0 or more"),
    ],
)
def test_weights_that_cannot_be(weights, of_classes, said):
    with pytest.raises(ValueError, match=said):
        relative_weights(weights, of_classes, np.array([0, 0, 0, 1]), np.array(["a", "b"]))


def test_a_weighted_mean_and_deviation_of_equal_weights_are_the_plain_ones():
    images = np.random.default_rng(0).integers(256, size=(1100, 3, 3, 3), dtype=np.uint8)
    preparation = Preparation(3, 3, 3)
    plain = measured(preparation, images)
    weighted = measured_by_weight(preparation, images, np.ones(len(images)))
    np.testing.assert_allclose(weighted.mean, plain.mean, rtol=1e-12)
    np.testing.assert_allclose(weighted.deviation, plain.deviation, rtol=1e-12)
    assert weighted.scale == plain.scale
