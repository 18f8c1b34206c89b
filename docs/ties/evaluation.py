"""Formulas, computed: every index letter is an axis, and a sum goes along it."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
from docs.ties.notation import Equation, Node, NotationError
from numpy.typing import NDArray
from scipy.special import expit, ndtr

__all__ = ["solved"]

Array = NDArray[Any]

FUNCTIONS = {
    "log": np.log,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "cos": np.cos,
    "sin": np.sin,
    "abs": np.abs,
    "sigma": expit,
    "Phi": ndtr,
    "varphi": lambda x: np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
}
RELATIONS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
OVER = {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min}


def solved(
    equations: list[Equation],
    values: Mapping[str, Array],
    sizes: Mapping[str, int],
    matrices: bool = False,
) -> dict[str, Array]:
    """What the left sides are.

    Parameters
    ----------
    values : the arrays that are given
    sizes : of each index letter
    matrices : whether symbols are whole arrays and a product is the matrix product

    Raises
    ------
    NotationError : an index too many or too few, a symbol that nobody gave, two right sides that
        differ
    """
    known = dict(values)
    found: dict[str, Array] = {}
    for name, letters, right, renews in equations:
        if name in known and not renews and name in values:
            raise NotationError(f"{name} is given; an equation cannot say what it is")
        sides = [
            _Matrices(known, sizes).value(node)
            if matrices
            else _Indices(known, sizes).over(node, letters)
            for node in right
        ]
        for other in sides[1:]:
            if not np.allclose(sides[0], other, rtol=1e-9, atol=1e-12):
                raise NotationError(f"{name}: the right sides differ: {sides[0]} and {other}")
        known[name] = found[name] = sides[0]
    return found


class _Reading:
    """What both forms have in common."""

    def __init__(self, known: Mapping[str, Array], sizes: Mapping[str, int]) -> None:
        self.known, self.sizes = known, sizes
        self.axis = {letter: i for i, letter in enumerate(sizes)}

    def value(self, node: Node) -> Array:
        kind, *parts = node
        if kind == "number":
            return np.float64(parts[0])
        if kind in FUNCTIONS:
            return FUNCTIONS[kind](self.value(parts[0]))
        if kind in {"+", "-", "/", r"\odot"}:
            act = {"+": np.add, "-": np.subtract, "/": np.divide, r"\odot": np.multiply}[kind]
            return act(*map(self.value, parts))
        if kind == "*":
            return self.product(*map(self.value, parts))
        if kind == "^":
            return self.value(parts[0]) ** self.value(parts[1])
        if kind in {"max of", "min of"}:
            act = np.maximum if kind == "max of" else np.minimum
            return act(*map(self.value, parts))
        if kind == "relation":
            return RELATIONS[parts[0]](self.value(parts[1]), self.value(parts[2])) * 1.0
        if kind == "all":
            return math.prod(map(self.value, parts), start=np.float64(1))
        if kind == "cases":
            result: Array = np.float64(np.nan)
            for value, condition in reversed(parts):
                result = np.where(self.value(condition) != 0, self.value(value), result)
            return result
        if kind == "letter":
            return self.letter(parts[0])
        if kind == "symbol":
            return self.symbol(*parts)
        return self.special(kind, *parts)

    def product(self, a: Array, b: Array) -> Array:
        return a * b

    def letter(self, name: str) -> Array:
        raise NotationError(f"the index {name} stands alone")

    def symbol(self, name: str, indices: tuple[Node, ...]) -> Array:
        raise NotImplementedError

    def special(self, kind: str, *parts: Any) -> Array:
        raise NotationError(f"{kind} has no meaning here")

    def given(self, name: str) -> Array:
        """The value of a name: an array, the size of a letter, or π."""
        if name in self.known:
            return np.asarray(self.known[name])
        if name.lower() in self.sizes and name.isupper():
            return np.float64(self.sizes[name.lower()])
        if name == "pi":
            return np.float64(math.pi)
        raise NotationError(f"nobody gave {name}; there are {sorted(self.known)}")


class _Indices(_Reading):
    """Index form: each value has one axis a letter, of length 1 where it does not depend on it."""

    def over(self, node: Node, letters: tuple[str, ...]) -> Array:
        """A right side as an array with these letters for its axes, in their order."""
        found = np.asarray(self.value(node), float)
        found = found.reshape(found.shape or (1,) * len(self.axis))
        loose = [
            letter
            for letter, axis in self.axis.items()
            if found.shape[axis] > 1 and letter not in letters
        ]
        if loose:
            raise NotationError(f"{', '.join(loose)}: free on the right, missing on the left")
        shape = [self.sizes[letter] if letter in letters else 1 for letter in self.axis]
        found = np.broadcast_to(found, shape)
        order = [self.axis[letter] for letter in letters]
        rest = [axis for axis in self.axis.values() if axis not in order]
        return found.transpose(*order, *rest).reshape([self.sizes[letter] for letter in letters])

    def letter(self, name: str) -> Array:
        shape = [self.sizes[name] if letter == name else 1 for letter in self.axis]
        return np.arange(self.sizes[name]).reshape(shape)

    def symbol(self, name: str, indices: tuple[Node, ...]) -> Array:
        array = self.given(name)
        if len(indices) != array.ndim:
            raise NotationError(f"{name} has {array.ndim} axes and {len(indices)} indices")
        if not indices:
            return array
        places = np.broadcast_arrays(*(np.asarray(self.value(index)) for index in indices))
        inside = np.ones(places[0].shape, bool)
        whole = []
        for place, size in zip(places, array.shape, strict=True):
            at = np.rint(place).astype(int)
            inside &= (at >= 0) & (at < size) & (at == place)
            whole.append(at.clip(0, size - 1))
        return np.where(inside, array[tuple(whole)], 0.0)

    def special(self, kind: str, *parts: Any) -> Array:
        if kind not in OVER:
            return super().special(kind, *parts)
        letters, condition, body = parts
        value = np.asarray(self.value(body), float)
        held = np.float64(1) if condition is None else self.value(condition)
        shape = [self.sizes[letter] if letter in letters else 1 for letter in self.axis]
        value, held, _ = np.broadcast_arrays(value, held, np.empty(shape))
        empty = {"sum": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf}[kind]
        axes = tuple(self.axis[letter] for letter in letters)
        return OVER[kind](np.where(held != 0, value, empty), axis=axes, keepdims=True)


class _Matrices(_Reading):
    """Matrix form: vectors are columns."""

    def symbol(self, name: str, indices: tuple[Node, ...]) -> Array:
        if name == "1":
            size = indices[0][1] if indices else "N"
            return np.ones((self.sizes[size.lower()], 1))
        array = self.given(name)
        return array[:, None] if array.ndim == 1 else array

    def product(self, a: Array, b: Array) -> Array:
        return a * b if np.ndim(a) == 0 or np.ndim(b) == 0 else a @ b

    def special(self, kind: str, *parts: Any) -> Array:
        if kind == "transposed":
            return np.transpose(self.value(parts[0]))
        return super().special(kind, *parts)
