"""Which image files a folder holds, and what it says of each: its class and its part.

Or what a table of files and labels (CSV) says. No file is opened here.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from handgrad.errors import DataError

__all__ = ["EXTENSIONS", "Entry", "Listing", "is_table", "listed"]

EXTENSIONS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp")
    + (".ppm", ".pgm", ".pbm", ".pnm", ".ico", ".jp2", ".avif", ".heic", ".heif")
)
"""What is taken for an image. A file of these is read or named as bad, any other is ignored."""

PARTS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}

FILE, LABEL, PART = (
    ("file", "path", "filename", "file_name", "image"),
    ("label", "class", "class_name", "category"),
    ("part", "split", "set"),
)
"""What the columns of a table may be called."""


@dataclass(frozen=True)
class Entry:
    """One image file.

    Parameters
    ----------
    path : where it is
    file : its name relative to the folder, with forward slashes; bytes that are no text as escapes
    part : "train", "test" or "validation"; "train" where nothing is said
    class_name : its class
    """

    path: Path
    file: str
    part: str
    class_name: str


@dataclass(frozen=True)
class Listing:
    """The image files of a folder, in the order of parts, classes and names.

    Parameters
    ----------
    root : the folder, or the table
    entries : one a file
    class_names : those of the training part; a label is the place in it
    parts : where each part lies: "train" and what else there is
    notes : what the user should be told
    ignored : other files in the class folders, by name
    """

    root: Path
    entries: tuple[Entry, ...]
    class_names: tuple[str, ...]
    parts: dict[str, Path]
    notes: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def listed(path: Path, classes: tuple[str, ...] | None = None) -> Listing:
    """List the image files of a folder, or of a table.

    Below a folder is one folder per class, or ``train`` and, if wanted, ``test`` and ``val`` with
    one folder per class each; images may lie deeper. Classes are in the order of their names,
    images in the order of theirs within each class: the order in which a directory is listed plays
    no part. Hidden files and folders are passed over, and links to folders below a class folder
    too: they may lead to another class, or round in a circle.

    A table is a CSV with a header: a column ``file`` (relative to the table's folder), a column
    ``label``, and, if wanted, ``part``; separated by comma, semicolon or tab.

    Parameters
    ----------
    classes : the classes to take, in this order, instead of all in the order of their names

    Raises
    ------
    DataError : a folder that cannot be listed, no images, fewer than two classes, a class of
        ``classes`` that is not there, one that only the test part has; a table that is none
    """
    notes: list[str] = []
    ignored: list[str] = []
    if is_table(path):
        parts = _of_table(path)
        divided = dict.fromkeys(parts, path)
    else:
        divided = _parts(path)
        parts = {part: _classes(below, classes, ignored, path) for part, below in divided.items()}
    names = _class_names(path, parts, classes, notes)
    entries = tuple(
        Entry(file, name, part, class_name)
        for part, folders in parts.items()
        for class_name in names
        for file, name in folders.get(class_name, ())
    )
    return Listing(path, entries, names, divided, tuple(notes), tuple(ignored))


def is_table(path: Path) -> bool:
    """Whether a path is taken for a table of files and labels."""
    return path.suffix.lower() in (".csv", ".tsv") and not path.is_dir()


Files = list[tuple[Path, str]]
"""Each with its name."""


def _parts(path: Path) -> dict[str, Path]:
    """The folder of each part: train (, test, validation), or the folder itself as train."""
    found = {PARTS[f.name.lower()]: Path(f) for f in _folders(path) if f.name.lower() in PARTS}
    if "train" in found and _folders(found["train"]):
        return found
    return {"train": path}


def _classes(
    path: Path, classes: tuple[str, ...] | None, ignored: list[str], root: Path
) -> dict[str, Files]:
    """The image files of every class folder, each list in the order of its names."""
    folders = {_text(f.name): Path(f) for f in _folders(path) if not _leads_back(path, Path(f))}
    below = "" if path == root else path.relative_to(root).as_posix() + "/"
    if classes is not None:
        for name in classes:
            if name not in folders:
                found = f"the folders {', '.join(folders)[:200]}" if folders else "no folders"
                raise DataError(path, found, f"a folder {name!r}")
        folders = {name: folders[name] for name in classes}
    classified = {}
    for name, folder in folders.items():
        files = sorted(_files_below(folder, f"{below}{folder.name}/"), key=lambda file: file[1])
        classified[name] = [(path, _text(file)) for path, file in files if _is_image(file)]
        ignored += [_text(file) for _, file in files if not _is_image(file)]
    return classified


def _class_names(
    path: Path,
    parts: dict[str, dict[str, Files]],
    classes: tuple[str, ...] | None,
    notes: list[str],
) -> tuple[str, ...]:
    train = parts["train"]
    if not any(train.values()):
        loose = path.is_dir() and any(_is_image(entry.name) for entry in _entries(path))
        found = "images, but none in a folder of its class" if loose else "no images"
        raise DataError(path, found, "a folder per class with images in it")
    empty = [name for name, files in train.items() if not files]
    if classes is None and empty:
        notes.append(f"folders without images were passed over: {', '.join(empty)}")
    names = classes or tuple(sorted(name for name, files in train.items() if files))
    if len(names) < 2:
        raise DataError(path, f"one class ({names[0]})", "at least two, each in its own folder")
    known = set(names)
    for part, folders in parts.items():
        for name, files in folders.items():
            if files and name not in known and classes is None:
                expected = f"the classes of the training part ({', '.join(names)[:200]})"
                raise DataError(path, f"a class {name!r} in the {part} part", expected)
    return names


def _entries(path: str | Path) -> list[os.DirEntry[str]]:
    """What is in a folder and not hidden, in the order of the names."""
    try:
        with os.scandir(path) as entries:
            seen = [entry for entry in entries if not entry.name.startswith(".")]
        return sorted(seen, key=lambda entry: entry.name)
    except OSError as error:
        found = f"a folder that cannot be listed ({error.strerror or error})"
        raise DataError(path, found, "a readable folder") from None


def _folders(path: str | Path) -> list[os.DirEntry[str]]:
    # Archives made on a Mac carry a second, unreadable copy of every name in __MACOSX.
    return [entry for entry in _entries(path) if _is_folder(entry) and entry.name != "__MACOSX"]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _leads_back(path: Path, entry: Path) -> bool:
    """Whether an entry is a link to the folder itself, above it or into it."""
    if not entry.is_symlink():
        return False
    here, there = path.resolve(), entry.resolve()
    return here == there or here in there.parents or there in here.parents


DEEPEST = 100
"""So many folders below one another are gone through."""


def _files_below(folder: str | Path, name: str) -> Iterator[tuple[Path, str]]:
    """Every file with its name relative to the root, which ``name`` says of the folder."""
    if name.count("/") > DEEPEST:
        raise DataError(folder, f"more than {DEEPEST} folders below one another", "fewer")
    for entry in _entries(folder):
        if _is_folder(entry):
            if not entry.is_symlink() and entry.name != "__MACOSX":
                yield from _files_below(entry.path, f"{name}{entry.name}/")
        else:
            yield Path(entry.path), name + entry.name


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in EXTENSIONS


def _text(name: str) -> str:
    """A file's name as text: bytes of it that are none are written as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


# --- a table of files and labels


def _of_table(path: Path) -> dict[str, dict[str, Files]]:
    """The files of every class of every part, in the order of their names."""
    parts: dict[str, dict[str, Files]] = {"train": {}}
    try:
        # Bytes of a name that are no text go through as the system's own file names do.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            for number, (name, label, part) in enumerate(_rows(path, file), start=1):
                if part.lower() not in PARTS:
                    found = f"the part {part!r} in row {number}"
                    raise DataError(path, found, "train, test or validation")
                if "\0" in name:
                    raise DataError(path, f"a NUL in row {number}", "a file's name")
                if not name or not label:
                    found = f"no {'label' if name else 'file'} in row {number}"
                    raise DataError(path, found, "a file and its label")
                of_part = parts.setdefault(PARTS[part.lower()], {})
                of_part.setdefault(_text(label), []).append((path.parent / name, _text(name)))
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(path, f"a file that cannot be read ({reason})", "a CSV") from None
    except (csv.Error, UnicodeError) as error:
        raise DataError(path, f"what is no CSV ({error})", "a file and its label a row") from None
    for of_part in parts.values():
        for files in of_part.values():
            files.sort(key=lambda pair: pair[1])
    return parts


def _rows(path: Path, file: Iterator[str]) -> Iterator[tuple[str, str, str]]:
    """File, label and part of every row."""
    first = next(file, "")
    mark = max(",;\t", key=first.count)
    header = [cell.strip().lower() for cell in next(csv.reader([first], delimiter=mark), [])]
    columns = [
        next((header.index(name) for name in names if name in header), None)
        for names in (FILE, LABEL, PART)
    ]
    if columns[0] is None or columns[1] is None:
        found = f"the columns {', '.join(header)[:200] or 'of an empty file'}"
        raise DataError(path, found, "a header with 'file' and 'label'")
    for row in csv.reader(file, delimiter=mark, strict=True):
        if row:
            cells = [
                row[place] if place is not None and place < len(row) else "" for place in columns
            ]
            yield cells[0], cells[1].strip(), cells[2].strip() or "train"
