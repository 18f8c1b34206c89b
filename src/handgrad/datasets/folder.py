"""The images of a folder, divided into train and test or not."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.datasets.cache import Seen, seen
from handgrad.datasets.dataset import Dataset, Progress, Splits
from handgrad.datasets.facts import Facts
from handgrad.datasets.listing import Listing, listed
from handgrad.datasets.on_disk import IN_MEMORY, OnDisk
from handgrad.datasets.preparation import Preparation
from handgrad.errors import DataError, printable

__all__ = ["read_folder"]


def read_folder(
    path: Path,
    preparation: Preparation,
    *,
    classes: tuple[str, ...] | None = None,
    quarantine: Collection[str] = (),
    skip_bad: bool = False,
    cache: bool = False,
    each: Progress | None = None,
    threads: int | None = None,
) -> Splits:
    """Read every image below a folder, or of a table of files and labels: see `listed`.

    Without ``test``, ``val`` is the test part; without either there is none.

    Parameters
    ----------
    classes : the class folders to read, in this order, instead of all in the order of their names
    quarantine : names of files to leave out, relative to the folder
    skip_bad : go on without images that do not decode, and say so in the note
    cache : take the pixels from the user's cache, or leave them there: see `seen`. Large sets then
        are `OnDisk`.
    each : called with "decoding", the files done and the files in all
    threads : files decoded at a time

    Returns
    -------
    splits : the data sets have `groups`: copies of one image, exact or nearly, have one number

    Raises
    ------
    DataError : no images, fewer than two classes, images that do not decode (every one is named)
    """
    listing = listed(path, classes)
    found = seen(listing, preparation, cache=cache, threads=threads, each=each)
    notes = [*listing.notes, *filter(None, [found.note])]
    held = _held(listing, quarantine, notes)
    faults = [
        (entry.path, fact)
        for entry, fact in zip(listing.entries, found.facts, strict=True)
        if fact.fault and fact.file not in held
    ]
    if faults:
        if not skip_bad:
            raise _bad_images(path, faults)
        named = ", ".join(printable(fact.file) for _, fact in faults)
        notes.append(f"{_images(len(faults))} skipped, not being readable: {named}")
    everything = _everything(found, held)
    parts = _parts(listing, everything)
    train = parts.pop("train")
    if (train.counts() == 0).any():
        empty = listing.class_names[int(np.argmin(train.counts()))]
        raise DataError(path, f"no readable training image of class {empty!r}", "at least one")
    if "test" not in parts and "validation" in parts:
        parts["test"] = parts.pop("validation")
        notes.append("there is no test folder: the validation folder is the test part")
    test = parts.pop("test", None)
    if test is not None and (copies := _copies(test, train)):
        notes.append(
            f"of the test images {copies:,} stand in the training part too, exactly or nearly, "
            f"which flatters (`handgrad inspect {path}` names them)"
        )
    return Splits(train, test, parts, "; ".join(notes), preparation)


def _copies(test: Dataset, train: Dataset) -> int:
    assert test.groups is not None
    assert train.groups is not None
    return int(np.isin(test.groups, train.groups).sum())


def _held(listing: Listing, quarantine: Collection[str], notes: list[str]) -> set[str]:
    """Which files are left out."""
    if not quarantine:
        return set()
    held = {entry.file for entry in listing.entries} & set(quarantine)
    notes.append(f"{_images(len(held))} left out, being in quarantine")
    if absent := sorted(set(quarantine) - held):
        some = ", ".join(absent[:3]) + (", …" if len(absent) > 3 else "")
        notes.append(f"in quarantine but not in {listing.root}: {len(absent):,} ({some})")
    return held


def _everything(found: Seen, held: set[str]) -> Dataset:
    """All images that decode and are not held back, of every part."""
    good = [fact for fact in found.facts if not fact.fault]
    kept = np.array([fact.file not in held for fact in good], dtype=bool)
    facts = [fact for fact, keeps in zip(good, kept, strict=True) if keeps]
    listing = found.listing
    if not facts:
        raise DataError(listing.root, "no readable images", "a folder per class with images in it")
    label = {name: place for place, name in enumerate(listing.class_names)}
    return Dataset(
        _pixels(found, kept),
        np.array([label[fact.class_name] for fact in facts]),
        listing.class_names,
        tuple(fact.file for fact in facts),
        str(listing.root),
        found.groups[kept],
    )


def _pixels(found: Seen, kept: NDArray[np.bool_]) -> Any:
    """An array, or the images where they lie if they are many."""
    if found.where is not None and found.images.nbytes > IN_MEMORY:
        return OnDisk(found.images, np.flatnonzero(kept))
    return np.array(found.images if kept.all() else found.images[kept])


def _parts(listing: Listing, everything: Dataset) -> dict[str, Dataset]:
    """Each part by its name."""
    part = {entry.file: entry.part for entry in listing.entries}
    of_part = np.array([part[name] for name in everything.file_names or ()])
    for name, folder in listing.parts.items():
        if not (of_part == name).any():
            raise DataError(folder, "no readable images", "at least one")
    return {name: everything.take(of_part == name) for name in listing.parts}


def _images(count: int) -> str:
    return "1 image was" if count == 1 else f"{count:,} images were"


def _bad_images(path: Path, faults: list[tuple[Path, Facts]]) -> DataError:
    listed = "\n".join(f"  {printable(str(file))}: {fact.found}" for file, fact in faults)
    found = f"{len(faults):,} image{'s' * (len(faults) > 1)} that cannot be read"
    expected = (
        "every image to be readable (--skip-bad goes on without them, and so does --quarantine "
        f"FILE with the list that `handgrad inspect` writes):\n{listed}"
    )
    return DataError(path, found, expected)
