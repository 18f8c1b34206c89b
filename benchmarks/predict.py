"""How many photographs a second a model is asked about, from files to answers.

    python benchmarks/predict.py MODEL FOLDER [--repeats 5]

MODEL is a run or a model file, FOLDER has images below it. Everything is read anew each time (from
the system's cache: all files are read once before). Beside each other, in turn:

- ``handgrad predict``: the whole process, rows of CSV to nobody; its start is in it;
- ``Model.predictions``: the same within Python;
- PyTorch by the batch: Pillow opens, converts and resizes one file after another; batches of 128;
- PyTorch one by one: the same, but the network is asked after every file, as most scripts do.

All have the same weights, and PyTorch's labels must be ours. Prints the median and the range of
images a second, and writes ``benchmarks/results/predict.json``.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from handgrad import __version__
from handgrad.arrays import Array
from handgrad.datasets.named_files import image_files
from handgrad.experiments import Run, answering, cores
from handgrad.networks import Model

RESULTS = Path(__file__).parent / "results" / "predict.json"
BATCH = 128

Way = Callable[[list[str]], list[str]]
"""From files to labels."""


def in_python(model: Model) -> Way:
    """`Model.predictions`, with the threads that the command line gives it."""

    def ask(files: list[str]) -> list[str]:
        with answering(model.network, len(files)):
            return [str(prediction.label) for prediction in model.predictions(files)]

    return ask


def as_a_process(model: Path) -> Way:
    """``handgrad predict``; tells no labels here."""

    def ask(files: list[str]) -> list[str]:
        command = [sys.executable, "-m", "handgrad.cli", "predict", "--model", str(model), "-"]
        listed = "\0".join(files).encode()
        subprocess.run(
            [*command, "--format", "csv"], input=listed, stdout=subprocess.DEVNULL, check=True
        )
        return []

    return ask


def with_torch(model: Model, batch: int) -> Way:
    """A plain loop around Pillow and PyTorch."""
    import torch

    from handgrad.bench.rivals.pytorch import Translation

    wanted = model.preparation
    network = Translation(model.network).module.eval()
    mean, deviation = (
        torch.tensor(values).reshape(1, -1, 1, 1)
        for values in (wanted.mean or [0.0], wanted.deviation or [1.0])
    )
    mode = "L" if wanted.channels == 1 else "RGB"
    method = Image.Resampling[wanted.resample.upper()]

    def read(files: list[str]) -> Iterator[Array]:
        for file in files:
            with Image.open(file) as image:
                small = image.convert(mode).resize((wanted.width, wanted.height), method)
            yield np.asarray(small).reshape(wanted.shape)

    def ask(files: list[str]) -> list[str]:
        torch.set_num_threads(cores())
        labels: list[str] = []
        with torch.inference_mode():
            for i in range(0, len(files), batch):
                images = torch.from_numpy(np.stack(list(read(files[i : i + batch]))))
                x = (images.permute(0, 3, 1, 2).float() / 255 - mean) / deviation
                best = torch.softmax(network(x), dim=1).argmax(dim=1)
                labels += [model.class_names[label] for label in best.tolist()]
        return labels

    return ask


def measured(ways: dict[str, Way], files: list[str], repeats: int) -> dict[str, list[float]]:
    """Images a second of each way, in turn."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    expected = ways["Model.predictions"](files)
    for _ in range(repeats):
        for name, ask in ways.items():
            begun = time.perf_counter()
            labels = ask(files)
            found[name].append(len(files) / (time.perf_counter() - begun))
            if labels:
                differ = sum(a != b for a, b in zip(labels, expected, strict=True))
                assert differ <= len(files) // 1000, f"{name}: {differ} labels differ"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    files, faults = image_files([given.folder])
    assert not faults, faults
    model = Run(given.model).model
    ways = {
        "handgrad predict": as_a_process(given.model),
        "Model.predictions": in_python(model),
        "PyTorch, by the batch": with_torch(model, BATCH),
        "PyTorch, one by one": with_torch(model, 1),
    }
    found = measured(ways, files, given.repeats)
    for name, speeds in found.items():
        low, high = min(speeds), max(speeds)
        print(f"{name:24}{statistics.median(speeds):8,.0f} images/s  ({low:,.0f} to {high:,.0f})")
    import torch

    results = {
        "date": datetime.now(UTC).date().isoformat(),
        "system": platform.platform(),
        "cores": cores(),
        "versions": {
            "python": platform.python_version(),
            "handgrad": __version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
            "torch": torch.__version__,
        },
        "images": len(files),
        "size": model.preparation.shape,
        "draft": model.preparation.draft,
        "images_per_second": found,
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
