"""Arrays that lie elsewhere: a stand-in everywhere, and CuPy's where there is a GPU."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for foreign.py, which is no test
from foreign import Foreign, stand_in


class Elsewhere(NamedTuple):
    """Arrays of another place.

    ``same`` holds what was computed there to what was computed here: bit for bit for the stand-in,
    which computes with NumPy; to rounding on a GPU, which adds in another order.
    """

    kind: type
    moved: Callable[[np.ndarray], Any]
    same: Callable[[Any, Any], None]


@pytest.fixture
def foreign(monkeypatch) -> Elsewhere:
    """The stand-in, as if CuPy were installed and there were a GPU."""
    for name, module in stand_in().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(Foreign, "pulled", [])
    monkeypatch.setattr(Foreign, "arrived", [])
    return Elsewhere(Foreign, lambda x: Foreign(x.copy()), np.testing.assert_array_equal)


@pytest.fixture
def on_gpu() -> Elsewhere:
    """CuPy on a GPU; without it a test is skipped, by name."""
    cupy = pytest.importorskip("cupy")
    try:
        cupy.cuda.runtime.getDeviceCount()
    except RuntimeError as error:
        pytest.skip(f"CuPy finds no GPU: {error}")

    def same(found, expected):
        found, expected = np.asarray(found), np.asarray(expected)
        assert found.dtype == expected.dtype
        close = 1e-4 if expected.dtype == np.float32 else 1e-9
        np.testing.assert_allclose(found, expected, close, close)

    return Elsewhere(cupy.ndarray, cupy.asarray, same)


@pytest.fixture(params=["foreign", "on_gpu"])
def elsewhere(request) -> Elsewhere:
    """Each of both."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def cases() -> Callable[[str], ModuleType]:
    """Another room's test file, for its cases: what is complete there is complete here."""

    def module(path: str) -> ModuleType:
        file = Path(__file__).parents[1] / path
        spec = importlib.util.spec_from_file_location(f"cases_of_{file.stem}", file)
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
        return found

    return module
