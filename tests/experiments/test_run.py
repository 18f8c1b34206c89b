"""A run: what stands in its folder, and finding it again."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from handgrad.errors import DataError, HandgradError
from handgrad.experiments import Recipe, Run, train
from handgrad.experiments.conduct import Viewer
from handgrad.experiments.unfinished import begun, finished


def test_what_a_run_holds(lines_run):
    folder = lines_run.folder
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == [
        "history.jsonl", "manifest.json", "model.safetensors", "pictures/accuracy.png",
        "pictures/confusion.png",
        "pictures/cost.png", "pictures/predictions.png", "recipe.toml", "snapshots.safetensors",
        "summary.json",
    ]  # fmt: skip
    for picture in (folder / "pictures").iterdir():
        with Image.open(picture) as image:
            assert min(image.size) >= 200
            assert len(image.convert("RGB").getcolors(1 << 24)) > 10  # something is drawn


def test_a_run_reads_its_folder(lines_run):
    run = Run(lines_run.folder)
    assert len(run.history) == 201
    assert run.history[67]["train_accuracy"] < run.history[68]["train_accuracy"] == 1.0
    assert round(run.history[200]["loss"], 4) == 1.1803  # published
    assert run.test_accuracy == run.summary["test_accuracy"] == 1.0
    assert run.recipe["seed"] == 7
    assert run.model.class_names == tuple(run.summary["classes"])
    assert Run(lines_run.model_file).summary == run.summary
    assert str(lines_run.folder) in repr(run)


def test_the_summary_holds_whatever_may_differ(lines_run):
    summary = lines_run.summary
    assert {"date", "host", "system", "versions", "seconds", "images_per_second", "threads"} <= (
        summary.keys()
    )
    assert summary["versions"].keys() == {"handgrad", "python", "numpy"}
    assert summary["parameters"] == 9 * 6 + 6 + 6 * 2 + 2
    assert summary["images_per_second"] == pytest.approx(201 * 24 / summary["seconds"])
    text = (lines_run.folder / "recipe.toml").read_text(encoding="utf-8")
    for word in ("date", "host", "versions", "seconds ="):
        assert word not in text


def test_the_recipe_reads_back_to_the_same_recipe(lines_run):
    table = tomllib.loads((lines_run.folder / "recipe.toml").read_text(encoding="utf-8"))
    assert Recipe.of(table, classes=2).table() == table


def test_a_model_beside_another_runs_recipe_keeps_its_own(lines_run, colours_run, tmp_path):
    shutil.copy(lines_run.model_file, tmp_path)
    shutil.copy(colours_run.folder / "recipe.toml", tmp_path)
    assert Run(tmp_path).recipe["name"] == "lines"


def test_the_newest_is_the_one_written_last(lines_run, tmp_path):
    import os

    for age, name in enumerate(("b", "c", "a")):
        shutil.copytree(lines_run.folder, tmp_path / name)
        os.utime(tmp_path / name / "model.safetensors", (1e9 - age, 1e9 - age))
    (tmp_path / "empty").mkdir()
    shutil.copytree(lines_run.folder, tmp_path / ".unfinished")
    assert Run.newest(tmp_path).folder == tmp_path / "b"


def test_what_is_no_run(tmp_path):
    with pytest.raises(
        DataError, match=r"found no model\.safetensors in it; expected a run's folder"
    ):
        Run(tmp_path)
    with pytest.raises(DataError, match="found no run in it; expected one"):
        Run.newest(tmp_path)
    with pytest.raises(DataError, match="found no run in it"):
        Run.newest(tmp_path / "none")
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "history.jsonl").write_text("{")
    with pytest.raises(DataError, match="one JSON object a line"):
        _ = Run(tmp_path).history
    with pytest.raises(DataError, match="a run's summary in JSON"):
        _ = Run(tmp_path).summary


@pytest.mark.parametrize("there", [None, "empty", "full"])
def test_results_take_their_places_or_nothing_does(tmp_path, there):
    target = tmp_path / "r"
    if there:
        target.mkdir()
    if there == "full":
        (target / "mine").write_text("mine")
        (target / "model.safetensors").write_text("old")
    kept = {"mine", "model.safetensors"} if there == "full" else set()

    def filled(fail):
        with finished(target, keep=False) as results:
            (results / "pictures").mkdir()
            (results / "pictures" / "a.png").write_text("1")
            (results / "model.safetensors").write_text("new")
            if fail:
                raise KeyboardInterrupt

    assert begun({"name": "x"}, target, force=there == "full") == target
    assert (target / "unfinished" / "recipe.toml").read_text() == 'name = "x"\n'
    with pytest.raises(KeyboardInterrupt):
        filled(fail=True)
    assert {path.name for path in target.iterdir()} == kept | {"unfinished"}
    assert there != "full" or (target / "model.safetensors").read_text() == "old"
    filled(fail=False)
    assert {path.name for path in target.iterdir()} == {"pictures", "model.safetensors"} | kept
    assert (target / "model.safetensors").read_text() == "new"
    assert (target / "pictures" / "a.png").read_text() == "1"
    assert {path.name for path in tmp_path.iterdir()} == {"r"}


@pytest.mark.parametrize("there", [False, True])
def test_a_training_that_fails_before_its_first_checkpoint_leaves_nothing(tmp_path, there):
    class Failing(Viewer):
        def report(self, report):
            raise KeyboardInterrupt

    if there:
        (tmp_path / "r").mkdir()
    with pytest.raises(KeyboardInterrupt):
        train("lines", out=tmp_path / "r", viewer=Failing())
    assert [path.name for path in tmp_path.rglob("*")] == (["r"] if there else [])


def test_without_out_it_is_named_for_the_recipe_and_the_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    a, b = begun({"name": "x/y"}), begun({"name": "x/y"})
    assert a != b
    assert a.parent == b.parent == Path("runs")
    assert a.name.startswith("x-y-20")
    assert {path.name for path in Path("runs").iterdir()} == {a.name, b.name}


def test_where_a_folder_cannot_be(tmp_path):
    (tmp_path / "file").write_text("mine")
    for out, sentence in {
        "file": "file: found a file; expected a folder",
        "file/r": "file: found a file; expected a folder",
        "": "the folder is not empty; --force",
    }.items():
        with pytest.raises(HandgradError, match=sentence):
            begun({"name": "x"}, tmp_path / out)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_unfinished_run_is_not_overwritten_by_chance(tmp_path):
    begun({"name": "x"}, tmp_path / "r")
    with pytest.raises(HandgradError, match=r"r: found an unfinished run; --resume .* goes on"):
        begun({"name": "y"}, tmp_path / "r")
    assert 'name = "x"' in (tmp_path / "r" / "unfinished" / "recipe.toml").read_text()
    begun({"name": "y"}, tmp_path / "r", force=True)
    assert 'name = "y"' in (tmp_path / "r" / "unfinished" / "recipe.toml").read_text()


def test_train_in_python_in_under_ten_lines(tmp_path):
    import handgrad as hg

    run = hg.train("lines", {"training.epochs": 90}, out=tmp_path / "r")
    judged = hg.evaluate(run)
    assert run.summary["train_accuracy"] == 1.0
    assert judged.accuracy == run.test_accuracy
    assert json.loads(json.dumps(judged.table()))["n"] == 18


def test_a_model_says_how_it_came_to_be(lines_run):
    about = lines_run.model.about
    assert about["trained"]["step"] == 200
    assert about["test"] == {"accuracy": 1.0, "n": 18, "fingerprint": about["test"]["fingerprint"]}
    assert len(about["test"]["fingerprint"]) == 64
    assert about["versions"].keys() == {"handgrad", "numpy"}
    assert about["recipe"]["optimizer"]["learning_rate"] == 0.01


def test_a_watcher_is_told_everything(tmp_path):
    told: list[str] = []

    class Watching(Viewer):
        def begins(self, experiment):
            told.append(f"begins {len(experiment.train_set)}")

        def report(self, report):
            told.append(f"report {report.step}")

        def repeats(self, seed, figures):
            told.append(f"repeats {seed} {sorted(figures)[0]}")

    settings = {"training.epochs": 2, "repeats.seeds": [5]}
    train("lines", settings, out=tmp_path / "r", viewer=Watching())
    assert told == ["begins 24", "report 0", "report 1", "repeats 5 loss"]


def test_a_run_s_figures_are_those_of_its_model_whatever_its_repeats_find(tmp_path):
    settings = {"training.epochs": 1, "repeats.seeds": [3, 4]}
    run = train("digits", settings, out=tmp_path / "r")
    alone = train("digits", {"training.epochs": 1}, out=tmp_path / "s")
    assert len(run.summary["repeats"]["runs"]) == 2
    for name in ("loss", "train_accuracy", "test_accuracy"):
        assert run.summary[name] == alone.summary[name]
    losses = {one["loss"] for one in run.summary["repeats"]["runs"]}
    assert alone.summary["loss"] not in losses
