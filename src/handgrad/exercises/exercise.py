"""An exercise: one Python file whose upper part, up to a gap, becomes the learner's."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handgrad.errors import DataError, HandgradError, nearest
from handgrad.exercises.running import run_file, source_of

__all__ = ["CHAPTERS", "Exercise", "exercise", "exercises", "marker", "read_exercise"]

CHAPTERS = ("neuron", "lines", "mnist", "layers", "convolution", "fast", "true")
"""Of the book, in their order."""

EXPECTED = "an exercise (docs/book/exercises.md has an example)"


@dataclass(frozen=True)
class Exercise:
    """A function with a gap, its solution, and the wrong solutions that are known by name.

    Parameters
    ----------
    path : its file, named after the function: ``affine_backward.py``
    text : what is in the file
    about : its first line, which says what is missing
    chapter : of the book
    solution : the function that bears the file's name
    returns : what it returns, by name; ``dW`` is the gradient at the input ``W``
    forward : what the gradients are of; None for the first that the solution returns
    inputs : what it is tried with: a dictionary for each trial
    mistakes : a sentence for each wrong solution
    """

    path: Path
    text: str
    about: str
    chapter: str
    solution: Callable[..., Any]
    returns: tuple[str, ...]
    forward: Callable[..., Any] | None
    inputs: Callable[[], Any]
    mistakes: Mapping[str, Callable[..., Any]]

    @property
    def function(self) -> str:
        """What the learner writes."""
        return self.path.stem

    @property
    def name(self) -> str:
        """The same with hyphens."""
        return self.function.replace("_", "-")

    def gap(self, command: str) -> str:
        """The learner's file: the upper part, and in place of the solution's body a gap.

        Parameters
        ----------
        command : what checks it, for a comment
        """
        lines = self.text.splitlines()
        body, solution = _parts(self.path, self.text)
        imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        begun = (imports or body)[-1 if imports else 0].end_lineno
        marked = [
            "",
            f"# Write the body of {self.function}, below, and then: {command}",
            f'EXERCISE = "{self.name}"',
        ]
        left_open = f'    raise NotImplementedError("return {", ".join(self.returns)}")'
        head = [*lines[:begun], *marked, *lines[begun : solution.body[0].end_lineno], left_open]
        return "\n".join(head) + "\n"


def _parts(path: Path, text: str) -> tuple[list[ast.stmt], ast.FunctionDef]:
    """What stands above the solution, and the solution."""
    body = ast.parse(text).body
    for i, node in enumerate(body):
        if isinstance(node, ast.FunctionDef) and node.name == path.stem:
            return body[:i], node
    raise DataError(path, f"no function {path.stem}", "the solution by the name of the file")


def read_exercise(path: str | os.PathLike[str], seconds: float = 10) -> Exercise:
    """Read an exercise; its file is run.

    Parameters
    ----------
    path : a file as docs/book/exercises.md describes it
    seconds : how long it may take

    Raises
    ------
    DataError : it is no such file
    """
    path = Path(path)
    text = source_of(path, EXPECTED)
    module = run_file(path, EXPECTED, seconds)
    _, solution = _parts(path, text)
    found = vars(module)
    about = (module.__doc__ or "").strip().partition("\n")[0]
    for good, what in (
        (about, "a docstring at its top, whose first line says what is missing"),
        (ast.get_docstring(solution), f"a docstring in {path.stem}: what is given and returned"),
        (isinstance(found.get("RETURNS"), str), 'RETURNS = "dx, dW", what is returned by name'),
        (isinstance(found.get("MISTAKES"), dict), "MISTAKES, a wrong function for each sentence"),
        (callable(found.get("inputs")), "a function inputs() that yields dictionaries"),
        (callable(found.get("FORWARD", len)), "FORWARD, a function of what inputs() yields"),
    ):
        if not good:
            raise DataError(path, "none that fits", what)
    return Exercise(
        path,
        text,
        about,
        str(found.get("CHAPTER", "")),
        found[path.stem],
        tuple(name.strip() for name in found["RETURNS"].split(",")),
        found.get("FORWARD"),
        found["inputs"],
        found["MISTAKES"],
    )


def exercises() -> dict[str, Exercise]:
    """All that come along, by name, in the order of the book's chapters, shorter ones first."""
    found = [read_exercise(path) for path in (Path(__file__).parent / "book").glob("*.py")]
    found.sort(key=lambda each: (CHAPTERS.index(each.chapter), each.text.count("\n")))
    return {each.name: each for each in found}


def exercise(name: str) -> Exercise:
    """The exercise of a name, or of the beginning of one.

    Raises
    ------
    HandgradError : there is none, or several begin so; with the nearest name
    """
    known = exercises()
    meant = name.replace("_", "-")
    begun = [full for full in known if full.startswith(meant)]
    if meant not in known and len(begun) != 1:
        raise HandgradError(f"{name}: no such exercise{nearest(meant, known)}")
    return known[meant if meant in known else begun[0]]


def marker(path: str | os.PathLike[str]) -> str:
    """Which exercise a learner's file says that it is; the file is read, not run.

    Raises
    ------
    DataError : it is no Python, or does not say it
    """
    expected = "a file that `handgrad exercise` wrote"
    try:
        body = ast.parse(source_of(path, expected)).body
    except SyntaxError as error:
        text = f"{(error.text or '').strip()!r}"
        found = f"a syntax error in line {error.lineno}, {text} ({error.msg})"
        raise DataError(path, found, "Python") from None
    except ValueError as error:  # a NUL, or a number of ten thousand digits
        raise DataError(path, str(error), "Python") from None
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXERCISE":
            value = getattr(node.value, "value", None)
            if isinstance(value, str):
                return value
    raise DataError(path, 'no line EXERCISE = "…"', expected)
