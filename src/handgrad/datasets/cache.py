"""Every file of a folder looked at once: decoded in threads into the user's cache, and kept there.

A cache is a folder of two files. ``index.json`` says which preparation the pixels are for, by
which Pillow they were decoded, and of every file its stamp (size and times), its facts with the
hash of its content, and its duplicate group; ``pixels-….u1`` holds (M, H, W, C) uint8, the images
that decode, behind one another. The index is written last, by a rename, and names the pixels, so
that a half-written cache is never read. A file whose stamp is another is hashed; one whose hash is
another is decoded again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import features

from handgrad.datasets.dataset import Progress
from handgrad.datasets.decoding import in_order, reading
from handgrad.datasets.facts import Facts, digest, examined
from handgrad.datasets.likeness import near_duplicates
from handgrad.datasets.listing import Entry, Listing
from handgrad.datasets.preparation import Preparation
from handgrad.errors import DataError, HandgradError
from handgrad.writing import made_folder, written

__all__ = ["Seen", "cache_folder", "seen"]

FORMAT = 1

DECODERS = ("jpg", "libjpeg_turbo", "zlib", "libtiff", "webp", "avif", "jpg_2000")
"""What Pillow decodes with, in its own words."""

Stamp = tuple[int, int, int]
"""Bytes, and the nanoseconds of the last change of the content and of anything about the file."""

NO_STAMP = (-1, 0, 0)
"""Of a file that is not there, or that may not be asked."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A folder of which every file was looked at.

    Parameters
    ----------
    listing : which files
    facts : one a file, in the order of the listing
    images : (M, H, W, C) uint8, those that decode, in this order; memory-mapped where cached
    groups : (M,) equal numbers for images that are copies of each other, exactly or nearly
    where : the folder of the cache; None without one
    note : what the user should be told, or ""
    """

    listing: Listing
    facts: tuple[Facts, ...]
    images: NDArray[np.uint8]
    groups: NDArray[np.int64]
    where: Path | None = None
    note: str = ""


@dataclass(frozen=True)
class _Index:
    """``index.json``."""

    format: int
    made: str
    source: str
    pixels: str
    stamps: list[Stamp]
    facts: list[Facts]
    groups: list[int]


def cache_folder() -> Path:
    """The user's cache: where ``HANDGRAD_CACHE`` says, else as the system has it."""
    if named := os.environ.get("HANDGRAD_CACHE"):
        return Path(named)
    import pooch  # a tenth of a second, which embedded data need not spend

    return Path(pooch.os_cache("handgrad"))


def seen(
    listing: Listing,
    preparation: Preparation,
    *,
    cache: bool = True,
    threads: int | None = None,
    each: Progress | None = None,
) -> Seen:
    """Look at every file, or take from the cache what was seen before.

    A folder that has not changed costs a look at the times of its files. Where the cache cannot be
    written, the images are held in memory, and the note says so.

    Parameters
    ----------
    preparation : its size, channels, filter and draft
    cache : False to write nothing and hold all in memory
    threads : files at a time; None for one a core, at most 8
    each : told of the stages "decoding" and "comparing"
    """
    entries = listing.entries
    stamps = [_stamp(entry.path) for entry in entries]
    if not cache:
        return _in_memory(listing, preparation, stamps, threads, each)
    folder = cache_folder() / "folders" / _key(listing, preparation)
    made = _made(preparation)
    old = _read(folder, made, preparation)
    if old.stamps == stamps and _same(old.facts, entries):
        groups = np.array(old.groups, dtype=np.int64)
        return Seen(listing, tuple(old.facts), old.images, groups, folder)
    try:
        made_folder(folder)
        _swept(folder)
        name = f"pixels-{time.time_ns():x}-{os.getpid()}.u1"
        facts = []
        with written(folder / name) as beside, beside.open("wb") as file:
            for fact, pixels in _each(entries, stamps, preparation, old, threads, each):
                facts.append(fact)
                if pixels is not None:
                    file.write(np.ascontiguousarray(pixels).data)
        images = _mapped(folder / name, preparation)
        groups = _groups(images, each)
        index = _Index(FORMAT, made, str(listing.root), name, stamps, facts, groups.tolist())
        with written(folder / "index.json") as beside:
            beside.write_bytes(msgspec.json.encode(index))
        if old.pixels:
            (folder / old.pixels).unlink(missing_ok=True)
    except (HandgradError, OSError) as error:
        if isinstance(error, DataError):
            raise
        note = f"the images are in memory, without a cache ({error})"
        found = _in_memory(listing, preparation, stamps, threads, each)
        return dataclasses.replace(found, note=note)
    return Seen(listing, tuple(facts), images, groups, folder)


def _in_memory(
    listing: Listing,
    preparation: Preparation,
    stamps: list[Stamp],
    threads: int | None,
    each: Progress | None,
) -> Seen:
    images = np.empty((len(stamps), *preparation.shape), dtype=np.uint8)
    facts: list[Facts] = []
    count = 0
    for fact, pixels in _each(listing.entries, stamps, preparation, _Old(), threads, each):
        facts.append(fact)
        if pixels is not None:
            images[count] = pixels
            count += 1
    images = images[:count]
    return Seen(listing, tuple(facts), images, _groups(images, each))


def _each(
    entries: Sequence[Entry],
    stamps: Sequence[Stamp],
    preparation: Preparation,
    old: _Old,
    threads: int | None,
    each: Progress | None,
) -> Iterator[tuple[Facts, NDArray[np.uint8] | None]]:
    """The facts and the pixels of every file, in their order; what is known is not decoded."""
    known = old.by_file()

    def one(asked: tuple[Entry, Stamp]) -> tuple[Facts, NDArray[np.uint8] | None]:
        entry, stamp = asked
        before, place = known.get(entry.file, (None, 0))
        if before is not None and (before[0] == stamp or _unchanged(entry, before[1])):
            fact = dataclasses.replace(before[1], part=entry.part, class_name=entry.class_name)
            return fact, None if fact.fault else old.images[place]
        return examined(entry, preparation)

    with reading():
        todo = zip(entries, stamps, strict=True)
        for done, found in enumerate(in_order(one, todo, threads), start=1):
            yield found
            if each is not None:
                each("decoding", done, len(entries))


def _unchanged(entry: Entry, known: Facts) -> bool:
    """Whether a file with another stamp holds the same bytes all the same."""
    try:
        return bool(known.content) and entry.path.is_file() and digest(entry.path) == known.content
    except OSError:
        return False


@dataclass(frozen=True, eq=False)
class _Old:
    """What a cache holds; by default nothing."""

    pixels: str = ""
    stamps: list[Stamp] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    images: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 1, 1, 1), np.uint8))

    def by_file(self) -> dict[str, tuple[tuple[Stamp, Facts], int]]:
        """Stamp and facts of every file by its name, and the place of its image."""
        places = np.cumsum([not fact.fault for fact in self.facts]) - 1
        both = zip(self.stamps, self.facts, strict=True)
        return {
            fact.file: ((stamp, fact), int(place))
            for (stamp, fact), place in zip(both, places, strict=True)
            if fact.fault != "unreadable"  # another user may read it, at another time
        }


def _read(folder: Path, made: str, preparation: Preparation) -> _Old:
    """The cache in a folder; what is not whole, or made otherwise, counts as none."""
    try:
        index = msgspec.json.decode((folder / "index.json").read_bytes(), type=_Index)
        named = re.fullmatch(r"pixels-[0-9a-f]+-[0-9]+\.u1", index.pixels)
        if (index.format, index.made) != (FORMAT, made) or not named:
            return _Old()
        groups = np.array(index.groups, dtype=np.int64).tolist()
        images = _mapped(folder / index.pixels, preparation)
    except (OSError, ValueError, OverflowError, msgspec.DecodeError, RecursionError):
        return _Old()
    decoded = sum(not fact.fault for fact in index.facts)
    if not len(images) == decoded == len(index.groups) or len(index.stamps) != len(index.facts):
        return _Old()
    return _Old(index.pixels, index.stamps, index.facts, groups, images)


def _mapped(path: Path, preparation: Preparation) -> NDArray[np.uint8]:
    """The pixels in a file, not read before they are asked for."""
    count, rest = divmod(path.stat().st_size, math.prod(preparation.shape))
    if rest:
        raise ValueError(f"{path}: found {rest} bytes beside whole images")
    shape = (count, *preparation.shape)
    return np.memmap(path, np.uint8, "r", shape=shape) if count else np.empty(shape, np.uint8)


def _groups(images: NDArray[np.uint8], each: Progress | None) -> NDArray[np.int64]:
    def compared(done: int, total: int) -> None:
        if each is not None:
            each("comparing", done, total)

    return near_duplicates(images, compared)


def _same(facts: Sequence[Facts], entries: Sequence[Entry]) -> bool:
    """Whether these are the facts of these files, in this order, and none may be another now."""
    return len(facts) == len(entries) and all(
        (fact.file, fact.part, fact.class_name) == (entry.file, entry.part, entry.class_name)
        and fact.fault != "unreadable"  # another user may read it, at another time
        for fact, entry in zip(facts, entries, strict=True)
    )


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return NO_STAMP
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _made(preparation: Preparation) -> str:
    """What pixels depend on beside the file: how they are asked for, and who decodes."""
    asked = (*preparation.shape, preparation.resample, preparation.draft)
    decoders = [PIL.__version__, *(features.version(name) or "" for name in DECODERS)]
    return f"{asked} by Pillow {', '.join(decoders)}"


def _key(listing: Listing, preparation: Preparation) -> str:
    """The name of the folder of the cache."""
    asked = (*preparation.shape, preparation.resample, preparation.draft)
    told = f"{listing.root.resolve()}\0{listing.class_names}\0{asked}"
    return hashlib.sha256(os.fsencode(told)).hexdigest()[:16]


def _swept(folder: Path) -> None:
    """Remove what writings left behind that were killed long ago."""
    for path in folder.glob(".*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > 24 * 3600:
                path.unlink()
