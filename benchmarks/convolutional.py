"""The convolutional recipes, trained in full: every run that was started, as data.

    python benchmarks/convolutional.py RECIPE [--seed N …] [--runs DIR] [--remark TEXT]
    python benchmarks/convolutional.py --readme     the table of the last results, into README.md

Each seed is one training, from the recipe as it stands, in ``DIR/RECIPE-N``; one that was cut is
gone on with. Writes ``benchmarks/results/RECIPE.json``: command, history, seed, versions, threads,
seconds, processor and memory of each run, oldest first.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
from pathlib import Path
from typing import Any

import handgrad as hg
from handgrad.experiments import resume

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- convolutional -->\n", "<!-- end of convolutional -->\n"

ASKED = {
    "cifar10": "94 % within 60 min",
    "cifar10-quick": "85 % within 12 min",
    "mnist-cnn": "99.7 % within 60 min",
    "mnist-mlp": "99.3 % within 15 min",
    "cat-cnn": "86 %, hoped for 90 %; published 70 to 82 %",
}
"""What each recipe was meant to reach on its official test set."""


def run_once(recipe: str, seed: int, folder: Path, remark: str) -> dict[str, Any]:
    """One training, and all that is kept of it."""
    if (folder / "unfinished").is_dir():
        run = resume(folder)
    else:
        run = hg.train(recipe, {"seed": seed}, out=folder)
    return run.summary | {
        "seed": seed,
        "remark": remark,
        "processor": processor(),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "history": run.history,
    }


def processor() -> str:
    """The processor as the system calls it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))


def kept(name: str) -> list[dict[str, Any]]:
    """The runs of a recipe that are kept as data, oldest first."""
    path = RESULTS / f"{name}.json"
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if "finals" not in results:
        return results.get("runs", [])
    last = results["finals"][-1]  # of cat_cnn.py, which counts the 50 images and the 49 unseen ones
    return [
        {
            "seed": run["seed"],
            "seconds": run["seconds"],
            "threads": last["threads"],
            **{f"test_{key}": run["test_50"][key] for key in ("accuracy", "low", "high")},
            "test_n": 50,
        }
        for run in last["runs"]
    ]


def row(name: str, asked: str, runs: list[dict[str, Any]]) -> str:
    """One line of the table, of the newest run of each seed."""
    newest = list({run["seed"]: run for run in runs}.values())
    shares = [run["test_accuracy"] for run in newest]
    found = f"{100 * statistics.mean(shares):.2f} %"
    if len(shares) > 1:
        found += f" ({100 * min(shares):.0f} to {100 * max(shares):.0f})"
    last = newest[-1]
    interval = f"{100 * last['test_low']:.1f} to {100 * last['test_high']:.1f} %"
    seeds = ", ".join(str(run["seed"]) for run in newest)
    minutes = statistics.mean(run["seconds"] for run in newest) / 60
    cells = (
        name,
        asked,
        found,
        f"{interval}, n = {last['test_n']:,}",
        seeds,
        f"{minutes:.1f}",
        str(last["threads"]),
        f"`handgrad train {name}`",
    )
    return f"| {' | '.join(cells)} |\n"


def table() -> str:
    """The results in Markdown."""
    head = ("recipe", "asked for", "test", "95 % interval of the last run", "seeds", "minutes",
            "threads", "command")  # fmt: skip
    rows = [f"| {' | '.join(head)} |\n", f"|{'---|' * len(head)}\n"]
    for name, asked in ASKED.items():
        if runs := kept(name):
            rows.append(row(name, asked, runs))
    return "".join(rows)


def write_readme() -> None:
    """Put the table between its two marks."""
    page = README.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recipe", nargs="?")
    parser.add_argument("--seed", type=int, nargs="*", default=[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    parser.add_argument("--remark", default="")
    parser.add_argument("--readme", action="store_true")
    given = parser.parse_args()
    if given.readme:
        write_readme()
        return
    path = RESULTS / f"{given.recipe}.json"
    for seed in given.seed:
        found = run_once(given.recipe, seed, given.runs / f"{given.recipe}-{seed}", given.remark)
        results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"runs": []}
        results["recipe"] = given.recipe
        results["command"] = f"handgrad train {given.recipe} --seed N"
        results["runs"].append(found)
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(row(given.recipe, ASKED.get(given.recipe, ""), [found]), end="", flush=True)


if __name__ == "__main__":
    main()
