"""How a training is computed is a pure function of its recipe, of shapes and of cores."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest

from handgrad.datasets import Dataset, Splits
from handgrad.datasets.augmentation import Distort
from handgrad.experiments import Experiment, Threads, read_recipe, with_settings
from handgrad.experiments.recipe import Recipe
from handgrad.experiments.work import work_for
from handgrad.networks import Network
from handgrad.parallel import Shards
from handgrad.plans import Planned
from handgrad.training import by_the_book

SHAPES = {"mnist-cnn": (28, 28, 1), "mnist": (28, 28, 1), "cat": (64, 64, 3), "lines": (3, 3, 1)}


def work(name, cores=2, samples=60_000, **settings):
    recipe = Recipe.of(with_settings(read_recipe(name), settings), classes=10)
    network = Network(recipe.architecture, SHAPES[name])
    return work_for(recipe, network, samples, cores)


def test_a_convolutional_network_goes_by_a_plan_in_shards():
    found = work("mnist-cnn")
    assert found.threads == Threads(shards=2)
    assert found.planned
    assert found.together % 8 == 0
    assert found.why == "a convolution is one for Winograd's tiles"
    assert str(found) == (
        f"by a plan, {found.together} images at a time, "
        "2 threads that have a part of the batch each"
    )
    assert isinstance(found.gradient(), Shards)
    assert isinstance(work("mnist-cnn", cores=1).gradient(), Planned)


def test_a_recipe_may_ask_for_the_book():
    found = work("mnist-cnn", cores=1, **{"training.reference": True})
    assert (found.planned, found.why) == (False, "the recipe asks for it")
    assert found.gradient() is by_the_book
    assert str(found) == "by the book, 1 thread"


def test_a_dense_network_goes_by_the_book():
    found = work("mnist", cores=1)
    assert found.gradient() is by_the_book
    assert found.why == "no convolution is one for Winograd's tiles"


def test_few_large_images_in_their_span():
    found = work("cat", cores=1, samples=209)
    assert found.span == 209
    assert str(found) == "in the span of the 209 images, 1 thread"
    assert work("cat", cores=1, samples=20_000).span == 0


def test_a_group_is_what_is_computed_together():
    """Of 20 in groups of 6: no more than the 3 of a shard go through a plan at a time."""
    small = {"training.batch_size": 20, "training.group": 6, "training.threads": 2}
    found = work("mnist-cnn", **small)
    assert (found.group, found.together) == (6, 3)
    assert "in groups of 6" in str(found)
    assert work("mnist-cnn", **{"training.batch_size": 20, "training.group": 20}).group is None


def test_it_is_what_an_experiment_does():
    images = np.zeros((12, 28, 28, 1), np.uint8)
    data = Dataset(images, np.arange(12) % 10, tuple("0123456789"))
    table = with_settings(read_recipe("mnist-cnn"), {"training.threads": 3})
    experiment = Experiment(table, splits=Splits(data))
    assert experiment.work.threads == experiment.threads == Threads(shards=3)


def test_each_shard_bends_its_own_images(monkeypatch):
    """Nobody waits while one thread augments the batch of all; and the bits stay what they are."""
    bent, apply = [], Distort.apply

    def watched(self, images, *draws):
        bent.append((threading.current_thread().name, len(images)))
        return apply(self, images, *draws)

    monkeypatch.setattr(Distort, "apply", watched)
    images = np.random.default_rng(0).integers(256, size=(16, 28, 28, 1), dtype=np.uint8)
    data = Dataset(images, np.arange(16) % 10, tuple("0123456789"))
    settings = {"training.threads": 2, "training.batch_size": 8, "training.epochs": 1}
    experiment = Experiment(with_settings(read_recipe("mnist-cnn"), settings), splits=Splits(data))
    for _ in experiment.train():
        pass
    assert [count for _, count in bent] == [4] * 4
    assert all(name.startswith("shard") for name, _ in bent)

    again = Experiment(with_settings(read_recipe("mnist-cnn"), settings), splits=Splits(data))
    whole = dataclasses.replace(again.batches(), by_rows=False)
    monkeypatch.setattr(again, "batches", lambda: whole)
    for _ in again.train():
        pass
    assert max(count for _, count in bent) == 8
    assert np.array_equal(again.network.vector, experiment.network.vector)


@pytest.mark.parametrize("group", [0, -2])
def test_a_group_below_one_is_refused(group):
    from handgrad.errors import RecipeError

    with pytest.raises(RecipeError, match=f"group = {group}; expected at least 1"):
        work("mnist", **{"training.group": group})
