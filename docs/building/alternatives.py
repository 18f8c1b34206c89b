"""What is seen on a picture, in words, for who cannot see it.

A `handgrad.pictures` figure says it in its attribute ``alt``, and its PNG carries that along as its
description. Pictures of a cell get it from there; a picture that says nothing of itself is named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from PIL import Image, UnidentifiedImageError
from sphinx.application import Sphinx

__all__ = ["setup"]


def _described(app: Sphinx, document: nodes.document) -> None:
    for image in document.findall(nodes.image):
        if not image.get("alt"):
            path = Path(app.srcdir) / image["uri"].lstrip("/")
            image["alt"] = _description(path) or "A picture that the cell above draws"


def _description(path: Path) -> str:
    """What a PNG says of itself, where it does."""
    try:
        with Image.open(path) as image:
            return str(image.info.get("Description", ""))
    except (OSError, UnidentifiedImageError):  # an SVG, say
        return ""


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", _described)
    return {"parallel_read_safe": True}
