"""The same bits: in two processes, in a repetition; the manifest; what differs, and by how much."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import handgrad
from handgrad.errors import DataError, HandgradError, NotFiniteError
from handgrad.experiments import Run, read_recipe, rerun, train, with_settings
from handgrad.experiments.conduct import Viewer
from handgrad.experiments.manifest import blas, differences
from handgrad.storage import save_model

pytestmark = pytest.mark.usefixtures("no_pictures")

EVERYTHING = {
    "architecture": [
        {"layer": "convolution", "channels": 8},
        {"layer": "batch-norm"},
        {"layer": "relu"},
        {"layer": "convolution", "channels": 8},
        {"layer": "max-pool"},
        {"layer": "dropout", "rate": 0.2},
        {"layer": "dense", "units": 32},
        {"layer": "gelu"},
        {"layer": "dense", "units": "classes"},
    ],
    "augmentation": [{"kind": "translate", "pixels": 1}, {"kind": "flip"}],
    "optimizer": {"kind": "adam", "learning_rate": 0.01, "schedule": {"kind": "cosine"}},
    "averaging": {"kind": "moving average"},
    "data.validation": 0.1,
    "training.epochs": 2,
    "training.batch_size": 200,
}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The digits with all that draws, gathers and averages."""
    import tomli_w

    path = tmp_path_factory.mktemp("recipe") / "everything.toml"
    path.write_text(tomli_w.dumps(with_settings(read_recipe("digits"), EVERYTHING)))
    return path


@pytest.fixture
def short(tmp_path):
    return train("lines", {"training.epochs": 5}, out=tmp_path / "r")


@pytest.mark.parametrize("threads", [1, 2])
def test_two_processes_give_the_same_bytes(recipe, tmp_path, threads):
    """Hashes of strings differ between the two, and so would anything that went by their order."""
    for name in ("a", "b"):
        subprocess.run(
            [sys.executable, "-m", "handgrad.cli", "train", str(recipe), "--out", name,
             "--threads", str(threads), "--no-report", "--quiet"],
            check=True, cwd=tmp_path, env={**os.environ, "PYTHONHASHSEED": str(ord(name))},
        )  # fmt: skip
    for name in ("model.safetensors", "recipe.toml", "history.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    a, b = Run(tmp_path / "a").manifest, Run(tmp_path / "b").manifest
    assert a == b
    assert a["threads"]["blas"] * a["threads"]["shards"] == threads
    assert a["work"].startswith("by a plan")
    vector = Run(tmp_path / "a").model.network.vector
    other = train(recipe, {"training.threads": threads, "seed": 1}, out=tmp_path / "c")
    assert (other.model.network.vector != vector).any()


def test_the_manifest_says_on_what_the_bits_depend(short):
    told = short.manifest
    assert told == json.loads((short.folder / "manifest.json").read_text())
    for name, file in (("recipe", "recipe.toml"), ("model", "model.safetensors")):
        assert told[name] == hashlib.sha256((short.folder / file).read_bytes()).hexdigest()
    assert told["seed"] == 7
    assert told["data"].keys() == {"train", "test", "validation 2", "classes"}
    assert told["data"]["test"] == short.model.about["test"]["fingerprint"]
    assert told["versions"]["numpy"] == np.__version__
    assert told["versions"]["handgrad"] == handgrad.__version__
    assert told["threads"].keys() == {"blas", "shards", "cores"}
    assert told["cpu"]
    assert told["system"]
    assert told["blas"] == blas()
    assert all(entry["version"] and entry["architecture"] for entry in told["blas"])


def test_differences_in_words():
    before = {"a": {"b": 1, "c": 2}, "blas": [{"v": "1"}], "model": "x", "gone": 3}
    after = {"a": {"b": 1, "c": 3}, "blas": [{"v": "1"}, {"v": "2"}], "model": "y"}
    assert differences(before, after) == [
        "a.c was 2, is 3", "blas was 1, is 1; 2", "gone was 3, is not recorded",
    ]  # fmt: skip


def test_a_repetition_gives_the_same_bits_and_leaves_nothing(short, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    found = rerun(short.folder)
    assert (found.same, found.largest_difference, found.where) == (True, 0.0, "")
    assert found.test_accuracy[0] == found.test_accuracy[1] == short.test_accuracy
    assert (found.out, found.differences) == (None, ())
    assert sorted(tmp_path.rglob("*")) == before


def test_kept_it_is_a_run(short, tmp_path):
    found = rerun(short, out=tmp_path / "again")
    assert found.out == str(tmp_path / "again")
    again = Run(tmp_path / "again")
    assert again.recipe == short.recipe
    assert again.model_file.read_bytes() == short.model_file.read_bytes()
    with pytest.raises(HandgradError, match="not empty"):
        rerun(short, out=tmp_path / "again")


@pytest.fixture
def altered(short):
    """A run one of whose numbers is not what its recipe comes to, from another machine."""
    model = short.model
    model.network.params[0].W[2, 1] += 0.25
    model.network.params[1:][-1].b[0] -= 0.125
    save_model(model, short.model_file)
    told = short.manifest
    told["versions"]["numpy"], told["cpu"] = "1.0", "an abacus"
    (short.folder / "manifest.json").write_text(json.dumps(told))
    return Run(short.folder)


def test_where_the_bits_differ_it_says_by_how_much_and_what_else_does(altered):
    found = rerun(altered.folder)
    assert not found.same
    assert found.largest_difference == pytest.approx(0.25, rel=1e-6)
    assert found.where == "0.W"
    numpy, *others = sorted(found.differences, reverse=True)
    assert numpy == f"versions.numpy was 1.0, is {np.__version__}"
    assert [other.split(",")[0] for other in others] == ["cpu was an abacus"]


def test_a_run_with_a_certificate_and_one_that_ended_in_nan(tmp_path, monkeypatch):
    monkeypatch.setattr("handgrad.experiments.conduct.checks", dict)
    certified = train("lines", {"training.epochs": 2}, out=tmp_path / "c", verify=True)
    assert "certificate" in certified.model.about
    assert rerun(certified).same
    settings = {"training.epochs": 50, "optimizer.learning_rate": 1e180}
    with pytest.raises(NotFiniteError):
        train("lines", settings, out=tmp_path / "n")
    found = rerun(tmp_path / "n")
    assert (found.same, found.largest_difference) == (True, 0.0)


class Watching(Viewer):
    """Counts the reports of a training."""

    reports = 0

    def report(self, report):
        self.reports += 1


@pytest.mark.parametrize("what", ["pixel", "class", "gone", "one more"])
def test_data_that_are_no_longer_the_runs_are_refused_before_training(paint, tmp_path, what):
    paint(tmp_path / "photos", 5)
    settings = {
        "data.size": [8, 8], "training.epochs": 2,
        "architecture": [{"layer": "dense", "units": "classes"}],
    }  # fmt: skip
    run = train(tmp_path / "photos", settings, out=tmp_path / "r")
    green = tmp_path / "photos/green"
    if what == "pixel":
        shutil.copy(tmp_path / "photos/red/00.png", green / "03.png")
    elif what == "one more":
        shutil.copy(green / "01.png", green / "99.png")
    elif what == "class":
        green.rename(green.with_name("greenish"))
    else:
        shutil.rmtree(tmp_path / "photos")
    viewer = Watching()
    with pytest.raises(HandgradError) as caught:
        rerun(run, out=tmp_path / "again", viewer=viewer)
    assert str(tmp_path / "photos") in str(caught.value)
    expected = {"class": "other classes", "gone": "no such"}.get(what, "other images")
    assert expected in str(caught.value)
    assert viewer.reports == 0
    assert not (tmp_path / "again").exists()


def test_what_cannot_be_repeated(short, tmp_path):
    with pytest.raises(DataError, match="none: found no such file"):
        rerun(tmp_path / "none")
    (short.folder / "unfinished").mkdir()
    shutil.copy(short.folder / "recipe.toml", short.folder / "unfinished")
    with pytest.raises(HandgradError, match="found a run that has not ended"):
        rerun(short.folder)
    shutil.rmtree(short.folder / "unfinished")
    (short.folder / "manifest.json").write_text('{"data": 1}')
    with pytest.raises(DataError, match=r"manifest\.json: found no hashes of the data"):
        rerun(short.folder)
    (short.folder / "manifest.json").unlink()  # as an older version left it
    found = rerun(short.folder)
    assert found.same
    assert "seed was not recorded, is 7" in found.differences
