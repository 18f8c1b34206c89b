"""``handgrad train``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from handgrad.cli.words import as_device, as_json, check_alone, percent, say_json, span

if TYPE_CHECKING:
    from handgrad.experiments import Run

__all__ = ["train"]


FITTING = {"resume", "verify", "checkpoint_every", "no_report", "quiet", "as_json"}
"""What may be given with ``--resume``."""


@click.command()
@click.argument("source", default="digits")
@click.option("--epochs", type=int, help="Passes through the data.")
@click.option("--batch-size", type=int, help="Images a step.")
@click.option("--learning-rate", type=float, help="Of the optimizer.")
@click.option("--optimizer", help="sgd, momentum, nesterov, rmsprop, adam, adamw or muon, afresh.")
@click.option("--seed", type=int, help="Of everything that is drawn.")
@click.option("--threads", type=int, help="How many; by the sizes if not given.")
@click.option("--reference", is_flag=True, help="All by the book, and nothing by a plan.")
@as_device
@click.option("--until", metavar="FIGURE=VALUE", help="Stop when reached: train_accuracy=1.0.")
@click.option("--out", type=click.Path(), metavar="DIR", help="The run's folder.")
@click.option("--force", is_flag=True, help="Write into --out even if it is not empty.")
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="Any recipe value.")
@click.option("--skip-bad", is_flag=True, help="Go on without images that do not decode.")
@click.option(
    "--quarantine",
    type=click.Path(),
    metavar="FILE",
    help="Go on without the images of this list, which `inspect --quarantine` writes.",
)
@click.option("--balanced", is_flag=True, help="Weigh rare classes as much as common ones.")
@click.option("--no-cache", is_flag=True, help="Decode a folder anew, and keep nothing of it.")
@click.option("--verify", is_flag=True, help="Put the gradient certificate into the model.")
@click.option("--resume", type=click.Path(), metavar="RUN", help="Go on with this run.")
@click.option(
    "--checkpoint-every",
    default="2m",
    metavar="STEPS|TIME",
    help="500, or 30s, 10m, 1h; 2m if not given.",
)
@click.option("--no-report", is_flag=True, help="Do without the page with all pictures.")
@click.option("--quiet", is_flag=True, help="Say nothing while it runs.")
@as_json
@click.pass_context
def train(
    context: click.Context,
    source: str,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    optimizer: str | None,
    seed: int | None,
    threads: int | None,
    reference: bool,
    device: str | None,
    until: str | None,
    out: str | None,
    force: bool,
    settings: tuple[str, ...],
    skip_bad: bool,
    quarantine: str | None,
    balanced: bool,
    no_cache: bool,
    verify: bool,
    resume: str | None,
    checkpoint_every: str,
    no_report: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Train a network, and keep the run: model, recipe, history, pictures, a page with
    all of them, summary.

    SOURCE is the name of a recipe (`handgrad recipes` lists them), a TOML file, a prepared .h5, a
    folder of images with one folder per class, or a CSV of file and label; ./NAME means a path.
    Without SOURCE: digits. A folder is decoded once, into the user's cache; `handgrad inspect
    FOLDER` says beforehand what is wrong with it.

    \b
    Examples:
      handgrad train
      handgrad train lines --until train_accuracy=1.0
      handgrad train mnist --epochs 3 --set architecture.0.units=256
      handgrad train photos/ --out runs/mine --skip-bad
      handgrad train photos/ --quarantine bad.csv --balanced
      handgrad train --resume runs/mine

    \b
    By several processes, each with a part of every batch (pip install 'handgrad[mpi]'):
      mpiexec -n 2 handgrad train digits           on this machine; --threads is each rank's
      mpiexec -hosts a,b -n 2 handgrad train …     on two hosts, which ssh reaches
      mpiexec -n $SLURM_NTASKS handgrad train …    in a Slurm job
    UCX_TLS=tcp,self keeps it to plain Ethernet; docs/machines.md tells the rest.
    """
    from handgrad.cli.ranks import one_voice
    from handgrad.cli.viewer import Terminal, interruptible
    from handgrad.errors import RecipeError
    from handgrad.experiments import parsed
    from handgrad.experiments import resume as resumed
    from handgrad.experiments import train as trained
    from handgrad.experiments.ranked import Among, helped
    from handgrad.experiments.viewer import Viewer
    from handgrad.parallel import joined

    given: dict[str, Any] = {}
    if optimizer is not None:
        given["optimizer"] = {"kind": optimizer}
    for setting in settings:
        path, equals, value = setting.partition("=")
        if not equals or not path:
            raise RecipeError(f"--set {setting}: found no '='; expected PATH=VALUE")
        given[path.strip()] = parsed(value)
    asked = {
        "training.epochs": epochs,
        "training.batch_size": batch_size,
        "optimizer.learning_rate": learning_rate,
        "seed": seed,
        "training.threads": threads,
        "training.reference": reference or None,
        "training.device": device,
        "training.until": until,
        "data.skip_bad": skip_bad or None,
        "data.quarantine": None if quarantine is None else str(Path(quarantine).resolve()),
        "data.cache": False if no_cache else None,
        "loss.class_weights": "balanced" if balanced else None,
    }
    given |= {path: value for path, value in asked.items() if value is not None}
    ranks = joined()
    first = ranks is None or ranks.rank == 0
    shown = Terminal(sys.stderr if as_json else sys.stdout, quiet or not first)
    viewer = shown if ranks is None else Among(ranks, shown if first else Viewer())
    how: Any = {
        "verify": verify,
        "checkpoint_every": checkpoint_every,
        "report": not no_report,
        "viewer": viewer,
        "ranks": ranks,
    }
    with shown, interruptible(viewer.heard) as interrupts, one_voice(ranks):
        if resume is not None:
            check_alone(context, FITTING, "run")
        if isinstance(viewer, Among) and not first:
            helped(viewer)
        elif resume is not None:
            run = resumed(resume, **how)
        else:
            run = trained(source, given, out=out, force=force, **how)
    if first and as_json:
        say_json(run.summary | {"run": str(run.folder)})
    elif first:
        click.echo(_told(run))
    return 128 + interrupts.signum if viewer.interrupted else 0


def _told(run: Run) -> str:
    """The end of a training in words."""
    found = run.summary
    lines = [
        f"trained  {found['epochs']:,g} epochs in {found['seconds']:.1f} s "
        f"({found['images_per_second']:,.0f} images/s); loss {found['loss']:.6f}, "
        f"train {percent(found['train_accuracy'])}"
    ]
    if "validation_accuracy" in found:
        lines[0] += f", validation {percent(found['validation_accuracy'])}"
    if "test_accuracy" in found:
        lines.append(
            f"test     {percent(found['test_accuracy'])} of {found['test_n']:,} images; "
            f"95 % interval {span(found['test_low'], found['test_high'])}"
        )
    if found["views"] != "none":
        lines.append(f"         as the mean over the views {found['views']}")
    for key, value in found.items():
        name = key.removesuffix("_accuracy")
        if name != key and name not in ("train", "test", "validation"):
            lines.append(f"         {percent(value)} on {name.replace('_', ' ')}")
    again = [figures["test_accuracy"] for figures in found["repeats"]["runs"]]
    if again:
        what = "random splits" if found["repeats"]["split"] == "random" else "other seeds"
        every = again if found["repeats"]["split"] == "random" else [found["test_accuracy"], *again]
        lines.append(
            f"range    test {percent(min(every))} to {percent(max(every))}, "
            f"mean {percent(sum(every) / len(every))}, over {len(every)} "
            f"{what if every is again else 'seeds'}"
        )
    lines += _judged(found.get("scoreboard"))
    if found["note"]:
        lines.append(f"note     {found['note']}")
    # Without a name the newest under runs/ is meant, which is not one that lies elsewhere.
    named = "" if run.folder.parent == Path("runs") else f" {shlex.quote(str(run.folder))}"
    lines.append(f"run      {run.folder}")
    if (page := run.folder / "report.html").is_file():
        lines.append(f"report   {page}")
    if found["stopped"] == "interrupted":
        lines.append(f"resume   handgrad train --resume {shlex.quote(str(run.folder))}")
    lines.append(f"next     handgrad evaluate{named}; handgrad predict{named} IMAGE")
    return "\n".join(lines)


def _judged(board: dict[str, Any] | None) -> list[str]:
    """What the accuracy is worth, in words."""
    if board is None:
        return []
    others = ", ".join(f"{row['name']} {percent(row['accuracy'])}" for row in board["rows"][1:])
    error = 100 * board["calibration_error"]
    return [
        f"beside   {others}",
        f"verdict  {board['verdict']}",
        f"sure     its probabilities are off by {error:.1f} points on average (calibration error)",
        *(
            f"wrong    {one['file']}: {one['truth']}, called {one['called']} with "
            f"{percent(one['probability'])}"
            for one in board["most_wrong"]
        ),
    ]
