"""``handgrad sweep``: what it says, its codes, what it refuses."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from handgrad.cli.sweep_viewer import SweepTerminal

RATES = ("--set", "optimizer.learning_rate=0.001,0.01", "--set", "training.epochs=20")


@pytest.fixture(autouse=True)
def _no_pictures(no_pictures, monkeypatch):
    monkeypatch.setattr("handgrad.experiments.sweeps.winner._draw", lambda *_: None)


def test_what_it_says(handgrad):
    said = handgrad("sweep", "lines", *RATES, "--out", "s")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == "sweep    lines: 2 trials; in s"
    assert lines[1].startswith("note     the recipe keeps no validation part: 10% ")
    assert lines[2].startswith("trial 1/2   learning_rate=0.001   validation ")
    assert lines[3].startswith("trial 2/2   learning_rate=0.01   validation ")
    assert lines[5].split() == ["trial", "validation", "loss", "train", "seconds", "settings"]
    found = json.loads(Path("s/results.json").read_text("utf-8"))
    (winner,) = [line for line in lines if line.startswith("winner")]
    best = found["trials"][found["best"] - 1]
    rate = best["settings"]["optimizer.learning_rate"]
    assert winner == f"winner   trial {found['best']}: learning_rate={rate}"
    assert lines[6].split()[0] == str(found["best"])  # the best comes first
    (test,) = [line for line in lines if line.startswith("test")]
    low, high = 100 * found["test_low"], 100 * found["test_high"]
    assert test.endswith(f"% of 18 images; 95 % interval {low:.1f} to {high:.1f} %")
    (honest,) = [line for line in lines if line.startswith("honest")]
    assert "of 2 validation images is the best of 2 trials" in honest
    assert "optimistic" in honest
    run = f"s/trials/00{found['best']}"
    assert lines[-1] == f"next     handgrad report {run}; handgrad predict {run} IMAGE"
    assert handgrad("evaluate", run).code == 0
    # Once more: nothing is left to do, and the same is said.
    again = handgrad("sweep", "--resume", "s")
    assert again.code == 0
    assert "nothing is left to do" in again.out
    assert again.out.splitlines()[2:] == lines[5:]


def test_one_line_of_json(handgrad):
    said = handgrad("sweep", "lines", *RATES, "--out", "s", "--json")
    assert said.code == 0
    assert said.json == json.loads(Path("s/results.json").read_text("utf-8"))
    assert "trial 2/2" in said.err
    assert handgrad("sweep", "lines", *RATES, "--json", "--quiet").err == ""


def test_the_default_folder_is_nobody_elses(handgrad):
    for _ in range(2):
        assert handgrad("sweep", "lines", "--set", "training.epochs=2", "--quiet").code == 0
    assert len(list(Path("sweeps").glob("lines-*"))) == 2


def test_random_draws(handgrad):
    said = handgrad(
        "sweep", "lines", "--random", 2, "--seed", 3, "--out", "s",
        "--set", "training.epochs=2..9", "--set", "optimizer.learning_rate=0.001..0.1:log",
    )  # fmt: skip
    assert said.code == 0
    assert "2 trials, drawn with seed 3; in s" in said.out
    trials = json.loads(Path("s/sweep.json").read_text("utf-8"))["trials"]
    assert all(type(one["training.epochs"]) is int for one in trials)


def test_ctrl_c_then_resume(handgrad, monkeypatch):
    reported = SweepTerminal.reported

    def raising(viewer, trial, data):
        reported(viewer, trial, data)
        if trial.number == 2 and not viewer.interrupted:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(SweepTerminal, "reported", raising)
        said = handgrad("sweep", "lines", "--set", "training.epochs=2,1500", "--out", "s")
    assert said.code == 130
    assert said.err == "stopping: what runs writes a checkpoint; once more to stop at once\n"
    assert "trial 2/2   epochs=1500   interrupted" in said.out
    assert said.out.splitlines()[-1] == "resume   handgrad sweep --resume s"
    assert "test set waits" in said.out
    done = handgrad("sweep", "--resume", "s")
    assert done.code == 0
    assert "resumed  1 trials have ended, 1 are left" in done.out
    assert "trial 2: resumed at step " in done.out


def test_a_trial_that_fails_is_named_and_none_at_all_is_code_1(handgrad):
    said = handgrad(
        "sweep", "lines", "--set", "optimizer.learning_rate=1e200,0.01",
        "--set", "training.epochs=9", "--out", "s",
    )  # fmt: skip
    assert said.code == 0
    assert "trial 1/2   learning_rate=1e+200   failed: step " in said.out
    assert any(line.startswith("failed   trial 1: step ") for line in said.out.splitlines())
    none = handgrad("sweep", "lines", "--set", "optimizer.learning_rate=1e200,1e199")
    assert none.code == 1
    assert "winner   none: no trial has ended" in none.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("lines", "--set", "seed"), "--set seed: found no '='; expected PATH=V1,V2,…"),
        (("lines", "--set", "seed=1,2", "--set", "seed=3"), "found seed twice"),
        (("lines", "--set", "sede=1,2"), "trial 1 (sede=1): the recipe: unknown key 'sede'"),
        (("lines", "--set", "seed=1..2"), "seed: found the range 1..2; expected values"),
        (("lines", "--set", "seed=1,,2"), "found nothing between two commas"),
        (("lines", "--set", "seed=1,2", "--random", "0"), "--random 0: expected a number from 1"),
        (("lines", "--set", "seed=1,2", "--workers", "0"), "--workers 0: expected at least 1"),
        (("lnes", "--set", "seed=1,2"), "neither a path nor a recipe; did you mean 'lines'?"),
        (("--resume", "nowhere"), "nowhere: found no sweep.json in it; expected a sweep's folder"),
        (("lines", "--checkpoint-every", "never"), "--checkpoint-every never: expected steps"),
    ],
)  # fmt: skip
def test_what_it_refuses(refused, arguments, told):
    assert told in refused("sweep", *arguments)
    assert list(Path().iterdir()) == []


def test_resume_goes_alone(handgrad):
    said = handgrad("sweep", "--resume", "s", "--set", "seed=1,2")
    assert said.code == 2
    assert "found --set beside --resume; expected neither data nor settings" in said.err


def test_workers_or_mpi(handgrad, monkeypatch):
    monkeypatch.setattr("handgrad.parallel.joined", object)
    said = handgrad("sweep", "lines", "--workers", 2)
    assert said.code == 2
    assert "found --workers under mpiexec; expected one of the two" in said.err
