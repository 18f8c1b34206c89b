"""``handgrad picture``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from handgrad.cli.words import as_json, columns, say_json

__all__ = ["picture"]


@click.command()
@click.argument("what", required=False)
@click.argument("source", required=False, metavar="[RUN|RECIPE|FOLDER]")
@click.option("-o", "--out", type=click.Path(), metavar="FILE", help="A .png, .svg or .pdf.")
@click.option("--list", "listing", is_flag=True, help="Which pictures there are, a line each.")
@as_json
def picture(
    what: str | None, source: str | None, out: str | None, listing: bool, as_json: bool
) -> None:
    """Draw a picture of a training.

    WHAT is a picture's name, such as first-weights or most-wrong; --list says which there are. It
    is drawn of a run, of the newest if none is given; those of the data also of a recipe or of a
    folder of images. Without -o it is written to WHAT.png, into a run's own pictures or else here.

    \b
    Examples:
      handgrad picture most-wrong
      handgrad picture augmented digits
      handgrad picture augmented photos/ -o augmented.pdf
      handgrad picture --list
    """
    from handgrad.experiments.gallery import GALLERY, entry
    from handgrad.experiments.subject import Subject
    from handgrad.pictures import check_ending, save
    from handgrad.storage import made_folder

    if listing:
        if as_json:
            say_json([{"name": name, "about": each.about} for name, each in GALLERY.items()])
        else:
            click.echo(columns([(name, each.about) for name, each in GALLERY.items()]))
        return
    if what is None:
        raise click.UsageError("no picture is named; expected WHAT, or --list for all of them")

    from handgrad.cli.viewer import Terminal

    chosen = entry(what)
    if out is not None:
        check_ending(out)
    with Terminal(sys.stderr) as viewer:
        subject = Subject.of(source, viewer.loading)
        figure = chosen.draw(subject)
    path = Path(out) if out is not None else made_folder(subject.folder) / f"{what}.png"
    save(figure, path)
    if as_json:
        say_json({"picture": what, "of": subject.table.get("name"), "file": str(path)})
    else:
        click.echo(f"picture  {path}")
