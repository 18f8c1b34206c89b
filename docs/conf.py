"""How the pages are built: `python3 go.py docs`, or `python -m docs.building`."""

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HOME))  # `docs.building` and `docs.ties` are found there

from docs.building import sources  # noqa: E402

from handgrad import __version__  # noqa: E402

project, author = "handgrad", "the handgrad authors"
version = release = __version__

colab_repository: str | None = None
"""OWNER/NAME/blob/BRANCH on GitHub where the built pages are published, `book/lines.ipynb` among
them: the Colab buttons then open the chapters themselves. None: nowhere yet."""

extensions = [
    "myst_nb",
    "sphinx.ext.mathjax",
    "docs.building.mathjax",
    "docs.ties.directive",
    "docs.building.rooms",
    "docs.building.commands",
    "docs.building.recipes",
    "docs.building.proofs",
    "docs.building.page_links",
    "docs.building.notebooks",
    "docs.building.alternatives",
]
nitpicky = True
html_context = {"default_mode": "auto"}
exclude_patterns = [
    "_build",
    "**/.ipynb_checkpoints",
    "**/__pycache__",
]
root_doc = "index"
numfig = True
math_numfig = True
numfig_secnum_depth = 1
math_eqref_format = "({number})"
highlight_language = "none"
smartquotes = False  # a' is a derivative

# The notebooks: what a cell shows depends on the code of the package, too.
myst_enable_extensions = ["dollarmath", "amsmath", "deflist", "colon_fence", "attrs_inline"]
myst_dmath_double_inline = True
myst_heading_anchors = 3
nb_execution_mode = "cache"
CELLS = HOME / "docs" / "_build" / "cells"
nb_execution_cache_path = str(CELLS / sources.fingerprint("benchmarks"))
nb_execution_raise_on_error = True
nb_execution_timeout = 240
nb_execution_show_tb = True
nb_merge_streams = True
nb_render_markdown_format = "myst"  # with tables
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
nb_ipywidgets_js = {}  # no script from elsewhere

# The API: types as the code writes them.
autodoc_member_order = "bysource"
autodoc_type_aliases = {name: f"handgrad.arrays.{name}" for name in ("Array", "Shape")}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "pydata_sphinx_theme"
html_title = "handgrad"
html_static_path = ["_static"]
html_css_files = ["handgrad.css"]
html_show_search_summary = False  # a page of a disk may not read another one
html_copy_source = False
html_sidebars = {"records": []}  # it has no pages below, and wide tables
html_theme_options = {
    "logo": {"text": "handgrad"},
    "show_nav_level": 1,
    "navigation_depth": 3,
    "show_prev_next": True,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "primary_sidebar_end": [],
    "footer_start": [],
    "footer_center": [],
    "footer_end": [],
}
