"""Every test that docs/promises.md names is there: a promise is never kept by a name alone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HOME = Path(__file__).parents[1]
NAMED = re.findall(
    r"`((?:tests|benchmarks)/[\w/]+\.\w+)(?:::(\w+))?`",
    (HOME / "docs" / "promises.md").read_text(encoding="utf-8"),
)


def test_promises_name_tests():
    assert len(NAMED) > 50


def test_every_test_named_is_there():
    absent = []
    for file, test in NAMED:
        path = HOME / file
        if not path.is_file():
            absent.append(file)
        elif test:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            if test not in {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}:
                absent.append(f"{file}::{test}")
    assert absent == []


def test_every_row_names_one():
    rows = (HOME / "docs" / "promises.md").read_text(encoding="utf-8").splitlines()
    table = [row for row in rows if row.startswith("| ") and not row.startswith("| promise")]
    assert table
    for row in table:
        assert re.search(r"`(tests|benchmarks)/", row), row
