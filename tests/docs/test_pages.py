"""The pages: their links, the docstrings on them, and the notebooks that lie beside them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from docs.building.docstrings import converted
from docs.building.link_check import broken_links

HOME = Path(__file__).parents[2]


def test_every_link_of_the_built_pages_leads_somewhere(site):
    assert broken_links(site) == []


def test_every_name_that_a_room_offers_has_its_place(site):
    from docs.building.rooms import ROOMS, offered

    for room in (room for rooms in ROOMS.values() for room in rooms):
        page = (site / "reference" / f"{room}.html").read_text(encoding="utf-8")
        for offer in offered(room):
            assert f'id="handgrad.{room}.{offer.name}"' in page


def test_every_chapter_hands_over_its_notebook(site):
    for name in ("neuron", "lines", "mnist", "layers", "convolution", "fast", "true", "errata"):
        page = (site / "book" / f"{name}.html").read_text(encoding="utf-8")
        assert f'href="{name}.ipynb" download' in page
        book = json.loads((site / "book" / f"{name}.ipynb").read_text(encoding="utf-8"))
        first = next(cell for cell in book["cells"] if cell["cell_type"] == "code")
        assert "".join(first["source"]) == "%pip install --quiet handgrad"
        said = "".join("".join(c["source"]) for c in book["cells"] if c["cell_type"] == "markdown")
        assert "```{" not in said
        assert "{eq}" not in said


@pytest.mark.parametrize(
    ("page", "link", "found"),
    [
        ("", "b.html", "a.html: leads to b.html, which is not there"),
        ("", "#here", "a.html: leads to #here; the page has no such place"),
        ('<p id="here">', "#here", None),
        ('<p id="here">', "a.html#here", None),
        ("", "https://example.org", None),
        ('<img src="https://example.org/a.png">', "#", "a.html: loads https://example.org/a.png"),
        ('<script src="a.js"></script>', "#", "a.html: leads to a.js, which is not there"),
        ('<p style="background: url(//a.b/c)">', "#", "a.html: loads //a.b/c"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path, page, link, found):
    (tmp_path / "a.html").write_text(f'{page}<a href="{link}">x</a>')
    assert broken_links(tmp_path) == ([found] if found else [])


def test_every_room_has_its_page():
    pytest.importorskip("sphinx")
    from docs.building.rooms import ROOMS

    source = HOME / "src" / "handgrad"
    there = {path.parent.name for path in source.glob("*/__init__.py")}
    there |= {path.stem for path in source.glob("*.py") if not path.stem.startswith("_")}
    assert {room for rooms in ROOMS.values() for room in rooms} == there - {"cli"}


def test_every_guide_is_in_the_list_of_guides():
    said = (HOME / "docs" / "guides.md").read_text(encoding="utf-8")
    besides = {"index", "guides", "records", "design"}
    for page in (HOME / "docs").glob("*.md"):
        assert page.stem in besides or f"{{doc}}`{page.stem}`" in said, page


def test_every_chapter_is_in_the_list_of_chapters():
    said = (HOME / "docs" / "book" / "index.md").read_text(encoding="utf-8").splitlines()
    for page in (HOME / "docs" / "book").glob("*.md"):
        assert page.stem == "index" or page.stem in said, page


DOCSTRING = """Carry `softmax` back: ``dz = x*``, with s_k and |x|.

From this

    dz_k = Σ_i ds_i J_ik

        indented

it *follows*.

Parameters
----------
ds, s : (N, K) float      gradient at the output,
    which goes on
momentum

Cost: 4·N flops.

>>> softmax(1)
2
""".splitlines()


def test_a_docstring_as_a_page_has_it():
    assert [line for line in converted(DOCSTRING) if line.strip()] == [
        r"Carry :name:`softmax` back: ``dz = x*``, with s\_k and \|x\|.",
        "From this",
        ".. code-block:: text",
        "   :class: derivation",
        "   dz_k = Σ_i ds_i J_ik",
        "       indented",
        "it *follows*.",
        ":Parameters:",
        "    ``ds``, ``s``",
        "        (N, K) float, gradient at the output,",
        "        which goes on",
        "    momentum",
        ":Cost: 4·N flops.",
        ".. code-block:: pycon",
        "   >>> softmax(1)",
        "   2",
    ]


CHAPTER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
(small)=
# Small

By {eq}`twice` and {func}`handgrad.calculus.relu`, as in {ref}`lines` and {doc}`the list <index>`.

```{formula} twice
:computes: handgrad.calculus.relu(z) -> a
:where: z: n
a &= z \\\\
b &= a
```

```{note}
Mind this.
```

```{code-cell} python
:tags: [hide-input]
import handgrad as hg

hg.calculus.relu(__import__("numpy").array([-1.0, 2.0]))
```
"""


@pytest.fixture
def small(tmp_path):
    if any(importlib.util.find_spec(name) is None for name in ("sphinx", "jupytext")):
        pytest.skip("Sphinx or jupytext is not installed")
    from docs.building.notebooks import notebook

    page = tmp_path / "small.md"
    page.write_text(CHAPTER)
    return notebook(page, {"twice": "2.5"}, {"lines": "Lines, 3x3"})


def test_a_chapter_as_a_notebook(small):
    said, install, text, code = small.cells
    assert "nothing else" in said.source
    assert install.source == "%pip install --quiet handgrad"
    assert text.source == (
        "# Small\n\nBy (2.5) and `handgrad.calculus.relu`, as in *Lines, 3x3* and *the list*.\n\n"
        "$$\n\\begin{aligned}a &= z \\\\\nb &= a\\end{aligned} \\tag{2.5}\n$$\n\n"
        "> **Note**\n>\n> Mind this."
    )
    assert code.source.startswith("import handgrad")


@pytest.mark.filterwarnings("default")  # of the kernel's process and its sockets
def test_the_notebook_runs(small, tmp_path):
    client = pytest.importorskip("nbclient")
    small.cells = [cell for cell in small.cells if "install" not in cell.metadata.get("tags", [])]
    client.NotebookClient(small, timeout=60, resources={"metadata": {"path": tmp_path}}).execute()
    assert "array([0., 2.])" in small.cells[-1].outputs[0]["data"]["text/plain"]
