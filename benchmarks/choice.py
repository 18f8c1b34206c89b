"""How recipes were chosen: by training images that were held out.

    python benchmarks/choice.py RECIPE [CANDIDATE…] [--seed N…] [--threads N]
    python benchmarks/choice.py --table [RECIPE]

A candidate is trained on a part of the training images and judged on the rest, which the seed deals
out: candidates of one seed see the same images. There is no test set. Every run that ended is kept
in ``benchmarks/results/choice.json`` and is not made again. Seconds are of a machine that did other
things as well. `cat-cnn` and `folder` were chosen by ``cat_cnn.py`` and ``folder.py``; what the
parts of `cifar10` are worth is in ``ablation.py``.
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial
from pathlib import Path
from typing import Any

from held_out import measured
from keeping import keep, kept

from handgrad.experiments import read_recipe, with_settings

RESULTS = Path(__file__).parent / "results" / "choice.json"
HELD_OUT = {"mnist-mlp": 1 / 6, "mnist-cnn": 1 / 6, "digits": 0.2, "airplane-bike": 0.2}
MEAN = {"kind": "moving average", "decay": 0.998}


def bent(
    degrees: float = 10, scale: float = 0.1, shear: float = 0.1, shift: float = 1, **field: float
) -> dict[str, Any]:
    """An affine map, at most so much of each; with α and σ, an elastic field in the same step."""
    settings = {"degrees": degrees, "scale": scale, "shear": shear, "shift": shift}
    return {"kind": "distort" if field else "affine"} | settings | field


def dense(*widths: int, dropout: float = 0.0) -> list[dict[str, Any]]:
    """Hidden layers with batch normalization, and ten outputs."""
    layers: list[dict[str, Any]] = []
    for units in widths:
        layers += [
            {"layer": "dense", "units": units, "weights": {"initial": "he"}, "offset": False},
            {"layer": "batch-norm"},
            {"layer": "relu"},
        ]
        layers += [{"layer": "dropout", "rate": dropout}] * (dropout > 0)
    return [*layers, {"layer": "dense", "units": 10, "weights": {"initial": "glorot"}}]


def convolutions(*channels: int, dropout: float = 0.0) -> list[dict[str, Any]]:
    """Two convolutions, a pool, two, a pool, and one; all without padding."""
    layers: list[dict[str, Any]] = []
    for i, C in enumerate(channels):
        layers += [
            {"layer": "convolution", "channels": C, "padding": "valid", "offset": False},
            {"layer": "batch-norm"},
            {"layer": "relu"},
        ]
        layers += [{"layer": "max-pool", "size": 2}] * (i in (1, 3))
    layers += [{"layer": "dropout", "rate": dropout}] * (dropout > 0)
    return [*layers, {"layer": "dense", "units": 10, "weights": {"initial": "glorot"}}]


def candidate(
    layers: list[dict[str, Any]],
    *augmentation: dict[str, Any],
    epochs: int,
    batch: int,
    rate: float,
    smoothing: float = 0.0,
) -> dict[str, Any]:
    """All that candidates differ in, as settings of a recipe."""
    return {
        "architecture": layers,
        "augmentation": list(augmentation),
        "training.epochs": epochs,
        "training.batch_size": batch,
        "optimizer.learning_rate": rate,
        "optimizer.weight_decay": 0.01,
        "loss.smoothing": smoothing,
        "averaging": MEAN,
    }


mlp = partial(candidate, epochs=30, batch=256, rate=0.004)
cnn = partial(candidate, epochs=12, batch=128, rate=0.008)
SOFT = {"alpha": 30, "sigma": 5}
MILD = {"alpha": 15, "sigma": 5}
"""Elastic fields, whose root mean square is α / (6.1 σ) pixels."""
CANDIDATES: dict[str, dict[str, dict[str, Any]]] = {
    "mnist-mlp": {
        "bent twice": mlp(dense(1024, 1024), bent(), {"kind": "elastic"} | SOFT),
        "bent": mlp(dense(1024, 1024), bent(**SOFT)),
        "bent, dropout 0.1": mlp(dense(1024, 1024, dropout=0.1), bent(**SOFT)),
        "bent more": mlp(dense(1024, 1024), bent(15, 0.15, 0.15, alpha=37, sigma=5)),
    },
    "mnist-cnn": {
        "affine": cnn(convolutions(32, 32, 64, 64, 128), bent(shift=2)),
        "bent": cnn(convolutions(32, 32, 64, 64, 128), bent(shift=2, **MILD)),
        "bent, dropout 0.3": cnn(
            convolutions(32, 32, 64, 64, 128, dropout=0.3), bent(shift=2, **MILD)
        ),
        "bent, dropout 0.3, 24 epochs": cnn(
            convolutions(32, 32, 64, 64, 128, dropout=0.3), bent(shift=2, **MILD), epochs=24
        ),
        "48 to 192, bent, dropout 0.3": cnn(
            convolutions(48, 48, 96, 96, 192, dropout=0.3), bent(shift=2, **MILD)
        ),
        "bent more": cnn(
            convolutions(32, 32, 64, 64, 128), bent(15, 0.15, 0.15, 2, alpha=30, sigma=5)
        ),
    },
    "digits": {
        "the recipe": {},
        "60 epochs": {"training.epochs": 60},
        "60 epochs, bent": {
            "training.epochs": 60,
            "augmentation": [bent(shift=0.7, alpha=4, sigma=2) | {"fill": "border"}],
        },
        "60 epochs, twice as wide": {
            "training.epochs": 60,
            "architecture.0.channels": 32,
            "architecture.3.channels": 64,
            "architecture.7.channels": 128,
        },
    },
    "airplane-bike": {
        "the recipe": {},
        "500 iterations": {"training.epochs": 500},
        "10,000 iterations": {"training.epochs": 10_000},
        "penalty 10": {"loss.penalty": 10.0},
        "penalty 0.01": {"loss.penalty": 0.01},
        "bilinear": {"data.resample": "bilinear"},
        "32 x 32, bilinear": {"data.size": [32, 32], "data.resample": "bilinear"},
        "grey, bilinear": {"data.channels": 1, "data.resample": "bilinear"},
        "the network of a folder": {"recipe": "folder", "data": {"source": "airplane-bike"}},
    },
}


def table_of(recipe: str, candidate: str, seed: int, threads: int | None) -> dict[str, Any]:
    """The recipe of a candidate."""
    changes = dict(CANDIDATES[recipe][candidate])
    table = read_recipe(changes.pop("recipe", recipe)) | {"repeats": {}}
    table["data"] |= changes.pop("data", {})
    every = 5 if recipe.startswith("mnist") else 10_000
    changes |= {"seed": seed, "data.validation": HELD_OUT[recipe], "training.every": every}
    return with_settings(
        table, changes | ({} if threads is None else {"training.threads": threads})
    )


def as_table(recipe: str) -> str:
    """In Markdown: mean and range of each candidate over the seeds, the best first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for run in kept(RESULTS):
        if run["recipe"] == recipe:
            found.setdefault(run["candidate"], []).append(run)

    def mean(name: str, key: str) -> float:
        return statistics.mean(float(run.get(key, "nan")) for run in found[name])

    lines = [
        "| candidate | epochs | held out | its loss | seeds | s | threads |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in sorted(found, key=lambda name: -mean(name, "accuracy")):
        of = [100 * run["accuracy"] for run in found[name]]
        share = f"{statistics.mean(of):.2f} %"
        if len(of) > 1:
            share += f" ({min(of):.2f} to {max(of):.2f})"
        loss = f"{mean(name, 'held_out_loss'):.4f}".replace("nan", "")
        first = found[name][0]
        threads = first["threads"].partition(" ")[0]
        cells = (
            name,
            first["epochs"],
            share,
            loss,
            len(of),
            f"{mean(name, 'seconds'):.0f}",
            threads,
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recipe", nargs="?", choices=list(CANDIDATES))
    parser.add_argument("candidates", nargs="*", metavar="CANDIDATE")
    parser.add_argument("--seed", type=int, nargs="*", default=[21])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if given.table:
        for recipe in [given.recipe] if given.recipe else CANDIDATES:
            print(recipe, as_table(recipe), sep="\n\n", end="\n\n")
        return
    for seed in given.seed:
        for candidate in given.candidates or CANDIDATES[given.recipe]:
            done = {(run["recipe"], run["candidate"], run["seed"]) for run in kept(RESULTS)}
            if (given.recipe, candidate, seed) not in done:
                table = table_of(given.recipe, candidate, seed, given.threads)
                run = measured(table, f"{candidate}, seed {seed}:")
                keep(RESULTS, {"recipe": given.recipe, "candidate": candidate} | run)


if __name__ == "__main__":
    main()
