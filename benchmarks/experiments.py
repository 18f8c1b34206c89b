"""The published experiments, run in full: published figure, ours, command.

    python benchmarks/experiments.py [NAME…]      run them (all of them: some five minutes)
    python benchmarks/experiments.py --readme     write the table of the last results into README.md

Writes ``benchmarks/results/experiments.json``: what was measured, with versions, threads and
seconds. A data set that is not there is named and left out.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keeping

import handgrad as hg
from handgrad.errors import HandgradError

RESULTS = keeping.RESULTS / "experiments.json"

Row = tuple[str, str, str]
"""What, published or asked for, ours."""


@dataclass(frozen=True)
class Published:
    """An experiment with figures that are not ours."""

    command: str
    rows: Callable[[hg.Run], list[Row]]
    settings: dict[str, Any] | None = None


def at(run: hg.Run, step: int, what: str = "loss") -> float:
    """A figure of the report before update ``step``."""
    return next(entry[what] for entry in run.history if entry["step"] == step)


def spread(shares: list[float]) -> str:
    """Mean and range of some accuracies."""
    mean, low, high = statistics.mean(shares), min(shares), max(shares)
    return f"{100 * mean:.1f} % ({100 * low:.1f} to {100 * high:.1f}, {len(shares)} runs)"


def lines(run: hg.Run) -> list[Row]:
    published = {0: 17.3267, 20: 14.22, 100: 3.7983, 200: 1.1803}
    rows = [
        (f"loss at {step}", f"{value:.4f}", f"{at(run, step):.4f}")
        for step, value in published.items()
    ]
    first = next(entry["step"] for entry in run.history if entry["train_accuracy"] == 1)
    rows.append(("all 24 right first at", "68", str(first)))
    both = [
        value for key, value in run.summary.items() if key.startswith(("test_acc", "validation"))
    ]
    rows.append(("both validation sets", "1.0", " and ".join(f"{value:.1f}" for value in both)))
    return rows


def airplane_bike(run: hg.Run) -> list[Row]:
    published = {0: 0.693147, 100: 0.136297, 500: 0.059735, 1900: 0.024570}
    rows = [
        (f"cost at {step}", f"{value:.4f}", f"{at(run, step):.4f}")
        for step, value in published.items()
    ]
    found = run.summary
    rows.append(("train", "99.667 %", f"{100 * found['train_accuracy']:.3f} %"))
    rows.append(("test, published split", "100 %", f"{100 * found['test_accuracy']:.1f} %"))
    again = [entry["test_accuracy"] for entry in found["repeats"]["runs"]]
    rows.append(("test, random splits", "95 to 96 % (a reference run)", spread(again)))
    return rows


def mnist(run: hg.Run) -> list[Row]:
    return [("test after 10 epochs", "not stated", f"{100 * run.summary['test_accuracy']:.2f} %")]


def cat(run: hg.Run) -> list[Row]:
    found = run.summary
    everyone = [found, *found["repeats"]["runs"]]
    test = [figures["test_accuracy"] for figures in everyone]
    train = [figures["train_accuracy"] for figures in everyone]
    interval = f"{100 * found['test_low']:.0f} to {100 * found['test_high']:.0f} %"
    return [
        ("test", "82 % (a course: 80 %)", spread(test)),
        ("train", "not stated", spread(train)),
        ("95 % interval of one run, n = 50", "not stated", interval),
    ]


def chosen_cat(run: hg.Run) -> list[Row]:
    return [("test, a seed chosen for it", "82 %", f"{100 * run.summary['test_accuracy']:.0f} %")]


def digits(run: hg.Run) -> list[Row]:
    again = [entry["test_accuracy"] for entry in run.summary["repeats"]["runs"]]
    shares = [run.summary["test_accuracy"], *again]
    return [
        ("test", "97.5 % asked for", spread(shares)),
        ("seconds", "under 10 asked for", f"{run.summary['seconds']:.1f}"),
    ]


EXPERIMENTS = {
    "lines": Published("handgrad train lines", lines),
    "digits": Published("handgrad train", digits, {"repeats.seeds": [1, 2, 3, 4]}),
    "airplane-bike": Published("handgrad train airplane-bike", airplane_bike),
    "mnist": Published("handgrad train mnist", mnist),
    "cat": Published("handgrad train cat", cat),
    "cat, chosen": Published(
        "handgrad train cat --seed 13", chosen_cat, {"seed": 13, "repeats.seeds": []}
    ),
}


def table(results: dict[str, Any]) -> str:
    """The results in Markdown."""
    rows = ["| experiment | what | published | ours | command |\n", "|---|---|---|---|---|\n"]
    for name, result in results.items():
        for what, published, ours in result["rows"]:
            rows.append(f"| {name} | {what} | {published} | {ours} | `{result['command']}` |\n")
    versions = {
        ", ".join(f"{name} {version}" for name, version in result["versions"].items())
        for result in results.values()
    }
    dates = sorted(result["date"] for result in results.values())
    systems = {result["system"] for result in results.values()}
    rows.append(f"\nMeasured {dates[-1]} on {', '.join(systems)}: {'; '.join(sorted(versions))}.\n")
    return "".join(rows)


def main(names: list[str]) -> None:
    """Run some experiments, or all, and keep what was measured as it comes."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if names == ["--readme"]:
        keeping.fill(keeping.README, "experiments", table(results))
        return
    for name in names or EXPERIMENTS:
        experiment = EXPERIMENTS[name]
        recipe = name.partition(",")[0]
        with tempfile.TemporaryDirectory() as folder:
            try:
                run = hg.train(recipe, experiment.settings, out=Path(folder) / "run")
            except HandgradError as error:
                print(f"{name}: left out: {error}", file=sys.stderr)
                continue
            rows = experiment.rows(run)
            found = run.summary
        results[name] = {
            "command": experiment.command,
            "rows": [list(row) for row in rows],
            "seconds": round(found["seconds"], 1),
            "threads": found["threads"],
            "date": datetime.now(UTC).date().isoformat(),
            "system": f"{platform.system()} {platform.machine()}",
            "versions": found["versions"],
        }
        print(table({name: results[name]}), flush=True)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
