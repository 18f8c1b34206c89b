"""The recipe `cat-cnn`: what was chosen is what is there, and the choice was fair."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
from pathlib import Path

import numpy as np
import pytest

from handgrad.datasets import Dataset, Splits, load
from handgrad.experiments import Experiment, read_recipe, with_settings
from handgrad.experiments.recipe import Recipe
from handgrad.networks import Network
from handgrad.training import wilson_interval

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "cat_cnn.py"

needs_data = pytest.mark.skipif(
    "HANDGRAD_DATA" not in os.environ, reason="HANDGRAD_DATA is not set"
)


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("cat_cnn", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results(benchmark):
    return json.loads(benchmark.RESULTS.read_text(encoding="utf-8"))


def some_photographs() -> Dataset:
    """137 and 72 images as in the training set; four of them show the same."""
    generator = np.random.default_rng(0)
    images = generator.integers(256, size=(209, 4, 4, 3)).astype(np.uint8)
    labels = generator.permutation(np.repeat([0, 1], [137, 72]))
    for first, label in ((0, 0), (1, 1)):
        places = np.flatnonzero(labels == label)
        images[places[[10, 20, 30]]] = images[places[first]]
    return Dataset(images, labels, ("non-cat", "cat"))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equal_pictures_never_stand_on_both_sides(benchmark, seed):
    dataset = some_photographs()
    fold = benchmark.folds(dataset, seed)
    for i in range(5):
        held = {image.tobytes() for image in dataset.images[fold == i]}
        learned = {image.tobytes() for image in dataset.images[fold != i]}
        assert held
        assert not held & learned


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_fold_has_its_share_of_either_class(benchmark, seed):
    dataset = some_photographs()
    # Four equal pictures a class move three of its images to another fold at most.
    counts = [dataset.take(benchmark.folds(dataset, seed) == i).counts() for i in range(5)]
    np.testing.assert_allclose(counts, [[137 / 5, 72 / 5]] * 5, atol=4)
    assert np.sum(counts, axis=0).tolist() == [137, 72]
    assert (benchmark.folds(dataset, seed) != benchmark.folds(dataset, seed + 1)).any()


def test_balanced_accuracy_by_hand(benchmark):
    """Three of four of class 0 and both of class 1: (3/4 + 2/2) / 2, not 5/6."""
    labels, predicted = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 1])
    assert benchmark.balanced_accuracy(predicted, labels) == 0.875


def test_the_recipe_is_what_the_rule_chooses(benchmark, results):
    """Of those measured on ten folds or more, with the mirror and without, the highest mean."""
    means = {
        (name, views): np.mean([each[key] for each in found["repetitions"]])
        for name, found in results["candidates"].items()
        for views, key in (("none", "balanced"), ("mirror", "mirrored"))
        if len(found["repetitions"]) >= 2
    }
    assert len(means) >= 4
    name, views = chosen = max(means, key=means.__getitem__)
    assert benchmark.chosen(results) == chosen
    changes = results["candidates"][name]["changes"]
    expected = Recipe.of(benchmark.candidate(**changes, views=views), 2)
    recipe = Recipe.of(read_recipe("cat-cnn"), 2)
    for part in benchmark.PARTS:
        assert getattr(recipe, part) == getattr(expected, part), part
    assert Network(recipe.architecture, (64, 64, 3)).shapes[-1] == (2,)
    last = results["finals"][-1]
    assert (last["candidate"], last["views"]) == chosen


def test_either_class_counts_the_same_in_the_loss():
    """137 images are no cats and 72 are: 137 · 209 / (2 · 137) = 72 · 209 / (2 · 72)."""
    loss = Recipe.of(read_recipe("cat-cnn"), 2).loss.balanced(np.repeat([0, 1], [137, 72]), 2)
    assert loss.class_weights == pytest.approx((209 / 274, 209 / 144))


def test_the_rule_wants_ten_folds_and_looks_at_the_mirror_too(benchmark):
    def found(balanced, mirrored, repetitions):
        return {"repetitions": [{"balanced": balanced, "mirrored": mirrored}] * repetitions}

    candidates = {
        "once only": found([0.99], [0.99], 1),
        "plain": found([0.9, 0.8], [0.7, 0.8], 2),
        "mirrored": found([0.6, 0.8], [0.9, 0.82], 3),
    }
    assert benchmark.chosen({"candidates": candidates}) == ("mirrored", "mirror")
    del candidates["mirrored"]
    assert benchmark.chosen({"candidates": candidates}) == ("plain", "none")


def test_candidates_are_those_that_were_measured(benchmark, results):
    assert set(results["candidates"]) == set(benchmark.CANDIDATES)
    for name, found in results["candidates"].items():
        assert found["changes"] == json.loads(json.dumps(benchmark.CANDIDATES[name]))
        for key in ("balanced", "mirrored"):
            shares = [each[key] for each in found["repetitions"]]
            assert {len(each) for each in shares} == {5}
            assert found[f"mean_{key}"] == pytest.approx(np.mean(shares), abs=1e-4)


def test_every_final_run_is_told_with_its_interval(benchmark, results):
    for final in results["finals"]:
        runs = final["runs"]
        assert [run["seed"] for run in runs] == list(benchmark.SEEDS) == [1, 2, 3, 4, 5]
        for n in (50, 49):
            for run in runs:
                told = run[f"test_{n}"]
                right = n - len(set(run["wrong"]) - ({benchmark.SEEN} if n == 49 else set()))
                assert told["accuracy"] == pytest.approx(right / n)
                interval = wilson_interval(right, n)
                assert (told["low"], told["high"]) == pytest.approx(interval, abs=1e-4)
            mean = statistics.mean(run[f"test_{n}"]["accuracy"] for run in runs)
            assert final[f"mean_{n}"] == pytest.approx(mean)


def test_the_recipe_tells_what_all_its_runs_found(results):
    earlier, last = results["finals"]
    accuracies = [run["test_50"]["accuracy"] for run in last["runs"]]
    note = read_recipe("cat-cnn")["note"]
    assert f": {100 * min(accuracies):.0f} to {100 * max(accuracies):.0f} %" in note
    for mean in (last["mean_50"], last["mean_49"], earlier["mean_50"]):
        assert f"{100 * mean:.1f} %" in note


def test_a_choice_is_scored_on_the_test_images_once(benchmark, monkeypatch):
    monkeypatch.setattr(benchmark, "load", lambda name: pytest.fail("the test images were read"))
    with pytest.raises(SystemExit, match="scored already"):
        benchmark.final()


@needs_data
def test_it_learns_in_a_twentieth_of_its_time():
    """Two thirds of the images are no cats: whoever always says so is at a balanced 50 %."""
    table = with_settings(read_recipe("cat-cnn"), {"training.epochs": 8, "training.threads": 1})
    train = load("cat-vs-noncat").train
    experiment = Experiment(table, splits=Splits(train))
    for _ in experiment.train():
        pass
    model = experiment.model()
    found = model.loss.decide(model.outputs(train.images)) == train.labels
    recalls = [found[train.labels == label].mean() for label in (0, 1)]
    assert np.mean(recalls) > 0.7
