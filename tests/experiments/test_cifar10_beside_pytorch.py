"""The `cifar10` experiment, ten steps beside PyTorch in float64, to 1e-8.

Everything is the recipe's own but the widths, which are smaller so that this takes seconds;
``benchmarks/cifar10_steps.py``, which has PyTorch's side, holds the whole network to the same.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from handgrad.datasets import Dataset, Splits, load, numbers
from handgrad.experiments import Experiment, read_recipe, with_settings
from handgrad.layers import Whitening

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "cifar10_steps.py"
BATCH, STEPS = 64, 10
GROUPS = {2: 4, 6: 4, 9: 6, 13: 6, 16: 8, 20: 8}
"""Convolutions by their places, with the widths that are tried."""


@pytest.fixture(scope="module")
def beside(torch):
    """The benchmark as a module."""
    found = importlib.util.spec_from_file_location("cifar10_steps", BENCHMARK)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def photographs() -> Dataset:
    """The first images of CIFAR-10."""
    if not os.environ.get("HANDGRAD_DATA"):
        pytest.skip("HANDGRAD_DATA is not set")
    return load("cifar10").train.take(np.arange(16 * STEPS + 3))  # the last batch is dropped


def noise(n: int = BATCH * STEPS) -> Dataset:
    """Images for those who have no data: smooth noise, with classes that can be told."""
    generator = np.random.default_rng(0)
    labels = generator.integers(10, size=n)
    images = generator.normal(size=(n, 32, 32, 3)).cumsum(axis=1).cumsum(axis=2)
    images[..., 0] += 5 * labels[:, None, None]
    return Dataset(np.clip(128 + 3 * images, 0, 255).astype(np.uint8), labels, tuple("0123456789"))


def narrow() -> dict[str, int]:
    return {f"architecture.{i}.channels": width for i, width in GROUPS.items()}


@pytest.mark.parametrize(("images", "batch"), [(photographs, 16), (noise, BATCH)])
def test_ten_steps_agree(beside, images, batch):
    experiment, batches = beside.prepared(images(), batch, "float64", narrow())
    network = experiment.network
    assert batches.steps_per_epoch == STEPS
    start, model = network.vector.copy(), beside.twin(network)
    mine = beside.ours(experiment, batches)
    other = beside.theirs(model, batches, batch)
    assert mine == pytest.approx(other, rel=1e-8)
    # Every number, what is gathered too, and after lookahead has had its last word.
    arrays = beside.named(model)
    assert set(arrays) == set(network.layout.slots)
    for name, slot in network.layout.slots.items():
        theirs = arrays[name].numpy()
        np.testing.assert_allclose(
            slot.of(network.vector), theirs, rtol=1e-8, atol=1e-8 * abs(theirs).max(), err_msg=name
        )
        # The whitening stays, but for the rounding of averages; all else moved.
        assert np.allclose(slot.of(network.vector), slot.of(start), rtol=1e-12) == (name == "0.W")


RATES = {"offset": 0.053 * 2000 / 0.24, "0.b": 0.053 * 2000 / 0.24, "25.W": 7.3}
"""As published, for a mean loss; the recipe has them rounded."""
DECAYS = {"W": 0, **{name: 1 / rate for name, rate in RATES.items()}}
MUON = {
    "offsets at another rate": {"rates": RATES | {"offset": 400}},
    "another decay of the last layer": {"decays": DECAYS | {"25.W": 0.1}},
    "five steps of the iteration": {"steps": 5},
    "a norm that grows": {"fixed_norm": False},
    "the last layer a matrix as well": {"matrices": ["W"]},
    "another momentum": {"beta_others": 0.6},
    "a rate that ends above 0": {"schedule.end": 0.07},
}


@pytest.fixture(scope="module")
def published_with_muon(beside):
    """What comes of ten small batches in PyTorch, and its losses."""
    experiment, batches = beside.prepared(noise(80), 8, "float64", narrow(), "cifar10")
    model = beside.twin(experiment.network)
    scale = experiment.network.architecture[-1].factor
    return model, beside.theirs_with_muon(model, batches, scale, 0.24 * 7.3)


@pytest.mark.parametrize("slip", [None, *MUON])
def test_ten_steps_with_muon_agree(beside, published_with_muon, slip):
    model, losses = published_with_muon
    chosen = {"rates": RATES, "decays": DECAYS} | (MUON[slip] if slip else {})
    settings = narrow() | {f"optimizer.{key}": value for key, value in chosen.items()}
    experiment, batches = beside.prepared(noise(80), 8, "float64", settings, "cifar10")
    found = beside.ours(experiment, batches)
    _, distance = beside.farthest(experiment.network, model)
    if slip:
        assert distance > 1e-6
    else:
        assert found == pytest.approx(losses, rel=1e-8)
        assert distance < 1e-6
        rounded = read_recipe("cifar10")["optimizer"]
        assert rounded["rates"] == pytest.approx(RATES, rel=1e-3)
        assert rounded["decays"] == pytest.approx(DECAYS, rel=1e-3)


WRONG = {
    "uncoupled": {"optimizer.coupled": False},
    "offsets without decay": {"optimizer.decays": {"W": 1.0, "b": 1.0}},
    "offsets that decay 64 times as fast": {"optimizer.decays.offset": 1.0},
    "an offset that is never frozen": {"optimizer.frozen": {"0.W": 0.0}},
    "without Nesterov's look ahead": {"optimizer.kind": "momentum"},
    "without lookahead": {"averaging": None},
    "running statistics that keep 0.9": {"architecture.4.keep": 0.9},
    "another smoothing": {"loss.smoothing": 0.1},
}


@pytest.fixture(scope="module")
def published(beside):
    """What comes of ten small batches in PyTorch."""
    experiment, batches = beside.prepared(noise(80), 8, "float64", narrow())
    model = beside.twin(experiment.network)
    beside.theirs(model, batches, 8)
    return model


@pytest.mark.parametrize("slip", [None, *WRONG])
def test_a_setting_that_is_not_as_published_is_seen(beside, published, slip):
    """The test of the test above: each of these is off by far more than 1e-8."""
    settings = narrow() | (WRONG[slip] if slip else {})
    experiment, batches = beside.prepared(noise(80), 8, "float64", settings)
    beside.ours(experiment, batches)
    _, distance = beside.farthest(experiment.network, published)
    assert distance < 1e-8 if slip is None else distance > 1e-6


def test_the_network_is_the_published_one():
    """236 MFLOP forward an image, maps of 31, 15, 7 and 3, and a number of each kind."""
    network = Experiment(read_recipe("cifar10-nesterov"), splits=Splits(noise(20))).network
    assert network.flops() == pytest.approx(236e6, rel=0.005)
    sides = [shape[0] for shape in network.shapes if len(shape) == 3]
    assert sorted(set(sides)) == [1, 3, 7, 15, 31, 32]
    # Filters, the offset of the first, and offsets of batch normalization.
    filters = 4 * 3 * 24 + 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256)
    assert network.layout.learned == filters + 24 + 2 * (64 + 256 + 256) + 2560


def test_the_first_training_images_are_shown_as_they_are(monkeypatch):
    """Prepared but not augmented, no more of them than asked for, and none of the validation."""
    monkeypatch.setattr("handgrad.experiments.experiment.SHOWN", 7)
    table = with_settings(
        read_recipe("cifar10-nesterov"), {"dtype": "float64", "data.validation": 0.3}
    )
    experiment = Experiment(table, splits=Splits(noise(40)))
    assert 7 < len(experiment.train_set) < 40
    x = numbers(experiment.train_set.images[:7], experiment.preparation, "float64")
    expected = Whitening().filters((2, 2, 3, 24), np.random.default_rng(0), x)
    np.testing.assert_array_equal(experiment.network.params[0].W, expected)


@pytest.mark.parametrize("name", ["cifar10-nesterov", "cifar10-quick"])
def test_it_begins_by_handing_on_white_images(name):
    """The first layer whitens what the network sees; each later filter hands on its channel."""
    settings = {"dtype": "float64", "training.threads": 1}
    experiment = Experiment(with_settings(read_recipe(name), settings), splits=Splits(noise(50)))
    network = experiment.network
    x = numbers(experiment.train_set.images, experiment.preparation, "float64")
    y, _ = network.architecture[0].forward(x, network.params[0])
    rows = y[..., :12].reshape(-1, 12)
    moments = rows.T @ rows / len(rows)
    roots = 1 - np.diag(moments)  # ε/(λ + ε), of which λ is at least ε here
    assert (roots > 0).all()
    assert (roots < 0.5).all()
    np.testing.assert_allclose(moments, np.diag(np.diag(moments)), atol=1e-10)
    assert (network.params[0].b == 0).all()
    for i, layer in enumerate(network.architecture):
        if layer.name == "convolution" and i > 0:
            W = network.params[i].W
            own = np.arange(min(W.shape[2:]))
            assert (W[1, 1, own, own] == 1).all()
            assert abs(W[..., own]).sum() == len(own)
