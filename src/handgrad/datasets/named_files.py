"""From what a user names (files, folders, patterns) to the image files that are meant."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from handgrad.datasets.listing import EXTENSIONS
from handgrad.errors import DataError, HandgradError

__all__ = ["files_of_list", "image_files", "no_url"]

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters at least: a drive has one


def image_files(names: Iterable[str]) -> tuple[list[str], list[DataError]]:
    """The files that are meant by names, and what is wrong with those that mean none.

    A folder means all image files below it (by their ending, see `EXTENSIONS`), in the order of
    their names; what is hidden is passed over, and so are links to folders, which may lead round in
    a circle. What exists is itself, whatever is in its name. Any other name with ``*``, ``?`` or
    ``[`` in it is a pattern and means what a shell would make of it, in the order of the names;
    ``**`` means any folders, or none. A name that means nothing else is taken as a file, so that
    whoever opens it says what is wrong.

    Raises
    ------
    HandgradError : a URL
    """
    asked = [no_url(name) for name in names]
    files: list[str] = []
    faults: list[DataError] = []
    for name in asked:
        if os.path.isdir(name):
            known = len(faults)
            below = _below(name, faults)
            if not below and len(faults) == known:
                wanted = "image files in it or below"
                faults.append(DataError(name, "a folder without images", wanted))
            files += below
        elif glob.has_magic(name) and not os.path.lexists(name):
            matches = _matches(name, faults)
            if not matches:
                faults.append(DataError(name, "nothing that matches", "a pattern of image files"))
            files += matches
        else:
            files.append(name)
    return files, faults


def files_of_list(data: bytes) -> list[str]:
    """The files in a list, one a line; where a NUL is in it, one between NULs and the next.

    >>> files_of_list(b"a.jpg\\r\\nb c.jpg\\n")
    ['a.jpg', 'b c.jpg']
    >>> files_of_list(b"two\\nlines.jpg\\0b.jpg\\0")
    ['two\\nlines.jpg', 'b.jpg']

    Raises
    ------
    HandgradError : a URL
    """
    parts = data.split(b"\0") if b"\0" in data else data.replace(b"\r\n", b"\n").split(b"\n")
    return [no_url(os.fsdecode(part)) for part in parts if part]


def no_url(name: str) -> str:
    """The name itself, or a sentence: nothing is fetched.

    Raises
    ------
    HandgradError : a URL
    """
    if URL.match(name):
        raise HandgradError(
            f"{name}: found a URL; expected a file on this machine, since nothing is fetched"
        )
    return name


def _below(folder: str, faults: list[DataError]) -> list[str]:
    """The image files below a folder; a folder that cannot be listed is a fault."""
    closed: list[OSError] = []
    found = [
        os.path.join(place, entry)
        for place, entries in _walk(folder, closed)
        for entry in entries
        if os.path.splitext(entry)[1].lower() in EXTENSIONS and not entry.startswith(".")
    ]
    for error in closed:
        what = f"a folder that cannot be listed ({error.strerror or error})"
        faults.append(DataError(error.filename or folder, what, "a readable folder"))
    return sorted(found, key=_by_name)


def _matches(pattern: str, faults: list[DataError]) -> list[str]:
    """What a pattern means: each file once, though with ``**`` its folders match, too."""
    path = Path(pattern)
    found: list[str] = []
    for match in sorted(_matching(path.anchor, path.relative_to(path.anchor).parts), key=_by_name):
        found += _below(match, faults) if os.path.isdir(match) else [match]
    return list(dict.fromkeys(found))


def _matching(folder: str, parts: tuple[str, ...]) -> Iterator[str]:
    """What is in a folder ("" for the current one) and matches, part of the path by part."""
    part, rest = parts[0], parts[1:]
    if part == "**":
        for place, _ in _walk(folder or os.curdir):
            yield from _matching(place if folder else os.path.relpath(place), rest or ("*",))
        return
    literally = os.path.join(folder, part)
    if os.path.lexists(literally) or not glob.has_magic(part):
        matches = [literally] if os.path.lexists(literally) else []
    else:
        matches = [
            os.path.join(folder, entry)
            for entry in _entries(folder or os.curdir)
            if fnmatchcase(os.path.normcase(entry), os.path.normcase(part))
            and (part.startswith(".") or not _passed_over(entry))
        ]
    for match in matches:
        if not rest:
            yield match
        elif os.path.isdir(match):
            yield from _matching(match, rest)


def _walk(folder: str, closed: list[OSError] | None = None) -> Iterator[tuple[str, list[str]]]:
    """Every folder below one, and what is in it but folders; no hidden ones, and no links."""
    tell = None if closed is None else closed.append
    for place, folders, entries in os.walk(folder, onerror=tell):
        folders[:] = [entry for entry in folders if not _passed_over(entry)]
        yield place, entries


def _passed_over(entry: str) -> bool:
    # Archives made on a Mac carry a second, unreadable copy of every name in __MACOSX.
    return entry.startswith(".") or entry == "__MACOSX"


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # as a shell: a pattern matches nothing there
        return []


def _by_name(path: str) -> str:
    """Paths in the order of their names, on Windows, too."""
    return Path(path).as_posix()
