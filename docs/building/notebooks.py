"""A chapter as a notebook to take along, and the two buttons at its top that hand it over.

The .ipynb lies beside the chapter's page. It begins with a cell that installs the package; what
only a built page knows (numbered formulas, references, labels) is written out as Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from docutils import nodes
from nbformat import NotebookNode
from sphinx.application import Sphinx

__all__ = ["INSTALL", "notebook", "setup"]

INSTALL = "install"
"""The tag of the first cell of code."""

COLAB = "https://colab.research.google.com"
FENCE = re.compile(
    r"^(`{3,}|:{3,})\{([\w-]+)\}[ \t]*(.*?)\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE
)
OPTION = re.compile(r"\A(?::[\w-]+:.*\n)+")
ROLE = re.compile(r"\{([\w:-]+)\}`([^`]+)`")


def notebook(page: Path, numbers: Mapping[str, str], titles: Mapping[str, str]) -> NotebookNode:
    """A chapter for Jupyter.

    Parameters
    ----------
    page : docs/book/NAME.md
    numbers : of the labelled equations of the whole book, "2.5"
    titles : of the labels and pages that are referred to
    """
    book = jupytext.read(page)
    said = "The first cell installs the package `handgrad` and nothing else."
    code = "%pip install --quiet handgrad"
    first = nbformat.v4.new_code_cell(code, metadata={"tags": [INSTALL]})
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = _markdown(cell.source, numbers, titles)
        cell.metadata.pop("tags", None)
    book.cells = [
        cell
        for cell in book.cells
        if cell.source.strip() and cell.cell_type in ("code", "markdown")
    ]
    book.cells[:0] = [nbformat.v4.new_markdown_cell(said), first]
    for i, cell in enumerate(book.cells):
        cell.id = f"cell-{i}"  # the same file at every build
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    book.nbformat, book.nbformat_minor = 4, 5
    return book


def _markdown(text: str, numbers: Mapping[str, str], titles: Mapping[str, str]) -> str:
    text = re.sub(r"^\([\w.-]+\)=[ \t]*\n", "", text, flags=re.MULTILINE)  # labels
    text = re.sub(r"^%.*\n?|^\+\+\+.*\n?", "", text, flags=re.MULTILINE)  # comments and breaks
    text = FENCE.sub(lambda found: _block(found, numbers), text)
    return ROLE.sub(lambda found: _role(found, numbers, titles), text).strip()


def _block(found: re.Match[str], numbers: Mapping[str, str]) -> str:
    """A directive of a page as plain Markdown."""
    _, kind, argument, body = found.groups()
    body = OPTION.sub("", body).strip("\n")
    if kind in ("formula", "math"):
        if re.search(r"(?<!\\)&|\\\\", body) and r"\begin" not in body.partition("&")[0]:
            body = rf"\begin{{aligned}}{body}\end{{aligned}}"
        label = argument if kind == "formula" else ""
        tag = rf" \tag{{{numbers[label]}}}" if label in numbers else ""
        return f"$$\n{body}{tag}\n$$"
    if kind in ("code", "code-block", "sourcecode"):
        return f"```{argument}\n{body}\n```"
    if kind in ("toctree", "contents"):
        return ""
    if kind in ("figure", "image", "glue:figure"):
        return body
    quoted = f"**{argument or kind.capitalize()}**\n\n{body}".splitlines()
    return "\n".join(f"> {line}".rstrip() for line in quoted)


def _role(found: re.Match[str], numbers: Mapping[str, str], titles: Mapping[str, str]) -> str:
    """A reference of a page in words."""
    role, text = found.groups()
    shown, _, target = text.partition(" <")
    target = target.rstrip(">") or text
    if role == "eq":
        return f"({numbers.get(target, target)})"
    if role == "math":
        return f"${text}$"
    if role in ("ref", "doc", "numref"):
        return f"*{shown if target != text else titles.get(target, target)}*"
    return f"`{shown.lstrip('~')}`"


def _chapters(app: Sphinx) -> list[str]:
    """The pages of the book that are notebooks; others read what only the repository has."""
    metadata = app.env.metadata
    pages = (name for name in app.env.found_docs if name.startswith("book/"))
    return sorted(name for name in pages if "kernelspec" in metadata.get(name, {}))


def _write_notebooks(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    env = app.env
    math, standard = env.get_domain("math"), env.domains.standard_domain
    titles = {label: entry[2] for label, entry in standard.labels.items()}
    titles |= {name: env.titles[name].astext() for name in env.titles}
    titles |= {Path(name).name: env.titles[name].astext() for name in _chapters(app)}
    numbers = {}
    for label, (page, number) in math.equations.items():  # type: ignore[attr-defined]
        chapter = env.toc_secnumbers.get(page, {}).get("", ())[:1]
        numbers[label] = ".".join(map(str, (*chapter, _within(env, page, label, number))))
    for name in _chapters(app):
        book = notebook(Path(env.doc2path(name)), numbers, titles)
        nbformat.write(book, app.outdir / f"{name}.ipynb")


def _within(env: Any, page: str, label: str, number: int) -> int:
    """The number of an equation as the page shows it."""
    shown = env.toc_fignumbers.get(page, {}).get("displaymath", {})
    return shown.get(f"equation-{label}", (number,))[-1]


def _with_buttons(app: Sphinx, document: nodes.document, page: str) -> None:
    """The two buttons, under the title of a chapter."""
    if app.builder.format != "html" or page not in _chapters(app):
        return
    section = next(iter(document.findall(nodes.section)), None)
    if section is None:
        return
    up = "../" * page.count("/")
    file = f"{Path(page).name}.ipynb"
    where = f"{COLAB}/#upload=true"
    words = "load the downloaded notebook up there"
    if app.config.colab_repository:
        where = f"{COLAB}/github/{app.config.colab_repository}/{page}.ipynb"
        words = "open this chapter there"
    html = (
        '<p class="take-along">'
        f'<a href="{file}" download title="download this chapter as a notebook">'
        f'<img class="no-card" src="{up}_static/jupyter.svg" alt="Jupyter: download"></a> '
        f'<a href="{where}" title="{words}">'
        f'<img class="no-card" src="{up}_static/colab.svg" alt="Colab: {words}"></a>'
        + (
            ""
            if app.config.colab_repository
            else " <small>(Colab asks for the downloaded file.)</small>"
        )
        + "</p>"
    )
    section.insert(1, nodes.raw("", html, format="html"))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("colab_repository", None, "html", types=frozenset({str, type(None)}))
    app.connect("doctree-resolved", _with_buttons)
    app.connect("build-finished", _write_notebooks)
    return {"parallel_read_safe": True}
