"""``handgrad rerun``: exit codes, words, JSON."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from handgrad.experiments import Run, train
from handgrad.storage import save_model

pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.fixture
def run():
    return train("lines", {"training.epochs": 3}, out="runs/mine")


def test_the_same_bits_are_code_0(handgrad, run):
    said = handgrad("rerun", run.folder, "--quiet")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"run      {run.folder}",
        "bits     the same: the two model files are equal, byte for byte",
    ]
    newest = handgrad("rerun", "--json")
    assert newest.code == 0
    assert newest.json == {
        "run": str(run.folder), "out": None, "same": True, "largest_difference": 0.0, "where": "",
        "test_accuracy": [run.test_accuracy] * 2, "differences": [], "interrupted": False,
    }  # fmt: skip
    assert list(Path("runs").iterdir()) == [run.folder]


def test_other_bits_are_code_1(handgrad, run):
    model = run.model
    model.network.params[0].b[0] += 0.5
    save_model(model, run.model_file)
    told = run.manifest
    told["threads"]["blas"] = 64
    (run.folder / "manifest.json").write_text(json.dumps(told))
    said = handgrad("rerun", run.folder, "--out", "again", "--quiet")
    assert said.code == 1
    lines = said.out.splitlines()
    assert lines[1:3] == [
        "again    again", "bits     not the same: the largest difference is 0.5, in 0.b"
    ]  # fmt: skip
    assert lines[3].startswith("test     ")
    assert lines[4:] == ["differs  threads.blas was 64, is 1"]
    assert Run("again").summary["recipe"] == "lines"
    assert handgrad("rerun", run.folder, "--json").json["same"] is False


def test_what_is_wrong_is_code_2(refused, paint):
    assert refused("rerun") == "runs: found no run in it; expected one; `handgrad train` makes it\n"
    assert refused("rerun", "none").startswith("none: found no such file")
    paint(Path("photos"), 3)
    train("photos", {"data.size": [16, 16], "training.epochs": 1}, out="r")
    shutil.rmtree("photos")
    assert refused("rerun", "r", "--json").startswith(f"{Path('photos').resolve()}: found no such")
