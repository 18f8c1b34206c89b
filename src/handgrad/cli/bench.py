"""``handgrad bench``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handgrad.cli.words import as_json, columns, say_json

if TYPE_CHECKING:
    from handgrad.bench import Row, Unmeasured

__all__ = ["bench"]


@click.command()
@click.argument("works", nargs=-1, metavar="[WORK]…")
@click.option(
    "--rounds", type=click.IntRange(1), default=7, show_default=True, help="Of each side."
)
@click.option("--threads", type=click.IntRange(1), help="Of every side; by the work if not given.")
@click.option("--rival", "rivals", multiple=True, metavar="NAME", help="Only this one; repeatable.")
@click.option("--reference", is_flag=True, help="We compute by the book.")
@click.option("--no-memory", is_flag=True, help="Do not measure memory, which takes its time.")
@click.option(
    "--save", type=click.Path(path_type=Path), metavar="FILE", help="Write all that was measured."
)
@click.option("--growth", is_flag=True, help="How time and memory grow, as growth.png and a table.")
@as_json
def bench(
    works: tuple[str, ...],
    rounds: int,
    threads: int | None,
    rivals: tuple[str, ...],
    reference: bool,
    no_memory: bool,
    save: Path | None,
    growth: bool,
    as_json: bool,
) -> int:
    """Time us beside every rival that is installed, on this machine.

    All sides of a WORK do the same with the same numbers, which is checked first; a rival that
    computes others is not timed. Then they take turns, round by round, in one process and with the
    same number of threads. Said are medians, their ratio (rival over ours; and within the rounds),
    the floor (the bare matrix products of the work) and the fraction of it that we reach. Memory is
    the peak while the work ran, above what data and programs take, in a process of its own. Exit
    code 1 if a rival was refused. Ctrl-C ends with what there is.

    \b
    Works: lines, mnist-dense, mnist-mlp, airplane-bike, convolution-step, convolution-32,
    convolution-64, convolution-128, cifar10-step, predict-one, predict-many, start, and
    convolution-cuda, which needs a graphics card.

    \b
    Examples:
      handgrad bench
      handgrad bench lines mnist-dense --rounds 15 --threads 1
      handgrad bench --save bench.json
      handgrad bench --growth --rival pytorch
    """
    from handgrad.bench import RIVALS, Refused, Skipped, chosen, contest, measured_where, weigh
    from handgrad.errors import HandgradError, nearest
    from handgrad.storage import written

    for name in rivals:
        if name not in RIVALS:
            raise HandgradError(f"{name}: no such rival{nearest(name, RIVALS)}")
    if save is not None and not save.parent.is_dir():  # said before minutes are spent
        raise HandgradError(f"{save}: cannot be written: there is no folder {save.parent}")
    if growth:
        return _grown(rivals, rounds, threads, as_json)
    rows: list[Row | Unmeasured] = []
    code = 0
    listed = chosen(works)
    asked = {name: RIVALS[name] for name in RIVALS if not rivals or name in rivals}
    try:
        for found in contest(
            listed, rounds=rounds, threads=threads, rivals=asked, reference=reference,
            weigh=None if no_memory else weigh, where=measured_where(),
            tell=lambda text: click.echo(f"  {text}", err=True),
        ):  # fmt: skip
            if not isinstance(found, Skipped):
                rows.append(found)
            else:
                code = max(code, int(isinstance(found, Refused)))
                click.echo(f"handgrad: {found}", err=True)
    except KeyboardInterrupt:
        click.echo("handgrad: interrupted; this is what there is", err=True)
        code = 130
    if save is not None:
        with written(save) as path:
            path.write_text(json.dumps([row.table() for row in rows], indent=1) + "\n", "utf-8")
    if as_json:
        say_json([row.brief() for row in rows])
    elif rows:
        click.echo(_told(rows))
    return code


def _told(found: list[Row | Unmeasured]) -> str:
    """The table, and under it what its figures are of."""
    from handgrad.bench import Row

    rows = [row for row in found if isinstance(row, Row)]
    missing = [f"{row.work} beside {row.rival}: {row}" for row in found if not isinstance(row, Row)]
    if not rows:
        return "\n".join(missing)
    cells: list[list[str]] = [
        ["work", "rival", "ours ms", "least", "rival ms", "least", "ratio", "rounds between",
         "floor ms", "of it", "memory ours/rival"]
    ]  # fmt: skip
    for row in rows:
        memory = "-"
        if row.rival_memory is not None and row.ours_memory is not None:
            memory = f"{row.ours_memory / 1e6:,.1f}/{row.rival_memory / 1e6:,.1f} MB"
        elif row.rival_process is not None and row.ours_process is not None:
            memory = f"{row.ours_process / 1e6:,.0f}/{row.rival_process / 1e6:,.0f} MB"
        cells.append(
            [
                row.work,
                row.rival + ("" if row.rival_part == 1 else f" (x{1 / row.rival_part:.0f})"),
                *(f"{ms:.4g}" for ms in (row.ours_ms, row.ours_min_ms)),
                *(f"{ms:.4g}" for ms in (row.rival_ms, row.rival_min_ms)),
                f"{row.ratio:.2f}",
                f"{row.ratio_rounds[0]:.2f} to {row.ratio_rounds[2]:.2f}",
                f"{row.floor_ms:.4g}",
                f"{100 * row.fraction:.0f} %",
                memory,
            ]
        )
    works = {row.work: row for row in rows}
    notes = [
        f"{row.work}: {row.about}; ms per {row.per}; data {row.data}; "
        f"{row.threads} thread{'s'[: row.threads > 1]}, {row.rounds} rounds"
        for row in works.values()
    ]
    if any(row.rival_part < 1 for row in rows):
        notes.append("(x…): the rival was timed for a part of the work, and its time multiplied")
    if any(row.work == "start" for row in rows):
        notes.append(
            "start: the floor is a process that imports NumPy; memory is the whole process"
        )
    notes += missing
    where = rows[0].where
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    notes.append(f"{where['cpu']}, {where['cores']} cores; {versions}")
    return columns(cells, right=[2, 3, 4, 5, 6, 8, 9]) + "\n\n" + "\n".join(notes)


def _grown(rivals: tuple[str, ...], rounds: int, threads: int | None, as_json: bool) -> int:
    """How a step grows: growth.png, and its slopes as a table."""
    from dataclasses import asdict

    from handgrad.bench.growth import AXES, draw, grow, slope
    from handgrad.experiments import cores
    from handgrad.pictures import save

    sides = ["ours", *(rivals or ("pytorch", "pytorch channels-last"))]
    points = []
    try:
        for point in grow(
            sides, threads or cores(), rounds, tell=lambda text: click.echo(f"  {text}", err=True)
        ):
            points.append(point)
    except KeyboardInterrupt:
        click.echo("handgrad: interrupted; this is what there is", err=True)
    if points:
        save(draw(points), "growth.png")
    if as_json:
        say_json([asdict(point) for point in points])
        return 0
    cells: list[list[str]] = [["axis", "side", "sizes", "ms a step", "slope", "MB", "slope"]]
    for axis in AXES:
        for side in sides:
            mine = [p for p in points if (p.axis, p.side) == (axis, side)]
            if mine:
                sizes, ms = [p.value for p in mine], [p.ms for p in mine]
                memory = [p.memory / 1e6 for p in mine]
                cells.append(
                    [
                        axis,
                        side,
                        ", ".join(map(str, sizes)),
                        ", ".join(f"{value:.3g}" for value in ms),
                        f"{slope(sizes, ms):.2f}",
                        ", ".join(f"{value:.3g}" for value in memory),
                        f"{slope(sizes, memory):.2f}",
                    ]
                )
    click.echo(columns(cells, right=[4, 6]))
    if points:
        click.echo("picture  growth.png")
    return 0
