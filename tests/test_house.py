"""The house itself: style, types, floors, docstrings, one door per room."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import handgrad

HOME = Path(__file__).parents[1]
SOURCE = Path(handgrad.__file__).parent
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(handgrad.__path__, "handgrad.")
    if not module.name.endswith("__main__")
)

CODE = [
    name
    for name in ("src", "tests", "benchmarks", "docs", "examples", "go.py", "conftest.py")
    if (HOME / name).exists() and (HOME / name).suffix in ("", ".py")
]

TOOLS = {
    "ruff check": ("ruff", ["-m", "ruff", "check", "--no-cache", *CODE]),
    "ruff format": ("ruff", ["-m", "ruff", "format", "--no-cache", "--check", *CODE]),
    "mypy": ("mypy", ["-m", "mypy"]),
    "import-linter": (
        "importlinter",
        ["-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
    ),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_tool(tool):
    module, arguments = TOOLS[tool]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{tool}: {module} is not installed")
    done = subprocess.run(
        [sys.executable, *arguments], cwd=HOME, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def public(module):
    """The functions and classes that a module defines and does not hide, and their methods."""
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(thing) or inspect.isclass(thing):
            yield f"{module.__name__}.{name}", thing
        if inspect.isclass(thing):
            for key, method in vars(thing).items():
                if not key.startswith("_") and inspect.isfunction(method):
                    yield f"{module.__name__}.{name}.{key}", (thing, key)


def explained(thing) -> bool:
    """Whether there is a docstring, its own or of the method that it stands in for."""
    if isinstance(thing, tuple):
        kind, key = thing
        return any(getattr(vars(parent).get(key), "__doc__", None) for parent in kind.__mro__)
    return bool((thing.__doc__ or "").strip()) and not (
        # what dataclasses write themselves: the signature
        inspect.isclass(thing) and thing.__doc__.startswith(f"{thing.__name__}(")
    )


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_explains_itself(name):
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip(), f"{name} has no docstring"
    silent = [path for path, thing in public(module) if not explained(thing)]
    assert [path for path in silent if not _plain(path)] == []


def _plain(path: str) -> bool:
    """Whether it is a method of three statements at most, which a reader takes in as it stands."""
    *_, kind, key = path.split(".")
    tree = ast.parse(_source_of(path).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == kind:
            for entry in node.body:
                if isinstance(entry, ast.FunctionDef) and entry.name == key:
                    return len(entry.body) <= 3
    return False


def _source_of(path: str) -> Path:
    module = max((name for name in MODULES if path.startswith(f"{name}.")), key=len)
    return Path(importlib.import_module(module).__file__)


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_offers_is_there(name):
    module = importlib.import_module(name)
    offered = getattr(module, "__all__", None)
    assert offered is not None, f"{name} has no __all__"
    assert len(set(offered)) == len(offered)
    for word in offered:
        assert hasattr(module, word), f"{name} offers {word}, which it does not have"


def test_rooms_say_who_lives_there_and_who_may_call():
    for folder in sorted(path for path in SOURCE.iterdir() if (path / "__init__.py").is_file()):
        text = importlib.import_module(f"handgrad.{folder.name}").__doc__ or ""
        assert len(text.split()) >= 20, f"{folder.name}: {text!r}"


def test_names_that_say_nothing_are_not_used():
    empty = {"utils", "util", "helpers", "helper", "base", "manager", "common", "misc", "core"}
    used = {
        part
        for path in SOURCE.rglob("*.py")
        for part in path.relative_to(SOURCE).with_suffix("").parts
    }
    assert not used & empty


def test_nothing_is_ever_unpickled_or_evaluated():
    """Pickles are read by a reader of our own that runs nothing; see `datasets.cifar`.

    `verification.faults` compiles, to plant a fault in it, this package's own source, and no file.
    """
    refused = {"eval", "exec", "compile"}
    for path in set(SOURCE.rglob("*.py")) - {SOURCE / "verification" / "faults.py"}:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in refused, f"{path}: {node.func.id}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = ast.unparse(node.func)
                assert called not in {"pickle.load", "pickle.loads", "np.load", "marshal.loads"}, (
                    path
                )
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert ast.unparse(node.value) == "False", path


def test_no_global_random_state():
    """Every draw comes from a generator that was handed in or made from a seed."""
    drawing = {"rand", "randn", "random", "seed", "normal", "uniform", "permutation", "shuffle"}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np.random":
                assert node.attr not in drawing, f"{path}: np.random.{node.attr}"
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.random.default_rng":
                assert node.args or node.keywords, f"{path}: a generator without a seed"
