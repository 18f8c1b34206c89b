"""A training that is cut and resumed gives the very bytes of one that was not."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from handgrad.datasets import Dataset, Splits
from handgrad.errors import DataError, HandgradError, RecipeError
from handgrad.experiments import Experiment, Run, read_recipe, resume, train, with_settings
from handgrad.experiments.checkpoints import Checkpoints, interval, restore
from handgrad.experiments.conduct import Viewer

pytestmark = pytest.mark.usefixtures("no_pictures")

SMALL = {"training.epochs": 3, "training.batch_size": 400, "data.validation": 0.1}
DROPPING = [
    {"layer": "convolution", "channels": 4, "offset": False},
    {"layer": "batch-norm"},
    {"layer": "relu"},
    {"layer": "dropout", "rate": 0.2},
    {"layer": "max-pool", "size": 4},
    {"layer": "dense", "units": 10},
]
WAYS = {
    **{
        kind: {"optimizer": {"kind": kind, "schedule": {"kind": "cosine"}}}
        for kind in ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "muon")
    },
    "moving average": {"averaging": {"kind": "moving average"}},
    "lookahead": {"averaging": {"kind": "lookahead", "every": 2}},
    "in two shards": {"training.threads": 2},
    "in groups": {"training.group": 3},
    "patience": {"training.patience": 1, "training.every": 1},
    "full batch": {"training.batch_size": None, "training.epochs": 9},
    "all reported, few measured": {"training.every": 2, "training.norms": True},
}


class Killed(BaseException):
    """Nobody expects it."""


class Cut(Viewer):
    """The power fails before a step of the training: (epoch, batch)."""

    def __init__(self, epoch, batch):
        self.at = (epoch, batch)
        self.notes = []

    def note(self, text):
        self.notes.append(text)

    def watch(self, batches):
        viewer = self

        class Watched:
            full, steps_per_epoch = batches.full, batches.steps_per_epoch

            def __call__(self, epoch, first=0):
                for i, batch in enumerate(batches(epoch, first), first):
                    if (epoch, i) == viewer.at:
                        raise Killed
                    yield batch

        return Watched()


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The digits with a small network that draws and gathers."""
    import tomli_w

    table = with_settings(
        read_recipe("digits"),
        {**SMALL, "architecture": DROPPING, "augmentation": [{"kind": "translate", "pixels": 1}]},
    )
    path = tmp_path_factory.mktemp("recipe") / "small.toml"
    path.write_text(tomli_w.dumps(table))
    return path


def cut(recipe, settings, out, at, every="1"):
    with pytest.raises(Killed):
        train(recipe, settings, out=out, viewer=Cut(*at), checkpoint_every=every)


def same(a, b):
    """Whether two runs have the same bytes where they may not differ."""
    return all(
        (a / name).read_bytes() == (b / name).read_bytes()
        for name in ("model.safetensors", "recipe.toml", "history.jsonl")
    )


@pytest.mark.parametrize("way", WAYS)
def test_it_is_the_same_to_the_bit(recipe, tmp_path, way):
    settings = WAYS[way]
    train(recipe, settings, out=tmp_path / "whole")
    full = way == "full batch"
    cut(recipe, settings, tmp_path / "cut", (4, 0) if full else (1, 2), "2")
    assert not (tmp_path / "cut" / "model.safetensors").exists()
    run = resume(tmp_path / "cut")
    assert same(tmp_path / "whole", run.folder)
    assert not (tmp_path / "cut" / "unfinished").exists()


KINDS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "muon")
DENSE = {"layer": "dense", "units": "classes"}
FEATURES = {
    "augmentation": {"augmentation": [{"kind": "translate", "pixels": 1}, {"kind": "flip"}]},
    "batch normalization": {
        "architecture": [{"layer": "dense", "units": 5}, {"layer": "batch-norm"}, DENSE]
    },
    "dropout": {
        "architecture": [
            {"layer": "dense", "units": 5}, {"layer": "dropout", "rate": 0.3}, DENSE
        ]
    },
    "moving average": {"averaging": {"kind": "moving average"}},
    "lookahead": {"averaging": {"kind": "lookahead", "every": 3}},
}  # fmt: skip
FEATURES["all at once"] = FEATURES["augmentation"] | FEATURES["lookahead"] | {
    "architecture": [
        {"layer": "dense", "units": 5},
        {"layer": "batch-norm"},
        {"layer": "dropout", "rate": 0.3},
        DENSE,
    ]
}  # fmt: skip


def few_images():
    generator = np.random.default_rng(0)
    images = generator.uniform(size=(30, 4, 4, 1)).astype(np.float32)
    shown = Dataset(images, np.arange(30) % 3, ("a", "b", "c"))
    return Splits(shown, None, {"validation": shown.take(np.arange(9))})


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("kind", "feature"), [*itertools.product(KINDS, FEATURES)])
def test_every_optimizer_with_everything(tmp_path, kind, feature, threads):
    """Cut within the second of three epochs, and gone on with in another experiment."""
    table = {
        "name": "few",
        "data": {"source": "not read"},
        "architecture": [DENSE],
        "loss": {"kind": "softmax cross-entropy"},
        "optimizer": {"kind": kind, "schedule": {"kind": "cosine"}},
        "training": {"epochs": 3, "batch_size": 8, "threads": threads},
        **FEATURES[feature],
    }
    splits, path = few_images(), tmp_path / "checkpoint.safetensors"
    whole, cut, again = (Experiment(table, splits=splits) for _ in range(3))
    assert whole.threads.total == threads
    list(whole.train())
    assert whole.state.steps == 12
    checkpoints = Checkpoints(cut, path, (1, np.inf))

    def between():
        checkpoints()
        if cut.state.steps == 6:
            raise Killed

    with pytest.raises(Killed):
        list(cut.train(between=between))
    assert restore(again, path) == []
    assert again.state.steps == 6
    list(again.train())
    assert again.network.vector.tobytes() == whole.network.vector.tobytes()
    assert again.history == whole.history


def test_cut_again_and_again(recipe, tmp_path):
    train(recipe, out=tmp_path / "whole")
    cut(recipe, {}, tmp_path / "cut", (0, 2))
    for at in ((0, 3), (1, 0), (2, 1)):
        with pytest.raises(Killed):
            resume(tmp_path / "cut", viewer=Cut(*at), checkpoint_every="1")
    assert same(tmp_path / "whole", resume(tmp_path / "cut").folder)


def test_without_a_checkpoint_it_begins_anew(recipe, tmp_path):
    train(recipe, out=tmp_path / "whole")
    cut(recipe, {}, tmp_path / "cut", (0, 2))
    (tmp_path / "cut" / "unfinished" / "checkpoint.safetensors").unlink()
    assert same(tmp_path / "whole", resume(tmp_path / "cut").folder)


def test_an_older_run_stays_whole_until_the_new_one_has_ended(lines_run, tmp_path):
    import shutil

    shutil.copytree(lines_run.folder, tmp_path / "r")
    old = (tmp_path / "r" / "model.safetensors").read_bytes()
    with pytest.raises(Killed):
        train(
            "lines", {"seed": 8}, out=tmp_path / "r", force=True, viewer=Cut(9, 0),
            checkpoint_every="1",
        )  # fmt: skip
    assert (tmp_path / "r" / "model.safetensors").read_bytes() == old
    assert resume(tmp_path / "r").recipe["seed"] == 8
    assert (tmp_path / "r" / "model.safetensors").read_bytes() != old


def test_seconds_are_those_of_all_parts(recipe, tmp_path):
    cut(recipe, {}, tmp_path / "cut", (1, 2))
    path = tmp_path / "cut" / "unfinished" / "checkpoint.safetensors"
    rewritten(path, seconds=1000.0)
    assert resume(tmp_path / "cut").summary["seconds"] > 1000


def test_a_run_that_has_ended_is_left_as_it_is(lines_run):
    before = {path: path.stat().st_mtime_ns for path in lines_run.folder.rglob("*")}
    viewer = Cut(0, 0)
    assert resume(lines_run.folder, viewer=viewer).summary == lines_run.summary
    assert {path: path.stat().st_mtime_ns for path in lines_run.folder.rglob("*")} == before
    assert viewer.notes == [f"{lines_run.folder} has ended; nothing is left to do"]


def test_another_version_or_thread_count_is_said(recipe, tmp_path):
    cut(recipe, {}, tmp_path / "cut", (1, 2))
    path = tmp_path / "cut" / "unfinished" / "checkpoint.safetensors"
    rewritten(path, versions={"handgrad": "0.0.1"}, threads="7 threads")
    viewer = Cut(9, 9)
    resume(tmp_path / "cut", viewer=viewer)
    assert [note.split(":")[0] for note in viewer.notes] == [
        "handgrad was 0.0.1, is 0.1.0",
        "there were 7 threads, there are 1 thread",
    ]


def rewritten(path, **values):
    """A checkpoint with other words in its table."""
    with safe_open(path, "numpy") as opened:
        table = json.loads(opened.metadata()["handgrad"])
    for key, value in values.items():
        table[key] = value
    save_file(load_file(path), path, {"handgrad": json.dumps(table)})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"format": 2}, r"found format 2; expected format 1 to 1 \(a newer handgrad\?\)"),
        ({"data": "0"}, "found a training that began with other images; expected those"),
        ({"recipe": {}}, "found a checkpoint of another recipe; expected one of the"),
        ({"state": {}}, r"found what cannot be used \(KeyError\('steps'\)\)"),
        ({"history": [{"what": 1}]}, "found what cannot be used"),
        ({"versions": None}, "found what cannot be used"),
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_of_this_training(recipe, tmp_path, values, sentence):
    cut(recipe, {}, tmp_path / "cut", (1, 2))
    path = tmp_path / "cut" / "unfinished" / "checkpoint.safetensors"
    rewritten(path, **values)
    before = path.read_bytes()
    with pytest.raises(DataError, match=sentence):
        resume(tmp_path / "cut")
    assert path.read_bytes() == before


def test_a_checkpoint_cut_short_is_told(recipe, tmp_path):
    cut(recipe, {}, tmp_path / "cut", (1, 2))
    path = tmp_path / "cut" / "unfinished" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"checkpoint\.safetensors: found a file that safetensors"):
        resume(tmp_path / "cut")


def test_numbers_of_another_network(recipe, tmp_path):
    cut(recipe, {}, tmp_path / "cut", (1, 2))
    path = tmp_path / "cut" / "unfinished" / "checkpoint.safetensors"
    with safe_open(path, "numpy") as opened:
        metadata = opened.metadata()
    save_file(load_file(path) | {"vector": np.zeros(3)}, path, metadata)
    with pytest.raises(DataError, match=r"vector as float64 of shape \(3,\); expected float32"):
        resume(tmp_path / "cut")


def test_an_interrupted_one_is_saved_and_can_go_on(recipe, tmp_path):
    class Interrupting(Cut):
        """Ctrl-C in the middle of the second epoch: the batches end early."""

        def watch(self, batches):
            viewer = self

            class Watched:
                full, steps_per_epoch = batches.full, batches.steps_per_epoch

                def __call__(self, epoch, first=0):
                    for i, batch in enumerate(batches(epoch, first), first):
                        if (epoch, i) == viewer.at:
                            viewer.interrupted = True
                            return
                        yield batch

            return Watched()

    train(recipe, out=tmp_path / "whole")
    run = train(recipe, out=tmp_path / "r", viewer=Interrupting(1, 2))
    assert run.summary["stopped"] == "interrupted"
    assert run.history[-1]["step"] == 6
    assert same(tmp_path / "whole", resume(tmp_path / "r").folder)
    assert run.__class__(run.folder).summary["stopped"] is None


def test_a_wish_that_comes_with_the_last_step_cuts_nothing(recipe, tmp_path):
    class Late(Viewer):
        def report(self, report):
            self.interrupted = report.epoch == 3

    run = train(recipe, out=tmp_path / "r", viewer=Late())
    assert run.summary["stopped"] is None
    assert not (tmp_path / "r" / "unfinished").exists()


@pytest.mark.parametrize("split", ["same", "random"])
def test_repeats_go_on_where_they_were(recipe, tmp_path, split):
    settings = {"training.epochs": 2, "repeats.seeds": [1, 2, 3], "repeats.split": split}

    class In(Cut):
        """Cut in the second repeat: before its sixth step, so that its last checkpoint has four."""

        def watch(self, batches):
            self.nth = getattr(self, "nth", 0) + 1
            return super().watch(batches) if self.nth == 3 else batches

    train(recipe, settings, out=tmp_path / "whole")
    with pytest.raises(Killed):
        train(recipe, settings, out=tmp_path / "r", viewer=In(1, 1), checkpoint_every="1")
    inside = tmp_path / "r" / "unfinished"
    assert {path.name for path in inside.iterdir()} == {
        "checkpoint.safetensors", "recipe.toml", "repeat-2.safetensors", "repeats.json",
        "snapshots.safetensors",
    }  # fmt: skip
    assert [*json.loads((inside / "repeats.json").read_text())] == ["1"]
    steps = []

    class Counting(Cut):
        def watch(self, batches):
            watched = super().watch(batches)

            class Counted:
                full, steps_per_epoch = batches.full, batches.steps_per_epoch

                def __call__(self, epoch, first=0):
                    steps.append((epoch, first))
                    yield from watched(epoch, first)

            return Counted()

    run = resume(tmp_path / "r", viewer=Counting(9, 9))
    # The last step of the first training, what was left of the second repeat, all of the third.
    assert steps == [(1, 3), (1, 0), (0, 0), (1, 0)]
    expected = Run(tmp_path / "whole")
    assert run.summary["repeats"] == expected.summary["repeats"]
    assert same(expected.folder, run.folder)


def test_when_a_checkpoint_is_due():
    assert interval(" 500 ") == (500, np.inf)
    assert [interval(text)[1] for text in ("30s", "10m", "1h")] == [30, 600, 3600]
    for text in ("", "0", "m", "-3", "5x", "1.5m", "0m"):
        with pytest.raises(RecipeError, match=f"--checkpoint-every {text}: expected steps"):
            interval(text)


def test_where_there_is_no_run(tmp_path):
    with pytest.raises(HandgradError, match="none: found no such folder; expected a run's folder"):
        resume(tmp_path / "none")
    with pytest.raises(HandgradError, match=r"found no model\.safetensors in it"):
        resume(tmp_path)
