"""``handgrad predict``."""

from __future__ import annotations

import csv
import io
import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from handgrad.cli.words import as_device, as_json, as_views, columns, percent, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handgrad.arrays import Device
    from handgrad.cli.viewer import Terminal
    from handgrad.errors import DataError
    from handgrad.networks import Model, Prediction, Views

__all__ = ["predict"]

Tell = Callable[["Prediction"], None]


@click.command()
@click.argument("arguments", nargs=-1, required=True, metavar="[MODEL] IMAGE…")
@click.option(
    "--model", "named", type=click.Path(), metavar="MODEL", help="Then all else are images."
)
@click.option(
    "--format",
    "shape",
    type=click.Choice(["table", "csv", "jsonl"]),
    help="table, or rows as they come: csv, or jsonl (a JSON object a line).",
)
@click.option("--out", type=click.Path(), metavar="DIR", help="Write the labels on the images.")
@click.option(
    "--grid", type=click.Path(), metavar="FILE", help="A contact sheet: .png, .svg, .pdf."
)
@as_views
@as_device
@as_json
def predict(
    arguments: tuple[str, ...],
    named: str | None,
    shape: str | None,
    out: str | None,
    grid: str | None,
    views: Views | None,
    device: Device | None,
    as_json: bool,
) -> int:
    """Ask a model what is on each image.

    MODEL is a run's folder or a .safetensors file; the newest run if not given. An IMAGE is a file,
    a folder (all image files below it), a quoted pattern ('photos/**/*.jpg'), or - for a list on
    standard input: one file a line, or between NULs, as `find -print0` says it. With --out, every
    image is written there with its label and probability on it. With --grid, all are drawn on one
    sheet, with label, probability and name; after 300 images another one, FILE-2, is begun. A
    file that cannot be read is named and the rest goes on, with exit code 1 (2 if no file could
    be read).

    \b
    Examples:
      handgrad predict photo.jpg
      handgrad predict runs/airplane-bike a.jpg b.png --out labelled/
      handgrad predict model.safetensors photos/ --format csv > answers.csv
      find . -name '*.jpg' -print0 | handgrad predict - --format jsonl
      handgrad predict *.jpg --grid all.pdf
    """
    import dataclasses

    from handgrad.cli.viewer import Terminal
    from handgrad.experiments import Run, answering
    from handgrad.networks import Prediction

    if shape is not None and as_json:
        raise click.UsageError(f"found --json beside --format {shape}; expected one of them")
    if grid is not None:
        from handgrad.pictures import check_ending

        check_ending(grid)  # before the images are read
    names = list(arguments)
    if named is None and _is_model(names[0]):
        named = names.pop(0)
    if not names:
        raise click.UsageError("no image is named; expected [MODEL] IMAGE…")
    files, faults = _meant(names)
    run = Run.newest() if named is None else Run(named)
    run.compute_on(device or "cpu")
    model = run.model
    if views is not None:
        model = dataclasses.replace(model, views=views)
    threads = answering(model.network, len(files))
    stream = sys.stdout  # which a bar on the terminal takes for itself
    kept: list[Prediction] = []
    good = bad = 0
    quiet = shape in ("csv", "jsonl") and stream.isatty()  # the rows tell how it goes
    with Terminal(sys.stderr, quiet) as viewer, threads:
        tell, end = _teller("json" if as_json else shape or "table", model, stream)
        found = itertools.chain(
            (Prediction(fault.path, error=str(fault)) for fault in faults),
            model.predictions(files),
        )
        for prediction in found:
            if prediction.error is None:
                good += 1
            else:
                bad += 1
                if not as_json:
                    _say_error(viewer, prediction.error)
            tell(prediction)
            if out is not None or grid is not None:
                kept.append(prediction)
            viewer.loading("read", good + bad, len(faults) + len(files))
    if out is not None and good:
        _write(kept, out)
    sheets: list[Path] = []
    if grid is not None and good:
        with Terminal(sys.stderr) as viewer:
            sheets = _draw(kept, Path(grid), viewer)
    end()
    if shape in (None, "table") and not as_json:
        if model.views != "none" and good:
            click.echo(f"views: {model.views}; their mean is the answer")
        for sheet in sheets:
            click.echo(f"grid  {sheet}")
    return 0 if not bad else 1 if good else 2


def _is_model(name: str) -> bool:
    from handgrad.experiments.run import MODEL

    return Path(name, MODEL).is_file() or Path(name).suffix == ".safetensors"


def _meant(names: Sequence[str]) -> tuple[list[str], list[DataError]]:
    """The files that are named, and what is wrong with names that mean none."""
    from handgrad.datasets.named_files import files_of_list, image_files, no_url
    from handgrad.errors import HandgradError

    files: list[str] = []
    faults: list[DataError] = []
    for name in names:
        no_url(name)  # before a folder is walked, or standard input waited for
    for name in names:
        if name == "-":
            listed = files_of_list(sys.stdin.buffer.read())
            if not listed:
                raise HandgradError("standard input: found no name; expected a file a line")
            files += listed
        else:
            more, wrong = image_files([name])
            files += more
            faults += wrong
    return files, faults


def _teller(how: str, model: Model, stream: TextIO) -> tuple[Tell, Callable[[], None]]:
    """What is told of each prediction as it comes, and what at the end."""
    if how == "csv":
        return _in_rows(model, stream), lambda: None
    if how == "jsonl":
        return lambda p: say_json(_table(p, model.views), stream), lambda: None
    if how == "json":
        tables: list[dict[str, object]] = []
        return lambda p: tables.append(_table(p, model.views)), lambda: say_json(tables)
    cells = [["file", "label", "probability", "next"]]

    def row(prediction: Prediction) -> None:
        if prediction.error is None:
            others = "   ".join(f"{name} {percent(p)}" for name, p in _others(prediction))
            label, share = str(prediction.label), percent(prediction.probability)
            cells.append([_seen(prediction.file), label, share, others])

    def table() -> None:
        if len(cells) > 1:
            click.echo(columns(cells, right=[2]))

    return row, table


def _in_rows(model: Model, stream: TextIO) -> Tell:
    """A header, then one row for each file that could be read; always in UTF-8."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["file", "label", "probability", *model.class_names])

    def row(prediction: Prediction) -> None:
        if prediction.error is None:
            shares = prediction.probabilities.values()
            writer.writerow([prediction.file, prediction.label, prediction.probability, *shares])

    return row


def _table(prediction: Prediction, views: Views) -> dict[str, object]:
    if prediction.error is not None:
        return {"file": prediction.file, "error": prediction.error}
    names = ("file", "label", "probability", "probabilities")
    named = {} if views == "none" else {"views": views}
    return {name: getattr(prediction, name) for name in names} | named


def _say_error(viewer: Terminal, error: str) -> None:
    viewer.console.print(f"handgrad: {_seen(error)}", markup=False, emoji=False)


def _seen(text: str) -> str:
    """On one line, whatever is in the name of a file: no line ends, no terminal's commands.

    >>> _seen("two\\nlines")
    'two\\\\nlines'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


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
