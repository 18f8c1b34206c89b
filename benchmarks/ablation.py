"""What each part of the ``cifar10`` recipe is worth, at a shorter length.

    python benchmarks/ablation.py [--epochs 3] [--seed N…] [--runs DIR] [--threads N]

Every variant leaves one thing out and is trained with each of two seeds, on 40,000 of the training
images, and judged on the other 10,000, which the seed deals out: variants of one seed see the same
images in the same order. The test set is not looked at. A run that was cut is gone on with; every
run that was started is in ``benchmarks/results/ablation.json``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import tomli_w

import handgrad as hg
from handgrad.datasets import numbers
from handgrad.experiments import Experiment, read_recipe, resume, with_settings

RESULTS = Path(__file__).parent / "results" / "ablation.json"
SEEDS = (11, 12)
HELD_OUT = 0.2
PLAIN = {"initial": "pytorch"}
VARIANTS: dict[str, dict[str, Any]] = {
    "the recipe": {},
    "without whitening": {"architecture.0.weights": PLAIN, "optimizer.frozen": {}},
    "without a Dirac start": {f"architecture.{i}.weights": PLAIN for i in (2, 6, 9, 13, 16, 20)},
    "groups of 128": {"training.group": 128},
    "without label smoothing": {"loss.smoothing": 0.0},
    "without lookahead": {"averaging": None},
    "mirrored by chance": {"augmentation.0": {"kind": "flip"}},
}
"""Name to settings; what views are worth is seen in the recipe's own runs."""


def settings(variant: str, seed: int, epochs: int) -> dict[str, Any]:
    """What differs from the recipe."""
    return {
        "seed": seed,
        "data.validation": HELD_OUT,
        "training.epochs": epochs,
        "training.every": 1000,  # judged once, at the end
        **VARIANTS[variant],
    }


def table(variant: str, seed: int, epochs: int) -> dict[str, Any]:
    """The recipe of a variant: with its settings, and without what is None in them."""
    asked = settings(variant, seed, epochs)
    made = with_settings(
        read_recipe("cifar10"), {path: value for path, value in asked.items() if value is not None}
    )
    return {name: value for name, value in made.items() if asked.get(name, value) is not None}


def run_once(variant: str, seed: int, epochs: int, threads: int | None, folder: Path) -> Any:
    """One training, and what is kept of it."""
    if (folder / "model.safetensors").exists():
        run = hg.Run(folder)
    elif (folder / "unfinished").is_dir():
        run = resume(folder)
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        recipe = folder.with_suffix(".toml")
        recipe.write_text(tomli_w.dumps(table(variant, seed, epochs)), encoding="utf-8")
        run = hg.train(recipe, {} if threads is None else {"training.threads": threads}, out=folder)
    experiment = Experiment(run.recipe)
    held_out = experiment.validation_set
    assert held_out is not None
    model = run.model
    found = {"validation_accuracy": run.summary["validation_accuracy"]}
    outputs = model.network.outputs(
        numbers(held_out.images, model.preparation, run.recipe["dtype"])
    )
    right = model.loss.decide(outputs) == held_out.labels
    return {
        "variant": variant,
        "seed": seed,
        "epochs": epochs,
        **found,
        "without_views": float(right.mean()),
        "n": len(held_out),
        **{key: run.summary[key] for key in ("loss", "steps", "seconds", "threads", "stopped",
                                             "date", "versions")},
    }  # fmt: skip


def rows(found: list[dict[str, Any]]) -> str:
    """The table in Markdown: mean over the seeds, and the difference to the recipe."""
    lines = ["| variant | accuracy | worth | seeds |", "|---|---|---|---|"]
    mean = {
        name: statistics.mean(one["validation_accuracy"] for one in found if one["variant"] == name)
        for name in dict.fromkeys(one["variant"] for one in found)
    }
    base = [one for one in found if one["variant"] == "the recipe"]
    mean["without views"] = statistics.mean(one["without_views"] for one in base)
    for name, value in mean.items():
        shares = [one["validation_accuracy"] for one in found if one["variant"] == name]
        shares = shares or [one["without_views"] for one in base]
        worth = 100 * (mean["the recipe"] - value)
        each = ", ".join(f"{100 * share:.2f}" for share in shares)
        lines.append(f"| {name} | {100 * value:.2f} % | {worth:+.2f} | {each} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, nargs="*", default=SEEDS, help="only these")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"), metavar="DIR")
    parser.add_argument("--save", type=Path, default=RESULTS)
    given = parser.parse_args()
    found = []
    for seed in given.seed:
        for variant in VARIANTS:
            folder = given.runs / f"{variant.replace(' ', '-')}-{seed}"
            found.append(run_once(variant, seed, given.epochs, given.threads, folder))
            text = json.dumps({"recipe": "cifar10", "runs": found}, indent=1)
            given.save.write_text(text + "\n", encoding="utf-8")
            print(found[-1]["variant"], seed, found[-1]["validation_accuracy"], flush=True)
    print(rows(found))


if __name__ == "__main__":
    main()
