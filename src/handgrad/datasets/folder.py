"""A folder of images with one folder per class, divided into train and test or not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from handgrad.datasets.dataset import Dataset, Progress, Splits
from handgrad.datasets.preparation import Preparation, decode_many
from handgrad.errors import DataError

__all__ = ["EXTENSIONS", "class_files", "read_folder"]

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

Listing = dict[str, list[Path]]


def read_folder(
    path: Path,
    preparation: Preparation,
    *,
    classes: tuple[str, ...] | None = None,
    skip_bad: bool = False,
    each: Progress | None = None,
    threads: int | None = None,
) -> Splits:
    """Read every image below a folder.

    Below it is one folder per class, or ``train`` and, if wanted, ``test`` and ``val`` with one
    folder per class each. Classes are in the order of their names, images in the order of theirs
    within each class; the order in which a directory is listed plays no part. Without ``test``,
    ``val`` is the test part; without either there is none.

    Parameters
    ----------
    classes : the class folders to read, in this order, instead of all in the order of their names
    skip_bad : go on without images that do not decode, and say so in the note
    each : called with "decoding", the files done and the files in all
    threads : files decoded at a time

    Raises
    ------
    DataError : no images, fewer than two classes, images that do not decode (every one is named)
    """
    divided = _parts(path)
    listings = {name: class_files(below, classes) for name, below in divided.items()}
    notes: list[str] = []
    class_names = _class_names(path, listings, classes, notes)
    files = [
        (part, label, file)
        for part, listing in listings.items()
        for label, name in enumerate(class_names)
        for file in listing.get(name, ())
    ]

    def progress(done: int, total: int) -> None:
        if each is not None:
            each("decoding", done, total)

    images, faults = decode_many([f for _, _, f in files], preparation, threads, progress)
    if faults:
        if not skip_bad:
            raise _bad_images(path, faults)
        bad = {fault.path for fault in faults}
        files = [entry for entry in files if os.fspath(entry[2]) not in bad]
        named = ", ".join(_relative(path, Path(fault.path)) for fault in faults)
        notes.append(f"{_images(len(faults))} skipped, not being readable: {named}")
    if not files:
        raise DataError(path, "no readable images", "a folder per class with images in it")
    everything = Dataset(
        images,
        np.array([label for _, label, _ in files]),
        class_names,
        tuple(_relative(path, file) for _, _, file in files),
        str(path),
    )
    of_part = np.array([part for part, _, _ in files])
    parts = {}
    for part in listings:
        members = of_part == part
        if not members.any():
            raise DataError(divided[part], "no readable images", "at least one")
        parts[part] = everything.take(members)
    train = parts.pop("train")
    if (train.counts() == 0).any():
        empty = class_names[int(np.argmin(train.counts()))]
        raise DataError(path, f"no readable training image of class {empty!r}", "at least one")
    if "test" not in parts and "validation" in parts:
        parts["test"] = parts.pop("validation")
        notes.append("there is no test folder: the validation folder is the test part")
    test = parts.pop("test", None)
    return Splits(train, test, parts, "; ".join(notes), preparation)


def class_files(path: Path, classes: tuple[str, ...] | None = None) -> Listing:
    """The image files of every class folder, each list in the order of its names.

    Hidden files and folders are passed over, and links to folders below a class folder too: they
    may lead to another class, or round in a circle.

    Raises
    ------
    DataError : the folder cannot be listed; one of `classes` is not there
    """
    folders = {entry.name: entry for entry in _folders(path) if not _leads_back(path, entry)}
    if classes is not None:
        for name in classes:
            if name not in folders:
                found = f"the folders {', '.join(folders)[:200]}" if folders else "no folders"
                raise DataError(path, found, f"a folder {name!r}")
        folders = {name: folders[name] for name in classes}
    return {
        name: sorted(_images_below(folder), key=lambda file: file.relative_to(folder).as_posix())
        for name, folder in folders.items()
    }


def _parts(path: Path) -> dict[str, Path]:
    """The folder of each part: train (, test, validation), or the folder itself as train."""
    found = {PARTS[f.name.lower()]: f for f in _folders(path) if f.name.lower() in PARTS}
    if "train" in found and _folders(found["train"]):
        return found
    return {"train": path}


def _class_names(
    path: Path, listings: dict[str, Listing], classes: tuple[str, ...] | None, notes: list[str]
) -> tuple[str, ...]:
    train = listings["train"]
    if not any(train.values()):
        loose = any(_is_image(entry) for entry in _entries(path))
        found = "images, but none in a folder of its class" if loose else "no images"
        raise DataError(path, found, "a folder per class with images in it")
    empty = [name for name, files in train.items() if not files]
    if classes is None and empty:
        notes.append(f"folders without images were passed over: {', '.join(empty)}")
    names = classes or tuple(sorted(name for name, files in train.items() if files))
    if len(names) < 2:
        raise DataError(path, f"one class ({names[0]})", "at least two, each in its own folder")
    for part, listing in listings.items():
        for name, files in listing.items():
            if files and name not in names:
                expected = f"the classes of the training part ({', '.join(names)[:200]})"
                raise DataError(path, f"a class {name!r} in the {part} part", expected)
    return names


def _entries(path: Path) -> list[Path]:
    """What is in a folder and not hidden, in the order of the names."""
    try:
        seen = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
        return sorted(seen, key=lambda entry: entry.name)  # paths compare otherwise on Windows
    except OSError as error:
        found = f"a folder that cannot be listed ({error.strerror or error})"
        raise DataError(path, found, "a readable folder") from None


def _folders(path: Path) -> list[Path]:
    # Archives made on a Mac carry a second, unreadable copy of every name in __MACOSX.
    return [entry for entry in _entries(path) if entry.is_dir() and entry.name != "__MACOSX"]


def _leads_back(path: Path, entry: Path) -> bool:
    """Whether an entry is a link to the folder itself, above it or into it."""
    if not entry.is_symlink():
        return False
    here, there = path.resolve(), entry.resolve()
    return here == there or here in there.parents or there in here.parents


def _images_below(folder: Path) -> Iterator[Path]:
    for entry in _entries(folder):
        if entry.is_dir():
            if not entry.is_symlink() and entry.name != "__MACOSX":
                yield from _images_below(entry)
        elif _is_image(entry):
            yield entry


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS


def _relative(root: Path, file: Path) -> str:
    """The name in the data set: bytes of a file name that are no text are written as escapes."""
    name = file.relative_to(root).as_posix()
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _images(count: int) -> str:
    return "1 image was" if count == 1 else f"{count:,} images were"


def _bad_images(path: Path, faults: list[DataError]) -> DataError:
    listed = "\n".join(f"  {fault.path}: {fault.found}" for fault in faults)
    found = f"{len(faults):,} image{'s' * (len(faults) > 1)} that cannot be read"
    expected = f"every image to be readable (--skip-bad goes on without them):\n{listed}"
    return DataError(path, found, expected)
