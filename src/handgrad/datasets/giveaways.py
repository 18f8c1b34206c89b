"""What tells a class by itself, and is no picture: the size, type or compression of its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from handgrad.datasets.facts import Facts

__all__ = ["Giveaway", "giveaways", "upright"]

GIVEAWAY = 0.9
"""Balanced accuracy of a single property, from which on it gives a class away."""


@dataclass(frozen=True)
class Giveaway:
    """A property of the files, not of what they show, that tells one class from all others.

    Parameters
    ----------
    by : "file type", "mode", "size", "aspect ratio", "width", "height" or "bytes per pixel"
    words : what files of the class are or have, as in "are PNG files"
    hits, n : so many of the n readable files of the class are so
    others, m : and so many of the m readable files of all other classes
    """

    class_name: str
    by: str
    words: str
    hits: int
    n: int
    others: int
    m: int

    @property
    def balanced_accuracy(self) -> float:
        """Of answering by this property alone: the mean of hits/n and 1 - others/m."""
        return (self.hits / self.n + 1 - self.others / self.m) / 2

    def __str__(self) -> str:
        share = f"{self.hits:,} of {self.n:,}" if self.hits < self.n else f"all {self.n:,}"
        others = f"{self.others:,}" if self.others else "none"
        return (
            f"{share} images of class {self.class_name!r} {self.words}, and {others} of the "
            f"{self.m:,} others"
        )

    def table(self) -> dict[str, Any]:
        return {
            "class": self.class_name,
            "property": self.by,
            "says": str(self),
            "of_class": [self.hits, self.n],
            "of_others": [self.others, self.m],
            "balanced_accuracy": self.balanced_accuracy,
        }


def upright(fact: Facts) -> tuple[int, int]:
    """Width and height of an image as it is seen: EXIF orientations from 5 on lie on their side."""
    size = (fact.width, fact.height)
    return size if fact.orientation < 5 else size[::-1]


def giveaways(facts: Sequence[Facts], class_names: Sequence[str]) -> list[Giveaway]:
    """For each class the properties by which alone it could be told.

    A property answers "of this class" for one value (or for all but one) of what is a word, for
    one interval of what is a number: the one with the best balanced accuracy. Counts are taken
    with one hit and one miss more than were seen (Laplace's rule of succession), so that a class of
    fewer than eight images never says anything: at 8 to 8 a number that means nothing separates the
    classes by chance 9 times in C(16, 8) = 12,870.
    """
    place = {name: label for label, name in enumerate(class_names)}
    labels = np.array([place[fact.class_name] for fact in facts], dtype=np.intp)
    found: list[tuple[int, float, bool, Giveaway]] = []
    for kind, properties in enumerate(_PROPERTIES):
        columns = [(*each, *_distinct([each[1](fact) for fact in facts])) for each in properties]
        for label, name in enumerate(class_names):
            mine = labels == label
            best = None
            for by, _, words, values, places in columns:
                inside, text, plain = _stump(values, places, mine, words)
                hits, others = int((inside & mine).sum()), int((inside & ~mine).sum())
                n, m = int(mine.sum()), int((~mine).sum())
                score = ((hits + 1) / (n + 2) + (m - others + 1) / (m + 2)) / 2
                if score >= GIVEAWAY and (best is None or score > best[1]):
                    told = Giveaway(name, by, text, hits, n, others, m)
                    best = (kind, score, plain, told)
            if best is not None:
                found.append(best)
    if len(class_names) == 2:  # what tells one class tells the other: said once, without a "not"
        kinds = dict.fromkeys(kind for kind, *_ in found)
        found = [max((f for f in found if f[0] == k), key=lambda f: f[1:3]) for k in kinds]
    by_type = {told.class_name for kind, _, _, told in found if kind == 0}
    if len(class_names) == 2 and by_type:
        by_type = set(class_names)
    # A file's type brings its mode and its compression with it.
    return [told for kind, _, _, told in found if kind in (0, 2) or told.class_name not in by_type]


def _distinct(values: list[Any]) -> tuple[list[Any], NDArray[np.intp]]:
    """The distinct values in order, and for each of the given ones its place among them."""
    distinct = sorted(set(values))
    place = {value: i for i, value in enumerate(distinct)}
    return distinct, np.array([place[value] for value in values], dtype=np.intp)


def _stump(
    values: list[Any], places: NDArray[np.intp], mine: NDArray[np.bool_], words: Words
) -> tuple[NDArray[np.bool_], str, bool]:
    """The best answer by one property: who it takes in, in words, and whether without a "not".

    With p_v = (share of the class with value v) - (share of the others with it), a set S of values
    has balanced accuracy (1 + Σ_{v in S} p_v) / 2. Of a number's intervals the best one is the
    largest sum of neighbours.
    """
    n, m = max(int(mine.sum()), 1), max(int((~mine).sum()), 1)
    K = len(values)
    p = np.bincount(places[mine], minlength=K) / n - np.bincount(places[~mine], minlength=K) / m
    if not K:
        return np.zeros(0, dtype=bool), "", True
    if isinstance(values[0], float):
        sums = np.concatenate([[0.0], np.cumsum(p)])
        lowest = np.minimum.accumulate(sums)
        last = int(np.argmax(sums[1:] - lowest[:-1]))
        first = int(np.argmin(sums[: last + 1]))
        return (places >= first) & (places <= last), words(values[first], values[last]), True
    most, least = int(np.argmax(p)), int(np.argmin(p))
    if p[most] >= -p[least]:
        return places == most, words(values[most], None), True
    return places != least, words(values[least], None).replace("are ", "are not ", 1), False


Words = Callable[[Any, Any], str]


def _range(low: float, high: float, form: str) -> str:
    a, b = format(low, form), format(high, form)
    return a if a == b else f"{a} to {b}"


_PROPERTIES: tuple[tuple[tuple[str, Callable[[Facts], Any], Words], ...], ...] = (
    (("file type", lambda fact: fact.format, lambda v, _: f"are {v} files"),),
    (("mode", lambda fact: fact.mode, lambda v, _: f"are stored as {v}"),),
    (
        ("size", upright, lambda v, _: f"are {v[0]} by {v[1]} pixels"),
        (
            "width",
            lambda fact: float(upright(fact)[0]),
            lambda a, b: f"are {_range(a, b, '.0f')} pixels wide",
        ),
        (
            "height",
            lambda fact: float(upright(fact)[1]),
            lambda a, b: f"are {_range(a, b, '.0f')} pixels high",
        ),
        (
            "aspect ratio",
            lambda fact: upright(fact)[0] / upright(fact)[1],
            lambda a, b: f"are {_range(a, b, '.2f')} times as wide as high",
        ),
    ),
    (
        (
            "bytes per pixel",
            lambda fact: fact.bytes / (fact.width * fact.height),
            lambda a, b: f"take {_range(a, b, '.2g')} bytes a pixel",
        ),
    ),
)  # fmt: skip
"""What a file may be known by, the simpler first; of one kind only the best is said."""
