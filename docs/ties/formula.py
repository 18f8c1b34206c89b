"""A formula of a page, held against the function that computes it."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from docs.ties.evaluation import solved
from docs.ties.notation import NotationError, bound, equations, symbols
from numpy.typing import NDArray

__all__ = ["Formula", "formulas_of"]

Array = NDArray[Any]

FENCE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{formula\}[ ]*(?P<label>\S*)[ ]*\n(?P<body>.*?)^(?P=fence)[ ]*$",
    re.MULTILINE | re.DOTALL,
)
OPTION = re.compile(r"^:(?P<key>[a-z]+):[ ]*(?P<value>.*)$")
OPTIONS = ("computes", "where", "out", "sizes", "form", "test", "picture")
SIZES = (3, 4, 2, 5, 6, 7, 8, 9)
DRAWS = 3
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Formula:
    """What stands in a ``{formula}`` block.

    Parameters
    ----------
    label : by which pages refer to it
    latex : as written
    computes : ``package.function(x, W) -> y, dW``
    where : the arrays that are given, and the letters of their axes
    out : arrays that the function overwrites
    sizes : of index letters
    form : "indices" or "matrix"
    test, picture : where it is proved and shown
    page : the file
    """

    label: str
    latex: str
    computes: str = ""
    where: str = ""
    out: str = ""
    sizes: str = ""
    form: str = "indices"
    test: str = ""
    picture: str = ""
    page: Path = Path()

    @property
    def function(self) -> str:
        """The dotted name of what computes it."""
        found = re.match(r"[\w.]+", self.computes)
        return found[0] if found else ""

    @property
    def lengths(self) -> dict[str, int]:
        """The size of each index letter: as said, or else small and different."""
        said = dict(pair.split("=") for pair in self.sizes.replace(",", " ").split())
        found = {letter: int(size) for letter, size in said.items() if size.isdigit()}
        left = [size for size in SIZES if size not in found.values()]
        for _, letters, _ in _given(self.where + ";" + self.out):
            for letter in letters:
                if letter not in found:
                    found[letter] = left.pop(0)
        found |= {letter: found[other] for letter, other in said.items() if other in found}
        return found | self._inferred(found)

    def _inferred(self, known: Mapping[str, int]) -> dict[str, int]:
        """The sizes of letters that only sums go over, by the arrays that have them as an index."""
        found: dict[str, int] = {}
        missing = dict.fromkeys(letter for letter in bound(self.latex) if letter not in known)
        lines = equations(self.latex, [*known, *missing])
        axes = {name: letters for name, letters, _ in _given(self.where)}
        axes |= {line.name: list(line.letters) for line in lines}
        for _ in missing:
            for name, indices in symbols(tuple(line.right for line in lines)):
                for letter, index in zip(axes.get(name, []), indices, strict=False):
                    if index[0] == "letter" and index[1] in missing and letter in known | found:
                        found[index[1]] = (known | found)[letter]
        if lost := missing.keys() - found.keys():
            raise NotationError(f"{self.label}: the size of {', '.join(lost)} is not known")
        return found

    def compared(self, seed: int = 0) -> Iterator[tuple[str, Array, Array]]:
        """Name, what the formula says, and what the function gives, for random input.

        Raises
        ------
        NotationError : the formula cannot be read or evaluated, or no function is named
        """
        call, arrow, names = self.computes.partition("->")
        if not arrow or not self.function:
            raise NotationError(f"{self.label}: it does not say which function computes it")
        random, lengths = np.random.default_rng(seed), self.lengths
        inputs = {
            name: _drawn(random, [lengths[letter] for letter in letters], kind, lengths)
            for name, letters, kind in _given(self.where)
        }
        outs = {
            name: np.full([lengths[letter] for letter in letters], np.nan)
            for name, letters, _ in _given(self.out)
        }
        lines = equations(self.latex, list(lengths))
        expected = solved(lines, inputs, lengths, self.form == "matrix")
        copies = {name: np.copy(array) for name, array in inputs.items()}
        returned = _called(call.strip(), self.function, copies | outs)
        results = [] if returned is None else [returned]
        if isinstance(returned, tuple):
            results = list(returned)
        wanted = [name.strip() for name in names.split(",")]
        results += [outs[name] for name in wanted[len(results) :] if name in outs]
        if len(results) != len(wanted):
            raise NotationError(f"{self.label}: {len(results)} results for {', '.join(wanted)}")
        for name, result in zip(wanted, results, strict=True):
            if name == "_":
                continue
            if name not in expected:
                raise NotationError(f"{self.label}: no equation says what {name} is")
            said = np.asarray(expected[name], float)
            given = np.asarray(result, float)
            if self.form == "matrix" and said.size == given.size:
                said = said.reshape(given.shape)
            yield name, said, given

    def fault(self) -> str:
        """What is wrong with it; nothing where formula and function agree."""
        try:
            for seed in range(DRAWS):
                for name, said, given in self.compared(seed):
                    if said.shape != given.shape:
                        return f"{name}: {said.shape} by the formula, {given.shape} by the function"
                    scale = max(1.0, float(np.abs(said).max(initial=0.0)))
                    far = ~(np.abs(said - given) <= TOLERANCE * scale)
                    if far.any():
                        at = tuple(int(i) for i in np.argwhere(far)[0])
                        return (
                            f"{name}{list(at)}: the formula gives {said[at]:.12g}, "
                            f"{self.function} {given[at]:.12g}"
                        )
        except NotationError as error:
            return str(error)
        except Exception as error:  # of the function, which was called in a wrong way
            return f"{self.computes}: {error!r}"
        return ""


def formulas_of(page: Path) -> list[Formula]:
    """All formulas of a page."""
    text = page.read_text(encoding="utf-8")
    return [read(found["label"], found["body"], page) for found in FENCE.finditer(text)]


def read(label: str, body: str, page: Path) -> Formula:
    """A formula from the inside of its block."""
    options: dict[str, str] = {}
    lines = body.splitlines()
    while lines and (not lines[0].strip() or OPTION.match(lines[0])):
        if found := OPTION.match(lines.pop(0)):
            options[found["key"]] = found["value"].strip()
    if strange := options.keys() - set(OPTIONS):
        raise NotationError(f"{page.name}: {label}: unknown {', '.join(sorted(strange))}")
    return Formula(label, "\n".join(lines).strip(), page=page, **options)


def _given(where: str) -> Iterator[tuple[str, list[str], str]]:
    """``x: n i; t: n < k`` as names, letters and kinds."""
    for entry in where.split(";"):
        if entry.strip():
            name, colon, rest = entry.partition(":")
            if not colon:
                raise NotationError(f"expected name: letters, found {entry.strip()!r}")
            found = re.match(r"\s*((?:[a-z]'?\s+)*[a-z]'?(?=\s|$))?\s*(.*)", rest + " ")
            assert found is not None
            letters, kind = (found[1] or "").split(), found[2].strip()
            if letters and kind == "" and letters[-1] in ("simplex", "bool"):
                kind = letters.pop()
            yield name.strip(), letters, kind


def _drawn(
    random: np.random.Generator, shape: list[int], kind: str, lengths: Mapping[str, int]
) -> Any:
    """Numbers of a kind."""
    if kind.startswith("="):
        return _said(kind[1:].strip())
    if kind.startswith(">"):
        return random.uniform(0.3, 2.0, shape) if shape else np.float64(random.uniform(0.3, 2.0))
    if kind.startswith("<"):
        bound = kind[1:].strip()
        return random.integers(lengths[bound] if bound in lengths else int(bound), size=shape)
    if kind == "bool":
        return random.random(shape) < 0.6
    if kind == "simplex":
        drawn = np.exp(random.normal(size=shape))
        return drawn / drawn.sum(axis=-1, keepdims=True)
    if kind == "unit":
        return random.uniform(0.05, 0.95, shape)
    if kind:
        raise NotationError(f"unknown kind of numbers: {kind}")
    return random.normal(size=shape) if shape else np.float64(random.normal())


def _said(value: str) -> Any:
    """A number, or an array of the library by its dotted name."""
    module, dot, name = value.rpartition(".")
    if dot and not value[0].isdigit():
        return np.asarray(getattr(importlib.import_module(module), name), float)
    return np.float64(ast.literal_eval(value))


def _called(call: str, function: str, values: dict[str, Any]) -> Any:
    """What a call gives, with the package of the function and the values for names."""
    parts = function.split(".")
    for end in range(len(parts) - 1, 0, -1):
        try:
            importlib.import_module(".".join(parts[:end]))
            break
        except ModuleNotFoundError:
            continue
    root = parts[0]
    names: dict[str, Any] = {"np": np, root: importlib.import_module(root)}
    return eval(call, names | values)  # of our own pages; a lambda sees globals only
