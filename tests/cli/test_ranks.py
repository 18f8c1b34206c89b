"""``mpiexec handgrad train``: the processes of a real MPI, on one machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import handgrad as hg
from handgrad.storage import load_model

pytest.importorskip("mpi4py", reason="needs mpi4py: pip install 'handgrad[mpi]'")
beside = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(beside) if beside.exists() else shutil.which("mpiexec")
if MPIEXEC is None:
    pytest.skip("needs mpiexec: pip install 'handgrad[mpi]'", allow_module_level=True)

COMMAND = [sys.executable, "-m", "handgrad.cli", "train"]
QUIET = ["--no-report", "--quiet"]
SMALL = """
name = "small"
[data]
source = "digits"
validation = 0.25
[[augmentation]]
kind = "translate"
pixels = 1
[[architecture]]
layer = "dense"
units = 8
[[architecture]]
layer = "batch-norm"
[[architecture]]
layer = "dropout"
rate = 0.2
[[architecture]]
layer = "dense"
units = "classes"
[loss]
kind = "softmax cross-entropy"
[optimizer]
kind = "momentum"
learning_rate = 0.1
[training]
epochs = 3
batch_size = 64
"""


@pytest.fixture
def small(tmp_path):
    """A recipe that takes no time: batches of 64, the last of 57."""
    (tmp_path / "small.toml").write_text(SMALL)
    return ["small.toml", *QUIET]


AT = """
import os, signal, sys
from handgrad.cli import main
from handgrad.parallel import Ranks
number, step, add, steps = int(sys.argv.pop(1)), int(sys.argv.pop(1)), Ranks.add, 0
def added(ranks, *what):
    global steps
    steps += 1
    if steps == step and ranks.rank == 1:
        os.kill(os.getpid(), number)
    add(ranks, *what)
Ranks.add = added
main()
"""
"""A training whose rank 1 gets a signal at a step."""


def started(ranks, *arguments, cwd, signalled=None):
    command = COMMAND
    if signalled is not None:
        command = [sys.executable, "-c", AT, *map(str, signalled), "train"]
    words = [MPIEXEC, "-n", str(ranks), *command, "--threads", "1", *map(str, arguments)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, cwd=cwd, env=environment, **pipes)


def ended(process, seconds=120):
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def trained(ranks, *arguments, cwd):
    code, out, err = ended(started(ranks, *arguments, cwd=cwd))
    assert code == 0, err
    return out


def weights(run: Path):
    return load_model(run / "model.safetensors").network.vector


def history(run: Path):
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def alone(folder, threads, out, **settings):
    """The same in this one process."""
    hg.train(folder / "small.toml", {"training.threads": threads, **settings}, out=folder / out)


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_give_the_bits_of_as_many_threads(ranks, small, tmp_path):
    """With batch normalization, dropout, augmentation and a validation part; then with repeats."""
    seeds = [3, 4] if ranks == 2 else []
    said = trained(ranks, *small, "--set", f"repeats.seeds={seeds}", "--out", "r", cwd=tmp_path)
    assert said.count("trained ") == 1
    alone(tmp_path, ranks, "s", **{"repeats.seeds": seeds})
    np.testing.assert_array_equal(weights(tmp_path / "r"), weights(tmp_path / "s"))
    assert history(tmp_path / "r") == history(tmp_path / "s")
    one, other = (json.loads((tmp_path / name / "summary.json").read_text()) for name in "rs")
    assert one["threads"] == ranks
    assert one["repeats"] == other["repeats"]
    assert f"on each of {ranks} ranks" in (tmp_path / "r" / "manifest.json").read_text()


def test_a_rank_that_is_killed_ends_all_and_the_run_goes_on(small, tmp_path):
    """With as many ranks to the same bits, with another number to rounding."""
    asked = [*small, "--checkpoint-every", "5"]
    process = started(2, *asked, "--out", "r", cwd=tmp_path, signalled=(signal.SIGKILL.value, 43))
    code, _, _ = ended(process)
    assert code != 0
    assert not (tmp_path / "r" / "model.safetensors").exists()
    assert (tmp_path / "r" / "unfinished" / "checkpoint.safetensors").exists()
    shutil.copytree(tmp_path / "r", tmp_path / "r3")
    alone(tmp_path, 2, "s")
    expected = weights(tmp_path / "s")
    for ranks, run in ((2, "r"), (3, "r3")):
        words = [MPIEXEC, "-n", str(ranks), *COMMAND, "--resume", run, *QUIET]
        subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
        assert len(history(tmp_path / run)) == 3
    np.testing.assert_array_equal(weights(tmp_path / "r"), expected)
    np.testing.assert_allclose(weights(tmp_path / "r3"), expected, rtol=1e-3, atol=1e-4)
    words = [MPIEXEC, "-n", "2", *COMMAND, "--resume", "r"]
    done = subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.count("nothing is left to do") == 1


def test_a_signal_to_one_rank_stops_all_after_the_same_step(small, tmp_path):
    process = started(2, *small, "--out", "r", cwd=tmp_path, signalled=(signal.SIGTERM.value, 30))
    code, out, err = ended(process)
    assert code == 143, err
    assert "handgrad train --resume r" in out
    assert (tmp_path / "r" / "unfinished" / "checkpoint.safetensors").exists()  # to go on from
    assert json.loads((tmp_path / "r" / "summary.json").read_text())["steps"] == 30


ELSEWHERE = """
import sys
from handgrad.cli import main
from handgrad.parallel import Ranks
there, from_first = sys.argv.pop(1), Ranks.from_first
def moved(ranks, word):
    table = from_first(ranks, word)
    if ranks.rank == 1:
        table["data"]["source"] = there
    return table
Ranks.from_first = moved
main()
"""
"""A training whose rank 1 finds another folder, or none, where rank 0 has its photographs."""


@pytest.mark.parametrize("others", [False, True])
def test_data_that_one_rank_lacks_or_has_otherwise(others, paint, tmp_path):
    paint(tmp_path / "photos", 4)
    if others:
        paint(tmp_path / "there", 4, seed=1)
    words = [sys.executable, "-c", ELSEWHERE, str(tmp_path / "there"), "train", "photos"]
    both = [MPIEXEC, "-n", "2", *words, *QUIET, "--out", "r"]
    done = subprocess.run(both, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("handgrad:") == 1
    assert "rank 1 of 2" in done.stderr
    assert ("found training images of the hash" if others else "there: ") in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("asked", "told"),
    [(["there"], "no images"), (["--learning-rate", "1e38"], "is not finite")],
)
def test_an_error_is_told_once(asked, told, small, tmp_path):
    (tmp_path / "there").mkdir()
    asked = [*asked, *QUIET] if asked == ["there"] else [*small, *asked]
    code, _, err = ended(started(2, *asked, cwd=tmp_path))
    assert code == 2
    assert err.count("handgrad: ") <= 2
    assert err.count(told) == 1
    assert "Traceback" not in err
