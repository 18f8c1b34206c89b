"""How many samples should go through a plan together, with one thread and with two.

    python benchmarks/together.py [RECIPE…] [--rounds 3] [--steps 3]

A step of a training on random images: augmentation, gradient and update. Groups are made as large
as 0, 4 or 32 MiB of maps leave room for (`handgrad.plans.step.MAPS`), in turn in one run; medians
over the steps of all rounds. Also what all threads computed, and how often one of them waited, in
a step. Writes ``benchmarks/results/together.json``, but for recipes that were not asked for, and
prints a table.
"""

from __future__ import annotations

import argparse
import statistics
import time
from datetime import UTC, datetime
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np
from keeping import RESULTS, read, write

from handgrad.datasets import Dataset, Splits
from handgrad.experiments import Experiment, read_recipe, with_settings
from handgrad.experiments.manifest import blas, processor, versions
from handgrad.plans import step as plan_step

SHAPES = {"mnist-cnn": (28, 28, 1), "cifar10-quick": (32, 32, 3), "cifar10": (32, 32, 3)}
MIB = (0, 4, 32)


def steps(recipe: str, threads: int, mib: int, count: int) -> dict[str, list[float]]:
    """What each of some steps took: by the clock, of all threads, and in waits; neither the first
    nor the last, which holds the report."""
    table = with_settings(read_recipe(recipe), {"training.threads": threads, "training.epochs": 1})
    n = (count + 2) * table["training"]["batch_size"]
    generator = np.random.default_rng(0)
    images = generator.integers(256, size=(n, *SHAPES[recipe]), dtype=np.uint8)
    data = Dataset(images, np.arange(n) % 10, tuple("0123456789"))
    plan_step.MAPS = mib << 20
    experiment = Experiment(table, splits=Splits(data))
    seen: list[tuple[float, float, int]] = []

    def look() -> None:
        used = getrusage(RUSAGE_SELF)
        seen.append((time.perf_counter(), used.ru_utime + used.ru_stime, used.ru_nvcsw))

    for _ in experiment.train(between=look):
        look()
    clock, work, waits = (np.diff(column)[1 : count + 1] for column in zip(*seen, strict=True))
    return {
        "ms": (1000 * clock).tolist(),
        "work_ms": (1000 * work).tolist(),
        "waits": waits.tolist(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=", ".join(SHAPES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    given = parser.parse_args()
    asked = given.recipes or list(SHAPES)
    if strange := set(asked) - set(SHAPES):
        parser.error(f"found {', '.join(strange)}; expected {', '.join(SHAPES)}")
    found: dict[tuple[str, int, int], dict[str, list[float]]] = {}
    for _ in range(given.rounds):
        for recipe in asked:
            for threads in (1, 2):
                for mib in MIB:
                    own = found.setdefault((recipe, threads, mib), {})
                    for key, values in steps(recipe, threads, mib, given.steps).items():
                        own.setdefault(key, []).extend(values)
    rows: list[dict[str, Any]] = []
    print("| recipe | threads | MiB of maps | step, ms | of all threads, ms | waits |")
    print("|---|---|---|---:|---:|---:|")
    for (recipe, threads, mib), each in found.items():
        row = {key: statistics.median(values) for key, values in each.items()}
        rows.append({"recipe": recipe, "threads": threads, "mib": mib} | row)
        numbers = f"{row['ms']:.4g} | {row['work_ms']:.4g} | {row['waits']:.0f}"
        print(f"| {recipe} | {threads} | {mib} | {numbers} |")
    facts = {"processor": processor(), "date": datetime.now(UTC).date().isoformat()}
    facts |= {"rounds": given.rounds, "steps": given.steps, "versions": versions(), "blas": blas()}
    path = RESULTS / "together.json"
    others = [row for row in read(path).get("rows", []) if row["recipe"] not in asked]
    write(path, {"rows": [*others, *(row | facts for row in rows)]})


if __name__ == "__main__":
    main()
