"""Evaluation from Python; its figures by hand are in tests/cli/test_evaluate.py."""

from __future__ import annotations

import numpy as np
import pytest

import handgrad as hg
from handgrad.errors import DataError, HandgradError
from handgrad.experiments import evaluate
from handgrad.storage import save_model, write_prepared


@pytest.fixture
def model(tmp_path):
    """One weight: class 1 where the pixel is above one half, and sure of it."""
    network = hg.Network((hg.Dense(1),), (1, 1, 1))
    network.params[0].W[...], network.params[0].b[...] = 40, -20
    made = hg.Model(
        network, hg.Preparation(1, 1, 1), ("dark", "bright"), hg.SigmoidCrossEntropy(), {}
    )
    save_model(made, tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def prepared(path, pixels, labels, names):
    images = np.array(pixels, dtype=np.uint8).reshape(-1, 1, 1, 1)
    write_prepared(hg.Dataset(images, np.array(labels), names), path)
    return path


def test_figures_of_four_pixels(model, tmp_path):
    """0 and 51 are dark, 204 and 255 bright; the 51 is called dark and said to be bright.

    Its score is 40 · 51/255 - 20 = -12, so that it costs 12; the others next to nothing.
    """
    data = prepared(tmp_path / "p.h5", [0, 51, 204, 255], [0, 1, 1, 1], ("dark", "bright"))
    found = evaluate(model, data)
    assert (found.accuracy, found.n, found.baseline) == (0.75, 4, 0.75)
    assert found.confusion == ((1, 0), (1, 2))
    dark, bright = found.classes
    assert (dark.precision, dark.recall, dark.n) == (0.5, 1.0, 1)
    assert (bright.precision, bright.recall, bright.n) == (1.0, pytest.approx(2 / 3), 3)
    assert found.loss == pytest.approx(12 / 4, abs=1e-4)
    # Wilson for 3 of 4: (3/4 + z²/8 ± z √(3/64 + z²/64)) / (1 + z²/4), z² = 3.84146
    assert (round(found.low, 4), round(found.high, 4)) == (0.3006, 0.9544)


def test_classes_in_another_order(model, tmp_path):
    data = prepared(tmp_path / "p.h5", [0, 255], [1, 0], ("bright", "dark"))
    found = evaluate(model, data)
    assert found.accuracy == 1.0
    assert found.confusion == ((1, 0), (0, 1))


def test_other_views_than_the_models_own(tmp_path):
    """A network that asks whether the left pixel is the brighter one; the mirror says no."""
    network = hg.Network((hg.Dense(1),), (1, 2, 1))
    network.params[0].W[...] = [[9], [-9]]
    network.params[0].b[...] = -1
    made = hg.Model(
        network, hg.Preparation(1, 2, 1), ("right", "left"), hg.SigmoidCrossEntropy(), {}, "mirror"
    )
    save_model(made, tmp_path / "m.safetensors")
    images = np.array([[[[255], [0]]], [[[0], [255]]]], dtype=np.uint8)
    data = tmp_path / "p.h5"
    write_prepared(hg.Dataset(images, np.array([1, 0]), ("right", "left")), data)
    own, once = (evaluate(tmp_path / "m.safetensors", data, views=v) for v in (None, "none"))
    # with the mirror the output is -1 for both; without it 8 and -10
    assert (own.accuracy, own.views, own.confusion) == (0.5, "mirror", ((1, 0), (1, 0)))
    assert (once.accuracy, once.views) == (1.0, "none")
    assert own.loss == pytest.approx((np.log1p(np.e) + np.log1p(1 / np.e)) / 2, rel=1e-6)
    assert own.table()["views"] == "mirror"


def test_a_class_too_many(model, tmp_path):
    data = prepared(tmp_path / "p.h5", [0, 255], [1, 0], ("bright", "grey"))
    with pytest.raises(DataError, match="found class 'grey'; expected classes that the model"):
        evaluate(model, data)


def test_a_model_without_a_recipe_needs_data(model):
    with pytest.raises(HandgradError, match="no data is recorded with this model; give --data"):
        evaluate(model)


def test_the_test_part_is_judged_where_there_is_one(model, tmp_path):
    parts = [
        hg.Dataset(np.full((n, 1, 1, 1), pixel, np.uint8), np.full(n, 1), ("dark", "bright"))
        for n, pixel in ((3, 0), (2, 255))
    ]
    write_prepared(hg.datasets.Splits(*parts), tmp_path / "p.h5")
    found = evaluate(model, tmp_path / "p.h5")
    assert (found.n, found.accuracy) == (2, 1.0)
