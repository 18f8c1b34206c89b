"""Which settings a sweep tries: every combination of values, or draws from lists and ranges."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.errors import RecipeError
from handgrad.experiments.recipe import parsed

__all__ = ["MOST", "Range", "combinations", "divided", "spread"]

MOST = 10_000
"""Trials that a sweep may have."""

AGAIN = 100
"""So often a draw is repeated that was drawn before."""

DIGITS = 4
"""Significant digits of a number that is drawn, so that it is said as it is used."""

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(:log)?")


@dataclass(frozen=True)
class Range:
    """All numbers from ``low`` to ``high``, both included; whole ones if both are whole.

    Parameters
    ----------
    log : draw each factor with the same probability, rather than each distance
    """

    low: float
    high: float
    log: bool = False

    @staticmethod
    def of(text: str) -> Range | None:
        """What a range's text says; None for what is no range.

        >>> Range.of("0.001..0.1:log"), Range.of("adam")
        (Range(low=0.001, high=0.1, log=True), None)
        """
        match = _RANGE.fullmatch(text.strip())
        if not match:
            return None
        low, high = (int(end) if re.fullmatch(r"[-+]?\d+", end) else float(end)
                     for end in match.group(1, 2))  # fmt: skip
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise RecipeError(f"{text}: found a range from {low} to {high}; expected it to rise")
        if match[3] and low <= 0:
            raise RecipeError(f"{text}: found a logarithmic range from {low}; expected above 0")
        return Range(low, high, bool(match[3]))

    def draw(self, generator: np.random.Generator) -> float | int:
        """One of the numbers."""
        drawn: float | int
        if isinstance(self.low, int) and isinstance(self.high, int):
            if not self.log:
                return int(generator.integers(self.low, self.high, endpoint=True))
            # From low to high + 1, rounded down: so the last number has its share, too.
            drawn = math.floor(_logarithmic(self.low, self.high + 1, generator))
        elif self.log:
            drawn = float(f"{_logarithmic(self.low, self.high, generator):.{DIGITS}g}")
        else:
            drawn = float(f"{generator.uniform(self.low, self.high):.{DIGITS}g}")
        return min(max(drawn, self.low), self.high)  # which rounding may have left

    def __str__(self) -> str:
        return f"{self.low}..{self.high}" + ":log" * self.log


def _logarithmic(low: float, high: float, generator: np.random.Generator) -> float:
    return math.exp(generator.uniform(math.log(low), math.log(high)))


def divided(text: str) -> list[str]:
    """The parts between commas that stand in no brackets, braces or quotes.

    >>> divided("0.1,[64, 64],'a,b'")
    ['0.1', '[64, 64]', "'a,b'"]
    """
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{(":
            depth += 1
        elif letter in "]})":
            depth -= 1
        if letter == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def spread(text: str) -> list[Any] | Range:
    """What a setting's text says is to be tried: values, each as TOML reads it, or a range.

    >>> spread("0.1,0.2"), spread("sgd"), spread("16..64")
    ([0.1, 0.2], ['sgd'], Range(low=16, high=64, log=False))
    """
    parts = divided(text)
    if "" in parts:
        raise RecipeError(f"{text!r}: found nothing between two commas; expected V1,V2,…")
    if len(parts) == 1 and (found := Range.of(parts[0])):
        return found
    if any(Range.of(part) for part in parts):
        raise RecipeError(f"{text}: found a range among values; expected one of the two")
    return [parsed(part) for part in parts]


def combinations(
    settings: Mapping[str, Sequence[Any] | Range], draws: int | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """The settings of every trial, by path, no two the same.

    Without ``draws`` every combination of values, the last path changing fastest. With them, each
    trial is a function of ``seed`` and its own number: more draws leave the first ones as they are.

    Parameters
    ----------
    settings : by path, the values to be tried, or a range to draw from
    draws : how many trials; there are fewer where the values have fewer combinations

    Raises
    ------
    RecipeError : a range without draws; no trial, or too many

    >>> combinations({"a": [1, 2], "b": [3]})
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    if draws is not None and not 1 <= draws <= MOST:
        raise RecipeError(f"--random {draws}: expected a number from 1 to {MOST:,}")
    if seed < 0:
        raise RecipeError(f"--seed {seed}: expected 0 or more")
    for path, values in settings.items():
        if isinstance(values, Range) and draws is None:
            raise RecipeError(
                f"{path}: found the range {values}; expected values, V1,V2,…, or --random N"
            )
        if not isinstance(values, Range) and not values:
            raise RecipeError(f"{path}: found no value; expected at least one")
    lists = {path: values for path, values in settings.items() if not isinstance(values, Range)}
    grid = math.prod(len(values) for values in lists.values())
    if draws is None or (len(lists) == len(settings) and grid <= draws):
        if grid > MOST:
            raise RecipeError(
                f"found {grid:,} combinations; expected at most {MOST:,}, or --random"
            )
        every = [dict(zip(lists, row, strict=True)) for row in itertools.product(*lists.values())]
    else:
        every = []
        seen: set[str] = set()
        for number in range(draws):
            for again in range(AGAIN):
                place = np.random.SeedSequence(seed, spawn_key=(number, again))
                drawn = _drawn(settings, np.random.default_rng(place))
                if _word(drawn) not in seen:
                    seen.add(_word(drawn))
                    every.append(drawn)
                    break
    return list({_word(one): one for one in every}.values())


def _drawn(
    settings: Mapping[str, Sequence[Any] | Range], generator: np.random.Generator
) -> dict[str, Any]:
    return {
        path: values.draw(generator)
        if isinstance(values, Range)
        else values[int(generator.integers(len(values)))]
        for path, values in settings.items()
    }


def _word(settings: dict[str, Any]) -> str:
    """The same for the same settings: a value may be a list, which no set takes."""
    try:
        return json.dumps(settings)
    except (TypeError, ValueError):
        raise RecipeError(
            f"{settings}: found a value that no recipe has; expected words, numbers, lists, tables"
        ) from None
