"""SIGTERM, SIGHUP and a second wish; what exit code they give, and what they leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from handgrad.cli.viewer import Terminal
from handgrad.experiments import Run
from handgrad.experiments.interrupts import ENDINGS, interruptible
from handgrad.storage import read_tensors

pytestmark = [
    pytest.mark.usefixtures("no_pictures"),
    pytest.mark.skipif(os.name == "nt", reason="POSIX signals"),
]
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
if hasattr(signal, "SIGHUP"):
    CODES[signal.SIGHUP] = 129


@pytest.fixture(autouse=True)
def heard():
    """Signals as a terminal gives them, also where ``nohup`` has begun the tests."""
    before = {signum: signal.signal(signum, signal.default_int_handler) for signum in CODES}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


def checkpoint(run: str) -> int:
    """The step of the checkpoint in a run."""
    path = Path(run, "unfinished", "checkpoint.safetensors")
    steps: int = read_tensors(path, "a checkpoint", 1)[1]["state"]["steps"]
    return steps


@pytest.mark.parametrize("signum", CODES)
def test_the_first_wish_writes_a_checkpoint_and_the_run(handgrad, monkeypatch, signum):
    report = Terminal.report

    def raising(viewer, one):
        report(viewer, one)
        if one.epoch == 2:
            signal.raise_signal(signum)

    handgrad("train", "digits", "--epochs", 4, "--out", "whole")
    monkeypatch.setattr(Terminal, "report", raising)
    said = handgrad("train", "digits", "--epochs", 4, "--out", "r")
    assert said.code == CODES[signum]
    assert said.err == "stopping after this step; once more to stop at once\n"
    summary = Run("r").summary
    assert summary["stopped"] == "interrupted"
    assert checkpoint("r") == summary["steps"] > 0
    monkeypatch.setattr(Terminal, "report", report)
    assert handgrad("train", "--resume", "r").code == 0
    for name in ("model.safetensors", "history.jsonl"):
        assert Path("r", name).read_bytes() == Path("whole", name).read_bytes()


@pytest.mark.parametrize("signum", CODES)
def test_while_data_are_loading_it_ends_at_once(handgrad, monkeypatch, signum):
    monkeypatch.setattr(
        "handgrad.experiments.conduct.read_recipe", lambda _: signal.raise_signal(signum)
    )
    said = handgrad("train", "digits", "--out", "r")
    assert said.code == CODES[signum]
    assert "interrupted" in said.err
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("signum", CODES)
def test_before_the_first_step_nothing_is_left(handgrad, monkeypatch, signum):
    monkeypatch.setattr(Terminal, "begins", lambda *_: signal.raise_signal(signum))
    assert handgrad("train", "digits", "--out", "r").code == CODES[signum]
    assert list(Path.cwd().iterdir()) == []


def test_the_second_wish_ends_at_once_and_says_where_to_go_on(handgrad, monkeypatch):
    def raising(viewer, one):
        if one.epoch == 2:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Terminal, "report", raising)
    said = handgrad("train", "digits", "--out", "r", "--checkpoint-every", 1)
    assert said.code == 143
    last = Path("r", "unfinished", "checkpoint.safetensors")
    assert said.err.splitlines()[-2:] == [
        "handgrad: interrupted",
        f"handgrad: {last} is the last checkpoint, of step {checkpoint('r')}; "
        "`handgrad train --resume r` goes on from there",
    ]
    assert not Path("r", "model.safetensors").exists()


def test_a_resume_that_is_ended_while_loading_can_be_resumed(handgrad, monkeypatch):
    def raising(viewer, one):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Terminal, "report", raising)
        assert handgrad("train", "digits", "--out", "r", "--checkpoint-every", 1).code == 143
    before = {path: path.read_bytes() for path in Path("r").rglob("*") if path.is_file()}
    with monkeypatch.context() as patch:
        patch.setattr(
            "handgrad.experiments.conduct.restore", lambda *_: signal.raise_signal(signal.SIGTERM)
        )
        assert handgrad("train", "--resume", "r").code == 143
    assert {path: path.read_bytes() for path in Path("r").rglob("*") if path.is_file()} == before


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="a system without SIGHUP")
def test_nohup_stays_nohup():
    handlers = {signum: signal.getsignal(signum) for signum in ENDINGS}  # as whoever began this
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible(Terminal(sys.stderr, quiet=True)):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) != handlers[signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) == handlers[signal.SIGTERM]
        assert signal.getsignal(signal.SIGINT) == handlers[signal.SIGINT]
    finally:
        signal.signal(signal.SIGHUP, handlers[signal.SIGHUP])


def test_two_processes_in_one_folder_and_a_sigterm():
    command = [sys.executable, "-m", "handgrad.cli", "train", "--no-report"]
    one = subprocess.Popen(
        [*command, "digits", "--epochs", "100000", "--out", "r", "--checkpoint-every", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    path = Path("r", "unfinished", "checkpoint.safetensors")
    while not path.exists():
        assert one.poll() is None
        time.sleep(0.01)
    two = subprocess.run([*command, "--resume", "r"], capture_output=True, text=True)
    assert two.returncode == 2
    assert two.stdout == ""
    assert two.stderr.startswith("handgrad: r: found a training that goes on there (process ")
    assert f"process {one.pid} on " in two.stderr
    one.terminate()
    out, err = one.communicate(timeout=60)
    assert one.returncode == 143, err
    assert "resume   handgrad train --resume r" in out
    assert checkpoint("r") == Run("r").summary["steps"]
    assert not Path("r", "unfinished", "lock").exists()
