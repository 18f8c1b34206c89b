"""The one door: ``import handgrad as hg``."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import handgrad as hg

SOURCE = Path(hg.__file__)


def shown_to_type_checkers() -> dict[str, str]:
    """From each name that is imported under ``if TYPE_CHECKING`` to its module."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    [block] = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    found = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for name in node.names:
            assert name.asname is None
            found[name.name] = node.module
    return found


def test_type_checkers_see_what_there_is():
    assert sorted(shown_to_type_checkers()) == sorted(hg.__all__)
    assert len(hg.__all__) == len(set(hg.__all__))


@pytest.mark.parametrize("name", hg.__all__)
def test_every_name_opens_on_the_same_thing(name):
    import importlib

    module = importlib.import_module(shown_to_type_checkers()[name])
    opened = getattr(hg, name)
    assert opened is getattr(module, name)
    assert name in dir(hg)
    assert getattr(hg, name) is opened


def test_every_layer_loss_and_optimizer_is_behind_the_door():
    from handgrad.tables import members

    for family, besides in (
        (hg.Layer, ()),
        (hg.losses.Loss, ()),
        (hg.optimizers.Optimizer, ()),
    ):
        ours = [k for k in members(family).values() if k.__module__.startswith("handgrad.")]
        assert {kind.__name__ for kind in ours} - set(besides) <= set(hg.__all__)


def test_a_name_that_there_is_not():
    with pytest.raises(AttributeError, match="module 'handgrad' has no attribute 'Dens'"):
        _ = hg.Dens


@pytest.mark.parametrize(
    "code", ["import handgrad", "import handgrad as hg; dir(hg); hg.__version__"]
)
def test_the_door_itself_costs_nothing(code):
    probe = f"{code}; import json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert "handgrad" in loaded
    assert not loaded & {"numpy", "scipy", "PIL", "rich", "click", "h5py", "matplotlib", "msgspec"}


def test_calculus_needs_no_more_than_numpy():
    probe = (
        "import handgrad as hg; hg.Dense; hg.calculus.softmax; import json, sys;"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"PIL", "rich", "click", "h5py", "matplotlib", "sklearn", "pooch"}


def test_everything_behind_the_door_explains_itself():
    for name in hg.__all__:
        assert inspect.getdoc(getattr(hg, name)), name


def test_the_version_is_one():
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version("handgrad")
    except PackageNotFoundError:
        pytest.skip("handgrad is not installed here")
    assert installed == hg.__version__
