"""The pages of the API: a page a room, and on it every name that the room offers.

`reference/<room>.html#handgrad.<room>.<name>` is the place of a name; its signature and docstring
come from autodoc, and [source] leads to the code itself. The pages are written before a build.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from docs.building.docstrings import converted, escaped
from docs.building.sources import HOME, whole, write
from docs.ties.formula import formulas_of
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxRole

__all__ = ["ROOMS", "Offer", "offered", "setup"]

SOURCE = HOME / "src" / "handgrad"
ROOMS = {
    "The mathematics": ["calculus", "layers", "losses", "optimizers", "networks"],
    "Training and what it is fed": ["datasets", "training", "parallel", "plans", "kernels"],
    "From the outside": ["experiments", "estimators", "storage", "export"],
    "To look at, and to be sure": ["pictures", "verification", "exercises", "bench"],
    "What all of them stand on": ["arrays", "tables", "writing", "errors"],
}
"""Every room but the command line, which has a page of its own."""


class Offer(NamedTuple):
    """A name that a room offers: the module that defines it, and the thing itself."""

    name: str
    module: str
    thing: Any


def offered(room: str) -> list[Offer]:
    """What ``handgrad.<room>`` offers, in the order in which its modules define it."""
    package = importlib.import_module(f"handgrad.{room}")
    origins = _origins(room)
    found = [
        Offer(name, origins.get(name, package.__name__), getattr(package, name))
        for name in package.__all__
    ]
    modules = list(dict.fromkeys(origins.values()))
    return sorted(found, key=lambda each: (_at(modules, each.module), _line(each)))


def _origins(room: str) -> dict[str, str]:
    """From each name to the module that the room has it from."""
    source = SOURCE / room / "__init__.py"
    if not source.exists():
        return {}
    imports = [
        node
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("handgrad.")
    ]
    found = {alias.name: node.module or "" for node in imports for alias in node.names}
    return {name: _defining(module, name) for name, module in found.items()}


def _defining(module: str, name: str) -> str:
    """Where a thing that a folder hands on is really defined."""
    thing = getattr(importlib.import_module(module), name)
    home = getattr(thing, "__module__", module)
    return home if isinstance(home, str) and home.startswith("handgrad.") else module


def _at(modules: list[str], module: str) -> int:
    return modules.index(module) if module in modules else len(modules)


def _line(offer: Offer) -> int:
    """The line on which a name is defined."""
    analyzer = ModuleAnalyzer.for_module(offer.module)
    analyzer.analyze()
    return analyzer.tagorder.get(offer.name, 0)


def _room_page(room: str) -> str:
    module = importlib.import_module(f"handgrad.{room}")
    title = f"handgrad.{room}"
    text = [title, "=" * len(title), "", f".. py:module:: {title}", ""]
    text += [*converted(inspect.getdoc(module).splitlines()), ""]  # type: ignore[union-attr]
    last = title
    for offer in offered(room):
        if offer.module != last:
            text += _part(room, last := offer.module)
        text += _entry(room, offer)
    return "\n".join(text) + "\n"


def _part(room: str, module: str) -> list[str]:
    """A heading for what one module of a room defines, and what that module says of itself."""
    title = module.removeprefix(f"handgrad.{room}.").removeprefix("handgrad.").replace(".", " · ")
    title = title.replace("_", " ")
    said = inspect.getdoc(importlib.import_module(module)) or ""
    return [title, "-" * len(title), "", *converted(said.splitlines()), ""]


def _entry(room: str, offer: Offer) -> list[str]:
    path = f"handgrad.{room}.{offer.name}"
    if inspect.isclass(offer.thing):
        options = ["   :members:", "   :undoc-members:"]
        if offer.thing.__bases__ != (object,):
            options.append("   :show-inheritance:")
        return [f".. autoclass:: {path}", *options, ""]
    if inspect.isroutine(offer.thing):
        return [f".. autofunction:: {path}", ""]
    analyzer = ModuleAnalyzer.for_module(offer.module)
    said = analyzer.find_attr_docs().get(("", offer.name), [])
    value = _written(offer)
    shown = [f"   :value: {value}"] if value and len(value) < 100 else []
    body = [f"   {line}" for line in converted([line for line in said if line.strip()])]
    return [f".. py:data:: {offer.name}", f"   :module: handgrad.{room}", *shown, "", *body, ""]


def _written(offer: Offer) -> str:
    """What stands right of the equals sign."""
    source = inspect.getsource(importlib.import_module(offer.module))
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == offer.name for target in targets):
            return ast.unparse(node.value)  # type: ignore[attr-defined]
    return ""


def _door_page() -> str:
    """What ``import handgrad as hg`` offers, each name with the room that it comes from."""
    import handgrad

    text = ["handgrad", "========", "", ".. py:module:: handgrad", ""]
    text += [*converted(inspect.getdoc(handgrad).splitlines()), ""]  # type: ignore[union-attr]
    for room, names in handgrad._ROOMS.items():
        text += [f"from :doc:`handgrad.{room} <{room}>`", ""]
        for name in names:
            path = f"handgrad.{room}" + ("" if name == room else f".{name}")
            said = (inspect.getdoc(getattr(handgrad, name)) or "").partition("\n\n")[0]
            kind = "mod" if name == room else "obj"
            text += [f"   :py:{kind}:`hg.{name} <{path}>`", ""]
            text += [f"      {line}" for line in escaped(said).splitlines()]
            text += [""]
    return "\n".join(text) + "\n"


def _api_page() -> str:
    text = ["The API", "=======", ""]
    text += [
        "``import handgrad as hg`` opens :doc:`the door <handgrad>`. Behind it are rooms, a page",
        "each; :doc:`../design` tells how they stand on each other.",
        "",
    ]
    for title, rooms in ROOMS.items():
        text += [title, "-" * len(title), ""]
        for room in rooms:
            said = inspect.getdoc(importlib.import_module(f"handgrad.{room}")) or ""
            text += [f":doc:`{room}`", *(f"   {x}" for x in escaped(_first(said)).splitlines()), ""]
    text += [".. toctree::", "   :hidden:", "", "   handgrad"]
    text += [f"   {room}" for rooms in ROOMS.values() for room in rooms]
    text += ["   besides"]
    return "\n".join(text) + "\n"


def _first(said: str) -> str:
    return said.partition("\n\n")[0]


def _named_page(book: Path) -> str:
    """What formulas of the book name and no room offers."""
    here = {
        f"handgrad.{room}.{each.name}"
        for rooms in ROOMS.values()
        for room in rooms
        for each in offered(room)
    }
    named = {
        formula.function for page in sorted(book.glob("*.md")) for formula in formulas_of(page)
    }
    title = "Besides, in the book"
    text = [title, "=" * len(title), ""]
    text += ["Functions within the rooms, or of the book itself, that a formula names.", ""]
    for path in sorted(named - here):
        if not any(path.startswith(f"{known}.") for known in here):  # else it is a method
            text += [f".. autofunction:: {path}", ""]
    return "\n".join(text) + "\n"


def _write_pages(app: Sphinx) -> None:
    if not whole(app):
        return
    folder = Path(app.srcdir) / "reference"
    write(folder / "besides.rst", _named_page(Path(app.srcdir) / "book"))
    write(folder / "api.rst", _api_page())
    write(folder / "handgrad.rst", _door_page())
    for rooms in ROOMS.values():
        for room in rooms:
            write(folder / f"{room}.rst", _room_page(room))


class _Name(SphinxRole):
    """A name in single backticks: a link where it leads somewhere, and else just a name."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        target = self.text.removesuffix("()")
        scope = self.env.ref_context
        found = addnodes.pending_xref(
            self.rawtext,
            nodes.literal(self.rawtext, self.text, classes=["xref", "py"]),
            refdomain="py",
            reftype="obj",
            reftarget=target,
            refdoc=self.env.docname,
            refwarn=False,
            **{"py:module": scope.get("py:module"), "py:class": scope.get("py:class")},
        )
        found["handgrad:name"] = True
        return [found], []


def _resolved(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Names as a docstring writes them (`calculus.convolve`, `Dense.forward`, `fit`) find home.

    A name of a signature or a docstring that leads nowhere is shown as it is: who writes a role in
    a page by hand is warned as usual.
    """
    if node.get("refdomain") != "py":
        return None
    domain = env.domains.python_domain
    ending = "." + node["reftarget"].removeprefix("hg.").removeprefix("handgrad.")
    paths = [path for path, entry in domain.objects.items() if path.endswith(ending)]
    paths = [path for path in paths if not domain.objects[path].aliased]
    paths = [path for path in paths if path.startswith("handgrad.")]
    if paths:
        least = min(path.count(".") for path in paths)
        nearest = [path for path in paths if path.count(".") == least]
        if len(nearest) == 1:
            node["reftarget"], node["reftype"] = nearest[0], "obj"
            refdoc = node["refdoc"]
            return domain.resolve_xref(env, refdoc, app.builder, "obj", nearest[0], node, content)
    tolerant = node.get("handgrad:name") or node["refdoc"].startswith("reference/")
    return content if tolerant else None


def _led_back(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """The ways back from a source page, which viewcode takes for all of one room, lead home."""
    if not page.startswith("_modules/"):
        return
    known = app.env.domains.python_domain.objects

    def home(link: re.Match[str]) -> str:
        before, place = link.groups()
        there = f"reference/{Path(before).stem}"
        own = [
            path for path, entry in known.items() if entry.docname == there and not entry.aliased
        ]
        for parts in (2, 1):  # a method's class and name, or the name of a function or class
            tail = "." + ".".join(place.split(".")[-parts:])
            if found := [path for path in own if path.endswith(tail)]:
                return f'{before}#{min(found, key=len)}"'
        return link[0]

    context["body"] = re.sub(
        r'(class="viewcode-back" href="[^"#]*)#([\w.]+)"', home, context["body"]
    )


def _defined_in(app: Sphinx, room: str, path: str) -> str | None:
    """Where the source of a name is that a room hands on: viewcode asks."""
    name = path.partition(".")[0]
    return _modules_of(room.removeprefix("handgrad.")).get(name)


def _without_sources(app: Sphinx, env: Any) -> None:
    """Forget modules without a page of their source, which viewcode lists all the same."""
    modules = getattr(env, "_viewcode_modules", {})
    for name in [name for name, entry in modules.items() if not entry]:
        del modules[name]


@cache
def _modules_of(room: str) -> dict[str, str]:
    known = room in (each for rooms in ROOMS.values() for each in rooms)
    return {offer.name: offer.module for offer in offered(room)} if known else {}


def _signature(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, said: str | None, back: str | None
) -> tuple[str | None, str | None]:
    """The names of types within other types, which autodoc writes as what it keeps them in."""

    def plain(text: str | None) -> str | None:
        return text and re.sub(r"TypeAliasForwardRef\('([\w.]+)'\)", r"\1", text)

    return plain(said), plain(back)


def _docstring(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    lines[:] = converted(lines)


def _skipped(
    app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any
) -> bool | None:
    """Settings without a word of their own stand in the class's parameters already."""
    if what != "class" or skip:
        return None
    if inspect.isroutine(thing) or isinstance(thing, property | classmethod | staticmethod):
        return None
    return True


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.viewcode")
    app.connect("builder-inited", _write_pages)
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _skipped)
    app.connect("env-updated", _without_sources, priority=900)  # after viewcode
    app.connect("viewcode-follow-imported", _defined_in)
    app.connect("missing-reference", _resolved)
    app.connect("html-page-context", _led_back)
    app.add_role("name", _Name())
    return {"parallel_read_safe": True}
