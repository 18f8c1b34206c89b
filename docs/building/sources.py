"""Which code the pages are made of, as one word that changes with it."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["BUILT", "HOME", "MARK", "SOURCES", "fingerprint", "whole", "write"]

HOME = Path(__file__).resolve().parents[2]
BUILT = HOME / "docs" / "_build" / "html"
SOURCES = ("docs", "tests", "benchmarks")
"""What the pages are made of besides the package."""

MARK = ".made-of"
"""The file in the built site that says, by its fingerprint, what it was made of."""


def fingerprint(*folders: str) -> str:
    """One word for what the cells of a notebook run on: the package, the data there are, Python.

    Parameters
    ----------
    folders : what counts besides the package, below the repository's root
    """
    whole = hashlib.sha256(sys.version.encode())
    whole.update(os.environ.get("HANDGRAD_DATA", "").encode())
    for folder in ("src/handgrad", *folders):
        place = HOME / folder
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            hidden = {"__pycache__", "_build", ".ipynb_checkpoints"} & set(path.parts)
            if path.is_file() and not hidden and not _made(path):
                whole.update(f"{path.relative_to(HOME)}\0".encode())
                whole.update(path.read_bytes())
    return whole.hexdigest()[:16]


def _made(path: Path) -> bool:
    """Whether a page is written by a build."""
    reference = HOME / "docs" / "reference"
    return reference in path.parents and path != reference / "index.md"


def whole(app: Sphinx) -> bool:
    """Whether the whole site is built, and not one page of it (``--only``)."""
    return list(app.config.include_patterns) == ["**"]


def write(path: Path, text: str) -> None:
    """Write a page that is made, and leave it alone where it says so already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
