"""What one's own folder costs: decoding, the second start, `inspect`, and memory.

    python benchmarks/own_folder.py [--rounds 7] [--only decode start inspect memory]

- decode: the JPEGs of Caltech's airplanes and motorbikes (HANDGRAD_DATA) to 64x64, as the recipe
  ``folder`` asks for them, beside the plain loop ``Image.open().convert().resize()`` in one thread,
  in turns; and the whole first look (hashes, decoding, comparing, cache);
- start: seconds from the command to the first step of a training, without and with a cache;
- inspect: seconds for 10,000 small images (32x32 PNGs, drawn at random), the whole command;
- memory: an epoch of the recipe ``folder`` on a cache of pixels five times larger than a bound, and
  the most anonymous memory (RssAnon) that it takes; then the same with the scoreboard, whose
  logistic regression learns from 10,000 images at most.

Writes ``benchmarks/results/own_folder.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image

import handgrad
from handgrad.datasets import Preparation, decode_many
from handgrad.datasets.cache import seen
from handgrad.datasets.listing import listed
from handgrad.experiments import Recipe, read_recipe
from handgrad.experiments.manifest import processor

RESULTS = Path(__file__).parent / "results" / "own_folder.json"
IMAGES = 10_000
BOUND = 250_000_000
"""Bytes of anonymous memory; the pixels are five times as many."""


def asked() -> Preparation:
    """What the recipe `folder` asks of an image."""
    data = Recipe.of(read_recipe("folder")).data
    assert data.size is not None
    return Preparation(*data.size, data.channels or 3, data.resample or "bilinear", data.draft)


def decode(rounds: int) -> dict[str, Any]:
    root = Path(os.environ["HANDGRAD_DATA"]) / "caltech101"
    files, preparation = sorted(root.glob("*/*.jpg")), asked()
    size = (preparation.width, preparation.height)

    def plain() -> None:
        for file in files:
            np.asarray(Image.open(file).convert("RGB").resize(size))

    def first_look() -> None:
        seen(listed(root), preparation, cache=False)

    sides: dict[str, Callable[[], Any]] = {
        "plain loop": plain,
        "decode_many": lambda: decode_many(files, preparation),
        "decode_many, 1 thread": lambda: decode_many(files, preparation, threads=1),
        "first look": first_look,
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            seconds[name].append(time.perf_counter() - start)
    return {
        "images": len(files),
        "draft": preparation.draft,
        "seconds": seconds,
        "images_per_second": {n: len(files) / statistics.median(s) for n, s in seconds.items()},
        "times the plain loop": {
            name: statistics.median(a / b for a, b in zip(seconds["plain loop"], s, strict=True))
            for name, s in seconds.items()
        },
    }


def _until(command: list[str], word: str, environment: dict[str, str]) -> float:
    """Seconds until a line begins with a word; the command is ended there."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(word):
                break
        found = time.perf_counter() - start
        process.kill()
    return found


def start(rounds: int) -> dict[str, Any]:
    root = str(Path(os.environ["HANDGRAD_DATA"]) / "caltech101")
    found: dict[str, list[float]] = {"first": [], "second": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as out:
            environment = {**os.environ, "HANDGRAD_CACHE": cache, "PYTHONUNBUFFERED": "1"}
            command = [sys.executable, "-m", "handgrad.cli", "train", root, "--epochs", "1"]
            for which in found:
                run = [*command, "--no-report", "--out", f"{out}/{which}"]
                found[which].append(_until(run, "work", environment))
    return {"seconds": found, "median": {k: statistics.median(v) for k, v in found.items()}}


def inspect(rounds: int) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    found: dict[str, list[float]] = {"first": [], "second": []}
    with tempfile.TemporaryDirectory() as folder:
        for label in range(10):
            (Path(folder) / f"class {label}").mkdir()
        for i in range(IMAGES):
            coarse = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            image = Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC)
            image.save(Path(folder) / f"class {i % 10}" / f"{i:05}.png")
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as cache:
                environment = {**os.environ, "HANDGRAD_CACHE": cache}
                command = [sys.executable, "-m", "handgrad.cli", "inspect", folder]
                for which in found:
                    begun = time.perf_counter()
                    done = subprocess.run(command, capture_output=True, env=environment)
                    found[which].append(time.perf_counter() - begun)
                    assert done.returncode in (0, 1), done.stderr.decode()
    return {
        "images": IMAGES,
        "seconds": found,
        "median": {k: statistics.median(v) for k, v in found.items()},
    }


MEMORY = """
import json, sys, threading, time
import numpy as np
from pathlib import Path
from handgrad.datasets import Dataset, OnDisk, Splits
from handgrad.experiments import Experiment, read_recipe, with_settings
from handgrad.experiments.scoreboard import scoreboard

most = 0
def watch():
    global most
    while True:
        lines = Path("/proc/self/status").read_text().splitlines()
        now = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))
        most = max(most, now)
        time.sleep(0.02)
threading.Thread(target=watch, daemon=True).start()

path, n = Path(sys.argv[1]), int(sys.argv[2])
stored = np.memmap(path, np.uint8, "r", shape=(n, 64, 64, 3))
labels = np.arange(n) % 2
whole = Dataset(OnDisk(stored, np.arange(n)), labels, ("a", "b"))
part = np.arange(n) % 10 == 0
splits = Splits(whole.take(~part), whole.take(part))
table = with_settings(read_recipe("folder"), {"training.epochs": 1})
experiment = Experiment(table, splits=splits)
for _ in experiment.train():
    pass
experiment.figures()
experiment.model()
found = {"trained": most}
scoreboard(experiment, splits.test)
print(json.dumps(found | {"judged beside simple answers": most}))
"""


def memory(rounds: int) -> dict[str, Any]:
    n = 5 * BOUND // (64 * 64 * 3)
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pixels"
        with path.open("wb") as file:
            for _ in range(n // 100):
                file.write(generator.integers(0, 256, (100, 64 * 64 * 3), dtype=np.uint8).data)
        n = path.stat().st_size // (64 * 64 * 3)
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(path), str(n)], capture_output=True, text=True
        )
        found = json.loads(done.stdout)
        pixels = path.stat().st_size
    return {"images": n, "bytes": pixels, "bound": BOUND, "most RssAnon": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    works = {"decode": decode, "start": start, "inspect": inspect, "memory": memory}
    parser.add_argument("--only", nargs="+", choices=works, default=list(works))
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in arguments.only:
        results[name] = works[name](arguments.rounds)
        results[name]["made"] = {
            "date": time.strftime("%Y-%m-%d"),
            "rounds": arguments.rounds,
            "cores": os.cpu_count(),
            "cpu": processor(),
            "python": platform.python_version(),
            "handgrad": handgrad.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
        }
        print(
            name, json.dumps({k: v for k, v in results[name].items() if k != "seconds"}, indent=1)
        )
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
