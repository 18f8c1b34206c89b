"""``handgrad evaluate``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from handgrad.cli.words import as_device, as_json, as_views, columns, percent, say_json, span

if TYPE_CHECKING:
    from handgrad.arrays import Device
    from handgrad.experiments import Evaluation
    from handgrad.networks import Views

__all__ = ["evaluate"]


@click.command()
@click.argument("model", required=False)
@click.option("--data", metavar="SOURCE", help="A data set's name, a prepared .h5, or a folder.")
@as_views
@as_device
@as_json
def evaluate(
    model: str | None,
    data: str | None,
    views: Views | None,
    device: Device | None,
    as_json: bool,
) -> None:
    """Judge a model: accuracy with its interval, each class, and what is taken for what.

    MODEL is a run's folder or a model file; the newest run if not given. It is judged on the test
    images recorded with it, or on --data: the test part of that source, or all of it where it has
    none. The baseline is the accuracy of always answering the commonest class.

    \b
    Examples:
      handgrad evaluate
      handgrad evaluate runs/digits-2026-11-21-101500
      handgrad evaluate model.safetensors --data photos/
      handgrad evaluate --views mirror
    """
    from handgrad.cli.viewer import Terminal
    from handgrad.experiments import Run
    from handgrad.experiments import evaluate as evaluated

    run = Run(model) if model else Run.newest()
    with Terminal(sys.stderr) as viewer:
        found = evaluated(run, data, views=views, device=device or "cpu", progress=viewer.loading)
    if as_json:
        say_json(found.table() | {"model": str(run.model_file)})
    else:
        click.echo(f"model     {run.model_file}")
        click.echo(_told(found))


def _told(found: Evaluation) -> str:
    """An evaluation in words."""
    lines = [
        f"data      {found.data}: {found.n:,} images",
        *([] if found.views == "none" else [f"views     {found.views}: their mean is the answer"]),
        f"accuracy  {percent(found.accuracy)}; 95 % interval {span(found.low, found.high)}",
        f"baseline  {percent(found.baseline)}, always answering the commonest class",
        f"loss      {found.loss:.6f}",
    ]
    lines += [f"          {percent(value)} on {name}" for name, value in found.others.items()]
    scores = [["class", "precision", "recall", "images"]]
    scores += [[c.name, percent(c.precision), percent(c.recall), f"{c.n:,}"] for c in found.classes]
    lines += ["", columns(scores, right=[1, 2, 3]), "", "truth (row) called (column)"]
    names = [score.name for score in found.classes]
    if len(names) <= 20:
        rows = [["", *names]]
        rows += [[name, *row] for name, row in zip(names, found.confusion, strict=True)]  # type: ignore[list-item]
        lines.append(columns(rows, right=range(1, len(names) + 1)))
    else:
        lines[-1] = f"{len(names)} classes: the confusion matrix is in --json"
    if found.note:
        lines += ["", f"note: {found.note}"]
    return "\n".join(lines)
