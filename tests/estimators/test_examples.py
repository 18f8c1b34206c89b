"""The example of a search runs as it is printed, here on fewer digits and in this process."""

from __future__ import annotations

import runpy
from pathlib import Path

import joblib
from sklearn.datasets import load_digits

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_grid_search(monkeypatch, capsys):
    example = runpy.run_path(str(EXAMPLES / "grid_search.py"))["main"]
    digits, backend = load_digits(), joblib.parallel_backend
    digits.images, digits.target = digits.images[:300], digits.target[:300]
    monkeypatch.setitem(example.__globals__, "load_digits", lambda: digits)
    monkeypatch.setattr(joblib, "parallel_backend", lambda _: backend("sequential"))
    assert example() > 0.7
    assert "dense 100 → relu, learning rate 0.01" in capsys.readouterr().out
