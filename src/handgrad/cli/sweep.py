"""``handgrad sweep``."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from handgrad.cli.words import as_json, check_alone, columns, percent, say_json, span

if TYPE_CHECKING:
    from handgrad.experiments import Sweep

__all__ = ["sweep"]

FITTING = {"resume", "workers", "checkpoint_every", "quiet", "as_json"}
"""What may be given with ``--resume``."""

ROWS = 20
"""Trials in the table at the end; all are in results.csv."""


@click.command()
@click.argument("source", default="digits")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATH=V1,V2,…",
    help="Values to try; one value is for all trials. With --random also a range: LOW..HIGH, "
    "LOW..HIGH:log.",
)
@click.option(
    "--random", type=int, metavar="N", help="So many random draws, not every combination."
)
@click.option("--seed", type=int, default=0, help="Of the draws (--set seed=V is the recipe's).")
@click.option("--workers", type=int, metavar="N", help="Processes, each with a part of the cores.")
@click.option("--out", type=click.Path(), metavar="DIR", help="The sweep's folder.")
@click.option("--force", is_flag=True, help="Write into --out even if it is not empty.")
@click.option("--resume", type=click.Path(), metavar="SWEEP", help="Go on with this sweep.")
@click.option(
    "--checkpoint-every",
    default="2m",
    metavar="STEPS|TIME",
    help="500, or 30s, 10m, 1h; 2m if not given.",
)
@click.option("--quiet", is_flag=True, help="Say nothing while it runs.")
@as_json
@click.pass_context
def sweep(
    context: click.Context,
    source: str,
    settings: tuple[str, ...],
    random: int | None,
    seed: int,
    workers: int | None,
    out: str | None,
    force: bool,
    resume: str | None,
    checkpoint_every: str,
    quiet: bool,
    as_json: bool,
) -> int:
    """Train a recipe with many settings, and find the best.

    SOURCE is what `train` takes. Every trial is an ordinary run, in SWEEP/trials/NNN. The best is
    chosen by validation accuracy, and the test set is looked at once, for the winner. A sweep that
    was cut, by Ctrl-C or by the power, goes on with --resume, and trains nothing twice.

    Without --workers one trial after the other is trained, in this process, with all cores. On
    many machines, `mpiexec -n R handgrad sweep …` trains R - 1 trials at once; SWEEP must then be
    in a folder that all of them see.

    \b
    Examples:
      handgrad sweep digits --set optimizer.learning_rate=0.002,0.005,0.01 --workers 2
      handgrad sweep mnist --set architecture.0.units=64,128,256 --set training.batch_size=32,64
      handgrad sweep photos/ --random 20 --set optimizer.learning_rate=0.0001..0.1:log
      handgrad sweep --resume sweeps/mine
    """
    from handgrad.cli.sweep_viewer import SweepTerminal, interruptible
    from handgrad.errors import RecipeError
    from handgrad.experiments import resume_sweep
    from handgrad.experiments import sweep as swept
    from handgrad.experiments.sweeps.grid import spread

    given: dict[str, Any] = {}
    for setting in settings:
        path, equals, values = setting.partition("=")
        path = path.strip()
        if not equals or not path:
            raise RecipeError(f"--set {setting}: found no '='; expected PATH=V1,V2,…")
        if path in given:
            raise RecipeError(f"--set {setting}: found {path} twice; expected PATH=V1,V2,… once")
        given[path] = spread(values)
    with _working(workers) as found:
        if found is _NOBODY:  # this rank has worked for another, which says what there is to say
            return 0
        viewer = SweepTerminal(sys.stderr if as_json else sys.stdout, quiet)
        how: Any = {"workers": found, "checkpoint_every": checkpoint_every, "viewer": viewer}
        with viewer, interruptible(viewer) as interrupts:
            if resume is not None:
                check_alone(context, FITTING, "sweep")
                result = resume_sweep(resume, **how)
            else:
                result = swept(source, given, random=random, seed=seed, out=out, force=force, **how)
    if as_json:
        say_json(result.table())
    else:
        click.echo(told(result))
    if viewer.interrupted:
        return 128 + interrupts.signum
    return 0 if result.best is not None else 1


_NOBODY = object()


@contextlib.contextmanager
def _working(asked: int | None) -> Iterator[Any]:
    """Who runs the trials: so many processes, or the ranks of MPI."""
    from handgrad.experiments.sweeps.over_mpi import ranks
    from handgrad.parallel import joined

    if joined() is None:
        yield asked
        return
    if asked is not None:
        raise click.UsageError("found --workers under mpiexec; expected one of the two")
    with ranks() as found:
        yield _NOBODY if found is None else found


def told(found: Sweep) -> str:
    """The end of a sweep in words."""
    folder = shlex.quote(str(found.folder))
    ranked, failed = found.ranked, [one for one in found.outcomes if one.status == "failed"]
    lines = []
    if ranked:
        lines.append("")
        rows: list[list[object]] = [["trial", "validation", "loss", "train", "seconds", "settings"]]
        for one in ranked[:ROWS]:
            loss = "-" if one.validation_loss is None else f"{one.validation_loss:.4f}"
            rows.append([
                one.number, percent(one.validation_accuracy), loss, percent(one.train_accuracy),
                f"{one.seconds or 0:.1f}", one.words,
            ])  # fmt: skip
        lines += [columns(rows, right=[0, 1, 2, 3, 4]), ""]
        if len(ranked) > ROWS:
            lines.insert(2, f"… and {len(ranked) - ROWS:,} more, in {found.folder}/results.csv")
    lines += [f"failed   trial {one.number}: {one.error}" for one in failed[:ROWS]]
    tried = len(found.outcomes) - found.left
    if found.left:
        lines.append(f"left     {found.left:,} of {len(found.outcomes):,} trials; the test set "
                     "waits for the winner of all")  # fmt: skip
        lines.append(f"resume   handgrad sweep --resume {folder}")
        return "\n".join(lines)
    if found.best is None:
        lines.append("winner   none: no trial has ended")
        lines.append(f"resume   handgrad sweep --resume {folder}")
        return "\n".join(lines)
    best, test = found.best, found.test
    lines.append(f"winner   trial {best.number}: {best.words}")
    if test:
        lines.append(
            f"test     {percent(test['test_accuracy'])} of {test['test_n']:,} images; "
            f"95 % interval {span(test['test_low'], test['test_high'])}"
        )
        honest = "this figure, measured once, is the one to tell"
    else:
        honest = "these data have no test part, so there is no better figure to tell"
    if (board := test.get("scoreboard")) is not None:
        lines.append(f"verdict  {board['verdict']}")
    lines.append(
        f"honest   {percent(best.validation_accuracy)} of {found.validation_n:,} validation images "
        f"is the best of {tried:,} trials, and chosen for it, so it is optimistic; {honest}"
        if tried > 1
        else f"honest   one trial was tried: nothing was chosen; {honest}"
    )
    lines.append(f"sweep    {found.folder}: results.csv, results.json"
                 + ", sweep.svg" * (found.folder / "sweep.svg").exists())  # fmt: skip
    run = shlex.quote(best.run)
    lines.append(f"next     handgrad report {run}; handgrad predict {run} IMAGE")
    return "\n".join(lines)
