"""How results are said: one line of JSON, aligned columns, numbers in words."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Collection, Sequence
from typing import Any, TextIO

import click

__all__ = [
    "as_device",
    "as_json",
    "as_views",
    "check_alone",
    "columns",
    "percent",
    "said",
    "say_json",
    "span",
    "time_left",
]

as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON value on standard output, the rest on error."
)

as_device = click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="Where to compute: cuda is a graphics card, through CuPy.",
)

as_views = click.option(
    "--views",
    type=click.Choice(["none", "mirror", "mirror-shift"]),
    help="What of an image is averaged, at 1, 2 or 6 times the cost; if not given, as trained.",
)


def said(error: BaseException, who: str = "") -> int:
    """Tell what went wrong in a sentence, and give the exit code.

    Parameters
    ----------
    who : of several processes met it
    """
    if isinstance(error, click.ClickException):
        error.show()
        return 2
    code, sentence = 2, str(error)
    if isinstance(error, MemoryError):
        sentence = "found too little memory for images or a network this large"
    elif isinstance(error, KeyboardInterrupt | click.Abort):
        error = error.__cause__ or error  # click's Abort comes of what was raised
        code, sentence = 128 + getattr(error, "signum", signal.SIGINT), "interrupted"
    for line in (sentence, *getattr(error, "__notes__", [])):
        click.echo(f"handgrad: {who}{line}", err=True)
    return code


def check_alone(context: click.Context, fitting: Collection[str], what: str) -> None:
    """Refuse what would make another run or sweep of the one that ``--resume`` goes on with."""
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and name not in fitting:
            word = parameter.opts[0] if parameter.opts[0].startswith("-") else "SOURCE"
            raise click.UsageError(
                f"found {word} beside --resume; expected neither data nor settings, since the "
                f"{what} goes on with its own"
            )


def say_json(value: Any, stream: TextIO | None = None) -> None:
    """One JSON value on one line, in ASCII for any terminal; what is no finite number is null.

    Flushed, so that who reads a line a value has each at once.
    """
    click.echo(json.dumps(_finite(value), allow_nan=False), file=stream)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def columns(rows: Sequence[Sequence[object]], right: Sequence[int] = ()) -> str:
    """Rows of cells as aligned text; ``right`` names the columns that hold numbers.

    >>> print(columns([["layer", "n"], ["dense 10", 90]], right=[1]))
    layer      n
    dense 10  90
    """
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def percent(share: float | None) -> str:
    """
    >>> percent(0.9966667), percent(None)
    ('99.67 %', '-')
    """
    return "-" if share is None else f"{100 * share:.2f} %"


def span(low: float, high: float) -> str:
    """
    >>> span(0.692, 0.902)
    '69.2 to 90.2 %'
    """
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def time_left(seconds: float) -> str:
    """
    >>> time_left(75), time_left(3675)
    ('1:15', '1:01:15')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
