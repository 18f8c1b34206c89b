"""A page for every test file that a formula of the book names, so that the proof is one click away.

``tests/calculus/test_softmax.py`` is shown on `reference/tests/calculus-test_softmax.html`, under
the label ``test-calculus-test_softmax``.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path, PurePosixPath
from typing import Any

from docs.building.sources import HOME, whole, write
from docs.ties.directive import test_label
from sphinx.application import Sphinx
from sphinx.util import logging

__all__ = ["named_tests", "setup"]

TEST = re.compile(r"^:test:[ \t]*(\S+)", re.MULTILINE)


def named_tests(book: Path) -> dict[str, list[str]]:
    """The test files that the formulas of the book name, each with its pages."""
    found: dict[str, list[str]] = {}
    for page in sorted(book.rglob("*.md")):
        for test in TEST.findall(page.read_text(encoding="utf-8")):
            pages = found.setdefault(test.partition("::")[0], [])
            if page.stem not in pages:
                pages.append(page.stem)
    return found


def _page(test: str, chapters: list[str]) -> str:
    source = (HOME / test).read_text(encoding="utf-8")
    said = (ast.get_docstring(ast.parse(source)) or "").replace("$", r"\$")
    leads = ", ".join(f"{{doc}}`/book/{name}`" for name in chapters)
    return f"""({test_label(test)})=
# {PurePosixPath(test).name}

{said}

Formulas of these pages are held to their functions by it: {leads}. It runs with

```console
$ python3 go.py test {test}
```

```{{literalinclude}} /../{test}
:language: python
:linenos:
:caption: {test}
```
"""


def _write_pages(app: Sphinx) -> None:
    if not whole(app):
        return
    folder = Path(app.srcdir) / "reference" / "tests"
    tests = named_tests(Path(app.srcdir) / "book")
    wanted = {folder / "index.md"}
    names = []
    for test, chapters in sorted(tests.items()):
        if not (HOME / test).is_file():
            logging.getLogger(__name__).warning("%s: :test: names no file: %s", chapters, test)
            continue
        names.append(test_label(test).removeprefix("test-"))
        wanted.add(folder / f"{names[-1]}.md")
        write(folder / f"{names[-1]}.md", _page(test, chapters))
    listed = "\n".join(names)
    write(
        folder / "index.md",
        "# Tests that formulas name\n\nEach as it runs, word for word.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n",
    )
    for old in set(folder.glob("*.md")) - wanted:
        old.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", _write_pages)
    return {"parallel_read_safe": True}
