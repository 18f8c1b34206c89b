"""``docs/folder.md``, as code and docstrings name a page to who reads them, is a link on a page."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

__all__ = ["setup"]

PAGE = re.compile(r"docs/([\w/]+)\.md")


def _linked(app: Sphinx, document: nodes.document) -> None:
    for literal in list(document.findall(nodes.literal)):
        found = PAGE.fullmatch(literal.astext())
        if found and found[1] in app.env.found_docs and not literal.parent.get("refuri"):
            link = addnodes.pending_xref(
                refdomain="std", reftype="doc", reftarget=f"/{found[1]}",
                refexplicit=False, refdoc=app.env.docname, refwarn=True,
            )  # fmt: skip
            link += nodes.inline("", literal.astext())  # its title comes in its place
            literal.replace_self(link)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", _linked)
    return {"parallel_read_safe": True}
