"""An experiment: its data, its preparation, its figures, its repeats, its threads."""

from __future__ import annotations

import numpy as np
import pytest

import handgrad as hg
from handgrad.datasets import Dataset, Splits
from handgrad.errors import HandgradError, RecipeError
from handgrad.experiments import (
    Experiment,
    Threads,
    cores,
    limited,
    read_recipe,
    recipe_checks,
    threads_for,
    with_settings,
)


def squares(n=40, classes=4, seed=0) -> Dataset:
    """Noise with one bright corner, which is the class."""
    generator = np.random.default_rng(seed)
    images = generator.uniform(0, 0.5, size=(n, 4, 4, 1)).astype(np.float32)
    labels = np.arange(n) % classes
    for image, label in zip(images, labels, strict=True):
        image[2 * (label // 2) : 2 * (label // 2) + 2, 2 * (label % 2) : 2 * (label % 2) + 2] += 0.5
    return Dataset(images, labels, tuple("abcd"[:classes]))


def experiment(settings=None, **besides) -> Experiment:
    table = {
        "name": "squares",
        "data": {"source": "not read"},
        "architecture": [{"layer": "dense", "units": "classes"}],
        "loss": {"kind": "softmax cross-entropy"},
        "optimizer": {"kind": "sgd", "learning_rate": 0.5},
        "training": {"epochs": 5},
    }
    splits = besides.pop("splits", None) or Splits(squares(), squares(20, seed=1))
    return Experiment(with_settings(table, settings or {}), splits=splits)


def test_figures_are_those_of_the_weights_that_are_kept():
    """Worked once more by hand: softmax cross-entropy of the last weights, with its penalty."""
    trained = experiment({"loss.penalty": 0.1})
    for _ in trained.train():
        pass
    figures = trained.figures()
    params = trained.network.params[0]
    x = trained.train_set.images.reshape(40, 16)
    z = (x @ params.W + params.b).astype(np.float64)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    labels = trained.train_set.labels
    loss = -np.log(p[np.arange(40), labels]).mean() + 0.05 * float((params.W**2).sum())
    assert figures["loss"] == pytest.approx(loss, rel=1e-5)
    assert figures["train_accuracy"] == (z.argmax(axis=1) == labels).mean()
    assert figures["test_n"] == 20
    assert trained.epochs == trained.state.steps == 5


def test_class_weights_are_counted_on_the_training_part():
    """32 of class a and 8 of class b; of them 6 and 2 are put aside: 32/(2·26) and 32/(2·6)."""
    labels = np.array([0] * 32 + [1] * 8)
    images = np.random.default_rng(0).uniform(size=(40, 2, 2, 1))
    settings = {"loss.class_weights": "balanced", "data.validation": 0.2}
    made = experiment(settings, splits=Splits(Dataset(images, labels, ("a", "b")), None))
    assert made.train_set.counts().tolist() == [26, 6]
    assert made.recipe.loss.class_weights == pytest.approx((16 / 26, 16 / 6), rel=1e-12)
    assert made.recipe.table()["loss"]["class_weights"] == list(made.recipe.loss.class_weights)
    assert made.model().loss == made.recipe.loss
    for report in made.train():
        assert np.isfinite(report.loss)
    few = Dataset(images, np.zeros(40, int), ("a", "b"))
    with pytest.raises(RecipeError, match="no training image of class 1"):
        experiment(settings, splits=Splits(few, None))


def test_a_recipe_with_balanced_weights_can_be_verified(monkeypatch):
    """Without its data, where nothing can be counted."""
    table = with_settings(read_recipe("lines"), {"loss.class_weights": "balanced"})
    monkeypatch.setattr("handgrad.experiments.verified.read_recipe", lambda name: table)
    ledger = recipe_checks()["recipe lines"]()
    assert (ledger.failure, ledger.comparisons > 0) == (None, True)


def test_the_views_of_a_recipe_are_those_of_its_answers():
    """A corner is left or right: with the mirror, half of what was learned is lost in the test.

    Training does not look at the mirror: its figures, and those of validation, stay.
    """
    plain, mirrored = (
        experiment({"data.validation": 0.2, "training.epochs": 20, "views": views})
        for views in ("none", "mirror")
    )
    for made in (plain, mirrored):
        assert len(list(made.train())) == 20
    assert mirrored.history == plain.history
    np.testing.assert_array_equal(mirrored.network.vector, plain.network.vector)
    answers = mirrored.model()
    assert (plain.model().views, answers.views) == ("none", "mirror")
    before, after = plain.figures(), mirrored.figures()
    assert after["loss"] == before["loss"]
    assert after["train_accuracy"] == before["train_accuracy"] == 1
    test = mirrored.splits.test
    assert after["test_accuracy"] == (answers.labels(test.images) == test.labels).mean()
    assert after["test_accuracy"] < before["test_accuracy"] == 1
    assert after["validation_accuracy"] < before["validation_accuracy"]
    assert answers.about["test"]["accuracy"] == after["test_accuracy"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"views": "miror"}, "views: found 'miror'; expected 'none' or 'mirror' or 'mirror-shift'"),
        ({"loss.class_weights": "balance"}, "expected a list of a number or 'balanced'"),
    ],
)
def test_words_that_a_recipe_does_not_know(settings, sentence):
    with pytest.raises(RecipeError, match=sentence):
        experiment(settings)


def test_a_validation_part_is_taken_from_every_class_by_seed():
    first = experiment({"data.validation": 0.2})
    again, other = (
        experiment({"data.validation": 0.2}),
        experiment({"data.validation": 0.2, "seed": 1}),
    )
    assert first.validation_set.counts().tolist() == [2, 2, 2, 2]
    assert first.train_set.counts().tolist() == [8, 8, 8, 8]
    assert first.validation_set.fingerprint() == again.validation_set.fingerprint()
    assert first.validation_set.fingerprint() != other.validation_set.fingerprint()


def test_the_best_weights_on_validation_are_kept():
    """A learning rate that leads away from a good place: the last weights are not the best."""
    settings = {"data.validation": 0.2, "optimizer.learning_rate": 30.0, "training.epochs": 3}
    trained = experiment(settings)
    best = max(report.validation_accuracy for report in trained.train())
    assert trained.history[-1].validation_accuracy < best
    assert trained.figures()["validation_accuracy"] == best


def test_patience_ends_a_training():
    settings = {"data.validation": 0.2, "training.patience": 2, "training.epochs": 500}
    trained = experiment(settings | {"optimizer.learning_rate": 30.0})
    for _ in trained.train():
        pass
    assert 3 <= len(trained.history) < 500


@pytest.mark.parametrize(
    "settings", [{"training.patience": 2}, {"training.until": "validation_loss=0.1"}]
)
def test_a_wait_for_validation_needs_a_validation_part(settings):
    with pytest.raises(RecipeError, match="found no validation part"):
        experiment(settings)
    experiment(settings | {"data.validation": 0.2})


def test_normalization_is_measured_on_the_training_part_alone():
    made = experiment({"data.normalize": True, "data.validation": 0.25})
    assert made.preparation.mean[0] == pytest.approx(made.train_set.images.mean(), rel=1e-6)
    assert made.preparation.deviation[0] == pytest.approx(made.train_set.images.std(), rel=1e-6)
    assert made.preparation.mean[0] != pytest.approx(made.whole_train.images.mean(), rel=1e-9)


def test_the_filter_for_new_photographs_is_the_recipes():
    assert experiment({"data.resample": "nearest"}).preparation.resample == "nearest"
    assert experiment().preparation.resample == "bilinear"


def test_channels_alone_leave_the_size_to_the_data():
    table = with_settings(read_recipe("digits"), {"data.channels": 3})
    assert Experiment(table).preparation.shape == (8, 8, 3)


def test_the_first_values_are_the_seeds_own():
    made = experiment({"seed": 5})
    W = np.random.default_rng(5).normal(size=(4, 16)) / 4
    np.testing.assert_allclose(made.network.params[0].W, W.T.astype(np.float32))


def test_equal_experiments_are_equal_bit_by_bit():
    settings = {"training.batch_size": 7, "architecture.0": {"layer": "dense", "units": 4}}
    vectors = []
    for seed in (3, 3, 4):
        made = experiment(settings | {"seed": seed})
        for _ in made.train():
            pass
        vectors.append(made.network.vector)
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert (vectors[0] != vectors[2]).any()


def test_repeats_deal_anew_where_that_is_asked_for():
    settings = {"repeats.seeds": [1, 2], "repeats.split": "random"}
    made = experiment(settings)
    figures = dict(made.repeats())
    assert figures.keys() == {1, 2}
    same = dict(experiment({"repeats.seeds": [1]}).repeats())
    assert same[1]["test_n"] == figures[1]["test_n"] == 20
    assert same[1]["loss"] != figures[1]["loss"]  # other training images


def test_outputs_that_do_not_fit_the_classes_are_refused_before_training():
    with pytest.raises(HandgradError, match=r"outputs have shape \(3,\); 4 classes"):
        experiment({"architecture.0.units": 3})
    with pytest.raises(HandgradError, match="tells two classes apart; found 4"):
        experiment({"loss.kind": "sigmoid cross-entropy"})
    two = Splits(squares(classes=2))
    made = experiment({"loss.kind": "sigmoid cross-entropy"}, splits=two)
    assert made.network.shapes[-1] == (1,)


def test_without_a_test_part_there_are_no_test_figures():
    figures = experiment(splits=Splits(squares())).figures()
    assert not [key for key in figures if key.startswith("test")]


def test_threads_are_a_plan_of_shapes_and_cores():
    small = hg.Network((hg.Dense(6), hg.Dense(2)), (3, 3, 1))
    large = hg.Network((hg.Dense(512), hg.Dense(10)), (28, 28, 1))
    convolutional = hg.Network((hg.Convolution(32), hg.Flatten(), hg.Dense(10)), (32, 32, 3))
    assert threads_for(small, 24, 8) == Threads() == (1, 1, 1)
    assert threads_for(large, 256, 8) == Threads(blas=8)
    assert threads_for(convolutional, 128, 8) == Threads(shards=8)
    assert threads_for(convolutional, 1, 8) == Threads()
    assert threads_for(small, 24, 8, asked=2) == threads_for(small, 2, 8, asked=4)._replace(
        shards=2
    )
    assert cores() >= 1
    asked = experiment({"training.threads": 3}).threads
    assert asked.total == 3
    assert str(asked) == "3 threads that have a part of the batch each"


def test_what_was_said_is_remembered_until_the_weights_change(monkeypatch):
    made = experiment()
    asked = []
    answers = type(made.network).outputs
    monkeypatch.setattr(
        type(made.network), "outputs", lambda *given: asked.append(1) or answers(*given)
    )
    first = made.outputs(made.train_set)
    assert made.outputs(made.train_set) is first
    assert len(asked) == 1
    made.network.vector[0] += 1
    assert not np.array_equal(made.outputs(made.train_set), first)
    assert len(asked) == 2


def test_threads_are_set_back():
    from threadpoolctl import threadpool_info

    def counts():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = counts()
    with limited(1):
        assert set(counts()) <= {1}
    assert counts() == before
