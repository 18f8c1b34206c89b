"""What a larger batch does to accuracy, at the same number of epochs.

    python benchmarks/batch_size.py [--epochs 6] [--save FILE]
    python benchmarks/batch_size.py --picture FILE.svg

More ranks are worth their while on larger batches, and larger batches are fewer steps. A network
784-256-10 is trained on MNIST with momentum, with batches of 64 to 8,192: with the learning rate of
the smallest; with one that grows with the batch (Goyal and others, arXiv 1706.02677: k times the
batch, k times the rate); with that after a warm-up of a tenth of the steps. Judged on 10,000 of the
training images, which the seed deals out; two seeds each. Writes ``benchmarks/results/batch_size.json``.
"""  # noqa: E501

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import handgrad as hg
from handgrad.errors import NotFiniteError

RESULTS = Path(__file__).parent / "results" / "batch_size.json"
SEEDS = (21, 22)
SMALLEST, RATE = 64, 0.02
BATCHES = (64, 256, 1024, 2048, 4096, 8192)
POLICIES = ("the same rate", "a rate that grows with the batch", "that, after a warm-up")
LAYERS = [
    {"layer": "dense", "units": 256, "weights": {"initial": "he"}},
    {"layer": "relu"},
    {"layer": "dense", "units": "classes", "weights": {"initial": "glorot"}},
]


def settings(policy: str, batch: int, seed: int, epochs: int) -> dict[str, Any]:
    """The recipe of a training, as settings of another one."""
    rate = RATE if policy == POLICIES[0] else RATE * batch / SMALLEST
    constant = {"kind": "constant"}
    warm = {"kind": "warm-up", "part": 0.1, "then": constant}
    return {
        "seed": seed,
        "architecture": LAYERS,
        "augmentation": [],
        "averaging": None,
        "data.validation": 1 / 6,
        "optimizer": {
            "kind": "momentum",
            "learning_rate": rate,
            "schedule": warm if policy == POLICIES[2] else constant,
        },
        "loss": {"kind": "softmax cross-entropy"},
        "training": {"epochs": epochs, "batch_size": batch, "snapshots": 0},
    }


def run_once(policy: str, batch: int, seed: int, epochs: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        found = {"policy": policy, "batch": batch, "seed": seed, "epochs": epochs}
        try:
            run = hg.train("mnist-mlp", settings(policy, batch, seed, epochs), out=Path(folder))
        except NotFiniteError as error:
            return found | {"accuracy": None, "fault": str(error)[:80]}
        return found | {
            "accuracy": run.history[-1]["validation_accuracy"],
            "loss": run.history[-1]["validation_loss"],
            "steps": run.summary["steps"],
            "seconds": run.summary["seconds"],
            "versions": run.summary["versions"],
        }


def picture(path: Path) -> None:
    """Error on images not trained on, over the batch."""
    from matplotlib.figure import Figure

    rows = json.loads(RESULTS.read_text(encoding="utf-8"))["runs"]
    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    for policy, colour, mark in zip(
        POLICIES, ("#8a8a8a", "#b3420d", "#0b5394"), "so^", strict=True
    ):
        found: dict[int, list[float]] = {}
        for one in rows:
            if one["policy"] == policy and one["accuracy"] is not None:
                found.setdefault(one["batch"], []).append(100 - 100 * one["accuracy"])
        for batch, errors in found.items():
            axis.plot([batch] * len(errors), errors, mark, color=colour, markersize=4, alpha=0.6)
        means = [statistics.mean(errors) for errors in found.values()]
        axis.plot(list(found), means, color=colour, linewidth=1.4, label=policy)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xticks(BATCHES, [f"{batch:,}" for batch in BATCHES])
    axis.set_yticks([2, 3, 5, 10, 20], ["2 %", "3 %", "5 %", "10 %", "20 %"])
    axis.minorticks_off()
    axis.set_xlabel("batch, at the same number of epochs")
    axis.set_ylabel("error on 10,000 images")
    axis.legend(frameon=False)
    axis.grid(color="#dddddd", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--save", type=Path, default=RESULTS)
    parser.add_argument("--picture", type=Path, metavar="FILE")
    given = parser.parse_args()
    if given.picture:
        picture(given.picture)
        return
    runs = []
    for batch in BATCHES:
        for policy in POLICIES[: 1 if batch == SMALLEST else 3]:
            for seed in SEEDS:
                runs.append(run_once(policy, batch, seed, given.epochs))
                print({k: runs[-1][k] for k in ("policy", "batch", "seed", "accuracy")}, flush=True)
    text = json.dumps({"layers": LAYERS, "rate": RATE, "runs": runs}, indent=1)
    given.save.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
