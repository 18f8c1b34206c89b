"""What each part of the ``cifar10`` recipe is worth, at a shorter length.

    python benchmarks/ablation.py [VARIANT…] [--epochs 3] [--seed N…] [--threads N]
    python benchmarks/ablation.py --table [--picture FILE.svg]

Every variant changes one thing, but for the record before Muon, which has its own batch size, rates
and averaging, and for the first layer without whitening, which learns, by Muon's step. Each is
trained with each of two seeds, on 40,000 of the training images, and judged on the other 10,000,
which the seed deals out: variants of one seed see the same images. There is no test set. Every run
that ended is kept in ``benchmarks/results/ablation.json``, and not made again.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

from held_out import measured
from keeping import keep, kept

from handgrad.experiments import read_recipe, with_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULTS = Path(__file__).parent / "results" / "ablation.json"
SEEDS = (11, 12)
HELD_OUT = 0.2
PLAIN = {"initial": "pytorch"}
FILTERS = (2, 6, 9, 13, 16, 20)
WHOLE = "the recipe"
VARIANTS: dict[str, dict[str, Any]] = {
    WHOLE: {},
    "the record before Muon": {"recipe": "cifar10-nesterov"},
    "weights of any norm": {"optimizer.fixed_norm": False},
    "without whitening": {
        "architecture.0.weights": PLAIN,
        "optimizer.frozen": {},
        "optimizer.matrices": [f"{i}.W" for i in (0, *FILTERS)],
    },
    "without a Dirac start": {f"architecture.{i}.weights": PLAIN for i in FILTERS},
    "normalized in groups of 250": {"training.group": 250},
    "without label smoothing": {"loss.smoothing": 0.0},
    "with lookahead": {"averaging": {"kind": "lookahead"}},
    "mirrored by chance": {"augmentation.0": {"kind": "flip"}},
}
"""Name to settings; what test-time views are worth is seen in the runs of the recipe."""


def table_of(variant: str, seed: int, epochs: int, threads: int | None) -> dict[str, Any]:
    """The recipe of a variant."""
    changes = dict(VARIANTS[variant])
    recipe = read_recipe(changes.pop("recipe", "cifar10"))
    changes |= {"seed": seed, "data.validation": HELD_OUT, "training.epochs": epochs}
    changes |= {"training.every": 1000} | ({} if threads is None else {"training.threads": threads})
    return with_settings(recipe, changes)


def worths(runs: list[dict[str, Any]]) -> dict[str, list[tuple[int, float, float]]]:
    """Of each variant seed, accuracy, and how much more the recipe of that seed and length has."""
    whole = {(run["seed"], run["epochs"]): run for run in runs if run["variant"] == WHOLE}
    found: dict[str, list[tuple[int, float, float]]] = {}
    for run in runs:
        if best := whole.get((run["seed"], run["epochs"])):
            names = [(run["variant"], run["accuracy"])]
            if run is best:
                names.append(("without views", run["without_views"]))
            for name, share in names:
                less = 100 * (best["accuracy"] - share)
                found.setdefault(name, []).append((run["seed"], 100 * share, less))
    return found


def as_table(runs: list[dict[str, Any]]) -> str:
    """In Markdown: the means over the seeds, and each seed's difference."""
    lines = ["| | accuracy | worth | by seed |", "|---|---|---|---|"]
    for name, of in worths(runs).items():
        _, share, less = (statistics.mean(column) for column in zip(*of, strict=True))
        each = ", ".join(f"{seed}: {one:+.2f}" for seed, _, one in of)
        worth = ("", "") if name == WHOLE else (f"{less:+.2f}", each)
        lines.append(f"| {name} | {share:.2f} % | {worth[0]} | {worth[1]} |")
    return "\n".join(lines)


def picture(runs: list[dict[str, Any]]) -> Figure:
    """A bar a variant, and a dot a seed."""
    from handgrad.pictures.figure import Picture, house_style, roomy

    found = {
        name: [less for _, _, less in of] for name, of in worths(runs).items() if name != WHOLE
    }
    order = sorted(found, key=lambda name: statistics.mean(found[name]))
    with house_style():
        figure = Picture(7, 1.2 + 0.36 * len(order), layout=roomy())
        axes = figure.add_subplot()
        for i, name in enumerate(order):
            axes.barh(i, statistics.mean(found[name]), color="#9ecae1")
            axes.plot(found[name], [i] * len(found[name]), "o", color="#084594", ms=4)
        axes.axvline(0, color="0.3", lw=0.8)
        axes.set_yticks(range(len(order)), order)
        axes.set_xlabel("points of accuracy that the recipe has more")
    said = (f"{name} {statistics.mean(found[name]):+.2f}" for name in order)
    figure.alt = f"A bar for each part, from the least worth to the most: {', '.join(said)} points."
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("variants", nargs="*", metavar="VARIANT")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, nargs="*", default=SEEDS)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--picture", type=Path, metavar="FILE")
    given = parser.parse_args()
    if given.picture:
        from handgrad.pictures import save

        save(picture(kept(RESULTS)), given.picture)
    if given.table or given.picture:
        print(as_table(kept(RESULTS)))
        return
    for seed in given.seed:
        for variant in given.variants or VARIANTS:
            done = {(run["variant"], run["seed"], run["epochs"]) for run in kept(RESULTS)}
            if (variant, seed, given.epochs) not in done:
                table = table_of(variant, seed, given.epochs, given.threads)
                run = measured(table, f"{variant}, seed {seed}:")
                keep(RESULTS, {"variant": variant} | run)


if __name__ == "__main__":
    main()
