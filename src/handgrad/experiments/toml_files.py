"""A TOML file from anywhere as a table: of a size that a recipe has, and read in no time."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from handgrad.errors import DataError

__all__ = ["read_toml"]

LARGEST = 1 << 20
"""Bytes; the recipes that come along have some two thousand."""

LONG_KEY = re.compile(
    r"""(?:^|[\[{,])[ \t]*+(?:(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){20}""",
    re.MULTILINE,
)
"""A dotted key of more than 20 parts: the parser's time grows with the square of their number, half
a minute for 60,000 bytes."""


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file.

    Raises
    ------
    DataError : no file that can be read, one of more than a million bytes, no TOML
    """
    expected = "a recipe in TOML"
    if not path.is_file():  # a pipe would never end
        found = "a folder" if path.is_dir() else "No such file or directory"
        raise DataError(path, found, expected)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise DataError(path, error.strerror or "an error", expected) from None
    if len(content) > LARGEST:
        raise DataError(path, f"more than {LARGEST:,} bytes", expected)
    try:
        text = content.decode("utf-8")
        if key := LONG_KEY.search(text):
            raise ValueError(f"a key of more than 20 parts, {key[0].strip()[:40]}…")
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, too
        raise DataError(path, f"what is not TOML ({error})", expected) from None
