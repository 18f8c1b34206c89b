"""Pictures by name: what they show is what the training met."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest

from handgrad.datasets import Dataset
from handgrad.errors import HandgradError
from handgrad.experiments import Experiment
from handgrad.experiments.gallery import EPOCHS, GALLERY, IMAGES, entry
from handgrad.experiments.subject import NotThereError, Subject
from handgrad.storage import write_prepared

N = 11


@pytest.fixture
def table(tmp_path):
    """Eleven images, each of a class of its own, so that a label tells which one was shown."""
    images = np.random.default_rng(0).integers(0, 256, (N, 4, 4, 3), dtype=np.uint8)
    names = tuple("abcdefghijk")
    write_prepared(Dataset(images, np.arange(N), names), tmp_path / "eleven.h5")
    return {
        "name": "eleven",
        "seed": 3,
        "data": {"source": str(tmp_path / "eleven.h5"), "test": 0.0, "normalize": True},
        "augmentation": [
            {"kind": "alternating flip"},
            {"kind": "translate", "pixels": 1},
            {"kind": "brightness", "amount": 0.05},
        ],
        "architecture": [{"layer": "dense", "units": "classes"}],
        "loss": {"kind": "softmax cross-entropy"},
        "optimizer": {"kind": "sgd", "learning_rate": 0.01},
        "training": {"epochs": EPOCHS, "batch_size": 4},
    }


def cells(figure):
    """The class names, and each row's pictures; None where nothing is drawn."""
    rows = [figure.axes[i : i + EPOCHS + 1] for i in range(0, len(figure.axes), EPOCHS + 1)]
    pictures = [[(a.get_images() or [None])[0] for a in row] for row in rows]
    return [row[0].get_ylabel() for row in rows], [
        [None if p is None else np.asarray(p.get_array()) for p in row] for row in pictures
    ]


def met(table):
    """What a training is really handed: (epoch, class) to numbers, noted on its way in."""
    experiment, seen = Experiment(table), {}

    def watch(batches):
        class Noted:
            full, steps_per_epoch = batches.full, batches.steps_per_epoch

            def __call__(self, epoch, first=0):
                for x, labels in batches(epoch, first):
                    seen.update({(epoch, int(k)): image for k, image in zip(labels, x)})  # noqa: B905
                    yield x, labels

        return Noted()

    for _ in experiment.train(watch):
        pass
    return experiment, seen


@pytest.mark.parametrize(
    "training",
    [{"batch_size": 4}, {"batch_size": 4, "drop_last": True}, {"batch_size": None}],
    ids=["short last batch", "last batch dropped", "full batch"],
)
def test_augmented_shows_what_the_training_met(table, training):
    table["training"] |= training
    if training["batch_size"] is None:
        del table["training"]["batch_size"]
    experiment, seen = met(table)
    names, pictures = cells(entry("augmented").draw(Subject(table, Path())))
    assert len(names) == IMAGES
    mean, deviation = experiment.preparation.mean, experiment.preparation.deviation
    missing = 0
    for name, (prepared, *shown) in zip(names, pictures, strict=True):
        label = experiment.class_names.index(name)
        np.testing.assert_allclose(
            prepared, experiment.train_set.images[label] / 255, rtol=1e-5, atol=1e-6
        )
        for epoch, picture in enumerate(shown):
            if (epoch, label) not in seen:
                assert picture is None
                missing += 1
                continue
            expected = np.clip(seen[epoch, label] * np.array(deviation) + mean, 0, 1)
            np.testing.assert_allclose(picture, expected, rtol=1e-5, atol=1e-6)
    assert bool(missing) == training.get("drop_last", False)


def test_alternating_flips_alternate(table):
    """Without the other steps an image is itself and its mirror in turn."""
    table["augmentation"] = table["augmentation"][:1]
    _, pictures = cells(entry("augmented").draw(Subject(table, Path())))
    first = set()
    for prepared, *shown in pictures:
        mirrored = [not np.allclose(picture, prepared, atol=1e-5) for picture in shown]
        np.testing.assert_allclose(shown[mirrored.index(True)], prepared[:, ::-1], atol=1e-5)
        assert all(now != after for now, after in itertools.pairwise(mirrored))
        first.add(mirrored[0])
    assert first == {True, False}  # a coin decides where each image begins


@pytest.mark.parametrize("data", [{"scale": "none"}, {"transposed": True}, {"normalize": False}])
def test_numbers_become_pixels_again(table, data):
    table["data"] |= data
    images = Experiment(table).train_set.images
    names, pictures = cells(entry("augmented").draw(Subject(table, Path())))
    for name, (prepared, *_) in zip(names, pictures, strict=True):
        expected = images["abcdefghijk".index(name)] / 255
        np.testing.assert_allclose(prepared, expected, rtol=1e-5, atol=1e-6)


def test_nothing_to_show(table):
    table["augmentation"] = []
    with pytest.raises(
        NotThereError, match=r"recipe 'eleven': found no augmentation; expected at l"
    ):
        entry("augmented").draw(Subject(table, Path()))


def test_a_picture_that_there_is_not():
    with pytest.raises(HandgradError, match="picture 'augment' is unknown; did you mean 'augmen"):
        entry("augment")


def test_every_picture_says_what_it_shows():
    assert all(each.about and callable(each.draw) for each in GALLERY.values())


def test_what_a_picture_is_of(colours_run, tmp_path, monkeypatch, photographs):
    """A run, the newest, a model file on its own, a recipe, a folder: recipe and place."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(colours_run.folder, "runs/one")
    pictures = Path("runs/one/pictures")
    for source in (None, "runs/one"):
        subject = Subject.of(source)
        assert (subject.table["name"], subject.folder) == (colours_run.recipe["name"], pictures)
        assert subject.run.model.class_names == colours_run.model.class_names
    shutil.copy("runs/one/model.safetensors", "m.safetensors")
    alone = Subject.of("m.safetensors")
    assert (alone.table["name"], alone.folder) == (colours_run.recipe["name"], Path())
    recipe = Subject.of("digits")
    assert (recipe.table["name"], recipe.folder, recipe.run) == ("digits", Path(), None)
    assert Subject.of(photographs).table["data"]["source"] == str(photographs)
