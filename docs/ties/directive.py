"""``{formula}``: an equation, and under it the ways to its function, test and picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from docs.ties.formula import read
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

__all__ = ["FormulaDirective", "setup", "test_label"]


def test_label(test: str) -> str:
    """The label of the page that shows a test file.

    >>> test_label("tests/calculus/test_softmax.py::test_by_hand")
    'test-calculus-test_softmax'
    """
    path = Path(test.partition("::")[0]).with_suffix("")
    return "-".join(("test", *path.parts[1:]))


class FormulaDirective(SphinxDirective):
    """Shows what `docs.ties.formula.Formula` describes."""

    has_content = True
    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("computes", "where", "out", "sizes", "form", "test", "picture"), directives.unchanged
    )

    def run(self) -> list[nodes.Node]:
        label = self.arguments[0]
        options = "".join(f":{name}: {value}\n" for name, value in self.options.items())
        formula = read(label, options + "\n".join(self.content), Path(self.env.docname))
        latex = formula.latex
        if "&" in latex and r"\begin" not in latex.partition("&")[0]:
            latex = rf"\begin{{aligned}}{latex}\end{{aligned}}"
        block = nodes.math_block(
            latex, latex, docname=self.env.docname, number=None, label=label, nowrap=False
        )
        self.set_source_info(block)
        domain: Any = self.env.get_domain("math")
        domain.note_equation(self.env.docname, label, location=block)
        block["number"] = domain.get_equation_number_for(label)
        target = nodes.target("", "", ids=[nodes.make_id(f"equation-{label}")])
        self.state.document.note_explicit_target(target)
        return [target, block, self.ties(formula.function, formula.test, formula.picture)]

    def ties(self, function: str, test: str, picture: str) -> nodes.paragraph:
        """Computed by …, proved by …, shown in …"""
        line = nodes.paragraph(classes=["ties"])
        line += nodes.Text("computed by ")
        line += self.reference("py", "obj", function, function.rpartition(".")[2])
        if test:
            line += nodes.Text(", proved by ")
            line += self.reference("std", "ref", test_label(test), test)
        if picture:
            line += nodes.Text(", shown in ")
            line += self.reference("std", "ref", picture, "a picture")
        return line

    def reference(self, domain: str, kind: str, target: str, text: str) -> addnodes.pending_xref:
        node = addnodes.pending_xref(
            "", refdomain=domain, reftype=kind, reftarget=target, refexplicit=True, refwarn=True,
            refdoc=self.env.docname,
        )  # fmt: skip
        node += nodes.literal("", text) if kind == "obj" else nodes.inline("", text)
        self.set_source_info(node)
        return node


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("formula", FormulaDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
