"""A folder of images, inspected: what it holds, what is wrong with it, and a page that shows it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from handgrad.datasets.cache import Seen, seen
from handgrad.datasets.dataset import Progress
from handgrad.datasets.findings import Fault, Findings, Group, judged
from handgrad.datasets.giveaways import upright
from handgrad.datasets.listing import listed
from handgrad.datasets.preparation import Preparation
from handgrad.experiments.recipe import Recipe, read_recipe
from handgrad.writing import written

if TYPE_CHECKING:
    from handgrad.datasets.facts import Facts

__all__ = ["KINDS", "findings", "inspect", "look", "page_of", "printable", "write_page"]

KINDS = {
    "not an image": "no image, whatever the name says",
    "empty": "no byte in it",
    "truncated": "the end is missing",
    "damaged": "does not decode",
    "too large": "more pixels than are decoded",
    "unreadable": "the file cannot be opened",
    "unsupported": "a pixel format that is not read",
    "animated": "several frames, of which the first is used",
    "tiny": "too small to show anything",
    "16 bits": "scaled to 8",
    "rotated": "turned upright, as its EXIF data say",
}
"""Kinds of faults, the worse first, and what they mean."""

ROWS, GROUPS, SHOWN, SIDE = 500, 40, 6, 112
"""Of the page, at most: faults in the table, groups of each kind, images of a group; and pixels."""


def inspect(
    folder: str | os.PathLike[str],
    *,
    cache: bool = True,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Look at every file of a folder of images, and say what is wrong with it.

    Nothing in the folder is changed. The images are decoded as the recipe ``folder`` wants them,
    into the cache from which a training on the same folder takes them.

    Parameters
    ----------
    folder : a folder per class, or ``train`` and ``test`` folders of those, or a CSV of file and
        label
    cache : False to write nothing and hold all images in memory
    threads : files decoded at a time; None for one a core, at most 8
    progress : told of the stages "decoding" and "comparing"

    Returns
    -------
    findings : classes and their labels, faults by file, duplicates, conflicts, leaks, giveaways;
        ``findings.worth_a_look`` says whether there is anything, ``findings.table()`` all of it as
        plain values, ``findings.quarantine()`` which files to leave out of a training

    Raises
    ------
    DataError : no such folder, no images, fewer than two classes
    """
    return findings(look(folder, cache=cache, threads=threads, progress=progress))


def look(
    folder: str | os.PathLike[str],
    *,
    cache: bool = True,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Seen:
    """Decode every file of a folder, for `findings` and `page_of`; parameters as in `inspect`."""
    data = Recipe.of(read_recipe("folder")).data
    height, width = data.size or (64, 64)
    preparation = Preparation(
        height, width, data.channels or 3, data.resample or "bilinear", data.draft
    )
    listing = listed(Path(folder))
    return seen(listing, preparation, cache=cache, threads=threads, each=progress)


def findings(of: Seen) -> Findings:
    """What is worth a look in a folder that was looked at."""
    listing = of.listing
    notes = (*listing.notes, *([of.note] if of.note else []))
    return judged(
        of.facts,
        listing.class_names,
        of.groups,
        folder=os.fsencode(listing.root).decode("utf-8", "backslashreplace"),
        ignored=listing.ignored,
        notes=notes,
    )


def printable(text: str) -> str:
    """A file's name on one line: line ends and what would steer a terminal are written as escapes.

    >>> print(printable("two\\nlines"))
    two\\nlines
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def write_page(found: Findings, of: Seen, path: str | os.PathLike[str]) -> Path:
    """Write the page of an inspection, whole or not at all."""
    text, place = page_of(found, of), Path(path)
    with written(place) as beside:
        beside.write_text(text, encoding="utf-8")
    return place


def page_of(found: Findings, of: Seen) -> str:
    """The page of an inspection as HTML: findings first, thumbnails beside names, then the counts.

    Long lists are cut (`ROWS`, `GROUPS`, `SHOWN`) and say so, so that the page of any folder is
    opened at once.

    Cost: two figures, and a JPEG for each thumbnail.
    """
    from handgrad.pictures import Panel, Section, class_balance, image_sizes, page

    counts = {part: list(found.counts(part).values()) for part in found.parts}
    balance = class_balance(counts, found.class_names)
    readable = [fact for fact in found.facts if not fact.fault]
    panels = [Panel("balance", "How many of each", balance, _balance_words(found), alone=False)]
    if readable:
        sizes = np.array([upright(fact) for fact in readable])
        labels = [found.labels[fact.class_name] for fact in readable]
        figure = image_sizes(sizes[:, 0], sizes[:, 1], labels, found.class_names)
        note = "The larger a dot, the more images have this size; on the line they are squares."
        panels.append(Panel("sizes", "How large they are", figure, note, alone=False))
    shown = _Thumbnails(found, of)
    conflicts, leaks, copies = found.conflicts, found.leaks, found.copies
    classes = Section("Classes", [*panels, _table_of_classes(found)])
    sections = [
        Section("In the training and in the test", shown.panel("leaks", leaks, LEAKS)),
        Section("In two classes", shown.panel("conflicts", conflicts, CONFLICTS)),
        Section("Files with something to say", _table_of_faults(found.faults)),
        Section("Told by the file, not by the picture", _told(found)),
        Section("More than once", shown.panel("duplicates", copies, DUPLICATES)),
        classes,
    ]
    return page(
        f"{printable(found.folder)}, inspected",
        [_verdict(found), *map(printable, found.notes)],
        [
            ("files", f"{len(found.facts):,}"),
            ("readable", f"{len(readable):,}"),
            ("classes", f"{len(found.class_names):,}"),
            ("leaks", f"{len(leaks):,}"),
            ("conflicts", f"{len(conflicts):,}"),
            ("other duplicates", f"{len(copies):,}"),
        ],
        sections,
        f"handgrad inspect {printable(found.folder)}",
    )


LEAKS = (
    "What is tested was trained on: the accuracy flatters. The quarantine list leaves out the "
    "copies on the side of training, so that the test part stays as it was."
)
CONFLICTS = (
    "One picture, two labels: one of them is wrong, and no network can have both right. The "
    "quarantine list leaves all of them out; delete the row of the right one to keep it."
)
DUPLICATES = (
    "Copies within a class of one part weigh as much as several pictures. The quarantine list "
    "keeps the first of each group. Near-duplicates are saved anew, resized, mirrored, or frames "
    "of one scene: look before you leave them out."
)


def _verdict(found: Findings) -> str:
    if not found.worth_a_look:
        return "Nothing in this folder needs a look before a training."
    count = len(found.quarantine())
    if not count:
        return "Every file can be used; what is said below is worth a look before a training."
    files = "1 file" if count == 1 else f"{count:,} files"
    return (
        f"The quarantine list names {files} to leave out of a training: handgrad inspect "
        f"{printable(found.folder)} --quarantine FILE writes it. Nothing is deleted or moved."
    )


def _balance_words(found: Findings) -> str:
    if found.imbalance is None:
        return ""
    counts = found.counts("train", readable=True)
    largest, smallest = found.imbalance
    return (
        f"For every readable training image of {smallest!r} ({counts[smallest]:,}) there are more "
        f"than three of {largest!r} ({counts[largest]:,}): an accuracy says little by itself there."
    )


def _table_of_classes(found: Findings) -> Any:
    from handgrad.pictures import Rows

    table = found.table()

    def counted(counts: dict[str, int]) -> str:
        return ", ".join(f"{n:,} {name}" for name, n in counts.items())

    rows = [["label", "class", "files", "file types", "modes"]]
    rows += [
        [
            str(label),
            printable(name),
            f"{table['classes'][name]:,}",
            counted(table["formats"][name]),
            counted(table["modes"][name]),
        ]
        for name, label in islice(found.labels.items(), ROWS)
    ]
    more = len(found.labels) - ROWS
    note = f"And {more:,} classes more." if more > 0 else ""
    return Rows("labels", "Which number stands for which class", rows, note)


def _table_of_faults(faults: Sequence[Fault]) -> list[Any]:
    """The worse kinds first; where they are too many, some of each kind."""
    from handgrad.pictures import Rows

    if not faults:
        return []
    kinds = [kind for kind in KINDS if any(fault.kind == kind for fault in faults)]
    each = ROWS // len(kinds)
    rows, notes = [["kind", "file", "found", "expected"]], []
    for kind in kinds:
        of_kind = [fault for fault in faults if fault.kind == kind]
        rows += [
            [kind, printable(fault.file), printable(fault.found), printable(fault.expected)]
            for fault in of_kind[:each]
        ]
        if len(of_kind) > each:
            notes.append(f"{len(of_kind) - each:,} more are {kind}")
    note = f"And {'; '.join(notes)}: --json names all." if notes else ""
    return [Rows("faults", f"{len(faults):,} faults", rows, note)]


def _told(found: Findings) -> list[Any]:
    from handgrad.pictures import Rows

    if not found.giveaways:
        return []
    rows = [["class", "property", "what was found"]]
    rows += [[printable(g.class_name), g.by, printable(str(g))] for g in found.giveaways[:ROWS]]
    note = (
        "A network may learn this instead of the subject, and fail on images from elsewhere. Save "
        "all classes in the same way, or take images of all classes from the same source."
    )
    return [Rows("giveaways", "What tells a class by itself", rows, note)]


class _Thumbnails:
    """Small images of the files, as they were decoded, in the shape of the files."""

    def __init__(self, found: Findings, of: Seen) -> None:
        self.facts = {fact.file: fact for fact in found.facts}
        readable = (fact.file for fact in of.facts if not fact.fault)
        self.place = {file: place for place, file in enumerate(readable)}
        self.images = of.images
        self.several = len(found.parts) > 1

    def panel(self, name: str, groups: Sequence[Group], note: str) -> list[Any]:
        """A panel with strips of some groups; none without groups."""
        from handgrad.pictures import Strip, Strips

        if not groups:
            return []
        strips = []
        for group in groups[:GROUPS]:
            count, kind = (
                len(group.files),
                "exact copies" if group.kind == "exact" else "look alike",
            )
            images = tuple(self._images(group.files[:SHOWN]))
            more = f"and {count - SHOWN:,} more" if count > SHOWN else ""
            strips.append(Strip(f"{count:,} files, {kind}", images, more))
        title = f"{len(groups):,} group{'s' if len(groups) > 1 else ''}"
        if len(groups) > GROUPS:
            note += f" Shown are the first {GROUPS} groups; --json names all {len(groups):,}."
        return [Strips(name, title, strips, note)]

    def _images(self, files: Sequence[str]) -> Iterator[tuple[bytes, tuple[int, int], str]]:
        for file in files:
            pixels = np.asarray(self.images[self.place[file]])
            jpeg = io.BytesIO()
            image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
            image.save(jpeg, "jpeg", quality=85)
            yield jpeg.getvalue(), _within(self.facts[file]), printable(file)


def _within(fact: Facts) -> tuple[int, int]:
    """The shape of a file in a square of `SIDE` pixels."""
    width, height = upright(fact)
    longer = max(width, height)
    return max(1, round(SIDE * width / longer)), max(1, round(SIDE * height / longer))
