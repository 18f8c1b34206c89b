"""What is worth a look in a folder of images: from the facts of its files to findings."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from handgrad.datasets.giveaways import Giveaway, giveaways, upright

if TYPE_CHECKING:
    from handgrad.datasets.facts import Facts

__all__ = ["HANDLED", "Fault", "Findings", "Group", "judged"]

IMBALANCE = 3.0
"""Times the smallest class: beyond, naming the commoner of two classes is right 3 times in 4."""

HANDLED = ("16 bits", "rotated")
"""Kinds of faults that are made good in full when a file is decoded: nothing is left to be done."""

PARTS = ("train", "validation", "test")
"""From the part that may lose a copy first to the one that stays as it is."""


@dataclass(frozen=True)
class Fault:
    """Something about one file.

    Parameters
    ----------
    kind : of a file that does not decode that of its `handgrad.errors.ImageError`; of one that
        does "animated", "tiny", "16 bits" or "rotated"
    found, expected : in words; ``expected`` says of a readable file what is made of it
    readable : whether the file decodes
    """

    file: str
    kind: str
    found: str
    expected: str
    readable: bool

    @property
    def handled(self) -> bool:
        """Whether nothing is left to be done about it."""
        return self.kind in HANDLED

    def table(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Group:
    """Files that show the same.

    Parameters
    ----------
    files : two or more, in the order of the folder
    kind : "exact", all of the same bytes, or "near", where at least one only looks the same
    classes, parts : those that the files are in
    """

    files: tuple[str, ...]
    kind: str
    classes: tuple[str, ...]
    parts: tuple[str, ...]

    def table(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Findings:
    """What a folder holds, and what in it is worth a look.

    Parameters
    ----------
    folder : its name
    facts : of every file that is taken for an image
    class_names : label = place
    faults : of single files, in their order
    duplicates : every group of files that show the same; `conflicts` are those of them in several
        classes, `leaks` those in several parts, `copies` those in one class of one part
    imbalance : the largest class of the training part and the smallest, by readable files, where
        the one is more than `IMBALANCE` times the other; else None
    giveaways : properties of the files that tell a class by themselves
    ignored : files that are not taken for images
    notes : what the walk through the folder had to say
    """

    folder: str
    facts: tuple[Facts, ...]
    class_names: tuple[str, ...]
    faults: tuple[Fault, ...]
    duplicates: tuple[Group, ...]
    imbalance: tuple[str, str] | None
    giveaways: tuple[Giveaway, ...]
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def conflicts(self) -> tuple[Group, ...]:
        """Groups in several classes."""
        return tuple(group for group in self.duplicates if len(group.classes) > 1)

    @property
    def leaks(self) -> tuple[Group, ...]:
        """Groups in several parts."""
        return tuple(group for group in self.duplicates if len(group.parts) > 1)

    @property
    def copies(self) -> tuple[Group, ...]:
        """Groups within one class of one part: neither conflicts nor leaks."""
        alone = (1, 1)
        return tuple(g for g in self.duplicates if (len(g.classes), len(g.parts)) == alone)

    @property
    def labels(self) -> dict[str, int]:
        """The class-to-label map."""
        return {name: label for label, name in enumerate(self.class_names)}

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that the folder is divided into."""
        there = {fact.part for fact in self.facts}
        return tuple(part for part in PARTS if part in there)

    def counts(self, part: str | None = None, readable: bool = False) -> dict[str, int]:
        """How many files of each class there are.

        Parameters
        ----------
        part : of which; None for all
        readable : count only those that decode
        """
        counted = Counter(
            fact.class_name
            for fact in self.facts
            if part in (None, fact.part) and not (readable and fact.fault)
        )
        return {name: counted[name] for name in self.class_names}

    @property
    def unreadable(self) -> tuple[Fault, ...]:
        """Faults of files that do not decode."""
        return tuple(fault for fault in self.faults if not fault.readable)

    @property
    def worth_a_look(self) -> bool:
        """Whether there is anything that somebody should see before training on the folder.

        Faults do, but those that are made good in full (`HANDLED`); so do duplicates of any kind,
        giveaways and imbalance.
        """
        faults = any(not fault.handled for fault in self.faults)
        return bool(faults or self.duplicates or self.giveaways or self.imbalance)

    def quarantine(self) -> dict[str, str]:
        """Files to leave out of a training, and why, in the order of the folder.

        Those are: every file that does not decode; all files of a conflict, since no copy says
        which label is right; in a leak the copies on the side of training, so that the test part
        stays as it was; and of other duplicates all but the first of each class and part.
        """
        facts = {fact.file: fact for fact in self.facts}
        reasons = {fault.file: f"{fault.kind}: {fault.found}" for fault in self.unreadable}

        def copy(file: str, kept: str) -> str:
            same = facts[file].content == facts[kept].content
            return f"{'a copy' if same else 'a near-duplicate'} of {kept}"

        for group in self.duplicates:
            if len(group.classes) > 1:
                named = " and ".join(map(repr, group.classes))
                reasons |= dict.fromkeys(group.files, f"a conflict: shown in classes {named}")
                continue
            stays = max(group.parts, key=PARTS.index)
            kept = next(file for file in group.files if facts[file].part == stays)
            for file in group.files:
                if facts[file].part != stays:
                    reasons[file] = f"a leak: {copy(file, kept)}, which is in the {stays} part"
                elif file != kept:
                    reasons[file] = copy(file, kept)
        return {file: reasons[file] for file in facts if file in reasons}

    def table(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        readable = [fact for fact in self.facts if not fact.fault]
        by_class: dict[str, list[Facts]] = {name: [] for name in self.class_names}
        for fact in readable:
            by_class[fact.class_name].append(fact)
        imbalance = None
        if self.imbalance is not None:
            counts = self.counts("train", readable=True)
            most, fewest = (counts[name] for name in self.imbalance)
            imbalance = {
                "largest": self.imbalance[0],
                "smallest": self.imbalance[1],
                "ratio": most / fewest if fewest else None,
            }
        return {
            "folder": self.folder,
            "files": len(self.facts),
            "readable": len(readable),
            "bytes": sum(fact.bytes for fact in self.facts),
            "classes": self.counts(),
            "parts": {part: self.counts(part) for part in self.parts},
            "labels": self.labels,
            "faults": [fault.table() for fault in self.faults],
            "duplicates": [group.table() for group in self.duplicates],
            "conflicts": [group.table() for group in self.conflicts],
            "leaks": [group.table() for group in self.leaks],
            "imbalance": imbalance,
            "giveaways": [giveaway.table() for giveaway in self.giveaways],
            "sizes": {name: _sizes(facts) for name, facts in by_class.items() if facts},
            "formats": {n: dict(Counter(f.format for f in facts)) for n, facts in by_class.items()},
            "modes": {n: dict(Counter(f.mode for f in facts)) for n, facts in by_class.items()},
            "ignored": list(self.ignored),
            "notes": list(self.notes),
            "worth_a_look": self.worth_a_look,
        }


def judged(
    facts: Sequence[Facts],
    class_names: Sequence[str],
    alike: ArrayLike | None = None,
    *,
    folder: str = "",
    ignored: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Findings:
    """What is worth a look in a folder of which these facts are known.

    Parameters
    ----------
    facts : one a file, in the order of the folder
    class_names : label = place
    alike : (M,) int, for each of the M files that decode the number of its group: those with the
        same number look the same. None: only files of the same bytes are duplicates

    Cost: sorts the files some times for each class.
    """
    readable = [fact for fact in facts if not fact.fault]
    numbers: list[Hashable] = list(range(len(readable)))
    if alike is not None:
        numbers = np.asarray(alike).tolist()
        if len(numbers) != len(readable):
            raise ValueError(f"found {len(numbers)} group numbers; expected {len(readable)}")
    found = Findings(
        folder,
        tuple(facts),
        tuple(class_names),
        tuple(fault for fact in facts for fault in _faults(fact)),
        tuple(_groups(readable, numbers)),
        None,
        tuple(giveaways(readable, class_names)),
        tuple(ignored),
        tuple(notes),
    )
    counts = found.counts("train", readable=True)
    if len(counts) < 2:
        return found
    largest, smallest = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if counts[largest] <= IMBALANCE * counts[smallest]:
        return found
    return Findings(**{**vars(found), "imbalance": (largest, smallest)})


def _faults(fact: Facts) -> list[Fault]:
    """What there is to say about one file."""
    if fact.fault:
        return [Fault(fact.file, fact.fault, fact.found, fact.expected, False)]
    remarks = []
    if fact.frames > 1:
        remarks.append(("animated", f"{fact.frames:,} frames", "one; the first is used"))
    if min(fact.width, fact.height) < 3:
        remarks.append(("tiny", f"{fact.width} by {fact.height} pixels", "something to be seen"))
    if fact.mode.startswith("I"):
        remarks.append(("16 bits", f"{fact.mode} samples", "8 bits; they are scaled"))
    if fact.orientation != 1:
        found = f"EXIF orientation {fact.orientation}"
        remarks.append(("rotated", found, "an upright image; it is turned"))
    return [Fault(fact.file, *remark, readable=True) for remark in remarks]


def _groups(facts: Sequence[Facts], numbers: Sequence[Hashable]) -> list[Group]:
    """Files of one content or one number belong together, and whatever hangs on either."""
    parent = list(range(len(facts)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for keys in ([fact.content or i for i, fact in enumerate(facts)], numbers):
        first: dict[Hashable, int] = {}
        for i, key in enumerate(keys):
            a, b = root(first.setdefault(key, i)), root(i)
            parent[max(a, b)] = min(a, b)
    members: dict[int, list[Facts]] = {}
    for i, fact in enumerate(facts):
        members.setdefault(root(i), []).append(fact)
    return [
        Group(
            tuple(fact.file for fact in group),
            "exact" if len({fact.content for fact in group}) == 1 else "near",
            tuple(dict.fromkeys(fact.class_name for fact in group)),
            tuple(part for part in PARTS if part in {fact.part for fact in group}),
        )
        for group in members.values()
        if len(group) > 1
    ]


def _sizes(facts: Sequence[Facts]) -> dict[str, list[float]]:
    """Smallest, median and largest width, height and aspect ratio of upright images."""
    sizes = [upright(fact) for fact in facts]
    series: dict[str, list[float]] = {
        "width": [width for width, _ in sizes],
        "height": [height for _, height in sizes],
        "aspect_ratio": [width / height for width, height in sizes],
    }
    return {name: [min(s), statistics.median(s), max(s)] for name, s in series.items()}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
