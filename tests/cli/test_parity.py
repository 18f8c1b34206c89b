"""``handgrad parity``: whether the exported file says what the model says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from handgrad.storage import load_model, save_model


@pytest.fixture
def exported(handgrad, colours_run) -> Path:
    pytest.importorskip("onnx")
    assert handgrad("export", colours_run.folder, "colours.onnx").code == 0
    return Path("colours.onnx")


@pytest.fixture
def images(photographs) -> list[Path]:
    return sorted(photographs.rglob("*.png"))


@pytest.fixture
def moved(colours_run) -> Path:
    """The same model, but that everything is a little redder to it, and blue is red."""
    model = load_model(colours_run.model_file)
    names = [name for name in model.network.layout.slots if name.endswith(".b")]
    offsets = model.network.layout.slots[names[-1]].of(model.network.vector)
    outputs = model.outputs(np.full((1, 16, 18, 3), (40, 40, 200), np.uint8))[0]
    offsets[2] += outputs[0] - outputs[2] + 1
    save_model(model, "moved.safetensors")
    return Path("moved.safetensors")


def test_a_model_and_its_file(handgrad, colours_run, exported, images):
    said = handgrad("parity", colours_run.folder, exported, *images)
    assert said.code == 0
    first, second, third = said.out.splitlines()
    assert first.startswith("images      30, by onnx")
    assert second.startswith("difference  ")
    assert second.endswith(" at most, within 1e-05")
    assert third == "labels      0 of 30 differ"

    told = handgrad("parity", colours_run.model_file, exported, *images, "--json").json
    assert told.keys() == {
        "images", "evaluator", "largest_difference", "tolerance", "flips", "failures",
    }  # fmt: skip
    assert (told["images"], told["tolerance"]) == (30, 1e-5)
    assert (told["flips"], told["failures"]) == ([], [])
    assert 0 <= told["largest_difference"] < 1e-5
    # Beyond what is asked for: exit code 1, the rest the same.
    model = load_model(colours_run.model_file)
    model.network.vector *= 1.001
    save_model(model, "near.safetensors")
    near = handgrad("parity", "near.safetensors", exported, *images)
    assert near.code == 1
    assert "beyond 1e-05" in near.out
    tolerant = ["--tolerance", "0.1"]
    assert handgrad("parity", "near.safetensors", exported, *images, *tolerant).code == 0


def test_a_label_that_flips_is_named(handgrad, colours_run, exported, images, moved):
    said = handgrad("parity", moved, exported, *images, "--tolerance", 1, "--json")
    assert said.code == 1  # whatever is tolerated
    flips = said.json["flips"]
    blue = [i for i, image in enumerate(images) if image.parent.name == "blue é"]
    assert {flip["index"] for flip in flips} <= set(blue)
    assert flips
    for flip in flips:
        assert flip["file"] == str(images[flip["index"]])
        assert (flip["model"]["label"], flip["onnx"]["label"]) == ("red", "blue é")
        for side in ("model", "onnx"):
            assert flip[side]["probability"] == max(flip[side]["probabilities"].values())
            assert list(flip[side]["probabilities"]) == ["blue é", "green", "red"]
    said = handgrad("parity", moved, exported, *images)
    assert said.code == 1
    assert f"labels      {len(flips)} of 30 differ" in said.out
    head, *rows = said.out.splitlines()[3:]
    assert head.split() == ["file", "model", "onnx"]
    assert len(rows) == len(flips)
    assert rows[0].startswith(str(images[flips[0]["index"]]))
    assert "  red " in rows[0]
    assert "  blue é " in rows[0]


def test_images_that_cannot_be_read_are_named(handgrad, colours_run, exported, images):
    Path("broken.png").write_bytes(b"broken")
    files = [images[0], "broken.png", images[1], "none.png"]
    said = handgrad("parity", colours_run.folder, exported, *files, "--json")
    assert said.code == 1
    assert said.json["images"] == 2
    assert [failure["file"] for failure in said.json["failures"]] == ["broken.png", "none.png"]
    assert said.json["failures"][1]["error"].startswith("none.png: found no such file")
    said = handgrad("parity", colours_run.folder, exported, *files)
    assert said.err.count("handgrad: ") == 2
    assert said.out.startswith("images      2, by ")
    said = handgrad("parity", colours_run.folder, exported, "broken.png")
    assert (said.code, said.out) == (2, "")


def test_what_is_refused(refused, handgrad, colours_run, exported, images):
    model = colours_run.folder
    assert "none.onnx: found no such file" in refused("parity", model, "none.onnx", images[0])
    content = exported.read_bytes()
    exported.write_bytes(content[: len(content) // 2])
    assert "colours.onnx: found a file that" in refused("parity", model, exported, images[0])
    assert "expected an ONNX file" in refused("parity", model, images[0], images[0])
    for words in ([model], [model, exported]):
        said = handgrad("parity", *words)
        assert said.code == 2
        assert said.err.startswith("Usage: handgrad parity")
    said = handgrad("parity", model, exported, images[0], "--tolerance", "-1")
    assert said.code == 2


def test_without_the_package(refused, colours_run, images, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    sentence = refused("parity", colours_run.folder, "a.onnx", images[0])
    assert "pip install 'handgrad[export]'" in sentence
