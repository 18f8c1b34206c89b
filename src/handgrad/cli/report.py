"""``handgrad report``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from handgrad.cli.words import as_json, say_json

__all__ = ["report"]


@click.command()
@click.argument("run", required=False, type=click.Path(), metavar="[RUN]")
@click.option(
    "-o", "--out", type=click.Path(), metavar="FILE", help="RUN/report.html if not given."
)
@as_json
def report(run: str | None, out: str | None, as_json: bool) -> None:
    """Write the page of a training: all its pictures in one file.

    RUN is a run's folder; the newest run if not given. The page needs nothing beside it, asks
    nobody for anything, and can be sent to others: data, network, weights, curves, the film, and
    where the network is wrong.

    \b
    Examples:
      handgrad report
      handgrad report runs/mine -o mine.html
    """
    from handgrad.cli.viewer import Terminal
    from handgrad.errors import DataError, HandgradError
    from handgrad.experiments import Run
    from handgrad.experiments.report import write_report

    if out is not None and Path(out).suffix.lower() not in (".html", ".htm"):
        raise HandgradError(f"{out}: found another ending; expected .html")
    if run is not None and not Path(run).is_dir():
        raise DataError(run, "no such folder", "a run's folder")
    found = Run(run) if run is not None else Run.newest()
    with Terminal(sys.stderr) as viewer:
        path = write_report(found, Path(out) if out is not None else None, None, viewer.loading)
    if as_json:
        say_json({"run": str(found.folder), "file": str(path), "bytes": path.stat().st_size})
    else:
        click.echo(f"report   {path} ({path.stat().st_size / 1e6:.1f} MB)")
