"""The bench's results as a table in README.md.

    handgrad bench --save benchmarks/results/bench.json       on a quiet machine
    python benchmarks/table.py [RESULTS.json [PAGE.md]]       between the two marks of the page

All rows must be of one machine and one day.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import keeping

RESULTS = keeping.RESULTS / "bench.json"

EAGER = ("pytorch",)
FORMATS = ("pytorch", "pytorch channels-last")


class Target(NamedTuple):
    """At least ``factor`` times as quick as the best of some rivals."""

    rivals: tuple[str, ...]
    factor: float


TARGETS = {
    "lines": [Target(EAGER, 5)],
    "mnist-dense": [Target(EAGER, 2), Target(("jax",), 1)],
    "mnist-mlp": [Target(EAGER, 1.3)],
    "airplane-bike": [Target(EAGER, 15)],
    "convolution-step": [Target(FORMATS, 1.2)],
    "convolution-32": [Target(FORMATS, 1)],
    "convolution-64": [Target(FORMATS, 1)],
    "convolution-128": [Target(FORMATS, 1)],
    "cifar10-step": [Target(FORMATS, 1)],
    "predict-one": [Target(("onnxruntime",), 1)],
    "predict-many": [Target(FORMATS, 1)],
    "start": [Target(EAGER, 3)],
}
WHERE = ("cpu", "cores", "system", "date")
FLOORS = {"mnist-dense": 1.3}
"""How many times the floor a work may take."""


def milliseconds(value: float) -> str:
    """
    >>> milliseconds(0.0456), milliseconds(1234.5)
    ('0.0456', '1230')
    """
    return f"{float(f'{value:.3g}'):g}"


def memory(row: dict[str, Any]) -> str:
    """Ours beside theirs, above data and programs; of a whole process where that is the work."""
    kind = "memory" if row["ours_memory"] is not None else "process"
    both = (row[f"ours_{kind}"], row[f"rival_{kind}"])
    return "" if None in both else f"{both[0] / 1e6:.0f} / {both[1] / 1e6:.0f} MB"


def judged(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """The targets of a work that this row decides, each with its end."""
    said = []
    for rivals, factor in TARGETS.get(row["work"], []):
        beside = [other for other in rows if other["rival"] in rivals]
        if beside and row is min(beside, key=lambda other: other["ratio"]):
            said.append(f"≥ {factor:g}: {'met' if row['ratio'] >= factor else 'missed'}")
    if row is rows[0] and row["work"] in FLOORS:
        most, found = FLOORS[row["work"]], row["ours_ms"] / row["floor_ms"]
        said.append(f"≤ {most:g} floors ({found:.2f}): {'met' if found <= most else 'missed'}")
    return "; ".join(said)


def table(results: list[dict[str, Any]]) -> str:
    """The results in Markdown."""
    lines = [
        "| work | rival | ours, ms | rival, ms | ratio | floor, ms | of it | memory | target |\n",
        "|---|---|---:|---:|---:|---:|---:|---:|---|\n",
    ]
    works: dict[str, list[dict[str, Any]]] = {}
    for row in results:
        works.setdefault(row["work"], []).append(row)
    for work, rows in works.items():
        for row in rows:
            if why := row.get("not_measured"):
                lines.append(f"| `{work}` | {row['rival']} | not measured: {why}{' |' * 7}\n")
                continue
            first = f"`{work}`, {row['threads']} thread{'s'[: row['threads'] > 1]}"
            part = "" if row["rival_part"] == 1 else f", 1/{1 / row['rival_part']:.0f} of it"
            cells = [
                first if row is rows[0] else "",
                row["rival"] + part,
                milliseconds(row["ours_ms"]),
                milliseconds(row["rival_ms"]),
                "{:.2f} ({:.2f} to {:.2f})".format(row["ratio"], *row["ratio_rounds"][::2]),
                milliseconds(row["floor_ms"]),
                f"{100 * row['fraction']:.0f} %",
                memory(row),
                judged(row, rows),
            ]
            lines.append("| " + " | ".join(cells) + " |\n")
    lines.append("\n")
    for work, rows in works.items():
        row = rows[0]
        if "not_measured" in row:
            lines.append(f"- `{work}`: {row['about']}.\n")
            continue
        lines.append(f"- `{work}`: {row['about']}; ms per {row['per']}; data {row['data']}.\n")
    measured = [row for row in results if "not_measured" not in row]
    if not measured:
        return "".join(lines)
    (where,) = {tuple(row[key] for key in WHERE) for row in measured}  # one machine, one day
    every = {name: version for each in measured for name, version in each["versions"].items()}
    versions = ", ".join(f"{name} {version}" for name, version in every.items())
    lines.append(
        f"\nMedians of {min(r['rounds'] for r in measured)} rounds or more, on {where[0]}, "
        f"{where[1]} cores, {where[2]}, {where[3]}: {versions}. "
        + ("Ours by the book. " if measured[0]["reference"] else "")
        + "Ratio: the rival's median over ours (and what it was in the rounds, least and most). "
        "Floor: the matrix products of the definition, alone; of it: the floor over ours, which is "
        "above 100 % where fewer products do. Memory: above data and programs, ours and theirs. "
        "Where the time goes, piece by piece, on another machine: `docs/book/fast.md`.\n"
    )
    return "".join(lines)


def main(arguments: list[str]) -> None:
    """Read the results, write the page."""
    results = Path(arguments[0]) if arguments else RESULTS
    page = Path(arguments[1]) if len(arguments) > 1 else keeping.README
    keeping.fill(page, "bench", table(json.loads(results.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main(sys.argv[1:])
