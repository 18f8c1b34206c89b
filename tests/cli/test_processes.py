"""What only a process of its own can show: Ctrl-C, a closed pipe, what is imported, equal bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from handgrad.experiments import Run

HANDGRAD = [sys.executable, "-m", "handgrad.cli"]
PLAIN = (
    "import sys\n"
    "from handgrad.cli import main\n"
    "from handgrad.experiments import drawn\n"
    "drawn.draw_pictures = lambda *_: None\n"  # importing matplotlib is most of the time
    "sys.argv = ['handgrad', *sys.argv[1:]]\n"
    "main()"
)
"""``handgrad`` without the pictures."""
POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and pipes")


def imported(words: list[str], heavy: tuple[str, ...]) -> list[str]:
    """Which of some packages a command has imported by its end."""
    code = (
        "import sys\n"
        "from handgrad.cli import main\n"
        "sys.argv = ['handgrad', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(*[m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1].split()


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["train", "--help"]])
def test_help_imports_neither_numpy_nor_rich(words):
    assert imported(words, ("numpy", "rich", "PIL", "msgspec")) == []


def test_a_prediction_imports_nothing_that_takes_long(colours_run, photographs):
    words = ["predict", str(colours_run.folder), str(next(photographs.rglob("*.*")))]
    assert imported(words, ("scipy", "sklearn", "matplotlib")) == []


@POSIX
def test_ctrl_c_ends_after_the_step_and_writes_everything():
    command = [*HANDGRAD, "train", "digits", "--epochs", "100000", "--json", "--out", "r",
               "--no-report"]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert process.stderr is not None
    for line in process.stderr:  # what is told right before the first step
        if line.startswith("work"):
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "stopping after this step; once more to stop at once"
    assert out.count("\n") == 1
    run = Run("r")
    assert sorted(path.name for path in Path("r").iterdir()) == [
        "history.jsonl", "manifest.json", "model.safetensors", "pictures", "recipe.toml",
        "snapshots.safetensors", "summary.json", "unfinished",
    ]  # fmt: skip
    assert sorted(path.name for path in Path("r/unfinished").iterdir()) == [
        "checkpoint.safetensors", "recipe.toml", "snapshots.safetensors",
    ]  # fmt: skip
    summary = run.summary
    assert summary["stopped"] == "interrupted"
    assert 0 < summary["steps"] < 2_300_000
    # The step that was under way is the last: so many of them, whole epochs or not.
    assert run.history[-1]["step"] == summary["steps"]
    assert len(run.model.network.learned) == summary["parameters"]
    assert [path.name for path in Path.cwd().iterdir()] == ["r"]


@POSIX
def test_killed_and_resumed_it_is_the_same_to_the_bit():
    command = [*HANDGRAD, "train", "digits", "--epochs", "3", "--quiet", "--no-report"]
    subprocess.run([*command, "--out", "whole"], check=True, capture_output=True)
    process = subprocess.Popen([*command, "--out", "r", "--checkpoint-every", "1"])
    checkpoint = Path("r/unfinished/checkpoint.safetensors")
    while not checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not Path("r/model.safetensors").exists()
    told = subprocess.run(
        [*HANDGRAD, "train", "--resume", "r", "--no-report"], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert "\nresumed  at step " in told.stdout
    for name in ("model.safetensors", "recipe.toml", "history.jsonl"):
        assert Path("r", name).read_bytes() == Path("whole", name).read_bytes()


@POSIX
def test_a_reader_that_leaves_does_not_cost_the_run():
    """``handgrad train | head -1``"""
    command = [sys.executable, "-c", PLAIN, "train", "lines", "--out", "r", "--no-report"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
    assert "Traceback" not in said
    assert Run("r").summary["steps"] == 201


def test_equal_trainings_in_two_processes_give_equal_bytes():
    for name in ("a", "b"):
        environment = {**os.environ, "PYTHONHASHSEED": str(ord(name))}
        command = [
            sys.executable,
            "-c",
            PLAIN,
            "train",
            "--epochs",
            "1",
            "--out",
            name,
            "--no-report",
        ]
        subprocess.run(command, check=True, capture_output=True, env=environment)
    for file in ("model.safetensors", "recipe.toml", "history.jsonl"):
        assert Path("a", file).read_bytes() == Path("b", file).read_bytes(), file
