"""``handgrad predict``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handgrad.cli.words import as_json, as_views, columns, percent, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handgrad.cli.viewer import Terminal
    from handgrad.networks import Prediction, Views

__all__ = ["predict"]


@click.command()
@click.argument("arguments", nargs=-1, required=True, metavar="[MODEL] IMAGE…")
@click.option("--out", type=click.Path(), metavar="DIR", help="Write the labels on the images.")
@click.option(
    "--grid", type=click.Path(), metavar="FILE", help="A contact sheet: .png, .svg, .pdf."
)
@as_views
@as_json
def predict(
    arguments: tuple[str, ...],
    out: str | None,
    grid: str | None,
    views: Views | None,
    as_json: bool,
) -> int:
    """Ask a model what is on each image.

    MODEL is a run's folder or a .safetensors file; the newest run if not given. With --out, every
    image is written there with its label and probability on it. With --grid, all are drawn on one
    sheet, with label, probability and name; after 300 images another one, FILE-2, is begun. A
    file that cannot be read is named and the rest goes on, with exit code 1 (2 if no file could
    be read).

    \b
    Examples:
      handgrad predict photo.jpg
      handgrad predict runs/airplane-bike a.jpg b.png --out labelled/
      handgrad predict model.safetensors *.jpg --json
      handgrad predict *.jpg --grid all.pdf
    """
    import dataclasses

    from handgrad.cli.viewer import Terminal
    from handgrad.experiments import Run, answering

    if grid is not None:
        from handgrad.pictures import check_ending

        check_ending(grid)  # before the images are read
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
    sheets: list[Path] = []
    if grid is not None and faults < len(found):
        with Terminal(sys.stderr) as viewer:
            sheets = _draw(found, Path(grid), viewer)
    if as_json:
        say_json([_table(prediction, model.views) for prediction in found])
    else:
        _tell(found)
        if model.views != "none" and faults < len(found):
            click.echo(f"views: {model.views}; their mean is the answer")
        for sheet in sheets:
            click.echo(f"grid  {sheet}")
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


def _draw(found: Sequence[Prediction], grid: Path, viewer: Terminal) -> list[Path]:
    """The contact sheets of all images that could be read, and where they were written."""
    from PIL import Image

    from handgrad.errors import HandgradError
    from handgrad.pictures import save
    from handgrad.pictures.contact import MOST_ON_A_SHEET, contact_sheet, thumbnail

    good = [prediction for prediction in found if prediction.error is None]
    parts = [good[i : i + MOST_ON_A_SHEET] for i in range(0, len(good), MOST_ON_A_SHEET)]
    paths = [grid, *(grid.with_stem(f"{grid.stem}-{n}") for n in range(2, len(parts) + 1))]
    read = {Path(prediction.file).resolve() for prediction in found}
    for path in paths:
        if path.resolve() in read:
            raise HandgradError(f"{path}: found one of the images; expected another file to write")
    names = _within([prediction.file for prediction in good])
    done = 0
    for path, part in zip(paths, parts, strict=True):
        thumbnails = []
        for prediction in part:
            with Image.open(prediction.file) as image:
                thumbnails.append(thumbnail(image))
            done += 1
            viewer.loading("drawn", done, len(good))
        figure = contact_sheet(
            thumbnails,
            [str(prediction.label) for prediction in part],
            [float(prediction.probability or 0) for prediction in part],
            [names[prediction.file] for prediction in part],
        )
        save(figure, path)
    return paths


def _within(files: Sequence[str]) -> dict[str, str]:
    """Files by their place in the folder that they are all in, which would fill their lines."""
    places = {file: Path(os.path.abspath(file)) for file in files}
    try:
        folder = os.path.commonpath([place.parent for place in places.values()])
    except ValueError:  # on several drives
        return {file: file for file in files}
    return {file: place.relative_to(folder).as_posix() for file, place in places.items()}
