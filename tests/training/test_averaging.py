"""Averaged weights in a training: what is judged, what goes on, and what is left in the end."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.datasets import Batches
from handgrad.layers import BatchNorm, Dense, Dropout, ReLU
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Network
from handgrad.optimizers import Lookahead, Momentum, MovingAverage
from handgrad.training import State, by_the_book, fit, keep_best

N, I, K = 10, 5, 3
X = np.random.default_rng(0).normal(size=(N, I))
LABELS = np.arange(N) % K
LOSS, OPTIMIZER = SoftmaxCrossEntropy(), Momentum(0.1, beta=0.5)
EPOCHS, EACH = 4, 3
"""Batches of 4, 4 and 2."""


def made():
    architecture = (Dense(4), BatchNorm(keep=0.6), ReLU(), Dropout(0.3), Dense(K))
    network = Network(architecture, (I,), dtype=np.float64)
    network.initialize(np.random.default_rng(1))
    return network


def fitted(network, averaging=None, batches=None, gradient=by_the_book, **settings):
    batches = batches or Batches(X, LABELS, 4, 0)
    settings = {"epochs": EPOCHS, "seed": 0} | settings
    return fit(
        network, batches, LOSS, OPTIMIZER, gradient=gradient, averaging=averaging, **settings
    )


def watched(path):
    """Notes the weights with which each gradient is computed."""

    def gradient(network, *rest):
        path.append(network.vector.copy())
        return by_the_book(network, *rest)

    return gradient


def trajectory():
    """The weights before every step and after the last, nothing averaged."""
    network, path = made(), []
    list(fitted(network, gradient=watched(path)))
    return [*path, network.vector.copy()]


def moving(path, decay):
    """The average after every step, in plain floats, one number after the other."""
    averages = [[float(w) for w in path[0]]]
    for t, weights in enumerate(path[1:], start=1):
        d = min(decay, (1 + t) / (10 + t))
        averages.append([d * a + (1 - d) * w for a, w in zip(averages[-1], weights, strict=True)])
    return averages


@pytest.mark.parametrize("decay", [0.3, 0.999])
def test_a_moving_average_is_beside_the_training(decay):
    """All numbers are averaged, statistics too; reports judge the average, steps leave it alone."""
    expected = trajectory()
    averages = moving(expected, decay)
    network, path, state = made(), [], State()
    watch = {"test": (X, LABELS)}
    reports = fitted(network, MovingAverage(decay), None, watched(path), watched=watch, state=state)
    for report in reports:
        np.testing.assert_allclose(network.vector, averages[report.step], rtol=1e-12)
        assert report.test_accuracy == (network.outputs(X).argmax(axis=1) == LABELS).mean()
    assert report.step == EPOCHS * EACH
    np.testing.assert_allclose(network.vector, averages[-1], rtol=1e-12)
    np.testing.assert_array_equal(path, expected[:-1])
    np.testing.assert_array_equal(state.average["average"], network.vector)


def test_lookahead_beside_the_same_training_in_plain_loops():
    """k = 5 of 12 steps: after 5 and 10 and, whatever k is, after the last."""
    averaging, network, path = Lookahead(5, 0.9), made(), []
    judged = []
    for report in fitted(network, averaging, None, watched(path)):
        judged.append((report.step, network.vector.copy()))

    twin = made()
    slow, total = twin.vector.copy(), EPOCHS * EACH
    gradient, v, t = twin.gradient(), np.zeros(twin.learned.size), 0
    after = []
    for epoch in range(EPOCHS):
        for x, labels in Batches(X, LABELS, 4, 0)(epoch):
            np.testing.assert_allclose(path[t], twin.vector, rtol=1e-12)
            sequence = np.random.SeedSequence(0, spawn_key=(2, t))
            draws = twin.draw(len(x), np.random.default_rng(sequence))
            by_the_book(twin, LOSS, x, labels, draws, gradient)
            v = 0.5 * v + gradient.vector
            twin.learned[...] -= 0.1 * v
            t += 1
            if t in (5, 10):
                d = 0.9 * (t / total) ** 3
                slow = d * slow + (1 - d) * twin.vector
                twin.vector[...] = slow
        after.append((t, twin.vector.copy()))
    assert t == 12
    for (step, ours), (t, theirs) in zip(judged[:-1], after, strict=False):
        assert step == t
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    np.testing.assert_allclose(judged[-1][1], slow, rtol=1e-12)
    np.testing.assert_array_equal(network.vector, judged[-1][1])
    assert not np.allclose(slow, after[-1][1])


@pytest.mark.parametrize("averaging", [MovingAverage(0.9), Lookahead(2)], ids=str)
def test_leaving_the_loop_leaves_the_weights_reported(averaging):
    whole = made()
    reported = [whole.vector.copy() for _ in fitted(whole, averaging)]
    network = made()
    for report in fitted(network, averaging):
        if report.epoch == 2:
            break
    np.testing.assert_array_equal(network.vector, reported[1])
    # And closed by hand, as a generator around it does.
    network = made()
    reports = fitted(network, averaging)
    next(reports)
    reports.close()
    np.testing.assert_array_equal(network.vector, reported[0])


def test_the_best_that_is_kept_is_an_average():
    averaging, network, kept = MovingAverage(0.9), made(), {}
    watch = {"validation": (X, LABELS)}
    for report in keep_best(fitted(network, averaging, watched=watch), network):
        kept[report.validation_accuracy, -report.validation_loss] = network.vector.copy()
    np.testing.assert_array_equal(network.vector, kept[max(kept)])


class Interrupted:
    """Batches that end early, as after Ctrl-C."""

    full, steps_per_epoch = False, EACH

    def __init__(self, steps):
        self.left = steps

    def __call__(self, epoch, first=0):
        for batch in Batches(X, LABELS, 4, 0)(epoch):
            if self.left == 0:
                return
            self.left -= 1
            yield batch


@pytest.mark.parametrize("steps", [2, 3, 5, 11])
def test_interrupted_it_holds_the_average_as_well(steps):
    averages = moving(trajectory(), 0.9)
    network = made()
    *_, report = fitted(network, MovingAverage(0.9), Interrupted(steps))
    assert report.step == steps
    np.testing.assert_allclose(network.vector, averages[steps], rtol=1e-12)


def test_of_a_full_batch_the_end_is_the_average():
    """Its reports belong to the weights with which the loss was measured."""
    batches, path = Batches(X, LABELS, None, 0), []
    plain = made()
    list(fitted(plain, None, batches, watched(path)))
    averages = moving([*path, plain.vector.copy()], 0.9)
    network = made()
    for report in fitted(network, MovingAverage(0.9), batches):
        np.testing.assert_array_equal(network.learned, path[report.step][: network.learned.size])
    np.testing.assert_allclose(network.vector, averages[-1], rtol=1e-12)


def test_the_same_seed_gives_the_same_bits():
    one, two, plain = made(), made(), made()
    first, second = (list(fitted(network, MovingAverage(0.9))) for network in (one, two))
    assert first == second
    assert one.vector.tobytes() == two.vector.tobytes()
    list(fitted(plain))
    assert one.vector.tobytes() != plain.vector.tobytes()
