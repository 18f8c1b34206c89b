"""Reading exactly as many bytes as a format promises, from a file that may be gzipped."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from handgrad.errors import DataError

__all__ = ["GREATEST_RATIO", "existing", "opened", "read_exactly"]

GREATEST_RATIO = 1100
"""No deflated file unpacks to more than about 1,032 times its size."""


def existing(folder: Path, name: str) -> Path:
    """The file of this name, or with ``.gz`` behind it.

    Raises
    ------
    DataError : there is neither
    """
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(folder, f"no file {name}", f"{name} or {name}.gz")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacking it if its first two bytes are gzip's, whatever its name says.

    Raises
    ------
    DataError : the file cannot be read, or its compression is damaged
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(path, f"damaged gzip data ({error})", "a whole gzip file") from None
    except OSError as error:
        found = f"a file that cannot be read ({error.strerror or error})"
        raise DataError(path, found, "a readable one") from None


def read_exactly(path: Path, file: BinaryIO, count: int, what: str) -> NDArray[np.uint8]:
    """Read the rest of a file, which must be `count` bytes.

    Parameters
    ----------
    what : what these bytes are, for the sentence

    Raises
    ------
    DataError : the file ends before, or goes on after
    """
    expected = f"{count:,} bytes ({what})"
    size = path.stat().st_size
    if count > GREATEST_RATIO * size:  # before memory is asked for
        raise DataError(path, f"a truncated file of {size:,} bytes", expected)
    data = np.empty(count, dtype=np.uint8)
    done = 0
    while done < count:
        # In pieces: a gzip reader takes what it is asked for as one block of memory.
        piece = file.read(min(count - done, 1 << 24))
        if not piece:
            raise DataError(path, f"a truncated file with {done:,} bytes", expected)
        data[done : done + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        done += len(piece)
    if file.read(1):  # at the end of a gzip file this also checks its sum
        raise DataError(path, "an over-long file that goes on behind them", expected)
    return data
