"""``handgrad train``: what it is given, what it says, what it leaves behind."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest

from handgrad.experiments import Run
from handgrad.storage import load_model

pytestmark = pytest.mark.usefixtures("no_pictures")

EVERYTHING = {
    "history.jsonl", "manifest.json", "model.safetensors", "recipe.toml", "snapshots.safetensors",
    "summary.json",
}  # fmt: skip
"""What a run's folder holds, besides pictures/, which these tests leave out."""


def names(folder: Path | str) -> set[str]:
    return {path.name for path in Path(folder).iterdir()}


def recipe(folder: Path | str) -> dict:
    return tomllib.loads((Path(folder) / "recipe.toml").read_text(encoding="utf-8"))


# --- what it says


def test_it_tells_in_fifty_lines_and_ends_with_what_to_do_next(handgrad):
    said = handgrad("train", "lines")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert 40 < len(lines) <= 55
    steps = [line for line in lines if line.startswith("step ")]
    assert steps[0].startswith("step   0/200   loss 17.326675   train 25.00 %")
    assert steps[-1].startswith("step 200/200   loss 1.1803")
    assert "test     100.00 % of 18 images; 95 % interval 82.4 to 100.0 %" in lines
    assert "         100.00 % on validation 2" in lines
    [run] = Path("runs").iterdir()
    assert lines[-2] == f"run      {run}"
    assert lines[-1] == "next     handgrad evaluate; handgrad predict IMAGE"


def test_a_long_run_says_no_more(handgrad):
    said = handgrad("train", "lines", "--epochs", 2500)
    assert 20 < len(said.out.splitlines()) <= 55


def test_json_is_alone_on_standard_output(handgrad):
    said = handgrad("train", "lines", "--epochs", 3, "--json")
    found = said.json
    assert {
        "recipe", "train_accuracy", "test_accuracy", "loss", "epochs", "seconds",
        "images_per_second", "run",
    } <= found.keys()  # fmt: skip
    assert found["recipe"] == "lines"
    assert found["epochs"] == found["steps"] == 3
    assert found["stopped"] is None
    assert Path(found["run"], "model.safetensors").is_file()
    assert said.err.count("\nstep ") == 3  # what a terminal is told goes to standard error


def test_json_and_the_summary_say_the_same_of_the_weights_that_were_saved(handgrad):
    found = handgrad("train", "lines", "--epochs", 30, "--json").json
    run = Run.newest()
    assert run.summary == {key: value for key, value in found.items() if key != "run"}
    judged = handgrad("evaluate", "--json").json
    assert judged["accuracy"] == found["test_accuracy"]
    assert (judged["low"], judged["high"]) == (found["test_low"], found["test_high"])
    # The history was measured before each update, the summary after the last of them.
    assert found["loss"] < run.history[-1]["loss"]


def test_quiet_says_only_the_result(handgrad):
    assert "step " not in handgrad("train", "lines", "--epochs", 3, "--quiet").out
    assert handgrad("train", "lines", "--epochs", 3, "--quiet", "--json").err == ""


def test_the_next_command_names_a_run_that_is_not_under_runs(handgrad):
    said = handgrad("train", "lines", "--epochs", 2, "--out", "my run")
    assert said.out.splitlines()[-1] == (
        "next     handgrad evaluate 'my run'; handgrad predict 'my run' IMAGE"
    )


def test_repeats_are_told_as_a_range(handgrad):
    arguments = ("train", "--epochs", 1, "--set", "repeats.seeds=[1, 2]", "--out", "r")
    said = handgrad(*arguments)
    assert said.out.count("again with seed") == 2
    again = Run("r").summary["repeats"]["runs"]
    assert [figures["seed"] for figures in again] == [1, 2]
    alone = handgrad("train", "--epochs", 1, "--seed", 2, "--json").json
    assert again[1]["test_accuracy"] == alone["test_accuracy"]
    shares = [100 * Run("r").test_accuracy, *(100 * f["test_accuracy"] for f in again)]
    mean = sum(shares) / 3
    assert (
        f"range    test {min(shares):.2f} % to {max(shares):.2f} %, mean {mean:.2f} %, over 3 seeds"
        in said.out
    )


# --- what it can be told


def test_without_a_source_it_is_digits(handgrad):
    assert handgrad("train", "--epochs", 1, "--json").json["recipe"] == "digits"


def test_options_reach_the_recipe_that_is_kept(handgrad):
    options = {
        "--epochs": 2, "--batch-size": 10, "--learning-rate": 0.25, "--seed": 3, "--threads": 1,
    }  # fmt: skip
    flat = [word for pair in options.items() for word in pair]
    assert handgrad("train", "lines", *flat, "--out", "r").code == 0
    kept = recipe("r")
    assert (kept["seed"], kept["optimizer"]["learning_rate"]) == (3, 0.25)
    training = kept["training"]
    assert (training["epochs"], training["batch_size"], training["threads"]) == (2, 10, 1)


def test_set_reaches_any_value(handgrad):
    settings = {
        "architecture.0.units": "5",
        "architecture.0.weights": '{initial = "uniform", low = -0.5, high = 0.5}',
        "architecture.1": '{layer = "tanh"}',
        "about": "mine",
        "loss.over": "mean",
        "optimizer.clip_norm": "1",
    }
    arguments = [word for item in settings.items() for word in ("--set", "=".join(item))]
    assert handgrad("train", "lines", "--epochs", 2, "--out", "r", *arguments).code == 0
    kept = recipe("r")
    assert kept["architecture"][0]["units"] == 5
    assert kept["architecture"][0]["weights"] == {"initial": "uniform", "low": -0.5, "high": 0.5}
    assert kept["architecture"][1] == {"layer": "tanh"}
    assert (kept["about"], kept["loss"]["over"]) == ("mine", "mean")
    assert kept["optimizer"]["clip_norm"] == 1.0
    assert np.abs(load_model("r/model.safetensors").network.params[0].W).max() < 0.6


def test_another_optimizer_comes_with_its_own_settings(handgrad):
    handgrad("train", "lines", "--epochs", 2, "--optimizer", "adam", "--out", "a")
    assert recipe("a")["optimizer"]["learning_rate"] == 0.001  # Adam's, not the recipe's 0.01
    for order in (("--optimizer", "adam"), ("--learning-rate", "0.5")), (
        ("--learning-rate", "0.5"), ("--optimizer", "adam"),
    ):  # fmt: skip
        words = [word for pair in order for word in pair]
        handgrad("train", "lines", "--epochs", 2, *words, "--out", "b", "--force")
        assert recipe("b")["optimizer"]["learning_rate"] == 0.5
        assert recipe("b")["optimizer"]["kind"] == "adam"


def test_until_stops_at_the_first_perfect_step(handgrad):
    found = handgrad("train", "lines", "--until", "train_accuracy=1.0", "--out", "r", "--json").json
    history = Run("r").history
    assert history[-1]["step"] == found["steps"] == 68  # published
    assert [entry["train_accuracy"] == 1 for entry in history].index(True) == 68
    assert recipe("r")["training"]["until"] == "train_accuracy=1.0"


def test_a_file_of_the_same_name_as_a_recipe_needs_a_path(handgrad, paint):
    paint(Path("lines"), 4, ("green", "red"))
    assert handgrad("train", "lines", "--epochs", 2, "--json").json["classes"] != ["green", "red"]
    found = handgrad("train", "./lines", "--epochs", 2, "--json").json
    assert found["classes"] == ["green", "red"]


def test_a_recipe_of_ones_own(handgrad):
    text = """
        name = "mine"
        data = { source = "lines" }
        architecture = [{ layer = "dense", units = "classes" }]
        loss = { kind = "softmax cross-entropy" }
        optimizer = { kind = "sgd" }
        training = { epochs = 2 }
    """
    Path("größer als 猫.toml").write_text(text, encoding="utf-8")
    found = handgrad("train", "größer als 猫.toml", "--json").json
    assert (found["recipe"], found["parameters"]) == ("mine", 20)


# --- what it leaves behind


def test_the_history_of_a_full_batch_is_measured_before_each_update(handgrad):
    handgrad("train", "lines", "--epochs", 3, "--out", "r")
    history = Run("r").history
    assert [(entry["step"], entry["epoch"]) for entry in history] == [(0, 0), (1, 1), (2, 2)]
    assert round(history[0]["loss"], 4) == 17.3267  # published, at the first values
    assert history[0]["train_accuracy"] == 0.25
    assert {entry["learning_rate"] for entry in history} == {0.01}


def test_the_history_of_mini_batches_is_a_mean_over_their_images(handgrad):
    """With a learning rate of next to nothing all batches see the same weights.

    24 images in batches of 10 are 10, 10 and 4; the mean over images is then the loss of the full
    batch, and a mean over batches is not.
    """
    words = ("--set", "loss.over=mean", "--learning-rate", "1e-12", "--epochs", 2)
    handgrad("train", "lines", *words, "--out", "full")
    handgrad("train", "lines", *words, "--batch-size", 10, "--out", "mini")
    full, mini = Run("full").history, Run("mini").history
    assert [(entry["step"], entry["epoch"]) for entry in mini] == [(3, 1), (6, 2)]
    assert mini[0]["loss"] == pytest.approx(full[0]["loss"], rel=1e-9)
    assert mini[0]["train_accuracy"] == full[0]["train_accuracy"]
    assert len(mini[0]["weight_norms"]) == len(mini[0]["update_norms"]) == 2


def test_equal_trainings_give_equal_bytes(handgrad):
    for name in ("a", "b"):
        handgrad("train", "--epochs", 2, "--out", name)
    for file in ("model.safetensors", "recipe.toml", "history.jsonl"):
        assert Path("a", file).read_bytes() == Path("b", file).read_bytes()
    handgrad("train", "--epochs", 2, "--seed", 1, "--out", "c")
    assert Path("a/model.safetensors").read_bytes() != Path("c/model.safetensors").read_bytes()


def test_the_recipe_that_is_kept_trains_the_same_model(handgrad, photographs):
    size = ("--set", "data.size=[16, 17]", "--epochs", 2)
    for source, *words in (
        ["lines", "--epochs", 5],
        ["digits", "--epochs", 1],
        [photographs, *size],
    ):
        handgrad("train", source, *words, "--out", "a", "--force")
        handgrad("train", "a/recipe.toml", "--out", "b", "--force")
        for file in ("model.safetensors", "recipe.toml", "history.jsonl"):
            assert Path("a", file).read_bytes() == Path("b", file).read_bytes(), (source, file)


def test_the_kept_recipe_says_everything(handgrad):
    """Every setting of a recipe with a value is written out, whatever it was left to."""
    handgrad("train", "lines", "--epochs", 2, "--out", "r")
    kept = recipe("r")
    assert {"name", "about", "note", "seed", "dtype", "views", "data", "architecture", "loss",
            "optimizer",
            "augmentation", "training", "repeats"} == kept.keys()  # fmt: skip
    assert kept["data"]["scale"] == "unit"
    assert kept["loss"]["over"] == "sum"
    assert kept["optimizer"]["schedule"] == {"kind": "constant"}
    assert kept["architecture"][0]["offsets"] == {"initial": "zeros"}


def test_a_model_file_tells_nothing_of_where_and_when(handgrad, photographs):
    import platform

    words = ("--set", "data.size=[16, 16]", "--epochs", 1, "--out", "secret run")
    handgrad("train", photographs, *words)
    content = Path("secret run/model.safetensors").read_bytes()
    # The header alone: among a hundred thousand numbers behind it two letters turn up by chance.
    content = content[: 8 + int.from_bytes(content[:8], "little")]
    for word in (str(photographs.parent), os.getcwd(), "secret run", platform.node(), "seconds"):
        assert word.encode() not in content, word
    assert Run("secret run").summary["date"][:4].encode() not in content
    assert b"my photographs" in content  # the name alone


def test_two_runs_within_a_second_are_two(handgrad, monkeypatch):
    from datetime import datetime

    import handgrad.experiments.unfinished as module

    class Stopped(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr(module, "datetime", Stopped)
    for _ in range(3):
        assert handgrad("train", "lines", "--epochs", 2).code == 0
    first = "lines-2026-01-02-030405"
    assert names("runs") == {first, f"{first}-2", f"{first}-3"}
    assert all(names(run) == EVERYTHING for run in Path("runs").iterdir())


@pytest.mark.parametrize("name", ["../up", "a/b", "a\\b", "c:d", "...", "", "é 猫"])
def test_a_recipes_name_never_leads_out_of_runs(handgrad, name):
    found = handgrad("train", "lines", "--epochs", 2, "--json", "--set", f"name={name!r}").json
    [run] = Path("runs").iterdir()
    assert Path(found["run"]) == run
    assert not run.name.startswith((".", "-"))
    assert names(Path.cwd().parent) == {"here"}


# --- where it writes


def test_a_folder_that_is_not_empty_is_refused_and_keeps_what_it_holds(handgrad, refused):
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("years")
    said = refused("train", "lines", "--epochs", 2, "--out", "mine")
    assert said.startswith("mine: the folder is not empty; --force")
    assert names("mine") == {"thesis.txt"}
    assert handgrad("train", "lines", "--epochs", 2, "--out", "mine", "--force").code == 0
    assert names("mine") == {"thesis.txt"} | EVERYTHING
    assert Path("mine/thesis.txt").read_text() == "years"


def test_force_replaces_the_files_of_an_older_run(handgrad):
    for epochs in (2, 5):
        handgrad("train", "lines", "--epochs", epochs, "--out", "r", "--force")
    assert len(Run("r").history) == Run("r").summary["steps"] == 5
    assert names("r") == EVERYTHING


@pytest.mark.parametrize("kind", ["empty", "deep", "link", "here"])
def test_a_folder_to_write_to(handgrad, kind, monkeypatch):
    Path("empty").mkdir()
    Path("link").symlink_to("empty", target_is_directory=True)
    if kind == "here":
        monkeypatch.chdir("empty")
    out = {"deep": "a/b c/猫", "here": "."}.get(kind, kind)
    assert handgrad("train", "lines", "--epochs", 2, "--out", out).code == 0
    assert names(out) == EVERYTHING


def test_a_place_that_cannot_be_written_to_is_said_before_the_training(handgrad):
    Path("file").write_text("mine")
    for out in ("file", "file/below", "file/far/below"):
        said = handgrad("train", "lines", "--out", out)
        assert said.code == 2
        assert said.err.startswith("handgrad: file")
        assert "step" not in said.out
    assert names(".") == {"file"}
    assert Path("file").read_text() == "mine"


def test_an_unwritable_folder_is_a_sentence(handgrad, monkeypatch):
    import tempfile

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", denied)
    said = handgrad("train", "lines", "--out", "r")
    assert said.code == 2
    assert "r" in said.err
    assert "cannot be written: Permission denied" in said.err


def test_when_writing_fails_nothing_is_left(handgrad, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("handgrad.writing._to_disk", full)
    for words in ((), ("--out", "r")):
        said = handgrad("train", "lines", "--epochs", 2, *words)
        assert said.code == 2
        assert "No space left on device" in said.err
    assert names(".") == {"runs"}
    assert names("runs") == set()


# --- folders of images


def test_a_folder_of_photographs_is_dealt_out_by_class(handgrad, photographs):
    words = ("--epochs", 6, "--learning-rate", "0.01", "--set", "data.size=[16, 18]")
    said = handgrad("train", photographs, *words, "--json")
    found = said.json
    assert found["classes"] == ["blue é", "green", "red"]
    assert found["test_n"] == 6  # a fifth of ten, of each class
    assert found["recipe"] == "my photographs"
    assert found["test_accuracy"] == 1
    assert "data     24 training, 6 test images of 16x18x3" in said.err
    matrix = handgrad("evaluate", "--json").json["confusion"]
    assert matrix == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]


def test_train_and_test_folders_are_taken_as_they_are(handgrad, paint):
    paint(Path("photos/train"), 8)
    paint(Path("photos/test"), 3, seed=1)
    found = handgrad("train", "photos", "--epochs", 2, "--json", "--set", "data.size=[16, 16]").json
    assert found["test_n"] == 9


def test_the_split_is_the_seeds(handgrad, photographs):
    size = ("--set", "data.size=[16, 16]", "--epochs", 1)
    for seed in (0, 1):
        handgrad("train", photographs, *size, "--seed", seed, "--out", str(seed))
    prints = [Run(name).model.about["test"]["fingerprint"] for name in "01"]
    assert prints[0] != prints[1]


def test_one_class_is_refused(refused, paint):
    paint(Path("photos"), 3, ("red",))
    assert "found one class (red); expected at least two" in refused("train", "photos")


@pytest.mark.parametrize("inside", [[], ["a", "b"]])
def test_no_images_are_refused(refused, inside):
    Path("photos").mkdir()
    for name in inside:
        Path("photos", name).mkdir()
    assert "found no images; expected a folder per class" in refused("train", "photos")
    assert names(".") == {"photos"}


def test_images_that_do_not_decode_are_all_named(handgrad, refused, paint):
    paint(Path("photos"), 5)
    Path("photos/red/bad.jpg").write_bytes(b"no image")
    Path("photos/green/empty one.png").touch()
    said = refused("train", "photos")
    assert "found 2 images that cannot be read" in said
    for name in ("bad.jpg", "empty one.png"):
        assert name in said
    assert "--skip-bad" in said
    assert names(".") == {"photos"}
    found = handgrad(
        "train", "photos", "--skip-bad", "--epochs", 1, "--json", "--set", "data.size=[16, 16]"
    ).json
    assert " 2 images were skipped, not being readable: " in found["note"]
    assert handgrad("evaluate", "--json").code == 0  # the recipe remembers to skip


QUICK = ("--epochs", 1, "--set", "data.size=[16, 16]", "--out", "run", "--json")


def test_a_hostile_folder(handgrad, refused, hostile):
    said = refused("train", hostile.folder, *QUICK)
    bad = {*hostile.faults, hostile.named["dangling"], hostile.named["pipe"]}
    if os.geteuid() != 0:  # root may read it: see tests/experiments/test_inspection.py
        bad.add(hostile.named["locked"])
    assert f"found {len(bad)} images that cannot be read" in said
    *_, first = said.partition(":\n")
    lines = first.splitlines()
    assert len(lines) == len(bad)
    for name in bad:
        assert sum(f"/{name}: " in line for line in lines) == 1
    assert names(".") == set()


def test_a_hostile_folder_without_its_bad_files(handgrad, hostile):
    found = handgrad("train", hostile.folder, "--skip-bad", *QUICK).json
    assert found["classes"] == ["cats", "dogs"]
    bad = len(hostile.faults) + 2 + (os.geteuid() != 0)  # a dangling link, a pipe; root reads all
    assert f"{bad} images were skipped, not being readable" in found["note"]
    assert "of the test images 2 stand in the training part too, exactly or nearly" in found["note"]


def test_a_quarantine_is_honoured(handgrad, refused, hostile):
    assert handgrad("inspect", hostile.folder, "--quarantine", "bad.csv").code == 1
    run = handgrad("train", hostile.folder, "--quarantine", "bad.csv", *QUICK).json
    assert "skipped" not in run["note"]
    assert "left out, being in quarantine" in run["note"]
    assert "stand in the training part too" not in run["note"]  # the leaks are in it
    assert "quarantine" in Path("run/recipe.toml").read_text(encoding="utf-8")
    assert handgrad("evaluate", "run", "--json").json["accuracy"] == run["test_accuracy"]
    Path("bad.csv").write_text("a,b,c\n")
    assert "bad.csv: found a row of 3 cells" in refused(
        "train", hostile.folder, "--quarantine", "bad.csv"
    )


def test_classes_as_common_as_they_are_or_alike(handgrad, paint):
    paint(Path("photos"), 8)
    for path in sorted(Path("photos/red").iterdir())[3:]:
        path.unlink()
    handgrad("train", "photos", "--balanced", "--epochs", 1, "--out", "run")
    recipe = tomllib.loads(Path("run/recipe.toml").read_text(encoding="utf-8"))
    blue, green, red = recipe["loss"]["class_weights"]
    assert blue == green
    assert red == pytest.approx(3 * blue)  # of 8, 8 and 3 images 6, 6 and 2 are trained on


def test_without_a_cache_nothing_is_kept(handgrad, paint, monkeypatch, tmp_path):
    monkeypatch.setenv("HANDGRAD_CACHE", str(tmp_path / "cache"))
    paint(Path("photos"), 5)
    settings = ("--epochs", 1, "--set", "data.size=[16, 16]", "--json")
    plain = handgrad("train", "photos", "--no-cache", *settings, "--out", "a")
    assert not (tmp_path / "cache").exists()
    cached = handgrad("train", "photos", *settings, "--out", "b")
    assert (tmp_path / "cache").exists()
    assert cached.json["loss"] == plain.json["loss"]


def test_the_label_of_each_class_is_said(handgrad, paint):
    paint(Path("photos"), 5)
    said = handgrad("train", "photos", "--epochs", 1, "--set", "data.size=[16, 16]")
    assert "classes  3: 0 blue é, 1 green, 2 red\n" in said.out
    assert "\nverdict  " in said.out
    assert "\nbeside   logistic regression " in said.out


def test_a_table_of_files_and_labels(handgrad, paint):
    paint(Path("photos"), 5)
    files = sorted(Path("photos").glob("*/*.png"))
    rows = [f"{file},{file.parent.name.partition(' ')[0]}" for file in files]
    Path("labels.csv").write_text("file,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    run = handgrad("train", "labels.csv", *QUICK).json
    assert run["classes"] == ["blue", "green", "red"]
    assert run["recipe"] == "labels"


# --- what it refuses


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--set", "optimizer.learning_rat=1"], "did you mean 'learning_rate'?"),
        (["--set", "optimizr.learning_rate=1"], "did you mean 'optimizer'?"),
        (["--set", "architecture.0.unit=1"], "architecture.0: unknown key 'unit'; did you mean"),
        (["--set", "architecture.9.units=1"], "expected a number from 0 to 2"),
        (["--set", "architecture.0.units=-1"], "units = -1; expected at least 1"),
        (["--set", "architecture.0.units=many"], "architecture.0.units: found 'many'"),
        (["--set", "architecture.0.layer=dens"], "did you mean 'dense'?"),
        (["--set", "architecture=[]"], "the architecture has no layer"),
        (["--set", "architecture.2.units=3"], "outputs have shape (3,); 2 classes"),
        (["--set", "loss.kind=softmax cross entropy"], "did you mean 'softmax cross-entropy'?"),
        (["--set", "loss.over=5"], "loss.over: found 5"),
        (["--set", "seed=1.5"], "seed: found 1.5"),
        (["--set", "seed"], "found no '='; expected PATH=VALUE"),
        (["--set", "=1"], "expected PATH=VALUE"),
        (["--set", "name.x=1"], "name is a value, not a table"),
        (["--set", "data.source=nowhere"], "nowhere: found no such folder or file"),
        (["--set", "data.size=[0, 4]"], "expected [height, width], each above 0"),
        (["--set", "data.validation=1"], "validation = 1.0; expected a part in [0, 1)"),
        (["--set", "data=none"], "'data' is missing"),
        (["--set", "dtype=float16"], "dtype: found 'float16'"),
        (["--seed", "-1"], "seed = -1; expected 0 or more"),
        (["--epochs", "0"], "epochs = 0; expected at least 1"),
        (["--batch-size", "-2"], "batch_size = -2; expected at least 1"),
        (["--threads", "0"], "threads = 0; expected at least 1"),
        (["--learning-rate", "-1"], "learning_rate = -1.0; expected more than 0"),
        (["--learning-rate", "nan"], "learning_rate"),
        (["--optimizer", "adm"], "did you mean 'adam'?"),
        (["--until", "train_acuracy=1"], "did you mean 'train_accuracy'?"),
        (["--until", "train_accuracy"], "is no finite number"),
        (["--until", "validation_accuracy=1"], "found no validation part"),
        (["--set", "training.patience=2"], "found no validation part"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be(refused, words, sentence):
    assert sentence in refused("train", "lines", *words)
    assert names(".") == set()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("digts", "did you mean 'digits'? Known: "),
        ("./digits", "neither a path nor a recipe"),
        ("none.toml", "found No such file or directory; expected a recipe in TOML"),
        ("none.h5", "found no such file; expected a prepared .h5"),
        ("broken.toml", "broken.toml: found what is not TOML"),
        ("bytes.toml", "bytes.toml: found what is not TOML"),
        ("deep.toml", "deep.toml: found what is not TOML"),
        ("empty.toml", "empty.toml: "),
        ("key.toml", "key.toml: the recipe: unknown key 'optimiser'; did you mean 'optimizer'?"),
        ("folder.toml", "folder.toml: found "),
        ("text.txt", "text.txt: found a file of another kind"),
        ("zeros.h5", "zeros.h5: found a file that cannot be read"),
    ],
)
def test_a_source_that_cannot_be(refused, source, sentence):
    Path("broken.toml").write_text("name = [")
    Path("bytes.toml").write_bytes(b"\xff\xfe")
    Path("deep.toml").write_text("a = " + "[" * 5000)
    Path("empty.toml").touch()
    Path("key.toml").write_text("loss = {kind = 'squared error'}\noptimiser = 1")
    Path("folder.toml").mkdir()
    Path("text.txt").write_text("hello")
    Path("zeros.h5").write_bytes(bytes(1000))
    before = names(".")
    assert sentence in refused("train", source)
    assert names(".") == before


def test_a_loss_for_two_classes_is_refused_for_ten(refused):
    said = refused("train", "digits", "--set", "loss.kind=sigmoid cross-entropy")
    assert "'sigmoid cross-entropy' tells two classes apart; found 10" in said
    assert names(".") == set()


def test_wrong_words_are_a_usage_error(handgrad):
    for words in (["--epochs", "many"], ["--nonsense"], ["lines", "digits"]):
        said = handgrad("train", *words)
        assert said.code == 2
        assert said.err.startswith("Usage: handgrad train")


@pytest.mark.parametrize("words", [["lines", "--out", "r"], ["digits", "--json", "--out", "r"]])
def test_a_learning_rate_that_ends_in_nan(handgrad, words):
    """The step is named, the run is written, and its weights are the last finite ones."""
    rate = ("--learning-rate", "1e30", "--epochs", 50, "--set", "dtype=float32")
    said = handgrad("train", *words, *rate)
    assert said.code == 2
    assert "Traceback" not in said.err
    first, second = said.err.splitlines()[-2:]
    step = int(first.removeprefix("handgrad: step ").split()[0])
    assert "kept the last finite weights" in first
    assert second == "handgrad: the run with these weights is in r"
    run = Run("r")
    assert run.summary["stopped"].startswith(f"step {step} ")
    assert run.summary["steps"] == step
    assert np.isfinite(run.model.network.vector).all()
    assert handgrad("evaluate", "r", "--json").code == 0


def test_too_little_memory_is_a_sentence(refused):
    said = refused("train", "lines", "--set", "architecture.0.units=1000000000000")
    assert "memory" in said
    assert names(".") <= {"runs"}


# --- how it looks


def test_progress_on_a_terminal(monkeypatch):
    """A bar with the steps made, and lines with epoch, loss, accuracy, images/s and time left."""
    import io

    from handgrad.cli.viewer import Terminal
    from handgrad.experiments import train

    class Screen(io.StringIO):
        def isatty(self):
            return True

    screen = Screen()
    monkeypatch.setenv("TERM", "xterm")
    with Terminal(screen) as viewer:
        train("digits", {"training.epochs": 2}, out="r", viewer=viewer)
    shown = screen.getvalue()
    assert "training" in shown
    assert "46/46" in shown  # steps
    for word in ("epoch 2/2", "loss ", "train ", "images/s", "left 0:00"):
        assert word in shown


def test_a_test_accuracy_per_epoch_where_a_recipe_asks_for_it(handgrad):
    words = ("--epochs", 2, "--set", "training.test_each_epoch=true", "--out", "r")
    said = handgrad("train", "digits", *words)
    assert [line.count("test ") for line in said.out.splitlines() if "epoch " in line] == [1, 1]
    assert all(0 < entry["test_accuracy"] <= 1 for entry in Run("r").history)


def test_the_history_is_one_object_a_line(handgrad):
    handgrad("train", "digits", "--epochs", 2, "--set", "data.validation=0.2", "--out", "r")
    text = Path("r/history.jsonl").read_text(encoding="utf-8")
    assert text.endswith("\n")
    for line in text.splitlines():
        assert {
            "step", "epoch", "loss", "train_accuracy", "validation_accuracy", "learning_rate",
            "weight_norms", "gradient_norms", "update_norms",
        } <= json.loads(line).keys()  # fmt: skip
