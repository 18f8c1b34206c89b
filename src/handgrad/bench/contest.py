"""The contest: numbers checked first, then round by round, all sides in turn."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from handgrad.arrays import Array, device_name
from handgrad.bench.floor import floor
from handgrad.bench.memory import Memory
from handgrad.bench.ours import ours
from handgrad.bench.problems import Problem, Side
from handgrad.bench.rivals import DEVICES, RIVALS, NotMeantError, SkippedError, rival
from handgrad.bench.threads import held
from handgrad.bench.works import Work
from handgrad.errors import HandgradError
from handgrad.experiments import cores

__all__ = ["Refused", "Row", "Skipped", "Unmeasured", "contest", "difference"]

Rival = Callable[[str, Problem, int], Side]
Weigh = Callable[[str, str, int, bool], Memory | None]
FLOOR, OURS = "floor", "ours"


@dataclass(frozen=True)
class Skipped:
    """A rival, or a whole work, that does not take part, and why."""

    work: str
    rival: str
    why: str

    def __str__(self) -> str:
        return f"{self.work}: {self.rival or 'the work'} is skipped: {self.why}"


@dataclass(frozen=True)
class Refused(Skipped):
    """A rival that computes other numbers, and so is not timed."""

    def __str__(self) -> str:
        return f"{self.work}: {self.rival} is not timed: {self.why}"


@dataclass(frozen=True)
class Row:
    """One work beside one rival; times are medians in milliseconds, of one ``per``.

    Parameters
    ----------
    ratio : rival over ours, of these medians
    ratio_rounds : the smallest, the median and the largest of the ratios within each round
    ours_min_ms, rival_min_ms, floor_min_ms : the quickest round
    fraction : of the floor reached, floor over ours; above 1 is below the floor
    rival_part : the part of the whole work that the rival was timed for; its time is scaled
    difference : ‖theirs - ours‖ over ‖ours - first values‖
    largest_difference : of any one number
    ours_memory, rival_memory : bytes, peak while it ran above what it held when all was prepared;
        in a process of its own
    ours_process, rival_process : bytes, peak of that whole process
    """

    work: str
    rival: str
    ours_ms: float
    rival_ms: float
    ratio: float
    floor_ms: float
    per: str
    about: str
    data: str
    threads: int
    rounds: int
    ratio_rounds: tuple[float, float, float]
    ours_min_ms: float
    rival_min_ms: float
    floor_min_ms: float
    fraction: float
    rival_part: float
    difference: float
    largest_difference: float
    reference: bool
    ours_memory: int | None = None
    rival_memory: int | None = None
    ours_process: int | None = None
    rival_process: int | None = None
    where: dict[str, Any] = field(default_factory=dict)

    def brief(self) -> dict[str, Any]:
        """What is compared, in six figures."""
        keys = ("work", "rival", "ours_ms", "rival_ms", "ratio", "floor_ms")
        return {key: getattr(self, key) for key in keys}

    def table(self) -> dict[str, Any]:
        """All of it as plain data; what says where it was measured stands beside the rest."""
        table = asdict(self)
        where: dict[str, Any] = table.pop("where")
        return table | where


@dataclass(frozen=True)
class Unmeasured:
    """The row of a work that needs another machine, so that nobody takes it for forgotten.

    Parameters
    ----------
    why : in a word or two; what was found, more closely, is ``found``
    """

    work: str
    rival: str
    why: str
    found: str
    about: str
    where: dict[str, Any] = field(default_factory=dict)

    def brief(self) -> dict[str, Any]:
        """The keys of a `Row`, and what stands in the place of figures."""
        figures = dict.fromkeys(("ours_ms", "rival_ms", "ratio", "floor_ms"))
        return {"work": self.work, "rival": self.rival, **figures, "not_measured": self.why}

    def table(self) -> dict[str, Any]:
        """All of it as plain data."""
        return self.brief() | {"found": self.found, "about": self.about} | self.where

    def __str__(self) -> str:
        return f"not measured: {self.why}"


def difference(ours: Array, theirs: Array, origin: Array | float) -> tuple[float, float]:
    """How far apart two results are: relative to the change from the origin, and at most.

    >>> difference(np.array([1.0, 3.0]), np.array([1.0, 3.5]), np.array([1.0, 1.0]))
    (0.25, 0.5)
    """
    if ours.shape != theirs.shape:
        return math.inf, math.inf
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    change = float(np.linalg.norm(a - origin))
    apart = float(np.linalg.norm(a - b))
    return (apart / change if change else math.inf), float(np.abs(a - b).max(initial=0.0))


def contest(
    works: Iterable[Work],
    *,
    rounds: int = 7,
    threads: int | None = None,
    rivals: Mapping[str, Any] = RIVALS,
    reference: bool = False,
    make: Rival = rival,
    weigh: Weigh | None = None,
    where: dict[str, Any] | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Iterator[Row | Skipped | Unmeasured]:
    """Let every work be done by us, by its floor and by every rival, in turn.

    An interrupt ends the rounds; what there is comes out first, and then the interrupt.

    Parameters
    ----------
    rounds : how often each side is timed, at least 1
    threads : of every side; None for one where all products of a work are small, else all cores
    rivals : the names of those asked
    reference : we compute by the book
    make : makes a rival's side
    weigh : measures memory: from work, side ("ours" or a rival), threads and reference
    where : what stands in every row besides
    tell : told what is going on
    """
    for work in works:
        asked = [name for name in rivals if DEVICES.get(name, "cpu") == work.device]
        if missing := _missing(work):
            for name in asked:
                yield Unmeasured(
                    work.name, name, "no CUDA device", missing, work.about, where or {}
                )
            continue
        try:
            problem = work.problem()
        except SkippedError as reason:
            yield Skipped(work.name, "", str(reason))
            continue
        held_to = threads or work.threads(problem, cores())
        checked = _Checked(work, problem, held_to, reference, make)
        for name in asked:
            tell(f"{work.name}: {name} is checked")
            if refusal := checked.admit(name):
                yield refusal
        if checked.apart:
            weighed = weigh if work.device == "cpu" else None  # a card's memory is another
            card = {} if work.device == "cpu" else {"device": device_name(work.device)}
            yield from checked.timed(rounds, weighed, (where or {}) | card, tell)


def _missing(work: Work) -> str:
    """What a work's device is missing here, in words; nothing where it is there."""
    try:
        device_name(work.device)
    except HandgradError as error:
        return str(error)
    return ""


class _Checked:
    """A work with those sides that compute the same numbers."""

    def __init__(
        self, work: Work, problem: Problem, threads: int, reference: bool, make: Rival
    ) -> None:
        self.work, self.problem, self.threads = work, problem, threads
        self.reference, self.make = reference, make
        self.sides: dict[str, Side] = {}
        self.apart: dict[str, tuple[float, float]] = {}
        with held(threads):
            self.sides[OURS] = ours(problem, threads, reference)
            self.numbers = self._run(self.sides[OURS])
            self.sides[FLOOR] = floor(problem, threads)

    def _run(self, side: Side) -> Array:
        """The whole work once: it is the warm-up too."""
        side.restart()
        side.run(self.work.whole)
        return side.numbers().copy()

    def admit(self, name: str) -> Skipped | None:
        """Let a rival in if it computes the same; else say why not."""
        work = self.work
        try:
            side = self.make(name, self.problem, self.threads)
            with held(self.threads):
                numbers = self._run(side)
        except NotMeantError:
            return None
        except SkippedError as reason:
            return Skipped(work.name, name, str(reason))
        except Exception as error:  # a rival's own, which must not end the others
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            why = f"{type(error).__name__}: {said[-1] if said else ''}"
            return Refused(work.name, name, why)
        relative, largest = difference(self.numbers, numbers, self.problem.origin)
        if not relative <= work.tolerance:
            return Refused(
                work.name, name,
                f"its numbers are {relative:.1e} of the change from ours; "
                f"expected at most {work.tolerance:.0e}",
            )  # fmt: skip
        if work.largest is not None and not largest <= work.largest:
            return Refused(
                work.name, name,
                f"a number of its is {largest:.1e} from ours; expected at most {work.largest:.0e}",
            )  # fmt: skip
        self.sides[name], self.apart[name] = side, (relative, largest)
        return None

    def timed(
        self, rounds: int, weigh: Weigh | None, where: dict[str, Any], tell: Callable[[str], None]
    ) -> Iterator[Row]:
        """Rounds of all sides, and a row a rival."""
        found: dict[str, list[float]] = {name: [] for name in self.sides}
        memory: dict[str, Memory | None] = {}
        names, interrupted = list(self.sides), False
        try:
            with held(self.threads):
                for number in range(rounds):
                    tell(f"{self.work.name}: round {number + 1} of {rounds}")
                    turn = number % len(names)  # so that nobody always follows the same
                    lap = {name: self._lap(name) for name in names[turn:] + names[:turn]}
                    for name, seconds in lap.items():
                        found[name].append(seconds)
            for name in names if weigh else ():
                if weigh is not None and name != FLOOR:
                    tell(f"{self.work.name}: memory of {name}")
                    memory[name] = weigh(self.work.name, name, self.threads, self.reference)
                    if memory[name] is None:
                        tell(f"{self.work.name}: the memory of {name} could not be measured")
        except KeyboardInterrupt:
            interrupted = True
        if found[OURS]:
            for name in self.apart:
                yield self._row(name, found, memory, where)
        if interrupted:
            raise KeyboardInterrupt

    def _lap(self, name: str) -> float:
        """Milliseconds of one ``per``."""
        side, work = self.sides[name], self.work
        part = work.whole if name == OURS or work.timed is None else work.timed
        side.restart()
        start = time.perf_counter()
        side.run(part)
        return 1e3 * (time.perf_counter() - start) * work.whole / part / work.units

    def _row(
        self,
        name: str,
        found: dict[str, list[float]],
        memory: dict[str, Memory | None],
        where: dict[str, Any],
    ) -> Row:
        work, median = self.work, statistics.median
        mine, theirs, least = found[OURS], found[name], found[FLOOR]
        ratios = [b / a for a, b in zip(mine, theirs, strict=True)]
        own, other = memory.get(OURS), memory.get(name)
        return Row(
            work=work.name,
            rival=name,
            ours_ms=median(mine),
            rival_ms=median(theirs),
            ratio=median(theirs) / median(mine),
            floor_ms=median(least),
            per=work.per,
            about=work.about,
            data=self.problem.data,
            threads=self.threads,
            rounds=len(mine),
            ratio_rounds=(min(ratios), median(ratios), max(ratios)),
            ours_min_ms=min(mine),
            rival_min_ms=min(theirs),
            floor_min_ms=min(least),
            fraction=median(least) / median(mine),
            rival_part=(work.timed or work.whole) / work.whole,
            difference=self.apart[name][0],
            largest_difference=self.apart[name][1],
            reference=self.reference,
            ours_memory=own.above if own else None,
            rival_memory=other.above if other else None,
            ours_process=own.process if own else None,
            rival_process=other.process if other else None,
            where=where,
        )
