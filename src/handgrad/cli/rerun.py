"""``handgrad rerun``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from handgrad.cli.words import as_json, percent, say_json

if TYPE_CHECKING:
    from handgrad.experiments.rerun import Rerun

__all__ = ["rerun"]


@click.command()
@click.argument("run", required=False, type=click.Path(), metavar="[RUN]")
@click.option("--out", type=click.Path(), metavar="DIR", help="Keep the repetition in this folder.")
@click.option("--quiet", is_flag=True, help="Say nothing while it runs.")
@as_json
def rerun(run: str | None, out: str | None, quiet: bool, as_json: bool) -> int:
    """Repeat a run and compare the bits.

    RUN is a run's folder; the newest run if not given. Its recipe is trained once more, on the same
    data, and the two model files are compared byte for byte. Where they are not the same, it says
    by how much, and what else is not: versions, BLAS, threads, processor. Exit code 0: the same;
    1: not the same; 2: there is no run, or its data are no longer there or were changed.

    \b
    Examples:
      handgrad rerun
      handgrad rerun runs/mine
      handgrad rerun runs/mine --out runs/again --json
    """
    from handgrad.cli.viewer import Terminal, interruptible
    from handgrad.experiments import Run
    from handgrad.experiments.rerun import rerun as repeated

    found = Run(run) if run else Run.newest()
    viewer = Terminal(sys.stderr if as_json else sys.stdout, quiet)
    with viewer, interruptible(viewer):
        compared = repeated(found, out=out, viewer=viewer)
    if as_json:
        say_json(compared.table())
    else:
        click.echo(_told(compared))
    return 130 if compared.interrupted else int(not compared.same)


def _told(found: Rerun) -> str:
    """A comparison in words."""
    lines = [f"run      {found.run}"]
    if found.out is not None:
        lines.append(f"again    {found.out}")
    if found.same:
        lines.append("bits     the same: the two model files are equal, byte for byte")
    elif found.largest_difference is None:
        lines.append("bits     not the same: the two networks have other arrays")
    elif found.where:
        lines.append(
            f"bits     not the same: the largest difference is {found.largest_difference:.3g}, in "
            f"{found.where}"
        )
    else:
        lines.append(
            "bits     not the same, but all numbers are: the files say other things of them"
        )
    if found.test_accuracy is not None and not found.same:
        before, after = found.test_accuracy
        lines.append(f"test     {percent(before)} before, {percent(after)} now")
    lines += [f"differs  {difference}" for difference in found.differences]
    if found.interrupted:
        lines.append("note     the repetition was interrupted")
    return "\n".join(lines)
