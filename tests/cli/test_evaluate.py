"""``handgrad evaluate`` and ``handgrad summary``: figures of a model that is there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from handgrad.experiments import Run, train


def test_evaluation_in_words(handgrad, lines_run):
    said = handgrad("evaluate", lines_run.folder)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[:5] == [
        f"model     {lines_run.model_file}",
        "data      the recorded test images: 18 images",
        # Wilson, 18 of 18, z = 1.96: 1 / (1 + z²/18) = 1 / 1.21342 = 0.82412
        "accuracy  100.00 %; 95 % interval 82.4 to 100.0 %",
        "baseline  50.00 %, always answering the commonest class",
        f"loss      {handgrad('evaluate', lines_run.folder, '--json').json['loss']:.6f}",
    ]
    assert "          100.00 % on validation 2" in lines
    first, second = lines_run.model.class_names
    table = lines.index("truth (row) called (column)")
    assert [line.split() for line in lines[table + 1 : table + 4]] == [
        [first, second],
        [first, "9", "0"],
        [second, "0", "9"],
    ]


def test_evaluation_in_json(handgrad, lines_run):
    found = handgrad("evaluate", lines_run.folder, "--json").json
    assert {
        "accuracy", "low", "high", "baseline", "n", "loss", "classes", "confusion", "data", "note",
        "model",
    } <= found.keys()  # fmt: skip
    assert (found["accuracy"], found["baseline"], found["n"]) == (1.0, 0.5, 18)
    assert round(found["low"], 5) == 0.82412  # 1 / (1 + 1.959964²/18)
    assert found["high"] == 1.0
    assert found["confusion"] == [[9, 0], [0, 9]]
    assert found["classes"][0] == {
        "name": lines_run.model.class_names[0], "precision": 1.0, "recall": 1.0, "n": 9,
    }  # fmt: skip


def test_figures_worked_by_hand(handgrad, colours_run, paint):
    """Three green, two red called right, and one red picture in the folder of the blue.

    accuracy 5/6; red: precision 2/3, recall 1; green: 1 and 1; blue: never called, recall 0.
    Wilson for 5 of 6 with z² = 3.84146: centre (5/6 + z²/12) / (1 + z²/6) = 1.153455/1.640243
    = 0.703222, half width z √(5/216 + z²/144) / 1.640243 = 0.266725.
    """
    paint(Path("photos"), 3, ("green",))
    paint(Path("photos"), 2, ("red",))
    paint(Path("wrong"), 1, ("red",))
    Path("wrong/red").rename("photos/blue é")
    found = handgrad("evaluate", colours_run.folder, "--data", "photos", "--json").json
    assert found["n"] == 6
    assert found["accuracy"] == pytest.approx(5 / 6)
    assert found["baseline"] == pytest.approx(3 / 6)
    assert found["low"] == pytest.approx(0.703222 - 0.266725, abs=1e-5)
    assert found["high"] == pytest.approx(0.703222 + 0.266725, abs=1e-5)
    assert found["confusion"] == [[0, 0, 1], [0, 3, 0], [0, 0, 2]]
    blue, green, red = found["classes"]
    assert blue == {"name": "blue é", "precision": None, "recall": 0.0, "n": 1}
    assert green == {"name": "green", "precision": 1.0, "recall": 1.0, "n": 3}
    assert red == {"name": "red", "precision": pytest.approx(2 / 3), "recall": 1.0, "n": 2}


def test_other_data_has_its_own_order_of_classes(handgrad, colours_run, paint):
    """``red`` and ``green`` are 0 and 1 there by name, 1 and 2 in the model."""
    paint(Path("photos"), 3, ("red", "green"), seed=5)
    found = handgrad("evaluate", colours_run.folder, "--data", "photos", "--json").json
    assert (found["accuracy"], found["n"]) == (1.0, 6)
    assert found["confusion"] == [[0, 0, 0], [0, 3, 0], [0, 0, 3]]
    assert found["classes"][0]["recall"] is None


def test_a_class_that_the_model_does_not_know(refused, colours_run, paint):
    paint(Path("photos"), 2, ("red", "violet"))
    said = refused("evaluate", colours_run.folder, "--data", "photos")
    assert said == (
        "photos: found class 'violet'; expected classes that the model knows (blue é, green, red)\n"
    )


def test_views_are_named_wherever_there_are_more_than_one(handgrad, colours_run):
    """Plain colours look alike in a mirror, so that only what is said differs."""
    plain = handgrad("evaluate", colours_run.folder)
    assert "views" not in plain.out
    assert handgrad("evaluate", colours_run.folder, "--json").json["views"] == "none"
    for views in ("mirror", "mirror-shift"):
        said = handgrad("evaluate", colours_run.folder, "--views", views)
        assert f"views     {views}: their mean is the answer" in said.out.splitlines()
        found = handgrad("evaluate", colours_run.folder, "--views", views, "--json").json
        assert (found["views"], found["accuracy"]) == (views, 1.0)
    assert handgrad("evaluate", colours_run.folder, "--views", "none").out == plain.out
    said = handgrad("evaluate", colours_run.folder, "--views", "miror")
    assert said.code == 2
    assert "'mirror'" in said.err


@pytest.mark.usefixtures("no_pictures")
def test_views_of_a_recipe_are_in_its_model_and_its_summary(handgrad, photographs):
    settings = {"data.size": [16, 16], "training.epochs": 1, "views": "mirror"}
    run = train(photographs, settings, out="r")
    assert run.summary["views"] == "mirror"
    assert run.model.views == "mirror"
    assert run.recipe["views"] == "mirror"
    found = handgrad("evaluate", "r", "--json").json
    assert (found["views"], found["accuracy"]) == ("mirror", run.summary["test_accuracy"])
    assert handgrad("evaluate", "r", "--views", "none", "--json").json["views"] == "none"


@pytest.mark.parametrize("data", ["nowhere", "file.txt", "digts"])
def test_data_that_are_not_there(refused, colours_run, data):
    Path("file.txt").write_text("hello")
    assert refused("evaluate", colours_run.folder, "--data", data).startswith(f"{data}: found ")


def test_a_folder_or_the_file_in_it_or_the_newest(handgrad, lines_run, monkeypatch):
    shutil.copytree(lines_run.folder, "runs/old")
    words = [[], ["runs/old"], ["runs/old/model.safetensors"]]
    assert len({handgrad("evaluate", *w, "--json").out for w in words}) == 1
    for name in ("a newer", ".unfinished-and-hidden"):
        shutil.copytree(lines_run.folder, f"runs/{name}")
        Path(f"runs/{name}/model.safetensors").touch()
    assert handgrad("evaluate", "--json").json["model"] == str(
        Path("runs/a newer/model.safetensors")
    )


def test_without_a_run(refused):
    for command in (["evaluate"], ["summary"], ["predict", "a.png"]):
        assert (
            refused(*command)
            == "runs: found no run in it; expected one; `handgrad train` makes it\n"
        )
    assert refused("evaluate", "none") == (
        "none: found no such file; expected a model written by handgrad\n"
    )
    Path("void").mkdir()
    assert refused("summary", "void") == (
        "void: found no model.safetensors in it; expected a run's folder\n"
    )


@pytest.mark.usefixtures("no_pictures")
def test_recorded_images_that_are_no_longer_there(handgrad, refused, paint):
    """What it refuses to judge by: nothing, a changed image, another division."""
    paint(Path("photos/train"), 5)
    paint(Path("photos/test"), 2, seed=1)
    train("photos", {"data.size": [16, 16], "training.epochs": 1}, out="r")
    assert handgrad("evaluate", "r").code == 0

    shutil.move("photos/test", "kept")
    assert "no longer those recorded" in refused("evaluate", "r")
    shutil.copytree("kept", "photos/test")
    Image.new("RGB", (12, 10), (1, 2, 3)).save("photos/test/red/00.png")
    assert "no longer those recorded" in refused("evaluate", "r")
    shutil.rmtree("photos")
    said = refused("evaluate", "r")
    assert said.startswith("the images recorded with the model: ")
    assert "(or give --data)" in said
    assert handgrad("evaluate", "r", "--data", "kept").code == 0


@pytest.mark.usefixtures("no_pictures")
def test_a_model_file_on_its_own_still_finds_named_data(handgrad):
    train("digits", {"training.epochs": 1}, out="r")
    shutil.move("r/model.safetensors", "m.safetensors")
    found = handgrad("evaluate", "m.safetensors", "--json").json
    assert found["n"] == 355
    assert found["accuracy"] == Run("m.safetensors").model.about["test"]["accuracy"]


def test_a_broken_recipe_beside_a_model(refused, lines_run):
    shutil.copytree(lines_run.folder, "r")
    Path("r/recipe.toml").write_text("= nothing")
    assert "recipe.toml: found what is not TOML" in refused("evaluate", "r")


# --- summary


def test_a_summary_counts_by_hand(handgrad, lines_run):
    """9-6-2: 9·6 + 6 = 60 and 6·2 + 2 = 14 numbers; 2·9·6, 6 and 2·6·2 flops; float64."""
    found = handgrad("summary", lines_run.folder, "--json").json
    rows = [
        (r["layer"], r["input"], r["output"], r["parameters"], r["bytes"], r["flops"])
        for r in found["layers"]
    ]
    assert rows == [
        ("dense 6", [3, 3, 1], [6], 60, 48, 108),
        ("relu", [6], [6], 0, 48, 6),
        ("dense 2", [6], [2], 14, 16, 24),
    ]
    assert found["total"] == {"parameters": 74, "bytes": 112, "flops": 138}
    assert found["classes"] == list(lines_run.model.class_names)
    assert found["work"] == {
        "reading": "book", "why": "no convolution is one for Winograd's tiles", "threads": 1,
        "shards": 1, "group": None, "together": 0, "span": 0,
    }  # fmt: skip
    said = handgrad("summary", lines_run.folder)
    assert "work     by the book, 1 thread: no convolution is one for" in said.out
    assert said.out.splitlines()[1].split() == [
        "layer", "input", "output", "parameters", "memory", "flops", "trained",
    ]  # fmt: skip
    assert [line.split() for line in said.out.splitlines() if line.startswith("in all")] == [
        ["in", "all", "74", "112", "B", "138"]
    ]


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"", "a file that safetensors refuses"), (b"PK\x03\x04" * 100, "a file that safetensors")],
)
def test_a_file_that_is_no_model(refused, content, found):
    Path("m.safetensors").write_bytes(content)
    for command in (["evaluate", "m.safetensors"], ["summary", "m.safetensors"]):
        assert refused(*command).startswith(f"m.safetensors: found {found}")
    assert refused("predict", "m.safetensors", "a.png").startswith(f"m.safetensors: found {found}")
