"""Arrays by name, and one table: a safetensors file with one metadata key.

The key is ``handgrad``, its value canonical JSON. (One key, since the format writes several in
random order.) What reads such a file runs nothing from it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handgrad.arrays import Array
from handgrad.errors import DataError
from handgrad.writing import written

__all__ = ["canonical", "read_tensors", "write_tensors"]

KEY = "handgrad"


def canonical(table: Any) -> str:
    """JSON with sorted keys and no spaces: equal tables give equal text."""
    return json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def write_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Array], table: Mapping[str, Any]
) -> None:
    """Write the file beside, and rename it.

    Raises
    ------
    HandgradError : it cannot be written; an older file stays as it was
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    # The format takes the bytes as they lie: a view that is not contiguous would be saved wrongly.
    lying = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    with written(path) as beside:
        try:
            save_file(lying, beside, metadata={KEY: canonical(table)})
        except SafetensorError as error:  # a full disk, in its own words
            raise OSError(0, str(error)) from None


def read_tensors(
    path: str | os.PathLike[str], expected: str, newest: int
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays by name, and the table, whose ``format`` is 1 to ``newest``.

    Parameters
    ----------
    expected : what the file should be, in words, for the error

    Raises
    ------
    DataError : no such file, another kind of file, a newer format
    """
    from safetensors import SafetensorError, safe_open

    file = Path(path)
    if not file.is_file():
        raise DataError(path, "a folder" if file.is_dir() else "no such file", expected)
    try:
        with safe_open(file, framework="numpy") as opened:
            metadata = opened.metadata() or {}
            if KEY not in metadata:
                raise DataError(path, f"safetensors without the key {KEY!r}", expected)
            table = json.loads(metadata[KEY])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, KeyError) as error:
        raise DataError(path, f"a file that safetensors refuses ({error})", expected) from None
    except (ValueError, RecursionError) as error:
        raise DataError(path, f"metadata that is no JSON ({error})", expected) from None
    if not isinstance(table, dict):
        raise DataError(path, f"metadata that is {type(table).__name__}", expected)
    version = table.get("format")
    if type(version) is not int or not 1 <= version <= newest:
        raise DataError(path, f"format {version!r}", f"format 1 to {newest} (a newer handgrad?)")
    return tensors, table
