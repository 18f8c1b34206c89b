"""How the recipes `mnist-mlp` and `mnist-cnn` were chosen: on a sixth of the training images.

    python benchmarks/mnist_choice.py RECIPE [CANDIDATE…] [--seed N…] [--threads N]
    python benchmarks/mnist_choice.py --table

A candidate is trained on 50,000 of the 60,000 training images and judged on the other 10,000, which
the seed deals out: candidates of one seed see the same images. The test set is not looked at. Every
run that ended is kept in ``benchmarks/results/mnist-choice.json`` and is not made again. Seconds
are of a machine that trained two candidates beside each other, a thread each.
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial
from pathlib import Path
from typing import Any

from held_out import keep, kept, measured

from handgrad.experiments import read_recipe, with_settings

RESULTS = Path(__file__).parent / "results" / "mnist-choice.json"
HELD_OUT = 1 / 6
MEAN = {"kind": "moving average", "decay": 0.998}


def bent(
    degrees: float = 10, scale: float = 0.1, shear: float = 0.1, shift: float = 1, **field: float
) -> dict[str, Any]:
    """An affine map, at most so much of each; with α and σ, an elastic field in the same step."""
    settings = {"degrees": degrees, "scale": scale, "shear": shear, "shift": shift}
    return {"kind": "distort" if field else "affine"} | settings | field


def elastic(alpha: float, sigma: float) -> dict[str, Any]:
    """The field alone, whose root mean square is α / (6.1 σ) pixels."""
    return {"kind": "elastic", "alpha": alpha, "sigma": sigma}


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
CANDIDATES: dict[str, dict[str, dict[str, Any]]] = {
    "mnist-mlp": {
        "bent twice, shifted by 2, dropout 0.2": mlp(
            dense(1024, 1024, dropout=0.2), bent(shift=2), elastic(34, 4)
        ),
        "bent twice": mlp(dense(1024, 1024), bent(), elastic(**SOFT)),
        "bent": mlp(dense(1024, 1024), bent(**SOFT)),
        "bent, shifted by 2": mlp(dense(1024, 1024), bent(shift=2, **SOFT)),
        "bent, dropout 0.1": mlp(dense(1024, 1024, dropout=0.1), bent(**SOFT)),
        "bent more": mlp(dense(1024, 1024), bent(15, 0.15, 0.15, alpha=37, sigma=5)),
    },
    "mnist-cnn": {
        "24 to 96": cnn(convolutions(24, 24, 48, 48, 96), bent(shift=2)),
        "32 to 128": cnn(convolutions(32, 32, 64, 64, 128), bent(shift=2)),
        "32 to 128, bent": cnn(convolutions(32, 32, 64, 64, 128), bent(shift=2, **MILD)),
        "32 to 128, bent, smoothing 0.1": cnn(
            convolutions(32, 32, 64, 64, 128), bent(shift=2, **MILD), smoothing=0.1
        ),
        "32 to 128, bent, dropout 0.3": cnn(
            convolutions(32, 32, 64, 64, 128, dropout=0.3), bent(shift=2, **MILD)
        ),
    },
}


def table_of(recipe: str, candidate: str, seed: int, threads: int | None) -> dict[str, Any]:
    """The recipe of a candidate."""
    changes = CANDIDATES[recipe][candidate] | {"seed": seed, "data.validation": HELD_OUT}
    changes |= {"training.every": 5} | ({} if threads is None else {"training.threads": threads})
    return with_settings(read_recipe(recipe), changes)


def as_table(runs: list[dict[str, Any]]) -> str:
    """In Markdown: the mean over the seeds of each candidate, the best first."""
    lines = ["| recipe | candidate | epochs | seeds | held out | s |", "|---|---|---|---|---|---|"]
    for recipe in CANDIDATES:
        found: dict[str, list[dict[str, Any]]] = {}
        for run in runs:
            if run["recipe"] == recipe:
                found.setdefault(run["candidate"], []).append(run)

        def mean(name: str, key: str, of: dict[str, list[dict[str, Any]]] = found) -> float:
            return statistics.mean(run[key] for run in of[name])

        for name in sorted(found, key=lambda name: -mean(name, "accuracy")):
            epochs, seeds = found[name][0]["epochs"], len(found[name])
            share, seconds = 100 * mean(name, "accuracy"), mean(name, "seconds")
            lines.append(
                f"| {recipe} | {name} | {epochs} | {seeds} | {share:.2f} % | {seconds:.0f} |"
            )
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
        print(as_table(kept(RESULTS)))
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
