"""The records: the recipes trained in full, and every run that came to its end, as data.

    python benchmarks/records.py RECIPE [--seed N …] [--runs DIR] [--remark TEXT]
    python benchmarks/records.py --readme        the table of the last results, into README.md

Each seed is one training, from the recipe as it stands, in ``DIR/RECIPE-N``, which must not be
there, unless it was cut: then it is gone on with. Writes ``benchmarks/results/RECIPE.json``: the
command, and of each run history, seed, versions, commit (of newer ones), threads, seconds,
processor and memory (the most that the process had had by then), oldest first. Of small data
without an official test set, each seed deals training and test images anew, in one run; histories
are not kept of those. `cat-cnn` has its runs from ``cat_cnn.py``.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keeping import README, RESULTS, fill, keep, read

import handgrad as hg
from handgrad.experiments import Run, resume
from handgrad.experiments.manifest import processor


@dataclass(frozen=True)
class Asked:
    """What a row is to show.

    Parameters
    ----------
    target : what was asked for; a dash where nothing was
    seeds : named before the first run
    splits : whether each seed deals training and test images anew
    recipe, settings : what is trained, where that is not what the row is called
    """

    target: str = "–"
    seeds: tuple[int, ...] = (1, 2, 3)
    splits: bool = False
    recipe: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


ASKED = {
    "cifar10": Asked("94 % within 60 min"),
    "cifar10-groups": Asked(seeds=(1,), recipe="cifar10", settings={"training.group": 250}),
    "cifar10-quick": Asked("85 % within 12 min"),
    "mnist-cnn": Asked("99.7 % within 60 min"),
    "mnist-cnn-short": Asked(recipe="mnist-cnn", settings={"training.epochs": 6}),
    "mnist-mlp": Asked("99.3 % within 15 min"),
    "cat-cnn": Asked("86 %; published 70 to 82 %", (1, 2, 3, 4, 5)),
    "digits": Asked("97.5 %", tuple(range(1, 21)), splits=True),
    "airplane-bike": Asked("95 to 96 % known", tuple(range(1, 51)), splits=True),
    "airplane-bike-folder": Asked(
        "–", tuple(range(1, 11)), True, "folder", {"data.source": "airplane-bike"}
    ),
}


def trained(name: str, folder: Path, settings: dict[str, Any]) -> Run:
    """What a row asks for; gone on with, where it was cut."""
    if (folder / "unfinished").is_dir():
        return resume(folder)
    asked = ASKED[name]
    return hg.train(asked.recipe or name, asked.settings | settings, out=folder)


def run_once(name: str, seed: int, folder: Path, remark: str) -> dict[str, Any]:
    """One training, and all that is kept of it."""
    facts = about(remark)
    run = trained(name, folder, {"seed": seed})
    return run.summary | facts | {"seed": seed, "history": run.history, "peak_mib": peak_mib()}


def run_splits(name: str, seeds: list[int], folder: Path, remark: str) -> list[dict[str, Any]]:
    """A training for every split of the same images, and what is kept of them."""
    facts, start = about(remark), time.perf_counter()
    summary = trained(name, folder, {"repeats.seeds": seeds, "repeats.split": "random"}).summary
    trainings = 1 + len(seeds)  # that of the recipe's own split is the first
    seconds = (time.perf_counter() - start) / trainings
    kept = ("recipe", "parameters", "threads", "date", "system", "versions")
    facts |= {key: summary[key] for key in kept} | {"seconds": seconds, "peak_mib": peak_mib()}
    return [facts | run for run in summary["repeats"]["runs"]]


def about(remark: str) -> dict[str, Any]:
    """The machine and the code."""
    asked = ["git", "-C", str(RESULTS), "describe", "--always", "--dirty"]
    commit = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    return {"remark": remark, "processor": processor(), "commit": commit}


def peak_mib() -> int:
    """The most memory that this process has had."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def kept(name: str) -> list[dict[str, Any]]:
    """The runs of a recipe that are kept as data, oldest first."""
    results = read(RESULTS / f"{name}.json")
    if "finals" not in results:
        return results.get("runs", [])
    last = results["finals"][-1]  # of cat_cnn.py, which counts the 50 images and the 49 unseen ones
    return [
        {
            "seed": run["seed"],
            "seconds": run["seconds"],
            "threads": last["threads"],
            "processor": last["cpu"],
            **{f"test_{key}": run["test_50"][key] for key in ("accuracy", "low", "high")},
            "test_n": 50,
        }
        for run in last["runs"]
    ]


def counted(name: str) -> list[dict[str, Any]]:
    """The newest run of each seed that was named."""
    newest = {run["seed"]: run for run in kept(name)}
    return [newest[seed] for seed in ASKED[name].seeds if seed in newest]


HEAD = (
    "recipe", "asked for", "test", "95 % interval of the last seed", "seeds", "minutes",
    "threads, of", "command",
)  # fmt: skip


def row(name: str) -> tuple[str, ...]:
    """One line of the table, of the runs that count."""
    runs, asked = counted(name), ASKED[name]
    shares = [100 * run["test_accuracy"] for run in runs]
    last = runs[-1]
    digits = 2 if last["test_n"] >= 10_000 else 1
    found = f"{statistics.mean(shares):.{digits}f} %"
    if len(shares) > 1:
        found += f" ({min(shares):.{digits}f} to {max(shares):.{digits}f})"
    interval = f"{100 * last['test_low']:.1f} to {100 * last['test_high']:.1f} %"
    minutes = statistics.mean(run["seconds"] for run in runs) / 60
    machines = {f"{run['threads']}, {short(run['processor'])}" for run in runs}
    return (
        name,
        asked.target,
        found.replace(" ", "\u00a0"),  # on one line
        f"{interval}, n = {last['test_n']:,}",
        listed(sorted(run["seed"] for run in runs)),
        f"{minutes:.1f}" if minutes > 0.1 else f"{minutes:.2f}",
        "; ".join(sorted(machines)),
        f"`{command(name)}`",
    )


def command(name: str, seed: str = "") -> str:
    """What makes a row again."""
    asked = ASKED[name]
    if asked.splits:
        return f"python benchmarks/records.py {name}"
    settings = [f" --set {key}={value}" for key, value in asked.settings.items()]
    return f"handgrad train {asked.recipe or name}{''.join(settings)}{seed}"


def short(processor: str) -> str:
    """The name of a processor without what all have in it."""
    for word in ("(R)", "(TM)", "Processor", "@"):
        processor = processor.replace(word, "")
    return " ".join(processor.split())


def listed(seeds: list[int]) -> str:
    """1 to 5 where they are consecutive and many."""
    if len(seeds) > 3 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def table(columns: int = len(HEAD)) -> str:
    """The results in Markdown, or its first columns."""
    rows = [HEAD, ("---",) * len(HEAD), *(row(name) for name in ASKED if counted(name))]
    return "".join(f"| {' | '.join(cells[:columns])} |\n" for cells in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recipe", nargs="?", choices=list(ASKED))
    parser.add_argument("--seed", type=int, nargs="*", help="else those that are named")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    parser.add_argument("--remark", default="")
    parser.add_argument("--readme", action="store_true")
    given = parser.parse_args()
    if given.readme:
        fill(README, "records", table())
        return
    name = given.recipe
    if name in (None, "cat-cnn"):
        parser.error(f"found {name}; expected --readme, or a RECIPE other than cat-cnn")
    seeds = given.seed or list(ASKED[name].seeds)
    facts = {"recipe": name, "command": command(name, " --seed N")}
    path = RESULTS / f"{name}.json"
    if ASKED[name].splits:
        keep(path, *run_splits(name, seeds, given.runs / f"{name}-splits", given.remark), **facts)
        print(table())
        return
    for seed in seeds:
        keep(path, run_once(name, seed, given.runs / f"{name}-{seed}", given.remark), **facts)
        print(table(), flush=True)


if __name__ == "__main__":
    main()
