"""Half an hour of trainings, predictions and reports in one process: memory and handles stay flat.

    python tests/long/soak.py [--minutes 30]

Not collected by pytest. Every round trains a small network on photographs of its own (cache,
splits, scoreboard, page), asks the model about all of them, evaluates and inspects them, and
removes the run. After each round the anonymous resident memory and the open file handles are
noted. Flat means: a line through the second half of the rounds rises by less than 1 MB in a
thousand rounds or 5 % over that half, and no handle is left open. Writes
``benchmarks/results/soak.json``; Linux only.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

import handgrad as hg
from handgrad.experiments.inspection import inspect

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "soak.json"
SETTINGS = {"training.epochs": 2, "data.size": [16, 16], "training.threads": 2}


def anonymous() -> int:
    """Bytes of memory that belong to this process alone."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def handles() -> int:
    return len(os.listdir("/proc/self/fd"))


def painted(folder: Path) -> None:
    generator = np.random.default_rng(0)
    for name, colour in (("blue", (40, 40, 200)), ("red", (200, 40, 40))):
        (folder / name).mkdir(parents=True)
        for i in range(30):
            noise = generator.integers(-20, 21, size=(20, 24, 3))
            pixels = (np.array(colour) + noise).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")


def once(photographs: Path, run: Path) -> None:
    """What a user does, from a folder to answers."""
    made = hg.train(photographs, SETTINGS, out=run, report=True)
    files = sorted(photographs.glob("*/*.png"))
    assert all(found.error is None for found in hg.Run(run).model.predict(files))
    hg.evaluate(made)
    inspect(photographs)
    shutil.rmtree(run)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    minutes = parser.parse_args().minutes
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["HANDGRAD_CACHE"] = str(folder / "cache")
        painted(folder / "photographs")
        start = time.monotonic()
        while time.monotonic() - start < 60 * minutes:
            once(folder / "photographs", folder / "run")
            gc.collect()
            rows.append(
                (time.monotonic() - start, anonymous(), handles(), threading.active_count())
            )
            if len(rows) % 20 == 1:
                print(
                    f"round {len(rows)}: {rows[-1][1] / 1e6:.1f} MB, {rows[-1][2]} handles",
                    flush=True,
                )
    half = np.array(rows[len(rows) // 2 :])
    slope = float(np.polyfit(np.arange(len(half)), half[:, 1], 1)[0]) if len(half) > 1 else 0.0
    grown = slope * len(half)
    flat = (grown < 0.05 * half[0, 1] or slope < 1e3) and half[:, 2].max() <= rows[0][2]
    result = {
        "minutes": minutes,
        "rounds": len(rows),
        "flat": bool(flat),
        "bytes_a_round": slope,
        "first_mb": rows[0][1] / 1e6,
        "half_mb": float(half[0, 1] / 1e6),
        "last_mb": rows[-1][1] / 1e6,
        "most_mb": max(row[1] for row in rows) / 1e6,
        "handles": [rows[0][2], rows[-1][2]],
        "threads": [rows[0][3], rows[-1][3]],
        "made": {
            "date": time.strftime("%Y-%m-%d"),
            "handgrad": hg.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "cores": os.cpu_count(),
        },
    }
    print(json.dumps(result, indent=1))
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
