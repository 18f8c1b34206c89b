"""A sweep over MPI, on one machine: rank 0 drives, the others work."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from handgrad.experiments import resume_sweep, sweep

EPOCHS = [1, 30]


def mpiexec() -> str:
    """The program that begins ranks: that of this environment, or one on the path."""
    if importlib.util.find_spec("mpi4py") is None:
        pytest.skip("MPI: mpi4py is not installed")
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        pytest.skip("MPI: there is no mpiexec")
    return found


def swept(ranks: int, *arguments: object) -> subprocess.Popen[str]:
    command = [mpiexec(), "-n", str(ranks), sys.executable, "-m", "handgrad.cli", "sweep"]
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def table(folder: Path) -> list[dict[str, str]]:
    with open(folder / "results.csv", encoding="utf-8", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.usefixtures("no_pictures", "no_pictures_beside")
def test_three_ranks_give_what_one_process_gives(tmp_path):
    epochs = f"training.epochs={','.join(map(str, EPOCHS))}"
    process = swept(3, "lines", "--set", epochs, "--out", tmp_path / "s", "--json")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "2 trials, 2 at once" in err
    whole = sweep("lines", {"training.epochs": EPOCHS}, out=tmp_path / "whole")
    assert table(tmp_path / "s") == table(tmp_path / "whole")
    found = json.loads(out)  # one rank tells
    assert found["best"] == whole.best.number
    assert found["test_accuracy"] == whole.test["test_accuracy"]
    cores = json.loads((tmp_path / "s/trials/002/manifest.json").read_text())["threads"]["cores"]
    assert cores == max(1, len(os.sched_getaffinity(0)) // 2)


@pytest.mark.usefixtures("no_pictures", "no_pictures_beside")
def test_a_signal_to_one_rank_stops_all_and_the_sweep_can_be_resumed_without_mpi(tmp_path):
    folder = tmp_path / "s"
    process = swept(
        2, "lines", "--set", "training.epochs=1000000,2", "--out", folder, "--checkpoint-every", 50
    )
    while not (folder / "trials/001/unfinished/checkpoint.safetensors").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    # To rank 0 alone, which tells the others; through mpiexec it would reach all of them.
    os.kill(json.loads((folder / "unfinished/lock").read_text())["pid"], signal.SIGTERM)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 143, err
    assert "left     2 of 2 trials" in out
    assert f"resume   handgrad sweep --resume {folder}" in out
    assert (folder / "trials/001/unfinished/checkpoint.safetensors").exists()
    plan = folder / "sweep.json"  # nobody waits for a million steps
    shutil.rmtree(folder / "trials/001")
    plan.write_text(plan.read_text().replace("1000000", "3"))
    assert [one.status for one in resume_sweep(folder).outcomes] == ["ended", "ended"]
