"""Errors where several processes train together: each is told once."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator

import click

from handgrad.cli.words import said
from handgrad.errors import HandgradError
from handgrad.parallel import Ranks

__all__ = ["one_voice"]


@contextlib.contextmanager
def one_voice(ranks: Ranks | None) -> Iterator[None]:
    """What all ranks have met, rank 0 tells; what one has met, it tells, and ends them all."""
    try:
        yield
    except BaseException as error:
        if ranks is None or isinstance(error, SystemExit):
            raise
        if isinstance(error, click.UsageError) or getattr(error, "everywhere", False):
            if ranks.rank:
                sys.exit(2)
            raise
        code = 1
        if isinstance(error, HandgradError | MemoryError | KeyboardInterrupt):
            code = said(error, f"{ranks.name}: ")
        else:  # a fault of ours
            traceback.print_exc()
            click.echo(f"handgrad: {ranks.name} has failed", err=True)
        sys.stderr.flush()
        ranks.abort(code)
