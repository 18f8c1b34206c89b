"""Judging a learner's function: the certificate first, and where it fails, which mistake it is."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.arrays import Array
from handgrad.errors import DataError, HandgradError
from handgrad.exercises.answer import Trial, WrongError, answered, formed, parts, same
from handgrad.exercises.exercise import EXPECTED, Exercise, exercise, marker
from handgrad.exercises.running import line_of, run_file
from handgrad.verification import Ledger
from handgrad.verification.difference import COMPLEX, DIFFERENCES, compare_gradient

__all__ = ["SECONDS", "Verdict", "check", "judged", "proved"]

SECONDS = 10.0
"""How long a function may take for one small input."""


@dataclass(frozen=True)
class Verdict:
    """What is said of a learner's function.

    Parameters
    ----------
    exercise : its name
    kind : "passed"; "mistake", one that has a sentence; "differs", another one; "form", no such
        values as were asked for; "raises", "too long"; "nothing yet"
    sentence : for the learner
    worst_error : the largest relative error of all comparisons
    comparisons : how many numbers were compared
    """

    exercise: str
    kind: str
    sentence: str
    worst_error: float = 0.0
    comparisons: int = 0

    @property
    def passed(self) -> bool:
        """Whether every number is right."""
        return self.kind == "passed"

    def __str__(self) -> str:
        return f"{self.exercise}: {self.sentence}"


def check(
    path: str | os.PathLike[str], of: Exercise | None = None, seconds: float = SECONDS
) -> Verdict:
    """Run a learner's file, and judge its function.

    Parameters
    ----------
    path : a file that `handgrad exercise` wrote, with the gap filled
    of : which exercise; None for the one of the package that the file names
    seconds : how long it may take for one small input

    Raises
    ------
    DataError : it cannot be judged: not there, not Python, no such exercise or function
    """
    name = marker(path)
    try:
        of = exercise(name) if of is None else of
    except HandgradError as error:
        raise HandgradError(f"{path}: {error}") from None
    if name != of.name:
        raise DataError(path, f'EXERCISE = "{name}"', f'"{of.name}", the one of {of.path}')
    module = run_file(path, "a file that runs", seconds)
    function = getattr(module, of.function, None)
    if not callable(function):
        raise DataError(path, f"no function {of.function}", "the one that was to be written")
    return judged(of, function, path, seconds)


def proved(of: Exercise) -> Verdict:
    """Judge an exercise: its solution passes, and each of its mistakes is known for what it is."""
    right = judged(of, of.solution, of.path)
    if not right.passed:
        return Verdict(of.name, right.kind, f"the solution: {right.sentence}")
    for sentence, wrong in of.mistakes.items():
        found = judged(of, wrong, of.path)
        if found.sentence != sentence:
            said = f"the mistake {sentence!r} cannot be told: {found.sentence}"
            return Verdict(of.name, "differs", said)
    said = f"the solution {right.sentence}; each of {len(of.mistakes)} mistakes is told"
    return Verdict(of.name, "passed", said, right.worst_error, right.comparisons)


def judged(
    of: Exercise,
    function: Callable[..., Any],
    path: str | os.PathLike[str],
    seconds: float = SECONDS,
) -> Verdict:
    """Judge a function as a solution of an exercise.

    Parameters
    ----------
    path : its file, for the lines of what it may raise
    """
    with _by_teacher(of):
        trials = list(_trials(of))
        right = [of.solution(*trial.arguments()) for trial in trials]
    ledger = Ledger(of.name, "exercise")
    answers: list[Any] = []
    try:
        for trial in trials:
            answers.append(answered(function, trial, path, seconds))
        for trial, answer, expected in zip(trials, answers, right, strict=True):
            _compare(ledger, of, trial, formed(answer, of.returns, expected, trial), expected)
            if ledger.differs is not None:
                what, wrong, method, wanted = ledger.differs
                said = f"{what}: found {wrong:.9g}, but {_in_words(method)} gives {wanted:.9g}"
                raise WrongError("differs", f"{said}; it was given {trial}")
    except WrongError as met:
        mistake = _mistake(of, trials, answers)
        kind, said = ("mistake", mistake) if mistake else (met.kind, met.sentence)
    else:
        kind = "passed"
        said = (
            f"passes: {ledger.comparisons:,} numbers for {len(trials)} inputs, compared with "
            f"{' and '.join(map(_in_words, ledger.methods))}; worst relative error "
            f"{ledger.worst:.1e}"
        )
    return Verdict(of.name, kind, said, ledger.worst, ledger.comparisons)


def _in_words(method: str) -> str:
    """How a number was computed the other way, for who has not read of it yet."""
    numerical = method in (COMPLEX, DIFFERENCES)
    return f'a numerical derivative ({method}: chapter "True")' if numerical else method


@contextlib.contextmanager
def _by_teacher(of: Exercise) -> Iterator[None]:
    """What is raised within is a fault of the exercise."""
    try:
        yield
    except Exception as error:  # whatever a teacher's file may raise
        found = f"{type(error).__name__} in line {line_of(error, of.path)}: {error}"
        raise DataError(of.path, found, EXPECTED) from None


def _takes(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _trials(of: Exercise) -> Iterator[Trial]:
    """The inputs, with a random gradient at the output where one is taken and none is given."""
    names = _takes(of.solution)
    for i, given in enumerate(of.inputs()):
        if of.forward is not None and names[0] not in given:
            y = of.forward(*(given[name] for name in _takes(of.forward)))
            given = {**given, names[0]: np.random.default_rng(i).normal(size=np.shape(y))}
        yield Trial(given, names)


def _mistake(of: Exercise, trials: list[Trial], answers: list[Any]) -> str | None:
    """The sentence of the wrong solution that gives the same answers to all trials."""
    if len(answers) < len(trials):
        return None
    for sentence, wrong in of.mistakes.items():
        with _by_teacher(of), np.errstate(all="ignore"):
            others = [wrong(*trial.arguments()) for trial in trials]
        if all(same(answer, other) for answer, other in zip(answers, others, strict=True)):
            return sentence
    return None


def _compare(ledger: Ledger, of: Exercise, trial: Trial, found: list[Array], expected: Any) -> None:
    """Hold gradients against derivatives without calculus, and values against the solution's."""
    for name, value, right in zip(of.returns, found, parts(expected), strict=True):
        if name.startswith("d") and name[1:] in trial.given:
            with _by_teacher(of):
                phi = _contracted(of, trial, name[1:])
                compare_gradient(ledger, name, phi, np.asarray(trial.given[name[1:]]), value)
            continue
        wanted = np.asarray(right)
        for index in np.ndindex(wanted.shape):
            ledger.compare(
                f"{name} {wanted.shape}, element {index}" if index else name,
                float(value[index]),
                float(wanted[index]),
                scale=float(np.abs(wanted).max()),
                tolerance=1e-9,
                method="the definition",
            )


def _contracted(of: Exercise, trial: Trial, name: str) -> Callable[[Array], complex]:
    """φ(A) = Σ dy · f(…, A, …); of a loss, which takes no dy, the loss itself."""
    forward = of.forward or of.solution
    given = {key: trial.given[key] for key in _takes(forward)}
    dy = 1.0 if trial.names[0] in given else trial.given[trial.names[0]]

    def phi(value: Array) -> complex:
        total: complex = np.sum(dy * parts(forward(**{**given, name: value}))[0])
        return total

    return phi
