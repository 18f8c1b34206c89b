"""The training loop: what it reports, when it stops, and what it leaves behind."""

from __future__ import annotations

import math

import numpy as np
import pytest

from handgrad.datasets import Batches
from handgrad.errors import NotFiniteError
from handgrad.layers import Dense, Dropout, Sigmoid, Softmax, Tanh
from handgrad.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Loss,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
)
from handgrad.networks import Network
from handgrad.optimizers import SGD, Adam, Cosine
from handgrad.tables import members
from handgrad.training import State, by_the_book, fit

N, I, K = 10, 5, 3
X = np.random.default_rng(0).normal(size=(N, I))
LABELS = np.arange(N) % K
MEAN = SoftmaxCrossEntropy()


def made(*architecture, dtype=np.float64):
    network = Network(architecture or (Dense(4), Tanh(), Dropout(0.3), Dense(K)), (I,), dtype=dtype)
    network.initialize(np.random.default_rng(1))
    return network


def fitted(network, batch_size=None, loss=MEAN, optimizer=None, *, epochs=3, shuffle=0, **settings):
    batches = Batches(X.astype(network.dtype), LABELS, batch_size, shuffle)
    return fit(network, batches, loss, optimizer or SGD(0.1), epochs=epochs, **settings)


def test_a_full_batch_reports_before_its_update():
    network = made(Dense(K))
    start = network.vector.copy()
    for step, report in enumerate(fitted(network)):
        assert (report.step, report.epoch) == (step, step)
        # Loss, accuracy and weights belong together.
        outputs = network.outputs(X)
        assert report.loss == pytest.approx(MEAN(outputs, LABELS)[0], rel=1e-14)
        assert report.train_accuracy == (outputs.argmax(axis=1) == LABELS).mean()
        assert (network.vector == start).all() == (step == 0)
    assert step == 2


def test_mini_batches_report_the_sample_weighted_mean_of_an_epoch():
    """Batches of 4, 4 and 2: an unweighted mean would count the last two samples double."""
    network, twin, batches = made(Dense(K)), made(Dense(K)), Batches(X, LABELS, 4, 0)
    gradient = twin.gradient()
    for epoch, report in enumerate(fitted(network, 4)):
        total = correct = 0
        for x, labels in batches(epoch):
            value, outputs = by_the_book(twin, MEAN, x, labels, None, gradient)
            total += value * len(x)
            correct += (outputs.argmax(axis=1) == labels).sum()
            twin.vector -= 0.1 * gradient.vector
        assert (report.step, report.epoch) == (3 * (epoch + 1), epoch + 1)
        assert report.loss == pytest.approx(total / N, rel=1e-14)
        assert report.train_accuracy == correct / N
        np.testing.assert_allclose(network.vector, twin.vector, rtol=1e-14)


@pytest.mark.parametrize("batch_size", [None, 4])
def test_leaving_the_loop_leaves_the_weights_reported(batch_size):
    network, whole = made(), made()
    reported = [(r, whole.vector.copy()) for r in fitted(whole, batch_size)]
    state = State()
    for report in fitted(network, batch_size, state=state):
        if report.epoch == reported[1][0].epoch:
            break
    assert report == reported[1][0]
    np.testing.assert_array_equal(network.vector, reported[1][1])
    assert state.steps == report.step


@pytest.mark.parametrize("batch_size", [None, 4])
def test_the_learning_rate_reported_is_that_of_the_last_step_computed(batch_size):
    reports = fitted(made(), batch_size, optimizer=SGD(0.1, Cosine()))
    total, last = (3, [0, 1, 2]) if batch_size is None else (9, [2, 5, 8])
    expected = [0.1 * (1 + math.cos(math.pi * t / total)) / 2 for t in last]
    assert [report.learning_rate for report in reports] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "optimizer", [SGD(1e40), SGD(1e300, clip_norm=1.0), Adam(1e308), SGD(math.inf)], ids=str
)
@pytest.mark.parametrize("batch_size", [None, 4])
def test_a_huge_learning_rate_stops_at_finite_weights(batch_size, optimizer, dtype):
    network, state = made(dtype=dtype), State()
    loss = SoftmaxCrossEntropy(penalty=0.1)
    reports = fitted(network, batch_size, loss, optimizer, epochs=500, state=state)
    with pytest.raises(NotFiniteError, match=r"^step \d+ \(epoch \d+\): the ") as caught:
        list(reports)
    assert np.isfinite(network.vector).all()
    assert caught.value.step == state.steps


def test_a_number_that_is_none_stops_at_its_step():
    """NaN in the third image: batches of 4 in the set's own order meet it in step 0 of epoch 0."""
    x = X.copy()
    x[6, 0] = np.nan
    network = made()
    start, state = network.vector.copy(), State()
    batches = Batches(x, LABELS, 4, 0, shuffle=False)
    with pytest.raises(NotFiniteError, match=r"step 1 \(epoch 0\): the loss is nan") as caught:
        list(fit(network, batches, MEAN, SGD(0.1), epochs=2, state=state))
    assert (caught.value.step, caught.value.epoch, state.steps) == (1, 0, 1)
    assert np.isfinite(network.vector).all()
    assert (network.vector != start).any()


LAST = {
    BinaryCrossEntropy: (Dense(1), Sigmoid()),
    CrossEntropy: (Dense(K), Softmax()),
    SigmoidCrossEntropy: (Dense(1),),
    SoftmaxCrossEntropy: (Dense(K),),
    SquaredError: (Dense(K),),
}


def descends_what_it_reports(kind, over, gradient=by_the_book):
    """The step along a direction v is η times the slope of the loss that is reported."""
    architecture = (Dense(4), Tanh(), *LAST[kind])
    labels = LABELS % 2 if architecture[2].units == 1 else LABELS
    batches, loss = Batches(X, labels, None, 0), kind(over=over, penalty=0.5)

    def reports(network):
        return fit(network, batches, loss, SGD(0.01), epochs=1, gradient=gradient)

    network = made(*architecture)
    v = np.random.default_rng(2).normal(size=network.vector.size)
    h, ahead, behind = 1e-5, made(*architecture), made(*architecture)
    ahead.vector += h * v
    behind.vector -= h * v
    slope = (next(reports(ahead)).loss - next(reports(behind)).loss) / (2 * h)
    before = network.vector.copy()
    list(reports(network))
    assert np.dot(before - network.vector, v) / 0.01 == pytest.approx(slope, rel=1e-7)


@pytest.mark.parametrize("over", ["mean", "sum"])
@pytest.mark.parametrize("kind", members(Loss).values(), ids=lambda kind: kind.name)
def test_the_loss_reported_is_the_loss_descended(kind, over):
    descends_what_it_reports(kind, over)


def penalty_not_descended(network, loss, x, labels, draws, gradient):
    value, outputs = by_the_book(network, loss, x, labels, draws, gradient)
    for place in network.layout.weights():
        gradient.vector[place] -= loss.penalty * network.vector[place]
    return value, outputs


def penalty_not_reported(network, loss, x, labels, draws, gradient):
    _, outputs = by_the_book(network, loss, x, labels, draws, gradient)
    return loss(outputs, labels)[0], outputs


def offsets_penalized(network, loss, x, labels, draws, gradient):
    found = by_the_book(network, loss, x, labels, draws, gradient)
    gradient.views[0].b += loss.penalty
    return found


@pytest.mark.parametrize(
    "planted", [penalty_not_descended, penalty_not_reported, offsets_penalized]
)
def test_a_loss_that_is_not_the_one_descended_is_caught(planted):
    with pytest.raises(AssertionError):
        descends_what_it_reports(SoftmaxCrossEntropy, "mean", planted)


def test_the_penalty_by_hand():
    """½ λ Σ W² with W = 2 in all of 5·3 places, offsets left out: ½ · 0.5 · 15 · 4 = 15."""
    network = made(Dense(K))
    network.params[0].W[...], network.params[0].b[...] = 2, 7
    bare, penalized = (
        next(fitted(network, loss=SoftmaxCrossEntropy(penalty=p))).loss for p in (0.0, 0.5)
    )
    assert penalized - bare == pytest.approx(15, rel=1e-12)


def drawn(batch_size=4, optimizer=None, seed=0, start=1.0, epochs=3):
    """The dropout mask of every step."""
    masks, network = [], made()
    network.vector *= start

    def gradient(network, loss, x, labels, draws, gradient):
        masks.append(draws[2][0])
        return by_the_book(network, loss, x, labels, draws, gradient)

    list(
        fitted(
            network, batch_size, optimizer=optimizer, seed=seed, gradient=gradient, epochs=epochs
        )
    )
    return masks


def test_draws_are_a_function_of_seed_and_step():
    masks = drawn()
    assert [mask.shape for mask in masks] == [(4, 4), (4, 4), (2, 4)] * 3
    for other in (drawn(), drawn(optimizer=Adam(0.5), start=-2.0), drawn(epochs=2)):
        assert all((a == b).all() for a, b in zip(masks, other, strict=False))
    # Another seed and another step draw otherwise; of 16 draws some differ, but for one in 1000.
    assert any((a != b).any() for a, b in zip(masks, drawn(seed=1), strict=True))
    assert (masks[0] != masks[1]).any()
    # A batch is drawn whole: the first rows of a larger one are the draws of a smaller one.
    np.testing.assert_array_equal(drawn(batch_size=None)[0][:4], masks[0])


@pytest.mark.parametrize("batch_size", [None, 4])
def test_the_same_seed_gives_the_same_bits(batch_size):
    runs = []
    for seed in (0, 0, 1):
        network = made(dtype=np.float32)
        reports = list(fitted(network, batch_size, optimizer=Adam(0.1), shuffle=seed, seed=seed))
        runs.append((network.vector.tobytes(), reports))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]


def test_what_is_watched():
    network = made(Dense(K))
    watched = {"validation": (X[:4], LABELS[:4]), "test": (X[4:], LABELS[4:])}
    for report in fitted(network, 4, SoftmaxCrossEntropy("sum"), watched=watched, every=2):
        if report.epoch == 2:  # every second report, beginning with the first
            assert report.validation_loss is report.validation_accuracy is None
            assert report.test_accuracy is None
            continue
        outputs = network.outputs(X)
        right = outputs.argmax(axis=1) == LABELS
        assert report.validation_accuracy == right[:4].mean()
        assert report.test_accuracy == right[4:].mean()
        expected, _ = MEAN(outputs[:4], LABELS[:4])
        assert report.validation_loss == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("batch_size", [None, 4])
def test_the_last_report_is_always_watched(batch_size):
    """Else the best weights would be sought among the first alone."""
    watched = {"validation": (X, LABELS)}
    reports = list(fitted(made(Dense(K)), batch_size, watched=watched, every=1000))
    assert len(reports) > 2
    judged = [report.validation_accuracy is not None for report in reports]
    assert judged == [True, *[False] * (len(reports) - 2), True]


@pytest.mark.parametrize("batch_size", [None, 4])
def test_norms_are_those_of_the_last_step(batch_size):
    """With plain descent the update is the rate times the gradient, layer by layer."""
    seen, network = [], made()

    def gradient(network, loss, x, labels, draws, gradient):
        found = by_the_book(network, loss, x, labels, draws, gradient)
        norms = [
            [np.sqrt((numbers.W**2).sum() + (numbers.b**2).sum()) for numbers in views[::3]]
            for views in (network.params, gradient.views)
        ]
        seen.append(norms)
        return found

    for report in fitted(network, batch_size, gradient=gradient, norms=True):
        weights, gradients = seen[-1]
        assert report.weight_norms == pytest.approx(weights, rel=1e-12)
        assert report.gradient_norms == pytest.approx(gradients, rel=1e-12)
        assert report.update_norms == pytest.approx([0.1 * g for g in gradients], rel=1e-12)


def test_norms_are_left_out_of_full_batches():
    assert next(fitted(made())).weight_norms is None
    assert next(fitted(made(), 4)).weight_norms is not None
    assert next(fitted(made(), 4, norms=False)).known().keys() == {
        "step",
        "epoch",
        "loss",
        "train_accuracy",
        "learning_rate",
    }


class Interrupted:
    """Batches that end early, as after Ctrl-C."""

    full, steps_per_epoch = False, 3

    def __init__(self, steps):
        self.left = steps

    def __call__(self, epoch, first=0):
        for batch in Batches(X, LABELS, 4, 0)(epoch):
            if self.left == 0:
                return
            self.left -= 1
            yield batch


@pytest.mark.parametrize(("steps", "reported"), [(0, []), (2, [2]), (3, [3]), (5, [3, 5])])
def test_an_epoch_that_ends_early_is_reported_as_far_as_it_went(steps, reported):
    reports = list(fit(made(), Interrupted(steps), MEAN, SGD(0.1), epochs=9))
    assert [report.step for report in reports] == reported
