"""Trials in processes of their own, which may die; a sweep that is killed."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from handgrad.errors import HandgradError
from handgrad.experiments import (
    Run,
    SweepViewer,
    cores,
    read_recipe,
    resume_sweep,
    sweep,
    with_settings,
)
from handgrad.experiments.sweeps.workers import Processes
from handgrad.experiments.threads import CORES
from handgrad.storage import read_tensors

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

LONG = 1200
EPOCHS = {"training.epochs": [1, LONG]}
"""A trial that has ended soon, and one that goes on for some seconds."""


@pytest.fixture(autouse=True)
def _no_pictures(no_pictures, no_pictures_beside, monkeypatch):
    monkeypatch.setattr("handgrad.experiments.sweeps.winner._draw", lambda *_: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The sweep, undisturbed, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("handgrad.experiments.drawn.draw_pictures", lambda *_: None)
        return sweep("lines", EPOCHS, out=tmp_path_factory.mktemp("sweeps") / "whole")


def table(folder) -> list[dict[str, str]]:
    with open(Path(folder, "results.csv"), encoding="utf-8", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def step(folder: Path) -> int:
    """The step of a trial's checkpoint, 0 without one."""
    path = folder / "unfinished" / "checkpoint.safetensors"
    with contextlib.suppress(HandgradError, OSError):
        return int(read_tensors(path, "a checkpoint", 1)[1]["state"]["steps"])
    return 0


class Killing(SweepViewer):
    """Kills the process of trial 2 so many times, when it has told how far it is."""

    def __init__(self, workers: Processes, times: int) -> None:
        self.workers, self.times, self.notes, self.killed = workers, times, [], []

    def reported(self, trial, data):
        process = self.workers._processes.get(trial.number)
        if trial.number == 2 and len(self.killed) < self.times and process and step(trial.folder):
            pid = process._process.pid
            if pid not in self.killed:
                self.killed.append(pid)
                os.kill(pid, signal.SIGKILL)

    def note(self, text):
        self.notes.append(text)


def test_a_worker_that_dies_loses_its_trial_to_another(whole, tmp_path):
    workers = Processes(2)
    viewer = Killing(workers, 1)
    found = sweep(
        "lines", EPOCHS, out=tmp_path / "s", workers=workers, viewer=viewer, checkpoint_every="20"
    )
    assert len(viewer.killed) == 1
    assert (
        "trial 2: its process was ended by SIGKILL; the system may be out of memory; "
        "it is taken up again"
    ) in viewer.notes
    assert any(note.startswith("trial 2: resumed at step ") for note in viewer.notes)
    assert table(found.folder) == table(whole.folder)
    for name in ("model.safetensors", "history.jsonl"):
        one, other = (folder / "trials/002" / name for folder in (found.folder, whole.folder))
        assert one.read_bytes() == other.read_bytes()


def test_a_trial_that_dies_again_and_again_has_failed_and_the_sweep_goes_on(tmp_path):
    workers = Processes(1)
    viewer = Killing(workers, 2)
    found = sweep(
        "lines", EPOCHS, out=tmp_path / "s", workers=workers, viewer=viewer, checkpoint_every="20"
    )
    assert len(viewer.killed) == 2
    ended, failed = found.outcomes
    assert (ended.status, failed.status) == ("ended", "failed")
    assert failed.error.startswith("its process was ended by SIGKILL")
    assert found.best == ended


def test_a_process_says_why_it_could_not(tmp_path, monkeypatch):
    """Here because its Python cannot be started as it should; the last line is told."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    other = tmp_path / "other" / "handgrad"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise ImportError('another package')\n")
    found = sweep("lines", EPOCHS, out=tmp_path / "s", workers=1)
    assert [one.error for one in found.outcomes] == [
        "its process ended with exit code 1: ImportError: another package"
    ] * 2


def test_a_process_has_its_share_of_the_cores(monkeypatch):
    monkeypatch.setattr("handgrad.experiments.sweeps.workers.cores", lambda: 8)
    assert [Processes(count).share for count in (1, 3, 8, 20)] == [8, 2, 1, 1]


def test_cores_are_no_more_than_this_process_was_told(monkeypatch):
    every = cores()
    monkeypatch.setenv(CORES, "1")
    assert cores() == 1
    monkeypatch.setenv(CORES, str(every + 5))
    assert cores() == every
    monkeypatch.setenv(CORES, "")
    assert cores() == every
    for word in ("0", "-1", "two"):
        monkeypatch.setenv(CORES, word)
        with pytest.raises(HandgradError, match="HANDGRAD_CORES: found"):
            cores()


def test_a_trial_ends_where_its_sweep_is_gone(tmp_path):
    """Its input ends with whoever held the other end; that may be long before its next word."""
    settings = {"training.epochs": 10_000_000, "data.validation": 0.1}
    table = with_settings(read_recipe("lines"), settings)
    child = subprocess.Popen(
        [sys.executable, "-m", "handgrad.experiments.sweeps.trial_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    child.stdin.write(json.dumps([1, str(tmp_path / "001"), table, "2m"]).encode() + b"\n")
    child.stdin.flush()
    assert json.loads(child.stdout.readline())[0] == "report"
    child.stdin.close()
    try:
        assert child.wait(timeout=60) == 1
    finally:
        child.kill()
        child.stdout.close()


def begun(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "handgrad.cli", "sweep", *arguments, "--checkpoint-every", "20"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(process: subprocess.Popen[str], seen) -> None:
    while not seen():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_ended_by_a_signal_then_killed_then_resumed_it_is_the_same(whole, tmp_path):
    """Nothing runs twice, and no process is left that trains on."""
    folder = tmp_path / "s"
    first, second = folder / "trials" / "001", folder / "trials" / "002"
    epochs = f"training.epochs=1,{LONG}"
    one = begun("lines", "--set", epochs, "--out", str(folder), "--workers", "2")
    until(one, lambda: (first / "model.safetensors").exists() and step(second))
    one.terminate()
    out, err = one.communicate(timeout=60)
    assert one.returncode == 143, err
    assert f"resume   handgrad sweep --resume {folder}" in out
    assert err == "stopping: what runs writes a checkpoint; once more to stop at once\n"
    cut, model = step(second), (first / "model.safetensors").stat()
    assert 0 < cut < LONG
    two = begun("--resume", str(folder), "--workers", "2")
    until(two, lambda: step(second) > cut)
    two.kill()
    two.communicate()
    deadline = time.monotonic() + 30
    while (second / "unfinished" / "lock").exists() and not _free(second):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed = step(second)
    assert cut < killed < LONG
    viewer = SweepViewer()
    viewer.note = (notes := []).append
    viewer.starts = lambda trial: notes.append(trial.number)
    resume_sweep(folder, viewer=viewer)
    assert [note for note in notes if note in (1, 2)] == [2]
    (resumed,) = [note for note in notes if "resumed at step" in str(note)]
    assert int(resumed.rpartition(" ")[2].replace(",", "")) >= killed
    assert table(folder) == table(whole.folder)
    assert whole.best.number != 1
    assert (first / "model.safetensors").stat().st_mtime_ns == model.st_mtime_ns
    for name in ("model.safetensors", "history.jsonl"):
        assert (second / name).read_bytes() == (whole.folder / "trials/002" / name).read_bytes()
    assert Run(second).summary["stopped"] is None


def _free(run: Path) -> bool:
    """Whether nobody holds the lock of a run."""
    import fcntl

    try:
        with open(run / "unfinished" / "lock", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True
