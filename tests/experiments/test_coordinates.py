"""A recipe that is trained in the span of its inputs ends where it would have by the book."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from handgrad.datasets import Dataset, Splits
from handgrad.errors import NotFiniteError
from handgrad.experiments import Experiment, Threads, with_settings
from handgrad.experiments.checkpoints import Checkpoints, restore


def noise(n, seed):
    """Images of 48 numbers with labels that are not in them, so that nothing is soon learned."""
    generator = np.random.default_rng(seed)
    return Dataset(
        generator.uniform(size=(n, 4, 4, 3)), generator.integers(3, size=n), tuple("abc")
    )


SPLITS = Splits(noise(16, 0), noise(9, 1), others={"validation": noise(11, 2)})
BARE = Splits(noise(16, 0), noise(9, 1))
MOMENTUM = {"optimizer.kind": "momentum"}


def experiment(settings=None, splits=BARE, **training):
    table = {
        "name": "noise",
        "dtype": "float64",
        "data": {"source": "not read"},
        "architecture": [
            {"layer": "dense", "units": 5},
            {"layer": "batch-norm"},
            {"layer": "tanh"},
            {"layer": "dense", "units": "classes"},
        ],
        "loss": {"kind": "softmax cross-entropy"},
        "optimizer": {"kind": "sgd", "learning_rate": 0.5},
        "training": {"epochs": 30} | training,
    }
    return Experiment(with_settings(table, settings or {}), splits=splits)


def both(settings=None, splits=BARE, **training):
    """The same experiment in the span and by the book."""
    span, book = (
        experiment(settings, splits, reference=reference, **training) for reference in (False, True)
    )
    assert span.spanned
    assert not book.spanned
    return span, book


def assert_same(span, book):
    np.testing.assert_allclose(span.network.vector, book.network.vector, rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", ["sgd", "momentum", "nesterov"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"averaging": {"kind": "moving average"}},
        {"averaging": {"kind": "lookahead", "every": 3}},
        {"architecture.0.offset": False, "optimizer.schedule": {"kind": "cosine"}},
        {"optimizer.rates": {"0.W": 0.3}, "optimizer.frozen": {"0.W": 0.5}},
    ],
    ids=["plain", "moving average", "lookahead", "no offset", "rates"],
)
def test_the_same_training(kind, settings):
    span, book = both({"optimizer.kind": kind, **settings}, SPLITS, test_each_epoch=True)
    first = book.network.vector.copy()
    for a, b in zip(span.train(), book.train(), strict=True):
        assert a.known() == pytest.approx(b.known(), abs=1e-11)
    assert_same(span, book)
    assert np.abs(book.network.params[0].W.ravel() - first[: 48 * 5]).max() > 0.01
    found, expected = span.figures(), book.figures()
    assert found == pytest.approx(expected, abs=1e-11)


def test_the_best_weights_are_kept_and_patience_ends():
    span, book = both(MOMENTUM, SPLITS, patience=7)
    expected, found = list(book.train()), list(span.train())
    assert len(found) == len(expected) < 30
    assert_same(span, book)
    assert expected[-1].validation_accuracy < max(r.validation_accuracy for r in expected)


def test_it_stops_at_a_figure():
    span, book = both(until="loss=0.9")
    expected, found = list(book.train()), list(span.train())
    assert 1 < len(found) == len(expected) < 30
    assert_same(span, book)


def test_the_network_holds_what_is_reported():
    span, book = both(MOMENTUM, Splits(noise(16, 0)))
    held = span.network
    for a, _ in zip(span.train(), book.train(), strict=True):
        if a.step in (0, 4):
            asked = (span.model if a.step else lambda: span)().network
            np.testing.assert_allclose(asked.vector, book.network.vector, rtol=0, atol=1e-11)
        if a.step == 9:
            break
    assert_same(span, book)
    np.testing.assert_allclose(held.vector, book.network.vector, rtol=0, atol=1e-11)


def test_who_fails_in_the_loop_leaves_what_was_reported():
    span, book = both()
    held = span.network
    expected = next(itertools.islice(book.train(), 6, None))

    def failing():
        for report in span.train():
            1 / (expected.step - report.step)

    with pytest.raises(ZeroDivisionError):
        failing()
    np.testing.assert_allclose(held.vector, book.network.vector, rtol=0, atol=1e-11)


@pytest.mark.parametrize("how", ["ends", "fails"])
def test_batches_that_end_early(how):
    """Ctrl-C ends them; an error in them is passed on. The weights are those of six steps."""

    def early(batches):
        class Early:
            full, steps_per_epoch = batches.full, batches.steps_per_epoch

            def __call__(self, epoch, first=0):
                if epoch == 6 and how == "fails":
                    raise KeyboardInterrupt
                return batches(epoch, first) if epoch < 6 else iter(())

        return Early()

    for one in (pair := both(MOMENTUM)):
        try:
            for _ in one.train(early):
                pass
        except KeyboardInterrupt:
            assert how == "fails"
        assert one.state.steps == 6
    assert_same(*pair)


def test_steps_that_are_not_finite_leave_the_weights_before():
    layers = [{"layer": "dense", "units": 5}, {"layer": "dense", "units": "classes"}]
    span, book = both({"architecture": layers, "optimizer.learning_rate": 1e20})
    for one in (span, book):
        with pytest.raises(NotFiniteError) as caught:
            list(one.train())
        assert caught.value.step == one.state.steps > 0
    assert span.state.steps == book.state.steps
    largest = np.abs(book.network.vector).max()
    assert np.isfinite(largest)
    np.testing.assert_allclose(span.network.vector, book.network.vector, atol=1e-6 * largest)


WAYS = [
    {},
    MOMENTUM,
    {"averaging": {"kind": "moving average"}},
    {"averaging": {"kind": "lookahead", "every": 2}},
]


@pytest.mark.parametrize("settings", WAYS, ids=["sgd", "momentum", "average", "lookahead"])
@pytest.mark.parametrize("splits", [BARE, SPLITS], ids=["last", "best"])
def test_a_training_that_goes_on_is_the_same_to_the_bit(settings, splits, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    whole, cut = experiment(settings, splits), experiment(settings, splits)
    assert whole.spanned
    expected = list(whole.train())
    checkpoints = Checkpoints(cut, path, (1, np.inf))
    for report in cut.train(between=checkpoints):
        if report.step == 7:
            break
    again = experiment(settings, splits)
    assert restore(again, path) == []
    found = list(again.train())
    assert found == expected[7:]
    assert again.history == expected
    np.testing.assert_array_equal(again.network.vector, whole.network.vector)


@pytest.mark.parametrize("settings", WAYS, ids=["sgd", "momentum", "average", "lookahead"])
@pytest.mark.parametrize("splits", [BARE, SPLITS], ids=["last", "best"])
def test_a_loop_that_was_left_goes_on(settings, splits):
    for one in (pair := both(settings, splits)):
        for report in one.train():
            if report.step == 7:
                break
        list(one.train())
    assert_same(*pair)


def test_first_values_of_ones_own():
    span, book = both()
    for one in (span, book):
        for seed in (1, 2):
            one.state = type(one.state)()
            one.network.initialize(np.random.default_rng(seed))
            list(one.train())
    assert_same(span, book)


@pytest.mark.parametrize(
    "settings",
    [
        {"training.reference": True},
        {"training.norms": True},
        {"training.batch_size": 4},
        {"training.batch_size": 16},  # in another order each epoch
        {"training.group": 8},
        {"augmentation": [{"kind": "translate", "pixels": 1}]},
        {"loss.penalty": 0.1},
        {"optimizer.clip_norm": 1.0},
        {"optimizer.weight_decay": 0.1},
        {"optimizer": {"kind": "adam"}},
        {"optimizer": {"kind": "rmsprop"}},
        {"architecture.0": {"layer": "flatten"}},
    ],
    ids=str,
)
def test_what_is_trained_by_its_weights(settings):
    assert experiment().spanned
    one = experiment(settings)
    assert not one.spanned
    list(one.train())
    assert one.stepped is one.network
    assert one.work.span == 0


def test_what_is_said_of_it():
    one = experiment()
    assert str(one.work) == "in the span of the 16 images, 1 thread"
    assert one.model().about["images"] == 16
    assert str(experiment(reference=True).work) == "by the book, 1 thread"


def test_threads_share_the_products():
    """A part of the batch would be a part of the coordinates."""
    one = experiment(threads=2)
    assert one.threads == Threads(blas=2)
    list(one.train())
