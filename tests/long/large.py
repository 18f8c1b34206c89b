"""What is large: a network of 10⁸ numbers, and 10⁶ images in a file.

    python tests/long/large.py

Not collected by pytest. Each part runs in a process of its own, in which the most anonymous
resident memory above that of the imports is taken while it trains:

- parameters: 100x100 pixels → dense 10,000 → dense 2 (10⁸ numbers, float32), three steps of 64
  images by SGD and by Adam; the bound is twice the vectors: weights, gradient, and Adam's two sums;
- samples: 10⁶ images of 32x32 that stay in a file (1 GB, four as numbers), one epoch; the bound is
  a fifth of the file.

Writes ``benchmarks/results/large.json``; Linux only.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "large.json"

WATCH = """
import json, sys, threading, time
from pathlib import Path
import numpy as np
import handgrad as hg
from handgrad.datasets import Dataset, OnDisk, Splits
from handgrad.experiments import Experiment

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

most = before = anonymous()
def watch():
    global most
    while True:
        most = max(most, anonymous())
        time.sleep(0.005)
threading.Thread(target=watch, daemon=True).start()
begun = time.perf_counter()
"""

PARAMETERS = """
images = np.random.default_rng(0).integers(0, 256, (192, 100, 100, 1), dtype=np.uint8)
data = Dataset(images, np.arange(192) % 2, ("a", "b"))
recipe = {
    "name": "large", "data": {"source": "x"},
    "architecture": [
        {"layer": "dense", "units": 10_000}, {"layer": "relu"},
        {"layer": "dense", "units": "classes"},
    ],
    "loss": {"kind": "softmax cross-entropy"}, "optimizer": {"kind": sys.argv[1]},
    "training": {"epochs": 1, "batch_size": 64, "snapshots": 0},
}
experiment = Experiment(recipe, splits=Splits(data))
for report in experiment.train():
    pass
assert experiment.state.steps == 3 and np.isfinite(report.loss)
print(json.dumps({
    "numbers": experiment.network.vector.size, "optimizer": sys.argv[1], "steps": 3,
    "seconds": time.perf_counter() - begun, "most": most - before,
    "vectors": experiment.network.vector.nbytes * (4 if sys.argv[1] == "adam" else 2),
}))
"""

SAMPLES = """
n = 1_000_000
stored = np.memmap(sys.argv[1], np.uint8, "r", shape=(n, 32, 32, 1))
data = Dataset(OnDisk(stored, np.arange(n)), np.arange(n) % 2, ("a", "b"))
recipe = {
    "name": "many", "data": {"source": "x", "normalize": True, "validation": 0.1},
    "architecture": [
        {"layer": "dense", "units": 16}, {"layer": "relu"}, {"layer": "dense", "units": "classes"},
    ],
    "loss": {"kind": "softmax cross-entropy"}, "optimizer": {"kind": "adam"},
    "training": {"epochs": 1, "batch_size": 256},
}
experiment = Experiment(recipe, splits=Splits(data))
for report in experiment.train():
    pass
experiment.figures()
print(json.dumps({
    "images": n, "bytes": stored.nbytes, "seconds": time.perf_counter() - begun,
    "most": most - before,
}))
"""


def run(script: str, *arguments: str) -> dict[str, float]:
    command = [sys.executable, "-c", WATCH + script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    found = {}
    for optimizer in ("sgd", "adam"):
        found[f"10^8 numbers, {optimizer}"] = run(PARAMETERS, optimizer)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pixels"
        generator = np.random.default_rng(0)
        with path.open("wb") as file:
            for _ in range(100):
                file.write(generator.integers(0, 256, (10_000, 1024), dtype=np.uint8).data)
        found["10^6 images"] = run(SAMPLES, str(path))
    for row in found.values():
        row["bound"] = 2 * row["vectors"] if "vectors" in row else row["bytes"] / 5
    result = {
        **found,
        "kept": all(row["most"] <= row["bound"] for row in found.values()),
        "made": {
            "date": time.strftime("%Y-%m-%d"),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "cores": os.cpu_count(),
        },
    }
    print(json.dumps(result, indent=1))
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["kept"] else 1


if __name__ == "__main__":
    sys.exit(main())
