"""``handgrad summary``, ``recipes`` and ``datasets``: what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from handgrad.cli.words import as_json, columns, say_json

if TYPE_CHECKING:
    from handgrad.experiments.work import Work

__all__ = ["datasets", "recipes", "summary"]


@click.command()
@click.argument("model", required=False)
@as_json
def summary(model: str | None, as_json: bool) -> None:
    """Print a model's layers: shapes, parameters, memory and flops of one image.

    MODEL is a run's folder or a model file; the newest run if not given.

    \b
    Examples:
      handgrad summary
      handgrad summary model.safetensors --json
    """
    import dataclasses

    from handgrad.experiments import Run
    from handgrad.networks import layer_rows
    from handgrad.plans import WAYS, ways

    run = Run(model) if model else Run.newest()
    found = run.model
    rows, work = layer_rows(found.network), run.work
    read = ways(found.network) if work is None or work.planned else ("book",) * len(rows)
    total = {
        "parameters": sum(row.parameters for row in rows),
        "bytes": sum(row.bytes for row in rows),
        "flops": sum(row.flops for row in rows),
    }
    if as_json:
        layers = [
            dataclasses.asdict(row) | {"trained": way} for row, way in zip(rows, read, strict=True)
        ]
        say_json(
            {
                "model": str(run.model_file),
                "layers": layers,
                "total": total,
                "work": None if work is None else _work(work),
                "classes": list(found.class_names),
                "about": found.about,
            }
        )
        return
    table: list[list[Any]] = [
        ["layer", "input", "output", "parameters", "memory", "flops", "trained"]
    ]
    for row, way in zip(rows, read, strict=True):
        sizes = [f"{row.parameters:,}", _bytes(row.bytes), f"{row.flops:,}"]
        table.append([row.layer, _shape(row.input), _shape(row.output), *sizes, way])
    table.append(
        [
            "in all",
            "",
            "",
            f"{total['parameters']:,}",
            _bytes(total["bytes"]),
            f"{total['flops']:,}",
            "",
        ]
    )
    click.echo(str(run.model_file))
    click.echo(columns(table, right=[3, 4, 5]))
    made = found.preparation
    scaled = ", normalized per channel" if made.mean else ""
    click.echo(
        f"\nimages   {made.height}x{made.width}x{made.channels} by {made.resample}, "
        f"scale {made.scale}{scaled}"
    )
    click.echo(f"classes  {', '.join(found.class_names)}")
    click.echo("trained  " + "; ".join(f"{way}: {WAYS[way]}" for way in dict.fromkeys(read)))
    if work is not None:
        click.echo(f"work     {work}: {work.why}")
    click.echo(f"memory and flops are those of one image, forward, in {found.network.dtype}")


@click.command()
@as_json
def recipes(as_json: bool) -> None:
    """List the recipes that come along, a line each.

    \b
    Examples:
      handgrad recipes
      handgrad train mnist-mlp
    """
    from handgrad.experiments import recipe_names

    found = recipe_names()
    if as_json:
        say_json([{"name": name, "about": about} for name, about in found.items()])
    else:
        click.echo(columns(list(found.items())))


@click.command()
@as_json
def datasets(as_json: bool) -> None:
    """List the data sets: what each is, where it comes from, and whether it is on this machine.

    They are looked for in the folder that the variable HANDGRAD_DATA names, then in the user's
    cache, and else downloaded when they are first used.

    \b
    Examples:
      handgrad datasets
      handgrad train --set data.source=fashion-mnist mnist
    """
    from handgrad.datasets import catalogue

    found = []
    for source in catalogue().values():
        place = source.found()
        found.append(
            {
                "name": source.name,
                "about": source.about,
                "origin": source.origin,
                "licence": source.licence,
                "size": source.size,
                "here": source.embedded or place is not None,
                "place": str(place) if place else None,
                "addresses": [address for file in source.files for address in file.addresses],
                "by_hand": source.by_hand,
            }
        )
    if as_json:
        say_json(found)
        return
    for entry in found:
        click.echo(f"{entry['name']}: {entry['about']}")
        click.echo(f"    {entry['size']}; licence: {entry['licence']}")
        click.echo(f"    from {entry['origin']}")
        if entry["place"]:
            click.echo(f"    here: {entry['place']}")
        elif entry["here"]:
            click.echo("    here: comes with the program")
        elif entry["by_hand"]:
            click.echo(f"    not here: {entry['by_hand']}")
        else:
            click.echo("    not here: downloaded when first used")


def _work(work: Work) -> dict[str, Any]:
    """How it is computed, as plain data."""
    reading = "span" if work.span else "plan" if work.planned else "book"
    return {
        "reading": reading,
        "why": work.why,
        "threads": work.threads.total,
        "shards": work.threads.shards,
        "group": work.group,
        "together": work.together,
        "span": work.span,
    }


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _bytes(count: int) -> str:
    return f"{count:,} B" if count < 10_000 else f"{count / 1000:,.1f} kB"
