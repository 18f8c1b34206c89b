"""A folder that is too large for memory: the same bits, and little memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from handgrad.datasets import OnDisk, folder
from handgrad.experiments import Experiment, evaluate, read_recipe, train, with_settings

SETTINGS = {
    "training.epochs": 2,
    "data.size": [12, 12],
    "data.validation": 0.2,
    "views": "mirror",
    "augmentation": [{"kind": "flip"}],
    "architecture": [
        {"layer": "convolution", "channels": 4},
        {"layer": "batch-norm"},
        {"layer": "relu"},
        {"layer": "dense", "units": "classes"},
    ],
}


@pytest.mark.parametrize("batch", [5, None])
def test_the_same_model_from_the_file_as_from_memory(photographs, tmp_path, monkeypatch, batch):
    settings = SETTINGS | {"training.batch_size": batch}
    plain = train(photographs, settings, out=tmp_path / "plain")
    monkeypatch.setattr(folder, "IN_MEMORY", 0)
    lazy = train(photographs, settings, out=tmp_path / "lazy", report=batch is None)
    assert lazy.model_file.read_bytes() == plain.model_file.read_bytes()
    for name in ("loss", "train_accuracy", "validation_accuracy", "test_accuracy", "scoreboard"):
        assert lazy.summary[name] == plain.summary[name]
    assert evaluate(lazy).accuracy == evaluate(plain).accuracy


def test_it_really_stays_in_the_file(photographs, monkeypatch):
    monkeypatch.setattr(folder, "IN_MEMORY", 0)
    experiment = Experiment(with_settings(read_recipe(photographs), SETTINGS))
    for dataset in (experiment.train_set, experiment.validation_set, experiment.splits.test):
        assert isinstance(dataset.images, OnDisk)
    assert isinstance(experiment.batches().images, OnDisk)


SCRIPT = """
import sys
import numpy as np
from pathlib import Path
from handgrad.datasets import Dataset, OnDisk, Splits
from handgrad.experiments import Experiment

def anonymous():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024

path, n = Path(sys.argv[1]), int(sys.argv[2])
stored = np.memmap(path, np.uint8, "r", shape=(n, 32, 32, 3))
labels = stored[:, 0, 0, 0].astype(np.int64) % 2
whole = Dataset(OnDisk(stored, np.arange(n)), labels, ("a", "b"))
part = np.arange(n) % 10 == 0
splits = Splits(whole.take(~part), whole.take(part))
recipe = {
    "name": "large", "data": {"source": "x", "normalize": True},
    "architecture": [{"layer": "average-pool", "size": 8}, {"layer": "dense", "units": "classes"}],
    "loss": {"kind": "softmax cross-entropy"}, "optimizer": {"kind": "sgd"},
    "training": {"epochs": 1, "batch_size": 256},
}
few = Splits(splits.train.take(np.arange(2000)), splits.test.take(np.arange(1000)))
small = Experiment(recipe, splits=few)
list(small.train())
small.figures()  # what a training needs whatever its data
before = anonymous()
experiment = Experiment(recipe, splits=splits)
list(experiment.train())
experiment.figures()
experiment.model()
print(anonymous() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="RssAnon is Linux's")
def test_anonymous_memory_stays_far_below_the_data(tmp_path):
    """150 MB of pixels, 600 MB as numbers, and a fifth of the pixels as the bound."""
    n = 50_000
    with (tmp_path / "pixels").open("wb") as file:
        for value in range(100):
            file.write(bytes([value]) * (n // 100 * 32 * 32 * 3))
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "pixels"), str(n)],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    assert int(done.stdout) < n * 32 * 32 * 3 / 5
