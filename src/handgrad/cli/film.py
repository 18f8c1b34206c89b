"""``handgrad film``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from handgrad.cli.words import as_json, say_json

__all__ = ["film"]


@click.command()
@click.argument("run", required=False)
@click.option("-o", "--out", type=click.Path(), metavar="FILE", help="A .gif or .mp4.")
@click.option("--frames", type=click.IntRange(min=2), metavar="N", help="At most so many.")
@click.option(
    "--fps",
    type=click.FloatRange(min=1, max=50),
    default=20.0,
    help="Frames a second; 20 if not given.",
)
@as_json
def film(run: str | None, out: str | None, frames: int | None, fps: float, as_json: bool) -> None:
    """Make a film of a training: its weights, cost and accuracy, frame by frame.

    Of the newest run under runs/ if none is given. A small network is shown whole, with what it
    says of each sample; of a larger one the weights of the first layer. Early steps have more
    frames. Without -o it is written to RUN/film.gif, and to RUN/film.mp4 where the program ffmpeg
    is there.

    \b
    Examples:
      handgrad train lines; handgrad film
      handgrad film runs/mine -o mine.gif --frames 60 --fps 10
    """
    from handgrad.cli.viewer import Terminal
    from handgrad.experiments import Run
    from handgrad.experiments.film import film_of, save_film

    source = Run(run) if run is not None else Run.newest()
    with Terminal(sys.stderr) as viewer:
        made = film_of(source, viewer.loading)
        saved, note = save_film(made, source, out, frames, 1 / fps, viewer.loading)
    if as_json:
        say_json({"run": str(source.folder), "note": note, "files": saved})
        return
    for entry in saved:
        size = Path(entry["file"]).stat().st_size / 1e6
        click.echo(f"film     {entry['file']}: {entry['frames']} frames, {size:.1f} MB")
    if note:
        click.echo(f"note     {note}")
