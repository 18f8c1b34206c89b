"""From a table to frozen dataclasses, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest

from handgrad.errors import RecipeError
from handgrad.tables import Named, from_table, members, to_table


class Shape(Named):
    tag: ClassVar[str] = "shape"


@dataclass(frozen=True)
class Circle(Shape):
    name: ClassVar[str] = "circle"
    radius: float

    def __post_init__(self) -> None:
        if self.radius < 0:
            raise ValueError(f"radius = {self.radius}; expected 0 or more")


@dataclass(frozen=True)
class Ring(Circle):
    name: ClassVar[str] = "ring"
    width: float | None = None


@dataclass(frozen=True)
class Drawing:
    title: str
    shapes: tuple[Shape, ...] = ()
    frame: Shape | None = None
    scale: Literal["fit"] | float = "fit"
    size: tuple[int, ...] | None = None
    bold: bool = False


TABLE = {
    "title": "two",
    "shapes": [{"shape": "circle", "radius": 1}, {"shape": "ring", "radius": 2.0, "width": 0.5}],
    "frame": {"shape": "ring", "radius": 9},
    "scale": 2,
    "size": [3, 4],
    "bold": True,
}
BUILT = Drawing("two", (Circle(1.0), Ring(2.0, 0.5)), Ring(9.0), 2.0, (3, 4), True)


def test_the_kinds_of_a_family():
    assert members(Shape) == {"circle": Circle, "ring": Ring}
    assert members(Circle) == {"ring": Ring}


def test_a_table_becomes_dataclasses():
    built = from_table(Drawing, TABLE)
    assert built == BUILT
    assert type(built.shapes[0].radius) is float
    assert TABLE["shapes"][0] == {"shape": "circle", "radius": 1}  # the table is only read


def test_there_and_back():
    table = to_table(BUILT)
    assert from_table(Drawing, table) == BUILT
    assert table["shapes"][0] == {"shape": "circle", "radius": 1.0}
    assert "width" not in table["frame"]  # None is left out: TOML has no word for it
    assert to_table({"a": (1, None)}) == {"a": [1, None]}


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ([], r"the recipe: found \[\]; expected a table"),
        ({}, "the recipe: 'title' is missing"),
        ({"title": 3}, "title: found 3; expected a text"),
        ({"titel": "a"}, r"the recipe: unknown key 'titel'; did you mean 'title'\?"),
        ({"title": "a", "bold": "yes"}, "bold: found 'yes'; expected true or false"),
        ({"title": "a", "bold": 1}, "bold: found 1; expected true or false"),
        ({"title": "a", "scale": "fill"}, "scale: found 'fill'"),
        ({"title": "a", "size": 3}, "size: found 3; expected a list"),
        ({"title": "a", "size": [3, 4.5]}, "size.1: found 4.5; expected a whole number"),
        ({"title": "a", "size": [3, True]}, "size.1: found True; expected a whole number"),
        ({"title": "a", "shapes": [{"shape": "circel"}]}, "shapes.0: shape = 'circel' is unknown"),
        ({"title": "a", "shapes": [{"shape": ["circle"]}]}, "shapes.0: shape = "),
        ({"title": "a", "shapes": [{"radius": 1}]}, "shapes.0: no 'shape'; known: circle, ring"),
        ({"title": "a", "shapes": [{"shape": "circle"}]}, "shapes.0: 'radius' is missing"),
        (
            {"title": "a", "shapes": [{"shape": "circle", "radius": 1, "width": 1}]},
            "shapes.0: unknown key 'width'",
        ),
        (
            {"title": "a", "frame": {"shape": "circle", "radius": -1}},
            "frame: radius = -1.0; expected 0 or more",
        ),
        (
            {"title": "a", "frame": {"shape": "circle", "radius": "1"}},
            "frame.radius: found '1'; expected a number",
        ),
        ({"title": "a", "frame": "circle"}, "frame: found 'circle'; expected a table"),
        ({1: "a"}, "unknown key 1"),
    ],
)
def test_what_is_refused(table, sentence):
    with pytest.raises(RecipeError, match=sentence):
        from_table(Drawing, table)
