"""The page of the command line, made of the commands themselves: their help and their options."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import click
from docs.building.sources import whole, write
from sphinx.application import Sphinx

from handgrad.cli import handgrad

__all__ = ["page", "setup"]


def page() -> str:
    """A section for every command, in the order of ``handgrad --help``."""
    text = ["# The command line", "", *_said(handgrad), *_epilog(handgrad)]
    text += [
        "Every command takes `--help` and `--json`: one value on standard output, all else on",
        "standard error. Where a command takes a model, a run's folder or a model file will do,",
        "and without one the newest run.",
        "",
    ]
    for name, command in handgrad.commands.items():
        text += [f"(command-{name})=", f"## handgrad {name}", "", *_section(name, command)]
    return "\n".join(text) + "\n"


def _section(name: str, command: click.Command) -> list[str]:
    context = click.Context(command, info_name=f"handgrad {name}")
    usage = " ".join([f"handgrad {name}", *command.collect_usage_pieces(context)])
    text = ["```text", usage, "```", "", *_said(command), *_epilog(command)]
    records = [(p.get_help_record(context), p) for p in command.get_params(context)]
    for record, parameter in records:
        if record and record[1] and "--help" not in parameter.opts:
            text += [f"`{record[0]}`", f": {_escaped(record[1])}", ""]
    return text


def _epilog(command: click.Command) -> list[str]:
    return [_escaped(command.epilog), ""] if command.epilog else []


def _said(command: click.Command) -> list[str]:
    """The help text: paragraphs, and as they stand those that click is told not to wrap."""
    text: list[str] = []
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if not paragraph.startswith("\b"):
            text += [_escaped(" ".join(paragraph.split())), ""]
            continue
        head, *rest = paragraph.lstrip("\b").strip("\n").splitlines()
        shown = [line for line in rest if line.startswith("  ")]
        after = " ".join(line.strip() for line in rest if not line.startswith("  "))
        block = "\n".join(line[2:] for line in shown)
        text += [_escaped(head), "", "```console", block, "```", "", _escaped(after), ""]
    return text


def _escaped(text: str) -> str:
    """Prose as Markdown takes it for prose; what stands in backticks stays."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        part if part.startswith("`") else re.sub(r"([\\*_<>\[\]{}$|])", r"\\\1", part)
        for part in parts
    )


def _write_page(app: Sphinx) -> None:
    if not whole(app):
        return
    write(Path(app.srcdir) / "reference" / "commands.md", page())


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", _write_page)
    return {"parallel_read_safe": True}
