"""Arguments to calls, results to words: the command line. It holds no logic of its own.

Everything but click is imported inside the commands, so that ``--help`` is there at once.
"""

from __future__ import annotations

import io
import sys

import click

from handgrad import __version__
from handgrad.cli.bench import bench
from handgrad.cli.evaluate import evaluate
from handgrad.cli.exercise import check, exercise
from handgrad.cli.export import export
from handgrad.cli.film import film
from handgrad.cli.inspect import inspect
from handgrad.cli.lists import datasets, recipes, summary
from handgrad.cli.parity import parity
from handgrad.cli.picture import picture
from handgrad.cli.predict import predict
from handgrad.cli.prepare import prepare
from handgrad.cli.report import report
from handgrad.cli.rerun import rerun
from handgrad.cli.sweep import sweep
from handgrad.cli.train import train
from handgrad.cli.verify import verify
from handgrad.cli.words import said
from handgrad.errors import HandgradError

__all__ = ["handgrad", "main"]


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 good, 1 finished with findings, 2 wrong input, 130 interrupted "
    "(143 by SIGTERM).",
)
@click.version_option(__version__, prog_name="handgrad", message="%(prog)s %(version)s")
def handgrad() -> None:
    """Neural networks by hand, for images.

    \b
    Examples:
      handgrad train                     train on embedded digits, in seconds
      handgrad train lines               a published experiment
      handgrad train photos/             your own folder, one folder per class
      handgrad evaluate                  judge the newest run
      handgrad report                    see it: one page with all pictures
      handgrad predict photo.jpg         ask it about a photograph
    """


COMMANDS = (
    inspect, train, evaluate, predict, report, picture, film, export, parity, prepare, verify,
    rerun, sweep, bench, summary, recipes, datasets, exercise, check,
)  # fmt: skip
for command in COMMANDS:
    handgrad.add_command(command)


def main() -> None:
    """The entry point: run a command, and turn what went wrong into a sentence and a code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a log file may be ASCII or a Windows code page
            stream.reconfigure(errors="backslashreplace")
    try:
        code = handgrad.main(prog_name="handgrad", standalone_mode=False)
    except (click.ClickException, click.Abort, HandgradError, MemoryError, KeyboardInterrupt) as e:
        code = said(e)
    sys.exit(code if isinstance(code, int) else 0)
