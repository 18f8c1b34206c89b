"""What was measured, as data and in pages."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parents[1] / "README.md"


def read(path: Path) -> dict[str, Any]:
    """What is there so far; nothing where there is no file."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def kept(path: Path) -> list[dict[str, Any]]:
    """All runs so far, oldest first."""
    runs: list[dict[str, Any]] = read(path).get("runs", [])
    return runs


def keep(path: Path, *runs: dict[str, Any], **facts: Any) -> None:
    """Some more runs, and facts of all of them, whoever else is keeping some."""
    with _locked(path.parent):
        found = read(path) | facts
        write(path, found | {"runs": [*found.get("runs", []), *runs]})


def write(path: Path, found: Any) -> None:
    """All at once, or not at all."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def fill(page: Path, name: str, text: str) -> None:
    """Put a text between its two marks in a page."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, first, rest = page.read_text(encoding="utf-8").partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise ValueError(f"{page}: found no {begin!r} before {end!r}; expected both")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
