"""The page of the recipes that come along: what each is about, what to know, and its TOML."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from docs.building.sources import whole, write
from sphinx.application import Sphinx

from handgrad.experiments import recipe_names

__all__ = ["page", "setup"]

INTRODUCTION = """# The recipes

A recipe is an experiment: data, preparation, architecture, first values, loss, optimizer and seed
in one TOML file. `handgrad train NAME` trains one of these, `handgrad recipes NAME` prints it, and
`--set optimizer.learning_rate=0.1` or `--set architecture.0.units=256` changes it.
"""


def page() -> str:
    """A section for every recipe, in the order of `handgrad recipes`."""
    folder = resources.files("handgrad.experiments") / "recipes"
    text = [INTRODUCTION]
    for name, about in recipe_names().items():
        written = (folder / f"{name}.toml").read_text(encoding="utf-8").rstrip()
        note = tomllib.loads(written).get("note", "")
        text += [f"(recipe-{name})=", f"## {name}", "", f"{_plain(about)}.", ""]
        text += [_plain(note), "", "```toml", written, "```", ""]
    return "\n".join(text) + "\n"


def _plain(text: str) -> str:
    """As Markdown takes it for prose."""
    return "".join(f"\\{letter}" if letter in "\\*_<>[]{}$|`" else letter for letter in text)


def _write_page(app: Sphinx) -> None:
    if not whole(app):
        return
    write(Path(app.srcdir) / "reference" / "recipes.md", page())


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", _write_page)
    return {"parallel_read_safe": True}
