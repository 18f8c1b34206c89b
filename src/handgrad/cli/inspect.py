"""``handgrad inspect``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handgrad.cli.words import as_json, columns, say_json

if TYPE_CHECKING:
    from handgrad.datasets.findings import Findings, Group

__all__ = ["inspect"]

LINES = 20
"""Of each list, before the rest is left to --json and --quarantine."""


@click.command()
@click.argument("folder")
@click.option("--page", type=click.Path(), metavar="FILE.html", help="All of it with thumbnails.")
@click.option(
    "--quarantine", type=click.Path(), metavar="FILE", help="Write which files to leave out."
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Files at a time.")
@as_json
def inspect(
    folder: str, page: str | None, quarantine: str | None, threads: int | None, as_json: bool
) -> int:
    """Look at every file of a folder of images before a training does.

    FOLDER holds one folder per class, or train and test folders of those, or it is a CSV with the
    columns file and label. Named are files that do not decode, copies and near-copies (in two
    classes, in training and test), and what tells a class without a look at the picture. Nothing
    is deleted or moved: --quarantine writes a list, and `handgrad train FOLDER --quarantine FILE`
    leaves out what is in it. The images stay in the cache, where a training finds them.

    The exit code is 1 where there is anything to look at; a 16 bit file that is scaled and a photo
    that is turned upright are only mentioned.

    \b
    Examples:
      handgrad inspect photos/
      handgrad inspect photos/ --quarantine leave-out.csv --page photos.html
      handgrad inspect labels.csv --json
    """
    from handgrad.cli.viewer import Terminal
    from handgrad.datasets.quarantine import write_quarantine
    from handgrad.errors import HandgradError
    from handgrad.experiments.inspection import findings, look, write_page

    for path in (page, quarantine):
        if path is not None and Path(path).resolve() == Path(folder).resolve():
            raise HandgradError(f"{path}: found what is inspected; expected another file to write")
    with Terminal(sys.stderr) as viewer:
        seen = look(folder, threads=threads, progress=viewer.loading)
        found = findings(seen)
    if quarantine is not None:
        write_quarantine(quarantine, found.quarantine(), f"handgrad inspect {found.folder}")
    if page is not None:
        write_page(found, seen, page)
    if as_json:
        say_json(found.table())
    else:
        click.echo("\n\n".join("\n".join(part) for part in _told(found) if part))
        click.echo()
        for line in _next(found, folder, page, quarantine):
            click.echo(line)
    return 1 if found.worth_a_look else 0


def _told(found: Findings) -> Iterable[Sequence[str]]:
    """What was found, the most important first, a paragraph each."""
    from handgrad.experiments.inspection import printable

    yield _classes(found)
    yield _groups("in training and test: what is tested was trained on", found.leaks)
    yield _groups("in two classes: one of the labels is wrong", found.conflicts)
    for readable in (False, True):
        yield from _faults(found, readable)
    if found.giveaways:
        yield _cut(
            "told by the file alone, which a network may learn instead of the picture:",
            [printable(str(giveaway)) for giveaway in found.giveaways],
        )
    if found.imbalance:
        counts = found.counts("train", readable=True)
        largest, smallest = found.imbalance
        yield [
            f"unbalanced: {counts[largest]:,} images of {printable(repr(largest))}, "
            f"{counts[smallest]:,} of {printable(repr(smallest))}"
        ]
    yield _groups("more than once", found.copies)
    ignored = [printable(file) for file in found.ignored]
    if ignored:
        yield _cut("no image files, passed over:", ignored, LINES // 4)
    yield [f"note  {printable(note)}" for note in found.notes]


def _classes(found: Findings) -> list[str]:
    from handgrad.experiments.inspection import printable

    parts = found.parts if len(found.parts) > 1 else ()
    counts = [found.counts(part) for part in (None, *parts)]
    head = ["label", "class", "files", *parts]
    rows = [
        [label, printable(name), *(f"{each[name]:,}" for each in counts)]
        for name, label in found.labels.items()
    ]
    lines = columns([head, *rows], right=[0, *range(2, len(head))]).splitlines()
    count = sum(fact.bytes for fact in found.facts) / 1e6
    files = f"{len(found.facts):,} image files, {count:,.1f} MB"
    return [f"{printable(found.folder)}: {files}", *_shortened(lines, 2 * LINES)]


def _groups(what: str, groups: Sequence[Group]) -> list[str]:
    from handgrad.experiments.inspection import printable

    if not groups:
        return []
    lines = []
    for group in groups:
        files = [printable(file) for file in group.files]
        sign = "=" if group.kind == "exact" else "~"
        shown = files if len(files) <= 4 else [*files[:3], f"… and {len(files) - 3:,} more"]
        lines.append(f" {sign} ".join(shown))
    signs = {"exact": "= the same bytes", "near": "~ they look alike"}
    legend = ", ".join(signs[kind] for kind in signs if any(g.kind == kind for g in groups))
    return _cut(f"{len(groups):,} {_s(groups, 'group')} {what} ({legend}):", lines)


def _faults(found: Findings, readable: bool) -> Iterable[Sequence[str]]:
    """A paragraph for each kind."""
    from handgrad.experiments.inspection import KINDS, printable

    order = list(KINDS)
    faults = sorted(
        (fault for fault in found.faults if fault.readable is readable),
        key=lambda fault: order.index(fault.kind),
    )
    for kind, group in groupby(faults, key=lambda fault: fault.kind):
        files = [printable(fault.file) for fault in group]
        yield _cut(f"{kind}: {len(files):,} {_s(files, 'file')} ({KINDS[kind]})", files)


def _cut(head: str, lines: Sequence[str], most: int = LINES) -> list[str]:
    return [head, *(f"  {line}" for line in _shortened(lines, most))]


def _shortened(lines: Sequence[str], most: int) -> list[str]:
    """Never cut for the sake of a single line."""
    if len(lines) <= most + 1:
        return list(lines)
    return [*lines[:most], f"… and {len(lines) - most:,} more: --json names all"]


def _s(things: Sequence[object], word: str) -> str:
    return word if len(things) == 1 else f"{word}s"


def _next(found: Findings, folder: str, page: str | None, quarantine: str | None) -> Iterable[str]:
    """What was written, and what to do now."""
    left_out = found.quarantine()
    if page is not None:
        yield f"page        {page}"
    if quarantine is not None:
        yield f"quarantine  {quarantine}: {len(left_out):,} {_s(tuple(left_out), 'file')}"
    train = f"handgrad train {shlex.quote(folder)}"
    if not left_out:
        sound = "every file can be used" if found.worth_a_look else "nothing to look at"
        yield f"{sound}; next: {train}"
    elif quarantine is not None:
        yield f"next: look through it, then {train} --quarantine {shlex.quote(quarantine)}"
    else:
        yield (
            f"next: handgrad inspect {shlex.quote(folder)} --quarantine leave-out.csv lists the "
            f"{len(left_out):,} {_s(tuple(left_out), 'file')} to leave out"
        )
        yield f"      {train} --quarantine leave-out.csv"
