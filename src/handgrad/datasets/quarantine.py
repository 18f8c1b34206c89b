"""The quarantine list: which files to leave out, and why, as a CSV that people may edit."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from handgrad.errors import DataError
from handgrad.writing import written

__all__ = ["quarantine_text", "read_quarantine", "write_quarantine"]

_HEAD = ("file", "reason")


def quarantine_text(files: Mapping[str, str], about: str = "") -> str:
    """The list as text: a file and its reason a row, every cell in quotes.

    Parameters
    ----------
    files : from a file's name, as data sets give it, to the reason
    about : a line of comment before them

    >>> print(quarantine_text({"cats/a, b.jpg": "empty"}, "of photos"), end="")
    # of photos
    "file","reason"
    "cats/a, b.jpg","empty"
    """
    text = io.StringIO()
    if about:
        text.write(f"# {about.encode('unicode_escape').decode('ascii')}\n")
    rows = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    rows.writerow(_HEAD)
    rows.writerows(files.items())
    return text.getvalue()


def write_quarantine(path: str | os.PathLike[str], files: Mapping[str, str], about: str) -> None:
    """Write `quarantine_text` into a file, whole or not at all."""
    with written(path) as beside:
        beside.write_text(quarantine_text(files, about), encoding="utf-8", newline="")


def read_quarantine(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read a quarantine list: from each file's name to the reason.

    Lines that begin with # are comments, and empty ones are passed over; a reason may be left out,
    and so may the header. A name with a comma, a quote or a line break in it, or that begins with
    #, stands in quotes.

    Raises
    ------
    DataError : a file that cannot be read, is not UTF-8, or has rows of three or more cells
    """
    expected = "a quarantine list: a CSV with the columns file and reason"
    if "\0" in os.fspath(path) or (Path(path).exists() and not Path(path).is_file()):
        raise DataError(path, "no file", expected)  # a pipe or a device would never end
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
        found: dict[str, str] = {}
        rows = csv.reader(_without_comments(io.StringIO(text, newline="")), strict=True)
        for row in rows:
            if len(row) > 2:
                has = f"a row of {len(row)} cells ({','.join(row)[:80]!r})"
                raise DataError(path, has, f"{expected}; a name with a comma stands in quotes")
            if row and row[0]:
                found[row[0]] = row[1] if len(row) == 2 else ""
    except OSError as error:
        raise DataError(path, error.strerror or str(error), expected) from None
    except UnicodeDecodeError:
        raise DataError(path, "bytes that are not UTF-8", expected) from None
    except csv.Error as error:
        raise DataError(path, f"text that is no CSV ({error})", expected) from None
    if found and next(iter(found.items())) in (_HEAD, (_HEAD[0], "")):
        del found[_HEAD[0]]
    return found


def _without_comments(lines: io.StringIO) -> Iterator[str]:
    inside = False  # a cell in quotes that goes on over the end of a line
    for line in lines:
        if inside or not line.startswith("#"):
            inside ^= line.count('"') % 2 == 1
            yield line
