"""The recipe `folder`: what it promises to somebody who knows nothing of recipes."""

from __future__ import annotations

import importlib.util
import json
import statistics
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handgrad.datasets import Dataset, Splits
from handgrad.errors import RecipeError
from handgrad.experiments import Experiment, read_recipe, train, with_settings
from handgrad.experiments.recipe import Recipe
from handgrad.networks import Network

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "folder.py"
SMALL = {"data.size": [16, 16]}


def bars(each: int, seed: int, size: int = 24) -> Dataset:
    """A lying or a standing bar of 8 pixels, of any colour and in any place.

    Single pixels tell nothing, and a dense layer sees a bar in a new place as something new.
    """
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], each)
    images = generator.normal(128, 8, size=(2 * each, size, size, 3))
    for image, label in zip(images, labels, strict=True):
        height, width = (2, 8) if label == 0 else (8, 2)
        y, x = generator.integers(size - height + 1), generator.integers(size - width + 1)
        colour = generator.choice([-1, 1], size=3) * generator.uniform(40, 100, size=3)
        image[y : y + height, x : x + width] += colour
    return Dataset(np.clip(images, 0, 255).astype(np.uint8), labels, ("lying", "standing"))


def outcome(train_set: Dataset, test_set: Dataset, settings=None) -> float:
    """The test accuracy of the recipe on data that are there already."""
    table = with_settings(read_recipe("folder"), settings or {})
    experiment = Experiment(table, splits=Splits(train_set, test_set))
    for _ in experiment.train():
        pass
    return experiment.figures()["test_accuracy"]


@pytest.fixture(scope="module")
def benchmark():
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("folder", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_recipe_is_the_candidate_that_was_chosen(benchmark):
    chosen = benchmark.candidate(**benchmark.CANDIDATES[benchmark.CHOSEN])
    size = {"size": [64, 64], "channels": 3, "resample": "bilinear", "draft": True}
    expected = Recipe.of(chosen | {"data": chosen["data"] | size}).table()
    found = Recipe.of(read_recipe("folder")).table()
    assert {k: v for k, v in found.items() if k not in ("about", "note")} == {
        k: v for k, v in expected.items() if k not in ("about", "note")
    }


def test_none_that_was_measured_as_often_is_better(benchmark):
    """Of the candidates with two seeds or more, by the seeds that the chosen one shares with it."""
    candidates = json.loads(benchmark.RESULTS.read_text(encoding="utf-8"))["candidates"]

    def balanced(name: str) -> dict[tuple[str, int], float]:
        runs = candidates[name]["runs"]
        return {(r["problem"], r["seed"]): r["balanced"] for r in runs if r["problem"] in counted}

    counted = benchmark.COUNTED
    chosen, compared = balanced(benchmark.CHOSEN), 0
    for name in candidates:
        other = balanced(name)
        shared = chosen.keys() & other.keys()
        if len(shared) >= 2 * len(counted) and name != benchmark.CHOSEN:
            compared += 1
            means = (statistics.mean(found[key] for key in shared) for found in (chosen, other))
            assert next(means) > next(means), name
    assert compared >= 4


def test_it_learns_what_no_single_pixel_tells():
    linear = pytest.importorskip("sklearn.linear_model")
    train_set, test_set = bars(30, seed=0), bars(200, seed=1)
    x, new = (part.images.reshape(len(part), -1) / 255 for part in (train_set, test_set))
    logistic = linear.LogisticRegression(max_iter=1000).fit(x, train_set.labels)
    assert logistic.score(new, test_set.labels) < 0.6
    assert outcome(train_set, test_set) > 0.85  # the dense network that was here before: 0.65


@pytest.mark.parametrize(("classes", "each"), [(2, 20), (2, 2), (30, 3)])
def test_few_images_and_many_classes(tmp_path, monkeypatch, classes, each):
    """From files to a model, whatever the numbers; a fifth of each class is for the test."""
    monkeypatch.setattr("handgrad.experiments.drawn.draw_pictures", lambda *_: None)
    generator = np.random.default_rng(0)
    for label in range(classes):
        (tmp_path / "photos" / f"{label:02}").mkdir(parents=True)
        for i in range(each):
            pixels = generator.integers(0, 256, size=(20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / f"{label:02}" / f"{i}.png")
    settings = {**SMALL, "training.epochs": 2}
    run = train(tmp_path / "photos", settings, out=tmp_path / "run")
    assert len(run.model.class_names) == classes
    assert np.isfinite(run.summary["loss"])
    assert run.summary["test_n"] == classes * max(1, round(each / 5))


def test_grey_and_equal_images():
    """One channel, and images without any contrast: nothing is divided by 0."""
    images = np.full((24, 16, 16, 1), 90, dtype=np.uint8)
    plain = Dataset(images, np.arange(24) % 2, ("a", "b"))
    assert outcome(plain, plain, {"training.epochs": 2}) == 0.5


def test_it_fits_a_laptop():
    """The cost of an image, by which 400 of them train in two minutes on one core."""
    table = with_settings(read_recipe("folder"), {})
    tiny = Dataset(np.zeros((4, 64, 64, 3), np.uint8), np.array([0, 1, 0, 1]), ("a", "b"))
    experiment = Experiment(table, splits=Splits(tiny))
    network: Network = experiment.network
    layers = zip(network.architecture, network.shapes, strict=False)
    flops = sum(layer.flops(shape) for layer, shape in layers)
    assert flops < 10e6
    assert network.layout.learned < 150_000
    assert experiment.recipe.training.epochs * flops * 3 * 400 < 1e12


def tiny(side: int) -> Dataset:
    images = np.random.default_rng(0).integers(256, size=(4, side, side, 3), dtype=np.uint8)
    return Dataset(images, np.array([0, 1, 0, 1]), ("a", "b"))


def test_the_smallest_images():
    """Four times a half: 15 pixels become 8, 4, 2 and 1. A photograph is brought to 64."""
    assert 0 <= outcome(tiny(15), tiny(15), {"training.epochs": 1}) <= 1
    with pytest.raises(RecipeError, match=r"max-pool 2: found samples of shape \(1, 1, 64\)"):
        outcome(tiny(14), tiny(14))
