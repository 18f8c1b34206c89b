"""``handgrad prepare``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from handgrad.cli.words import as_json, say_json

__all__ = ["prepare"]

FILTERS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")


@click.command()
@click.argument("folder")
@click.argument("out", metavar="OUT.h5")
@click.option("--size", default="64x64", show_default=True, help="Height x width.")
@click.option("--resample", type=click.Choice(FILTERS), default="bilinear", show_default=True)
@click.option("--grey", is_flag=True, help="One channel instead of three.")
@click.option("--skip-bad", is_flag=True, help="Go on without images that do not decode.")
@click.option("--force", is_flag=True, help="Replace OUT.h5 if it is there.")
@as_json
def prepare(
    folder: str,
    out: str,
    size: str,
    resample: str,
    grey: bool,
    skip_bad: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Decode a folder of images once, into one HDF5 file.

    FOLDER holds one folder per class, or train and test folders of those. The file holds images
    (N, H, W, C) as uint8, labels, class_names and file_names; anything that reads HDF5 reads it,
    and `handgrad train OUT.h5` trains on it.

    \b
    Examples:
      handgrad prepare photos/ photos.h5
      handgrad prepare photos/ small.h5 --size 32x32 --resample nearest
    """
    from handgrad.cli.viewer import Terminal
    from handgrad.datasets import Preparation, read_folder
    from handgrad.errors import HandgradError
    from handgrad.storage import made_folder, write_prepared

    if not re.fullmatch("0*[1-9][0-9]*x0*[1-9][0-9]*", size):
        raise HandgradError(f"--size {size}: found no HEIGHTxWIDTH; expected such as 64x64")
    if not Path(folder).is_dir():
        raise HandgradError(f"{folder}: found no such folder; expected one with a folder per class")
    if Path(out).is_dir():
        raise HandgradError(f"{out}: found a folder; expected the name of a file to write")
    if Path(out).exists() and not force:
        raise HandgradError(f"{out}: the file is there already; --force replaces it")
    made_folder(Path(out).parent)  # before hours are spent, not after
    height, width = size.split("x")
    preparation = Preparation(int(height), int(width), 1 if grey else 3, resample)  # type: ignore[arg-type]
    with Terminal(sys.stderr) as viewer:
        splits = read_folder(
            Path(folder), preparation, skip_bad=skip_bad, cache=True, each=viewer.loading
        )
    write_prepared(splits, out)
    parts = {"train": splits.train, "test": splits.test, **splits.others}
    counts = {name: len(dataset) for name, dataset in parts.items() if dataset is not None}
    names = list(splits.train.class_names)
    if as_json:
        say_json({"file": out, "images": counts, "classes": names, "note": splits.note})
        return
    listed = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    click.echo(f"{out}: {sum(counts.values()):,} images ({listed}) of {size}, {resample}")
    click.echo("labels: " + ", ".join(f"{i} {name}" for i, name in enumerate(names)))
    if splits.note:
        click.echo(f"note: {splits.note}")
