"""A folder or a file that is too large for memory: the same bits, and little memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from handgrad.datasets import Dataset, OnDisk, Splits, folder, hdf5, preparation
from handgrad.experiments import Experiment, evaluate, read_recipe, train, with_settings
from handgrad.storage import write_prepared

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


FILE = {
    "training.epochs": 2,
    "training.batch_size": 5,
    "data.normalize": True,
    "data.validation": 0.2,
    "repeats": {"seeds": [1], "split": "random"},
}
DENSE = [{"layer": "dense", "units": 4}, {"layer": "sigmoid"}, {"layer": "dense", "units": 3}]


def prepared(path: Path, size: int = 12) -> Path:
    generator = np.random.default_rng(0)
    labels = np.arange(36) % 3
    images = generator.integers(0, 90, (36, size, size, 3)) + 80 * labels[:, None, None, None]
    dataset = Dataset(images.astype(np.uint8), labels, ("a", "b", "c"))
    write_prepared(Splits(dataset.take(labels >= 0).take(np.arange(27)),
                          dataset.take(np.arange(27, 36))), path)  # fmt: skip
    return path


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS | FILE,
        FILE | {"architecture": DENSE, "training.batch_size": None},
        FILE | {"architecture": DENSE, "data.size": [7, 9], "data.channels": 1},
        SETTINGS | FILE | {"views": "mirror-shift", "training.threads": 2},
        FILE
        | {
            "architecture": DENSE,
            "optimizer": {"kind": "sgd"},
            "training.batch_size": None,
            "training.epochs": 200,
            "augmentation": [],
        },
    ],
    ids=["convolution", "full batch", "another size", "views", "coordinates"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "packed"])
def test_a_prepared_file_gives_the_same_model(tmp_path, monkeypatch, settings, packed):
    source = prepared(tmp_path / "a.h5")
    if packed:
        with h5py.File(source, "a") as file:
            images = file["images"][()]
            del file["images"]
            file.create_dataset("images", data=images, chunks=(4, 6, 12, 3), compression="gzip")
    plain = trained(source, settings)
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    monkeypatch.setattr(preparation, "IN_MEMORY", 0)
    lazy = trained(source, settings)
    assert isinstance(lazy.train_set.images, OnDisk)
    assert lazy.network.vector.tobytes() == plain.network.vector.tobytes()
    assert lazy.figures() == plain.figures()
    (seed, other), (_, same) = (next(iter(each.repeats())) for each in (lazy, plain))
    assert (seed, other) == (1, same)


def trained(source: Path, settings: dict) -> Experiment:
    experiment = Experiment(with_settings(read_recipe(source), settings))
    list(experiment.train())
    return experiment


@pytest.mark.usefixtures("no_pictures")
def test_a_run_of_a_prepared_file_is_the_same(tmp_path, monkeypatch):
    """Its model, what it is judged beside, and what it says of the file."""
    source, settings = prepared(tmp_path / "a.h5"), SETTINGS | FILE
    plain = train(source, settings, out=tmp_path / "plain")
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    lazy = train(source, settings, out=tmp_path / "lazy")
    assert lazy.model_file.read_bytes() == plain.model_file.read_bytes()
    assert lazy.summary["scoreboard"] == plain.summary["scoreboard"]
    for data in (None, source):
        assert evaluate(lazy, data) == evaluate(plain, data)


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


PREPARED = """
import os
import sys
import threading
import time
from pathlib import Path
from handgrad.datasets import OnDisk, hdf5
from handgrad.experiments import Experiment, evaluate, read_recipe, with_settings
from handgrad.storage import save_model

def anonymous():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024

def made(source):
    experiment = Experiment(with_settings(read_recipe(source), SETTINGS))
    list(experiment.train())
    save_model(experiment.model(), out)
    evaluate(out, source)
    return experiment

SETTINGS = {
    "training.epochs": 1, "training.batch_size": 256, "training.threads": 1,
    "data.normalize": False, "augmentation": [],
    "architecture": [
        {"layer": "average-pool", "size": 8}, {"layer": "dense", "units": "classes"},
    ],
}
small, large, out = sys.argv[1:]
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # each thread would hold a batch
asked, hdf5.IN_MEMORY = hdf5.IN_MEMORY, 0
made(small)  # what a training needs whatever its data
hdf5.IN_MEMORY = asked
most = before = anonymous()
def watch():
    global most
    while True:
        most = max(most, anonymous())
        time.sleep(0.005)
threading.Thread(target=watch, daemon=True).start()
experiment = made(large)
print(most - before)
assert isinstance(experiment.train_set.images, OnDisk)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="RssAnon is Linux's")
@pytest.mark.parametrize("how", [{}, {"chunks": (500, 32, 32, 3), "compression": 1}], ids=str)
def test_so_it_does_of_a_prepared_file(tmp_path, how):
    """184 MB of pixels in HDF5, trained on and judged; a fifth of them bounds the most of it."""
    n = {"small": 5_000, "large": 60_000}
    for name, count in n.items():
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            images = file.create_dataset("images", (count, 32, 32, 3), "u1", **how)
            for first in range(0, count, 500):
                images[first : first + 500] = np.full((500, 32, 32, 3), first // 500, np.uint8)
            file["labels"] = np.arange(count) // 500 % 2
            file["class_names"] = ["a", "b"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    files = [str(tmp_path / f"{name}.h5") for name in n]
    done = subprocess.run(
        [sys.executable, "-c", PREPARED, *files, str(tmp_path / "m.safetensors")],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    assert int(done.stdout.splitlines()[-1]) < n["large"] * 32 * 32 * 3 / 5
