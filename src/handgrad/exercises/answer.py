"""One answer of a function that may be wrong in any way: asked for, looked at, compared."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.arrays import Array
from handgrad.exercises.running import TooLongError, line_of, within

__all__ = ["Trial", "WrongError", "answered", "formed", "parts", "same"]


class WrongError(Exception):
    """What a learner's function does that is no wrong number.

    Parameters
    ----------
    kind, sentence : as in `Verdict`
    """

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(kind, sentence)
        self.kind, self.sentence = kind, sentence


@dataclass(frozen=True)
class Trial:
    """One input: values by name, and which of them a solution takes, in order.

    As a string, what an error says of it: shapes of arrays, values of numbers.
    """

    given: dict[str, Any]
    names: tuple[str, ...]

    def arguments(self) -> list[Any]:
        """For one call: arrays are copies, which may not be written to."""
        values = [self.given[name] for name in self.names]
        copies = [value.copy() if isinstance(value, np.ndarray) else value for value in values]
        for value in copies:
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        return copies

    def __str__(self) -> str:
        return ", ".join(
            f"{name} {value.shape}" if isinstance(value, np.ndarray) else f"{name} = {value}"
            for name, value in ((name, self.given[name]) for name in self.names)
        )


def answered(
    function: Callable[..., Any], trial: Trial, path: str | os.PathLike[str], seconds: float
) -> Any:
    """What a function of the file ``path`` returns.

    Raises
    ------
    WrongError : it does something else
    """
    arguments = trial.arguments()
    signature = inspect.signature(function)
    try:
        signature.bind(*arguments)
    except TypeError:
        found = ", ".join(signature.parameters)
        expected = ", ".join(trial.names)
        said = f"the function takes ({found}); expected ({expected})"
        raise WrongError("form", said) from None
    try:
        with within(seconds), np.errstate(all="ignore"):
            return function(*arguments)
    except TooLongError as error:
        kind, said = "too long", f"is still running after {seconds:g} s: does a loop never end?"
        line = line_of(error, path)
    except NotImplementedError as error:
        kind, said = "nothing yet", "is the gap still: write your lines in place of the raise"
        line = line_of(error, path)
    except (Exception, SystemExit) as error:  # whatever a learner's function may raise
        kind, said = "raises", f"raises {type(error).__name__}: {error}; it was given {trial}"
        line = line_of(error, path)
        if isinstance(error, ValueError) and "read-only" in str(error):
            said = (
                "writes into an array that the function was given, which others still need: "
                "make a new one (a = a + 1, not a += 1)"
            )
    raise WrongError(kind, f"line {line} {said}")


def parts(answer: Any) -> tuple[Any, ...]:
    """The values of an answer, of which there may be one."""
    return tuple(answer) if isinstance(answer, tuple | list) else (answer,)


def formed(answer: Any, returns: tuple[str, ...], expected: Any, trial: Trial) -> list[Array]:
    """The values of an answer as arrays, if they are such as were asked for.

    Parameters
    ----------
    returns : their names
    expected : the right answer, whose form is wanted

    Raises
    ------
    WrongError : they are not: their number, types, shapes, or something that is no number
    """
    asked = ", ".join(returns)
    if answer is None:
        raise WrongError("form", f"nothing is returned; expected {asked} (is there a return?)")
    found = (answer,) if len(returns) == 1 and isinstance(answer, list) else parts(answer)
    if len(found) != len(returns):
        many = f"{len(found)} value{'s' * (len(found) != 1)}"
        said = f"found {many} returned; expected {len(returns)}: {asked}"
        raise WrongError("form", said)
    arrays = []
    for name, value, right in zip(returns, found, parts(expected), strict=True):
        wrong = _wrong_form(value, np.shape(right))
        if wrong is not None:
            raise WrongError("form", f"{name} is {wrong}; it was given {trial}")
        arrays.append(np.asarray(value))
    return arrays


def _wrong_form(value: Any, shape: tuple[int, ...]) -> str | None:
    """What a value is instead of finite float64 numbers of a shape."""
    if value is None or not isinstance(value, np.ndarray | np.number | float | int):
        found = "None" if value is None else f"of type {type(value).__name__}"
        return f"{found}; expected " + (f"an array of shape {shape}" if shape else "a number")
    array = np.asarray(value)
    if array.shape != shape:
        return f"of shape {array.shape}; expected {shape}"
    if array.dtype != np.float64 and not (array.ndim == 0 and array.dtype.kind in "iu"):
        return f"of {array.dtype}; expected float64, as what was given"
    for index in np.argwhere(~np.isfinite(array)):
        place = tuple(int(i) for i in index)
        return f"{array[place]}" + (f" in element {place}" if place else "")
    return None


def same(answer: Any, other: Any) -> bool:
    """Whether two answers are the same numbers, to rounding."""
    if len(parts(answer)) != len(parts(other)):
        return False
    for found, wrong in zip(parts(answer), parts(other), strict=True):
        if not isinstance(found, np.ndarray | np.number | float | int):
            return False
        if np.shape(found) != np.shape(wrong):
            return False
        if not np.allclose(found, wrong, rtol=1e-9, atol=1e-12, equal_nan=True):
            return False
    return True
