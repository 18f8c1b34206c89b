"""``handgrad predict``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handgrad.cli.words import as_json, as_views, columns, percent, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handgrad.networks import Prediction, Views

__all__ = ["predict"]


@click.command()
@click.argument("arguments", nargs=-1, required=True, metavar="[MODEL] IMAGE…")
@click.option("--out", type=click.Path(), metavar="DIR", help="Write the labels on the images.")
@as_views
@as_json
def predict(arguments: tuple[str, ...], out: str | None, views: Views | None, as_json: bool) -> int:
    """Ask a model what is on each image.

    MODEL is a run's folder or a .safetensors file; the newest run if not given. With --out, every
    image is written there with its label and probability on it. A file that cannot be read is named
    and the rest goes on, with exit code 1 (2 if no file could be read).

    \b
    Examples:
      handgrad predict photo.jpg
      handgrad predict runs/airplane-bike a.jpg b.png --out labelled/
      handgrad predict model.safetensors *.jpg --json
    """
    import dataclasses

    from handgrad.cli.viewer import Terminal
    from handgrad.experiments import Run, answering

    first = Path(arguments[0])
    named = first.is_dir() or first.suffix == ".safetensors"
    images = arguments[1:] if named else arguments
    if not images:
        raise click.UsageError("no image is named; expected [MODEL] IMAGE…")
    model = (Run(first) if named else Run.newest()).model
    if views is not None:
        model = dataclasses.replace(model, views=views)
    threads = answering(model.network, len(images))
    with Terminal(sys.stderr) as viewer, threads:
        found = model.predict(images, each=lambda done, all_: viewer.loading("read", done, all_))
    faults = sum(prediction.error is not None for prediction in found)
    if out is not None and faults < len(found):
        _write(found, out)
    if as_json:
        say_json([_table(prediction, model.views) for prediction in found])
    else:
        _tell(found)
        if model.views != "none" and faults < len(found):
            click.echo(f"views: {model.views}; their mean is the answer")
    return 0 if not faults else 1 if faults < len(found) else 2


def _table(prediction: Prediction, views: Views) -> dict[str, object]:
    if prediction.error is not None:
        return {"file": prediction.file, "error": prediction.error}
    names = ("file", "label", "probability", "probabilities")
    named = {} if views == "none" else {"views": views}
    return {name: getattr(prediction, name) for name in names} | named


def _tell(found: Sequence[Prediction]) -> None:
    for prediction in found:
        if prediction.error is not None:
            click.echo(f"handgrad: {prediction.error}", err=True)
    good = [prediction for prediction in found if prediction.error is None]
    if good:
        rows = [
            [
                prediction.file,
                prediction.label,
                percent(prediction.probability),
                "   ".join(f"{name} {percent(p)}" for name, p in _others(prediction)),
            ]
            for prediction in good
        ]
        click.echo(columns([["file", "label", "probability", "next"], *rows], right=[2]))


def _others(prediction: Prediction) -> list[tuple[str, float]]:
    """The two next likeliest classes."""
    ranked = sorted(prediction.probabilities.items(), key=lambda pair: -pair[1])
    return ranked[1:3]


def _write(found: Sequence[Prediction], out: str) -> None:
    """Each image with its label on it, as PNG, under its own name.

    Equal names are numbered, also where that is only so on a system that ignores case, and so is
    the name of a file that was read: no photograph is replaced by its copy with a label.
    """
    from PIL import Image

    from handgrad.pictures import labelled
    from handgrad.storage import made_folder, written

    folder = made_folder(out)
    read = {Path(prediction.file).resolve() for prediction in found}
    taken: set[str] = set()
    for prediction in found:
        if prediction.error is None:
            stem = name = Path(prediction.file).stem
            number = 2
            while name.casefold() in taken or (folder / f"{name}.png").resolve() in read:
                name, number = f"{stem}-{number}", number + 1
            taken.add(name.casefold())
            with Image.open(prediction.file) as image:
                drawn = labelled(image, f"{prediction.label} {percent(prediction.probability)}")
            with written(folder / f"{name}.png") as path:
                drawn.save(path, format="PNG")
