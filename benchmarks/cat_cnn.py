"""How the recipe `cat-cnn` was chosen: cross-validation on the 209 training images alone.

    python benchmarks/cat_cnn.py --cv [NAME…] [--repetitions N]    candidates not measured yet
    python benchmarks/cat_cnn.py --final                           the recipe, once, on the 50

The rule was fixed before the first run: the candidate with the highest mean *balanced* accuracy
over all folds, since a third of the training images are cats and two thirds of the test images.
Every candidate is trained on five stratified folds, those near the top on five others as well, and
only the latter are chosen from: each of them as it is, and with the mean of an image and its mirror
image for an answer. The final training is scored on the test images once for each choice, for seeds
that were named before: 1 to 5.

Writes ``benchmarks/results/cat-cnn.json``: every candidate with the balanced accuracy of every
fold, and all final runs, those of an earlier choice too.

The first 16 candidates were measured with class weights of 0.763 and 1.451, which is what
"balanced" makes of 137 and 72 images; "seconds" there is by the clock of a busy machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.datasets import Dataset, Splits, load
from handgrad.experiments import Experiment, read_recipe, train
from handgrad.experiments.manifest import processor
from handgrad.experiments.recipe import Recipe
from handgrad.training import class_scores, confusion_matrix, wilson_interval

RESULTS = Path(__file__).parent / "results" / "cat-cnn.json"
FOLDS = 5
SEEDS = (1, 2, 3, 4, 5)
PARTS = (
    *("data", "augmentation", "architecture", "loss"),
    *("optimizer", "averaging", "views", "training"),
)
"""What a recipe and a candidate must agree in."""
SEEN = 17
"""The test image that is pixel for pixel image 146 of the training."""

FLIP = {"kind": "flip"}
AFFINE = {"kind": "affine", "degrees": 10, "scale": 0.1, "shift": 4, "fill": "border"}
STRONG = {"kind": "affine", "degrees": 15, "scale": 0.25, "shift": 6, "fill": "border"}
LIGHT = [{"kind": "brightness", "amount": 0.3}, {"kind": "contrast", "amount": 0.3}]
STRONG_LIGHT = [{"kind": "brightness", "amount": 0.6}, {"kind": "contrast", "amount": 0.5}]
WIDE = [FLIP, STRONG, *LIGHT]
CROP = {"kind": "crop", "area": [0.5, 1.0]}
CUTOUT = {"kind": "cutout", "size": 16}
ADAMW = {
    "kind": "adamw",
    "learning_rate": 0.003,
    "weight_decay": 0.05,
    "schedule": {"kind": "one-cycle"},
}
NESTEROV = {
    "kind": "nesterov",
    "learning_rate": 0.05,
    "weight_decay": 0.005,
    "schedule": {"kind": "one-cycle"},
}

CANDIDATES: dict[str, dict[str, Any]] = {
    "first": {},
    "unweighted": {"class_weights": []},
    "light": {"augmentation": [FLIP, AFFINE, *LIGHT]},
    "strong": {"augmentation": WIDE},
    "crop": {"augmentation": [FLIP, {"kind": "crop"}]},
    "translate": {"augmentation": [FLIP, {"kind": "translate", "pixels": 6}]},
    "four blocks": {"channels": [16, 32, 64, 128]},
    "dense": {"head": "dense", "dropout": 0.5},
    "nesterov": {"optimizer": NESTEROV},
    "strong nesterov": {"augmentation": WIDE, "optimizer": NESTEROV},
    "strong nesterov, 80 epochs": {"augmentation": WIDE, "optimizer": NESTEROV, "epochs": 80},
    "strong wide": {"augmentation": WIDE, "channels": [32, 64, 128]},
    "strong dropout": {"augmentation": WIDE, "optimizer": NESTEROV, "dropout": 0.3},
    "strong cutout": {"augmentation": [*WIDE, CUTOUT], "optimizer": NESTEROV},
    "light nesterov, 80 epochs": {
        "augmentation": [FLIP, AFFINE, *LIGHT],
        "optimizer": NESTEROV,
        "epochs": 80,
    },
    "strong, stride 1": {
        "augmentation": WIDE,
        "optimizer": NESTEROV,
        "channels": [8, 16, 32, 64],
        "stride": 1,
    },
    "strong nesterov, 80 epochs, decay": {
        "augmentation": WIDE,
        "optimizer": NESTEROV | {"weight_decay": 0.1},
        "epochs": 80,
    },
    "strong nesterov, 80 epochs, smoothing": {
        "augmentation": WIDE,
        "optimizer": NESTEROV,
        "epochs": 80,
        "smoothing": 0.1,
    },
    "stronger nesterov, 80 epochs": {
        "augmentation": [FLIP, CROP, STRONG, *STRONG_LIGHT],
        "optimizer": NESTEROV,
        "epochs": 80,
    },
    "strong nesterov, 80 epochs, batches of 16": {
        "augmentation": WIDE,
        "optimizer": NESTEROV,
        "epochs": 80,
        "batch_size": 16,
    },
    "as folder": {
        "channels": [16, 32, 64, 128],
        "last_pool": False,
        "augmentation": [FLIP, {"kind": "translate", "pixels": 6}, *LIGHT],
        "epochs": 60,
        "batch_size": 16,
        "averaging": {"kind": "moving average", "decay": 0.97},
    },
    "strong nesterov, 80 epochs, smoothing, batches of 16": {
        "augmentation": WIDE,
        "optimizer": NESTEROV,
        "epochs": 80,
        "smoothing": 0.1,
        "batch_size": 16,
    },
    "strong nesterov, 160 epochs": {"augmentation": WIDE, "optimizer": NESTEROV, "epochs": 160},
    "strong nesterov, 160 epochs, smoothing": {
        "augmentation": WIDE,
        "optimizer": NESTEROV,
        "epochs": 160,
        "smoothing": 0.1,
    },
}
"""What each changes in the arguments of `candidate`."""


def candidate(
    channels: tuple[int, ...] = (16, 32, 64),
    stride: int = 2,
    last_pool: bool = True,
    head: str = "average",
    dropout: float = 0.0,
    augmentation: tuple[dict[str, Any], ...] = (FLIP, AFFINE),
    class_weights: str | tuple[float, ...] = "balanced",
    smoothing: float = 0.0,
    optimizer: dict[str, Any] = ADAMW,
    averaging: dict[str, Any] | None = None,
    views: str = "none",
    epochs: int = 40,
    batch_size: int = 32,
) -> dict[str, Any]:
    """The table of a recipe: blocks of convolution, normalization, ReLU and pooling, then a head.

    Parameters
    ----------
    stride : of the first convolution
    last_pool : whether the last block shrinks its map as the others do
    head : "average" (of each channel over the image) or "dense" (the last map as it is)
    """
    architecture: list[dict[str, Any]] = []
    for i, width in enumerate(channels):
        first = {"stride": stride} if i == 0 and stride > 1 else {}
        architecture += [
            {"layer": "convolution", "channels": width, **first, "offset": False},
            {"layer": "batch-norm"},
            {"layer": "relu"},
        ]
        if last_pool or i < len(channels) - 1:
            architecture.append({"layer": "max-pool", "size": 2})
    architecture.append({"layer": "flatten" if head == "dense" else "global-average-pool"})
    if dropout:
        architecture.append({"layer": "dropout", "rate": dropout})
    architecture.append({"layer": "dense", "units": "classes", "weights": {"initial": "glorot"}})
    table: dict[str, Any] = {
        "name": "cat-cnn",
        "views": views,
        "data": {"source": "cat-vs-noncat", "normalize": True},
        "augmentation": list(augmentation),
        "architecture": architecture,
        "loss": {"kind": "softmax cross-entropy", "class_weights": class_weights},
        "optimizer": optimizer,
        "training": {"epochs": epochs, "batch_size": batch_size},
    }
    if smoothing:
        table["loss"]["smoothing"] = smoothing
    return table | ({"averaging": averaging} if averaging else {})


def folds(dataset: Dataset, seed: int) -> NDArray[np.int64]:
    """The fold of every image: classes dealt out evenly, equal pixels to one fold."""
    pixels = dataset.images.reshape(len(dataset), -1)
    _, group = np.unique(pixels, axis=0, return_inverse=True)
    fold = np.zeros(len(dataset), dtype=np.int64)
    generator, dealt = np.random.default_rng(seed), 0
    for label in range(len(dataset.class_names)):
        groups = generator.permutation(np.unique(group[dataset.labels == label]))
        fold[groups] = (dealt + np.arange(len(groups))) % FOLDS
        dealt += len(groups)  # the next class goes on where this one ended
    return fold[group]


def balanced_accuracy(predicted: NDArray[Any], labels: NDArray[Any]) -> float:
    """The mean over the classes of the share of their images that is found."""
    names = tuple(map(str, range(int(labels.max()) + 1)))
    scores = class_scores(confusion_matrix(predicted, labels, len(names)), names)
    return statistics.mean(score.recall for score in scores if score.recall is not None)


def measured_on_fold(
    table: dict[str, Any], dataset: Dataset, repetition: int, i: int
) -> tuple[float, float]:
    """Train on four folds: the balanced accuracy on the fifth, and that with the mirror.

    With the mirror: by the mean of the outputs of an image and of its mirror image.
    """
    fold = folds(dataset, seed=repetition)
    seed = 100 + FOLDS * repetition + i  # seeds that the final trainings do not have
    settings = {"seed": seed, "training": table["training"] | {"threads": 1}}
    experiment = Experiment(table | settings, splits=Splits(dataset.take(fold != i)))
    for _ in experiment.train():
        pass
    held, model = dataset.take(fold == i), experiment.model()
    outputs = model.outputs(held.images)
    both = outputs + model.outputs(held.images[:, :, ::-1])
    alone, mirrored = (
        round(balanced_accuracy(model.loss.decide(judged), held.labels), 4)
        for judged in (outputs, both)
    )
    return alone, mirrored


def cross_validate(names: list[str], repetitions: int) -> None:
    """Measure what is not measured yet, and keep each fold's result as it comes."""
    photographs = load("cat-vs-noncat").train  # the test images are let go unseen
    for repetition in range(repetitions):
        for name in names or CANDIDATES:
            table = candidate(**CANDIDATES[name])
            for i in range(FOLDS):
                results = read()
                entry = results["candidates"].setdefault(name, {"repetitions": []})
                entry["changes"] = CANDIDATES[name]
                if len(entry["repetitions"]) == repetition:
                    entry["repetitions"].append(
                        {"balanced": [], "mirrored": [], "cpu_seconds": 0.0}
                    )
                found = entry["repetitions"][repetition]
                if len(found["balanced"]) > i:
                    continue
                start = time.process_time()
                alone, mirrored = measured_on_fold(table, photographs, repetition, i)
                found["balanced"].append(alone)
                found["mirrored"].append(mirrored)
                found["cpu_seconds"] = round(found["cpu_seconds"] + time.process_time() - start, 1)
                for key in ("balanced", "mirrored"):
                    shares = [share for each in entry["repetitions"] for share in each[key]]
                    entry[f"mean_{key}"] = round(statistics.mean(shares), 4)
                write(results)
                print(name, repetition, i, alone, mirrored, found["cpu_seconds"], flush=True)


def chosen(results: dict[str, Any]) -> tuple[str, str]:
    """The candidate and the views of an image that the rule chooses."""
    means = {
        (name, views): statistics.mean(s for each in found["repetitions"] for s in each[key])
        for name, found in results["candidates"].items()
        if len(found["repetitions"]) > 1
        for views, key in (("none", "balanced"), ("mirror", "mirrored"))
    }
    return max(means, key=means.__getitem__)


def final() -> None:
    """Train the recipe with each seed, and score each once."""
    results = read()
    name, views = chosen(results)
    told = [(each["candidate"], each["views"]) for each in results["finals"]]
    if (name, views) in told:
        raise SystemExit(f"{name}, views {views}: the test images were scored already")
    wanted = Recipe.of(candidate(**CANDIDATES[name], views=views), 2)
    recipe = Recipe.of(read_recipe("cat-cnn"), 2)
    for part in PARTS:
        assert getattr(recipe, part) == getattr(wanted, part), f"cat-cnn.toml, {part}"
    test = load("cat-vs-noncat").test
    assert test is not None
    entry: dict[str, Any] = {"candidate": name, "views": views, "runs": []}
    entry["command"] = "handgrad train cat-cnn --set seed=SEED --set training.threads=1"
    results["finals"].append(entry)
    for seed in SEEDS:
        start = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            settings = {"seed": seed, "training.threads": 1}
            run = train("cat-cnn", settings, out=Path(folder) / "run")
            found = run.summary
            right = run.model.loss.decide(run.model.outputs(test.images)) == test.labels
        entry["runs"].append(
            {
                "seed": seed,
                "train_accuracy": found["train_accuracy"],
                "test_50": share(right),
                "test_49": share(np.delete(right, SEEN)),
                "wrong": np.flatnonzero(~right).tolist(),
                "seconds": round(found["seconds"], 1),
                "cpu_seconds": round(time.process_time() - start, 1),
            }
        )
        assert entry["runs"][-1]["test_50"]["accuracy"] == found["test_accuracy"]
        entry |= {
            "parameters": found["parameters"],
            "threads": found["threads"],
            "date": datetime.now(UTC).date().isoformat(),
            "system": found["system"],
            "cpu": processor(),
            "versions": found["versions"],
            "remark": "one thread of a two-core machine that other programs kept busy",
        }
        for n in (50, 49):
            accuracies = [each[f"test_{n}"]["accuracy"] for each in entry["runs"]]
            entry[f"mean_{n}"] = statistics.mean(accuracies)
        write(results)
        print(entry["runs"][-1], flush=True)


def share(right: NDArray[np.bool_]) -> dict[str, Any]:
    """How many are right, with the Wilson interval."""
    low, high = wilson_interval(int(right.sum()), len(right))
    return {"accuracy": float(right.mean()), "low": round(low, 4), "high": round(high, 4)}


def read() -> dict[str, Any]:
    """What was measured so far."""
    if RESULTS.exists():
        results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
        return results
    return {"rule": "highest mean balanced accuracy over all folds", "candidates": {}, "finals": []}


def write(results: dict[str, Any]) -> None:
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cv", nargs="*", metavar="NAME", help="candidates; none: all")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--final", action="store_true")
    given = parser.parse_args()
    if given.cv is not None:
        cross_validate(given.cv, given.repetitions)
    if given.final:
        final()


if __name__ == "__main__":
    main()
