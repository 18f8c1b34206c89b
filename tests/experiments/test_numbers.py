"""A training whose numbers go wrong: its run names step, layer, largest values, files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from handgrad.datasets import Dataset, Splits
from handgrad.errors import NotFiniteError
from handgrad.experiments import Experiment, Run, train

pytestmark = pytest.mark.usefixtures("no_pictures")

DENSE = [*[{"layer": "dense", "units": 4}] * 2, {"layer": "dense", "units": "classes"}]
SMALL = {
    "data.size": [8, 8],
    "data.normalize": False,
    "augmentation": [],
    "architecture": DENSE,
    "optimizer": {"kind": "adam", "learning_rate": 1e16},  # three weights then make 1e48
    "training.epochs": 9,
    "training.batch_size": 7,
}


def failed(source, settings, out):
    with pytest.raises(NotFiniteError) as caught:
        train(source, settings, out=out)
    return caught.value


def test_the_files_of_the_batch_are_named(photographs, tmp_path):
    """24 photographs, in batches of 7, 7, 7 and 3: those of the batch of that step, in order."""
    error = failed(photographs, SMALL, tmp_path / "r")
    run = Run(tmp_path / "r")
    assert run.summary["steps"] == error.step > 0
    assert run.summary["stopped"] == str(error)
    assert json.loads((tmp_path / "r/summary.json").read_text())["fault"] == error.table()
    assert np.isfinite(run.model.network.vector).all()

    twin = Experiment(run.recipe)
    batches, names = twin.batches(), twin.train_set.file_names
    number = error.step % batches.steps_per_epoch
    assert error.images == tuple(batches.order(error.epoch)[7 * number : 7 * number + 7])
    assert error.files == tuple(names[i] for i in error.images)
    for i, (_, labels) in enumerate(batches(error.epoch)):
        if i == number:
            assert [twin.train_set.labels[i] for i in error.images] == labels.tolist()
    assert (error.where, error.layer) == ("the output", "2 dense 3")
    assert error.largest["its weights"] == pytest.approx(1e16, rel=1e-3)
    assert 0.5 < error.largest["the images"] <= 1
    assert "A smaller learning rate" in error.hint
    for file in error.files[:5]:
        assert Path(file).name in str(error)


def test_a_damaged_image_is_named_alone():
    """Of floats: NaN in the seventh image, which batches of four in a seed's own order hold."""
    images = np.random.default_rng(0).random((12, 3, 3, 1)).astype(np.float32)
    names = tuple(f"{i}.png" for i in range(12))
    dataset = Dataset(images, np.arange(12) % 2, ("a", "b"), names)
    table = {
        "name": "damaged", "data": {"source": "lines"}, "architecture": DENSE,
        "loss": {"kind": "softmax cross-entropy"},
        "optimizer": {"kind": "sgd"}, "training": {"epochs": 2, "batch_size": 4},
    }  # fmt: skip
    experiment = Experiment(table, splits=Splits(dataset))
    images[6, 1, 1] = np.nan  # after the data set was checked
    with pytest.raises(NotFiniteError) as caught:
        list(experiment.train())
    error = caught.value
    assert error.where == "the images"
    assert [error.files[row] for row in error.rows] == ["6.png"]
    assert "The batch: 6.png first of 4 images" in str(error)
    assert error.hint == "These images hold what is no finite number; mend or leave out their files"


def test_without_files_the_places_are_named(tmp_path):
    """A full batch, in coordinates: the layer, the images and the weights are the book's."""
    error = failed(
        "lines", {"training.epochs": 50, "optimizer.learning_rate": 1e180}, tmp_path / "r"
    )
    assert error.images == tuple(range(24))
    assert error.files == ()
    assert "The batch: image 0, image 1, image 2, image 3, image 4 and 19 more" in str(error)
    assert error.largest["the images"] == 1  # black and white, 0..1


def test_a_repeat_is_told_from_the_training_itself(tmp_path, monkeypatch):
    repeat = Experiment.repeat

    def broken(self, seed):
        again = repeat(self, seed)
        again.network.vector[...] = 1e300
        return again

    monkeypatch.setattr(Experiment, "repeat", broken)
    error = failed("lines", {"training.epochs": 5, "repeats.seeds": [3]}, tmp_path / "r")
    assert error.repeat == 3
    assert str(error).startswith("step 0 (epoch 0) of the repeat with seed 3: the loss is ")


def test_in_the_span_of_the_inputs_it_is_told_of_the_inputs():
    from handgrad.experiments import read_recipe, with_settings

    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), dtype=np.uint8)
    images[0, 0, 0] = 255
    settings = {
        "architecture": [{"layer": "dense", "units": 5}, {"layer": "dense", "units": 2}],
        "optimizer": {"kind": "sgd", "learning_rate": 1e15},
        "training": {"epochs": 500},
    }
    table = with_settings(read_recipe("lines"), {**settings, "dtype": "float32"})
    dataset = Dataset(images, np.arange(6) % 2, ("a", "b"))
    experiment = Experiment(table, splits=Splits(dataset))
    assert experiment.spanned
    with pytest.raises(NotFiniteError) as caught:
        list(experiment.train())
    assert caught.value.largest["the images"] == 1  # 255 / 255, and no product of two images
    assert "span" not in caught.value.layer
    assert np.isfinite(experiment.network.vector).all()


def test_pixels_that_were_not_scaled_are_the_first_thing_to_look_at(photographs, tmp_path):
    error = failed(photographs, {**SMALL, "data.scale": "none"}, tmp_path / "r")
    assert error.largest["the images"] > 200
    assert 'scale = "unit" in [data] brings 0..255 to 0..1' in error.hint
