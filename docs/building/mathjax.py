"""MathJax shipped along: one script from an installed package, and no request to anywhere.

The component that draws SVG needs no font files, which some browsers do not load from a disk.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.fileutil import copy_asset

__all__ = ["setup"]

SCRIPT = "tex-svg-full.js"  # all of TeX's extensions in one file, so that none is asked for later


def _chosen(app: Sphinx, config: Any) -> None:
    config.mathjax_path = f"mathjax/{SCRIPT}"
    config.mathjax_config_path = "building/mathjax.js"
    config.myst_update_mathjax = False  # it would write settings over those


def _script() -> Path:
    files = distribution("sphinx-mathjax-offline").files or []
    return Path(next(file for file in files if file.name == SCRIPT).locate())


def _copied(app: Sphinx) -> None:
    if app.builder.format == "html":
        copy_asset(_script(), app.outdir / "_static" / "mathjax")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", _chosen)
    app.connect("builder-inited", _copied)
    return {"parallel_read_safe": True}
