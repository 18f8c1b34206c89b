"""A sweep: trials without a test part, the best by validation, the test set once."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from handgrad.errors import DataError, HandgradError, RecipeError
from handgrad.experiments import Run, SweepViewer, evaluate, resume_sweep, sweep, train
from handgrad.experiments.sweeps.trials import Outcome, outcome_of, ranked, read_plan, said
from handgrad.experiments.unfinished import UNFINISHED

RATES = {"optimizer.learning_rate": [0.001, 0.01, 0.1], "training.epochs": 40}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Three trainings of `lines`. Read only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("handgrad.experiments.drawn.draw_pictures", lambda *_: None)
        return sweep("lines", RATES, out=tmp_path_factory.mktemp("sweeps") / "s")


@pytest.fixture(autouse=True)
def _no_pictures(no_pictures, monkeypatch):
    monkeypatch.setattr("handgrad.experiments.sweeps.winner._draw", lambda *_: None)


def rows(folder) -> list[dict[str, str]]:
    """The table, without what no two trainings have in common."""
    with open(Path(folder, "results.csv"), encoding="utf-8", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its inode and time: what was written anew has others."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(p): (p.stat().st_ino, p.stat().st_mtime_ns) for p in found}


def test_every_trial_is_an_ordinary_run(swept, tmp_path):
    settings = {"training.epochs": 40, "data.validation": 0.1, "training.snapshots": 0}
    for number, rate in enumerate(RATES["optimizer.learning_rate"], start=1):
        run = Run(swept.folder / "trials" / f"{number:03}")
        assert run.recipe["optimizer"]["learning_rate"] == rate
        alone = train(
            "lines", settings | {"optimizer.learning_rate": rate}, out=tmp_path / run.folder.name
        )
        names = {path.name for path in run.folder.iterdir()} - {"pictures"}
        assert names == {path.name for path in alone.folder.iterdir()}
        assert run.history == alone.history
        np.testing.assert_array_equal(run.model.network.vector, alone.model.network.vector)
        outcome = swept.outcomes[number - 1]
        assert outcome.status == "ended"
        assert outcome.validation_accuracy == alone.summary["validation_accuracy"]
        best = max(alone.history, key=lambda r: (r["validation_accuracy"], -r["validation_loss"]))
        assert outcome.validation_loss == best["validation_loss"]


def test_the_test_set_is_scored_for_the_winner_alone(swept, tmp_path):
    """Whose run is then what `train` makes of its recipe, byte for byte."""
    for outcome in swept.outcomes:
        run = Run(outcome.run)
        own = outcome == swept.best
        assert any(key.startswith("test") for key in run.summary) == own
        assert ("test" in run.model.about) == own
        assert ("test" in run.manifest["data"]) == own
        assert not any("test_accuracy" in row for row in run.history)
    alone = train(swept.run.folder / "recipe.toml", out=tmp_path / "alone")
    for name in ("model.safetensors", "history.jsonl", "recipe.toml"):
        assert (swept.run.folder / name).read_bytes() == (alone.folder / name).read_bytes()
    assert swept.run.manifest["model"] == alone.manifest["model"]
    assert swept.run.manifest["data"] == alone.manifest["data"]
    judged = evaluate(swept.run)
    assert swept.test == {
        "test_accuracy": judged.accuracy,
        "test_low": judged.low,
        "test_high": judged.high,
        "test_n": judged.n,
    }
    assert swept.test == {k: alone.summary[k] for k in swept.test}


def test_recipes_that_would_look_at_the_test_set(tmp_path):
    """`test_each_epoch`, repeats on pooled images: not in a sweep, and it is said."""
    table = tmp_path / "recipe.toml"
    shown = shutil.copy(_recipe("lines"), table)
    with open(shown, "a", encoding="utf-8") as file:
        file.write('test_each_epoch = true\n[repeats]\nseeds = [1]\nsplit = "random"\n')
    found = sweep(table, {"training.epochs": [3, 4]}, out=tmp_path / "s")
    for outcome in found.outcomes:
        run = Run(outcome.run)
        assert not any("test_accuracy" in row for row in run.history)
        assert run.summary["repeats"]["runs"] == []
    assert "trials are not repeated" in " ".join(read_plan(tmp_path / "s").notes)


def _recipe(name: str) -> Path:
    import handgrad.experiments.recipe as module

    return Path(module.__file__).parent / "recipes" / f"{name}.toml"


def test_the_best_of_the_validation_then_its_loss_then_the_first():
    def one(number, accuracy, loss, status="ended"):
        return Outcome(number, {}, "", status, accuracy, loss)

    outcomes = [
        one(1, 0.8, 0.1),
        one(2, 0.9, 0.5),
        one(3, 0.9, 0.4),
        one(4, 0.9, 0.4),
        one(5, 1.0, 0.0, "failed"),
        one(6, 1.0, 0.0, "open"),
        one(7, None, None),
        one(8, 0.9, None),
    ]
    assert [outcome.number for outcome in ranked(outcomes)] == [3, 4, 2, 8, 1]


def test_table_picture_and_plan(swept):
    table = rows(swept.folder)
    assert [row["optimizer.learning_rate"] for row in table] == ["0.001", "0.01", "0.1"]
    assert [float(row["validation_accuracy"]) for row in table] == [
        one.validation_accuracy for one in swept.outcomes
    ]
    found = json.loads((swept.folder / "results.json").read_text("utf-8"))
    assert found == json.loads(json.dumps(swept.table()))
    assert found["best"] == swept.best.number == swept.ranked[0].number
    assert found["test_n"] == 18
    assert swept.validation_n == 2  # a tenth of twelve of each of two classes, rounded
    assert b"learning_rate" in (swept.folder / "sweep.svg").read_bytes()
    assert not (swept.folder / UNFINISHED).exists()
    assert any("no validation part" in note for note in read_plan(swept.folder).notes)


def test_a_validation_part_of_the_recipes_own_is_kept(tmp_path):
    found = sweep("lines", {"data.validation": 0.5, "training.epochs": [2, 3]}, out=tmp_path / "s")
    assert found.run.recipe["data"]["validation"] == 0.5
    assert read_plan(tmp_path / "s").notes == []


def test_random_draws_are_those_of_the_seed(tmp_path):
    rates = {"optimizer.learning_rate": "0.001..0.1:log", "training.epochs": 2}
    sweep("lines", rates, random=3, seed=5, out=tmp_path / "a")
    sweep("lines", rates, random=2, seed=5, out=tmp_path / "b")
    first, second = (read_plan(tmp_path / name).trials for name in "ab")
    assert first[:2] == second
    assert len({one["optimizer.learning_rate"] for one in first}) == 3


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"optimizer.learning_rte": [1, 2]}, r"trial 1 \(learning_rte=1\): .*'learning_rate'"),
        ({"optimizer.learning_rate": [0.1, "fast"]}, r"trial 2 \(learning_rate=fast\): "),
        ({"architecture.9.units": [1, 2]}, "architecture.9.units: found '9'; expected a number"),
        ({"architecture.2.units": [2, 3]}, r"trial 2 .*shape \(3,\); 2 classes expect \(2,\)"),
        ({"data.validation": [0.2, 0.0]}, r"trial 2 .*expected a part to judge by"),
        ({"data.validation": 0.0}, "expected a part to judge by"),
        ({"data.source": ["nowhere"]}, "nowhere"),
        ({"training": 5}, "training"),
        ({"repeats.seeds": [[1], [2]]}, "repeats.seeds: found what a sweep's trials do not have"),
        ({"training.epochs": ["1..5"]}, "1..5"),
        ({"training.epochs": "1..5"}, "found the range 1..5; expected values"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_before_anything_runs(settings, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HandgradError, match=told):
        sweep("lines", settings)
    with pytest.raises(HandgradError, match=told):
        sweep("lines", settings, out="s")
    assert list(tmp_path.iterdir()) == []


def test_a_trial_whose_numbers_are_not_finite_fails_and_the_sweep_goes_on(tmp_path):
    rates = {"optimizer.learning_rate": [1e200, 0.01], "training.epochs": 20}
    found = sweep("lines", rates, out=tmp_path / "s")
    failed, ended = found.outcomes
    assert (failed.status, ended.status) == ("failed", "ended")
    assert "not finite" in failed.error or "the loss is" in failed.error
    assert found.best == ended
    assert rows(tmp_path / "s")[0]["status"] == "failed"


def test_where_every_trial_fails_there_is_no_winner(tmp_path):
    found = sweep("lines", {"optimizer.learning_rate": [1e200, 1e199]}, out=tmp_path / "s")
    assert found.best is None
    assert found.test == {}
    with pytest.raises(HandgradError, match="found no winner"):
        _ = found.run
    again = resume_sweep(tmp_path / "s")
    assert [one.status for one in again.outcomes] == ["failed", "failed"]


class Ending(SweepViewer):
    """Wishes for the end when trial 2 has told how far it is."""

    def __init__(self) -> None:
        self.ends, self.notes, self.begun = [], [], []

    def starts(self, trial):
        self.begun.append(trial.number)

    def reported(self, trial, data):
        self.interrupted = self.interrupted or trial.number == 2

    def note(self, text):
        self.notes.append(text)


def test_interrupted_and_resumed_it_is_the_same_and_nothing_runs_twice(tmp_path):
    epochs = {"training.epochs": [1, 1500, 31]}
    whole = sweep("lines", epochs, out=tmp_path / "whole")
    viewer = Ending()
    cut = sweep("lines", epochs, out=tmp_path / "s", viewer=viewer)
    assert viewer.begun == [1, 2]
    assert [one.status for one in cut.outcomes] == ["ended", "open", "open"]
    assert cut.best is None
    assert cut.left == 2
    assert not any("test_accuracy" in Run(p).summary for p in (tmp_path / "s/trials").iterdir())
    ended = files(tmp_path / "s" / "trials" / "001")
    viewer = SweepViewer()
    viewer.note = (notes := []).append
    found = resume_sweep(tmp_path / "s", viewer=viewer)
    (note,) = [note for note in notes if "resumed" in note]
    assert 0 < int(note.removeprefix("trial 2: resumed at step ").replace(",", "")) < 1500
    assert rows(tmp_path / "s") == rows(tmp_path / "whole")
    assert found.best.number == whole.best.number != 1
    assert files(tmp_path / "s" / "trials" / "001") == ended
    for name in ("002", "003"):
        for file in ("model.safetensors", "history.jsonl"):
            one, other = (tmp_path / s / "trials" / name / file for s in ("s", "whole"))
            assert one.read_bytes() == other.read_bytes()


def test_a_sweep_that_has_ended_is_left_as_it_is(swept, tmp_path):
    folder = tmp_path / "moved"
    shutil.copytree(swept.folder, folder)
    before = files(folder)
    again = resume_sweep(folder)
    assert files(folder) == before
    assert again.test == swept.test
    assert again.run.folder == folder / "trials" / f"{swept.best.number:03}"


def test_folders_that_are_taken(swept, tmp_path):
    with pytest.raises(HandgradError, match=r"found a sweep; --resume .* goes on with it"):
        sweep("lines", RATES, out=swept.folder)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "mine.txt").touch()
    with pytest.raises(HandgradError, match="the folder is not empty"):
        sweep("lines", RATES, out=tmp_path / "s")
    shutil.copytree(swept.folder, tmp_path / "s", dirs_exist_ok=True)
    found = sweep("lines", {"training.epochs": [2, 3]}, out=tmp_path / "s", force=True)
    assert sorted(path.name for path in (tmp_path / "s" / "trials").iterdir()) == ["001", "002"]
    assert {len(Run(one.run).history) for one in found.outcomes} == {2, 3}
    assert (tmp_path / "s" / "mine.txt").exists()


def test_a_sweep_that_goes_on_is_refused_to_everybody_else(tmp_path):
    class Trying(SweepViewer):
        told = ""

        def reported(self, trial, data):
            with pytest.raises(HandgradError, match="goes on there") as refused:
                resume_sweep(tmp_path / "s")
            self.told = str(refused.value)

    viewer = Trying()
    sweep("lines", {"training.epochs": [2, 3]}, out=tmp_path / "s", viewer=viewer)
    assert viewer.told


@pytest.mark.parametrize("text", ["", "[]", '{"name": 1}', '{"format": 2}', "[" * 100_000])
def test_plans_and_results_that_are_none(swept, tmp_path, text):
    folder = tmp_path / "s"
    shutil.copytree(swept.folder, folder)
    (folder / "results.json").write_text(text)
    with pytest.raises(DataError, match=r"results\.json: found"):
        resume_sweep(folder)
    (folder / "sweep.json").write_text(text)
    with pytest.raises(DataError, match=r"sweep\.json: found"):
        resume_sweep(folder)
    (folder / "sweep.json").unlink()
    with pytest.raises(DataError, match=r"found no sweep\.json in it; expected a sweep's folder"):
        resume_sweep(folder)


def test_ones_own_photographs_are_judged_beside_simple_answers_once(photographs, tmp_path):
    settings = {"training.epochs": [1, 2], "data.size": [[16, 18]]}
    found = sweep(photographs, settings, out=tmp_path / "s")
    boards = [one.number for one in found.outcomes if "scoreboard" in Run(one.run).summary]
    assert boards == [found.best.number]
    assert found.test["scoreboard"]["rows"][0]["accuracy"] == found.test["test_accuracy"]


def test_settings_in_words():
    assert said({"optimizer.learning_rate": 0.1, "data.size": [8, 8], "augmentation": None}) == (
        "learning_rate=0.1 size=[8, 8] augmentation=none"
    )
    assert said({"optimizer.kind": "sgd", "loss.kind": "x"}) == "optimizer.kind=sgd loss.kind=x"


def test_too_few_workers(tmp_path):
    with pytest.raises(RecipeError, match="--workers 0: expected at least 1"):
        sweep("lines", RATES, out=tmp_path / "s", workers=0)
    assert list(tmp_path.iterdir()) == []


def test_a_trial_that_has_not_begun_is_open(swept):
    trial = read_plan(swept.folder).in_folder(Path("nowhere"))[0]
    assert outcome_of(trial).status == "open"
    assert outcome_of(trial, "why").error == "why"
