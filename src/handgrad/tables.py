"""From a table (TOML, JSON) to frozen dataclasses, and back.

A layer, a loss, an optimizer, a recipe: each is a frozen dataclass, and the same table says it in a
recipe and in a model file. A dataclass that stands for one of several kinds is `Named`: its family
says under which key a table names the kind (``layer = "dense"``). Unknown keys and kinds are
refused with the nearest known one. Used by every floor above.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from typing import Any, ClassVar, TypeVar

import msgspec

from handgrad.errors import RecipeError, nearest

__all__ = ["MOST", "Named", "from_table", "members", "to_table"]

T = TypeVar("T")

MOST, DEEPEST = 10_000, 100
"""So many tables a list may hold, and so many steps a table's path may have: a network of more
layers, or of deeper blocks, is a mistake or an attack, and would be read for minutes."""


class Named:
    """One kind of a family: ``name`` is its word in a table, under the family's key ``tag``."""

    tag: ClassVar[str]
    name: ClassVar[str]


def members(family: type[Named]) -> dict[str, type[Any]]:
    """Every kind of a family by its name, found from the classes themselves."""
    kinds: dict[str, type[Any]] = {}
    for kind in family.__subclasses__():
        if "name" in kind.__dict__:
            kinds[kind.name] = kind
        kinds |= members(kind)
    return kinds


def from_table(kind: type[T], table: object, where: str = "") -> T:
    """Build a frozen dataclass from a table.

    Parameters
    ----------
    kind : a dataclass, or the head of a family of `Named` ones
    table : a dict, as TOML and JSON give it
    where : the path of the table in its file, for the sentence of an error

    Raises
    ------
    RecipeError : an unknown key or kind (with the nearest known one), a missing key, a value of
        the wrong type, or one that the class itself refuses
    """
    place = where or "the recipe"
    if not isinstance(table, dict):
        raise RecipeError(f"{place}: found {_shown(table)}; expected a table")
    if where.count(".") >= DEEPEST:
        raise RecipeError(f"{place[:80]}…: found tables nested more than {DEEPEST // 2} deep")
    table = dict(table)
    chosen: Any = kind
    if issubclass(kind, Named):
        chosen = _chosen(kind, table, place)
    hints, fields = _fields(chosen)
    values = {}
    for key, value in table.items():
        if key not in fields:
            raise RecipeError(f"{place}: unknown key {_shown(key)}{nearest(str(key), fields)}")
        values[key] = _value(hints[key], value, f"{where}.{key}" if where else key)
    for field in fields.values():
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if required and field.name not in values:
            raise RecipeError(f"{place}: {field.name!r} is missing")
    try:
        return typing.cast(T, chosen(**values))
    except ValueError as error:
        raise RecipeError(f"{place}: {error}") from None


@functools.cache
def _fields(kind: type[Any]) -> tuple[dict[str, Any], dict[str, dataclasses.Field[Any]]]:
    """The types and the fields of a dataclass by name; asked once, not once a layer."""
    return typing.get_type_hints(kind), {field.name: field for field in dataclasses.fields(kind)}


def _chosen(family: type[Named], table: dict[str, Any], place: str) -> type[Any]:
    """The member of a family that a table names; takes the name out of the table."""
    kinds = members(family)
    if "name" in family.__dict__:
        kinds = {family.name: family}
    word = table.pop(family.tag, None)
    if word is None and len(kinds) == 1:
        return next(iter(kinds.values()))
    if not isinstance(word, str) or word not in kinds:
        found = (
            f"{family.tag} = {_shown(word)} is unknown"
            if word is not None
            else f"no {family.tag!r}"
        )
        raise RecipeError(f"{place}: {found}{nearest(str(word), kinds)}")
    return kinds[word]


def _value(hint: Any, value: object, where: str) -> Any:
    """One value, brought to the type that its field states."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        inner = [a for a in arguments if a is not type(None)]
        if len(inner) == 1:
            return None if value is None else _value(inner[0], value, where)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        if not isinstance(value, list | tuple):
            raise RecipeError(f"{where}: found {_shown(value)}; expected a list")
        if len(value) > MOST and isinstance(value[0], dict):
            raise RecipeError(f"{where}: found {len(value):,} tables; expected at most {MOST:,}")
        return tuple(_value(arguments[0], v, f"{where}.{i}") for i, v in enumerate(value))
    if isinstance(hint, type) and (dataclasses.is_dataclass(hint) or issubclass(hint, Named)):
        return from_table(hint, value, where)
    if isinstance(value, float) and not math.isfinite(value):
        raise RecipeError(f"{where}: found {value}; expected a finite number")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise RecipeError(f"{where}: found {_shown(value)}; expected one of 64 bits at most")
    try:
        return msgspec.convert(value, hint)
    except (msgspec.ValidationError, RecursionError):
        raise RecipeError(f"{where}: found {_shown(value)}; expected {_said(hint)}") from None


def _shown(value: object) -> str:
    """A value for a sentence: not longer than a line, whatever somebody wrote."""
    try:
        shown = repr(value)
    except (ValueError, RecursionError):  # a number of more digits than Python writes; a deep list
        what = "number" if isinstance(value, int) else type(value).__name__
        return f"a {what} too large to be shown"
    return shown if len(shown) <= 200 else f"{shown[:200]}…"


WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def _said(hint: Any) -> str:
    """What a type asks for, in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " or ".join(repr(value) for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_said(argument) for argument in arguments)
    if origin is tuple:
        return f"a list of {_said(arguments[0])}"
    if origin is dict:
        return f"a table of {_said(arguments[1])}"
    return WORDS.get(hint, str(hint))


def to_table(thing: Any) -> Any:
    """The table that `from_table` reads back; keys whose value is None are left out.

    >>> from handgrad.layers import Dense
    >>> to_table(Dense(units=2))["units"]
    2
    """
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        table: dict[str, Any] = {}
        if isinstance(thing, Named):
            table[thing.tag] = thing.name
        for field in dataclasses.fields(thing):
            value = getattr(thing, field.name)
            if value is not None:
                table[field.name] = to_table(value)
        return table
    if isinstance(thing, list | tuple):
        return [to_table(value) for value in thing]
    if isinstance(thing, dict):
        return {key: to_table(value) for key, value in thing.items()}
    return thing
