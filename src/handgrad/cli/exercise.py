"""``handgrad exercise`` and ``handgrad check``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from handgrad.cli.words import as_json, columns, say_json

__all__ = ["check", "exercise"]

from_file = click.option(
    "--from",
    "teachers",
    type=click.Path(path_type=Path),
    metavar="FILE.py",
    help="A teacher's own exercise; the file is run.",
)


@click.command()
@click.argument("name", required=False)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="FILE.py", help="Else NAME.py, here."
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@from_file
@as_json
def exercise(
    name: str | None, out: Path | None, force: bool, teachers: Path | None, as_json: bool
) -> None:
    """Write an exercise: a short Python file with a gap, for you to fill.

    Without a NAME they are listed, in the order of the book; with a chapter's name those of it. The
    file says what is given and what is wanted; all but one function is there. When that is written,
    `handgrad check FILE` says whether it is right. --from takes an exercise that is not in the list
    (docs/book/exercises.md says how one is made).

    \b
    Examples:
      handgrad exercise
      handgrad exercise neuron
      handgrad exercise affine-backward
      handgrad exercise --from lectures/hinge.py --out my_hinge.py
    """
    from handgrad.errors import HandgradError
    from handgrad.exercises import CHAPTERS, exercises, read_exercise
    from handgrad.exercises import exercise as named
    from handgrad.writing import written

    if name is not None and teachers is not None:
        raise click.UsageError(f"found {name} beside --from; expected one of them")
    if teachers is None and (name is None or name in CHAPTERS):
        if out is not None:
            raise click.UsageError("found --out, but no exercise; expected NAME or --from FILE.py")
        known = [each for each in exercises().values() if name in (None, each.chapter)]
        if as_json:
            rows = [{"name": e.name, "about": e.about, "chapter": e.chapter} for e in known]
            say_json(rows)
        else:
            table = [["exercise", "chapter", "what is missing"]]
            table += [[each.name, each.chapter, each.about] for each in known]
            click.echo(columns(table))
            click.echo("\nhandgrad exercise NAME writes one, as a Python file with a gap")
        return
    found = read_exercise(teachers) if teachers is not None else named(str(name))
    path = out or Path(f"{found.function}.py")
    if path.is_dir():
        raise HandgradError(f"{path}: found a folder; expected the name of a file to write")
    if path.exists() and path.samefile(found.path):
        raise HandgradError(f"{path}: found the exercise itself there; expected another --out")
    if path.exists() and not force:
        raise HandgradError(f"{path}: the file is there already; --force replaces it")
    again = ["handgrad", "check", *(["--from", str(teachers)] if teachers else []), str(path)]
    command = " ".join(f"'{word}'" if " " in word else word for word in again)
    with written(path) as beside:
        beside.write_text(found.gap(command), encoding="utf-8")
    if as_json:
        say_json({"exercise": found.name, "file": str(path), "check": command})
        return
    click.echo(f"{path}: {found.about}")
    click.echo(f"next: write the body of {found.function} in it, and then: {command}")


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="FILE.py")
@from_file
@as_json
def check(file: Path | None, teachers: Path | None, as_json: bool) -> int:
    """Check an exercise that you have filled in, and name the mistake where it is a known one.

    FILE is your own program, and it is run: check only files that you know. Your function is tried
    with small awkward inputs in float64. Its gradients are held against derivatives that are
    computed without any calculus, its values against the definition. Exit code 0 if all are right,
    1 if not, 2 if the file cannot be checked.

    A teacher checks an exercise of their own with --from alone: whether its solution passes, and
    each of its mistakes is told.

    \b
    Examples:
      handgrad check affine_backward.py
      handgrad check affine_backward.py --json
      handgrad check --from lectures/hinge.py my_hinge.py
      handgrad check --from lectures/hinge.py
    """
    import contextlib

    from handgrad.exercises import check as checked
    from handgrad.exercises import exercises, proved, read_exercise

    if file is None and teachers is None:
        raise click.UsageError("no file is named; expected one that `handgrad exercise` wrote")
    with contextlib.redirect_stdout(sys.stderr):  # what the learner's own program prints
        own = read_exercise(teachers) if teachers is not None else None
        if file is not None:
            verdict = checked(file, own)
        elif own is not None:
            verdict = proved(own)
    if as_json:
        say_json(
            {
                "file": str(file or teachers),
                "exercise": verdict.exercise,
                "passed": verdict.passed,
                "kind": verdict.kind,
                "sentence": verdict.sentence,
                "worst_error": verdict.worst_error,
                "comparisons": verdict.comparisons,
            }
        )
    else:
        click.echo(str(verdict))
        if verdict.passed and teachers is None:
            names = [*exercises(), ""]
            if following := names[names.index(verdict.exercise) + 1]:
                click.echo(f"next: handgrad exercise {following}")
    return 0 if verdict.passed else 1
