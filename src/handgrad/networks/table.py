"""Networks and models as a notebook shows them: short HTML that asks nobody for anything.

Colours are those around it, so that it is read on light and on dark. Whatever comes from a file or
from a user is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from handgrad.networks.rows import layer_rows

if TYPE_CHECKING:
    from handgrad.networks.model import Model
    from handgrad.networks.network import Network

__all__ = ["html_facts", "html_table", "html_text", "model_html", "network_html"]

SHOWN = 30
"""Class names that are listed at most."""

_CELL = "padding:0.1em 0.8em 0.1em 0;vertical-align:top;"
_LINE = "border-bottom:1px solid;"  # of the text's colour


def network_html(network: Network) -> str:
    """A network's layers: what each takes, gives and learns; in all; and the kind of number."""
    rows = [
        [row.layer, _shape(row.input), _shape(row.output), f"{row.parameters:,}"]
        for row in layer_rows(network)
    ]
    gathered = network.layout.size - network.layout.learned
    total = [f"in all, {network.dtype}", "", "", f"{network.layout.learned:,}"]
    if gathered:
        total[0] += f"; {gathered:,} are gathered besides"
    return html_table(["layer", "in", "out", "learned"], [*rows, total], right=(1, 2, 3))


def model_html(model: Model) -> str:
    """A model: what it says of a file, how a file comes to it, and its network."""
    wanted, names = model.preparation, model.class_names
    listed = ", ".join(names[:SHOWN])
    if len(names) > SHOWN:
        listed += f" and {len(names) - SHOWN:,} more"
    steps = [
        f"{wanted.height}x{wanted.width}",
        "grey" if wanted.channels == 1 else "colour",
        wanted.resample,
    ]
    if wanted.draft:
        steps.append("JPEG draft")
    steps.append("0..1" if wanted.scale == "unit" else "0..255")
    if wanted.mean is not None:
        steps.append("normalized")
    if wanted.transposed:
        steps.append("column by column")
    facts = {f"{len(names):,} classes": listed, "images": ", ".join(steps)}
    if model.views != "none":
        facts["views"] = f"{model.views}; their mean is the answer"
    test = model.about.get("test")
    if isinstance(test, dict) and isinstance(test.get("accuracy"), float):
        facts["test"] = f"{100 * test['accuracy']:.2f} % of {test.get('n')} images"
    return html_facts("Model", facts) + network_html(model.network)


def html_text(text: str) -> str:
    """Any text as HTML; bytes of a file's name that are no text become escapes.

    >>> html_text("<b> & \\udcff")
    '&lt;b&gt; &amp; \\\\udcff'
    """
    return escape(text.encode("utf-8", "backslashreplace").decode())


def html_facts(title: str, facts: dict[str, str]) -> str:
    """A title, and under it a line for each fact: its name, and what is said of it."""
    rows = "".join(
        f'<tr><th style="{_CELL}text-align:left">{html_text(name)}</th>'
        f'<td style="{_CELL}text-align:left">{html_text(said)}</td></tr>'
        for name, said in facts.items()
    )
    return f"<div><b>{html_text(title)}</b></div>{_table(rows)}"


def html_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()
) -> str:
    """Rows of text under a head; ``right`` names the columns that hold numbers.

    The last row is set apart: it is about all others.
    """

    def row(cells: Sequence[str], kind: str, line: str = "") -> str:
        aligned = (f"text-align:{'right' if i in right else 'left'}" for i in range(len(cells)))
        return "".join(
            f'<{kind} style="{_CELL}{line}{align}">{html_text(cell)}</{kind}>'
            for cell, align in zip(cells, aligned, strict=True)
        )

    body = [f"<tr>{row(head, 'th', _LINE)}</tr>"]
    for i, cells in enumerate(rows, start=2):
        body.append(f"<tr>{row(cells, 'td', _LINE if i == len(rows) else '')}</tr>")
    return _table("".join(body))


def _table(body: str) -> str:
    style = "border-collapse:collapse;font-variant-numeric:tabular-nums;margin:0.3em 0"
    return f'<table style="{style}">{body}</table>'


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
