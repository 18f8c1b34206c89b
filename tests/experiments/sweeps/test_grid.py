"""Which settings a sweep tries: values, combinations, draws."""

from __future__ import annotations

import pytest

from handgrad.errors import RecipeError
from handgrad.experiments.sweeps.grid import MOST, Range, combinations, divided, spread


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("0.1,0.2", ["0.1", "0.2"]),
        ("[64, 64],[32, 32]", ["[64, 64]", "[32, 32]"]),
        ('"a,b",c', ['"a,b"', "c"]),
        ("'a,\"b',c", ["'a,\"b'", "c"]),
        ("{ kind = 'a', of = [1, 2] },none", ["{ kind = 'a', of = [1, 2] }", "none"]),
        ("adam", ["adam"]),
    ],
)  # fmt: skip
def test_a_comma_in_brackets_or_quotes_divides_nothing(text, parts):
    assert divided(text) == parts


def test_values_are_read_as_a_recipe_reads_them():
    assert spread("0.1, 1,adam,none,[1, 2],true") == [0.1, 1, "adam", None, [1, 2], True]
    assert spread("{ kind = 'one-cycle' },none") == [{"kind": "one-cycle"}, None]


def test_ranges_are_of_whole_numbers_where_both_ends_are():
    assert spread("16..64") == Range(16, 64)
    assert isinstance(spread("16..64").low, int)
    assert spread("1e-4..0.1:log") == Range(0.0001, 0.1, log=True)
    assert spread("-1..1.5") == Range(-1, 1.5)
    assert spread("data/../more") == ["data/../more"]  # a path is no range


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0.1,,0.2", "found nothing between two commas"),
        ("0.1,", "found nothing between two commas"),
        ("1..2,3", "found a range among values"),
        ("2..1", "found a range from 2 to 1; expected it to rise"),
        ("0..1:log", "found a logarithmic range from 0; expected above 0"),
        ("0..1e999", "expected it to rise"),
    ],
)
def test_what_is_neither_values_nor_a_range(text, told):
    with pytest.raises(RecipeError, match=told):
        spread(text)


def test_every_combination_the_last_path_fastest():
    assert combinations({"a": [1, 2], "b": ["x", "y"]}) == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]
    assert combinations({}) == [{}]
    assert combinations({"a": [1, 1, 2]}) == [{"a": 1}, {"a": 2}]


SPACE = {
    "rate": Range(0.001, 1.0, log=True),
    "part": Range(0.0, 1.0),
    "units": Range(1, 4),
    "wide": Range(1, 1000, log=True),
    "kind": ["sgd", "adam"],
}


def test_draws_are_in_their_ranges_and_ints_stay_ints():
    drawn = combinations(SPACE, 400)
    assert len(drawn) == 400
    for one in drawn:
        assert 0.001 <= one["rate"] <= 1
        assert 0 <= one["part"] <= 1
        assert float(f"{one['rate']:.4g}") == one["rate"]
        assert type(one["units"]) is int
        assert type(one["wide"]) is int
    assert {one["units"] for one in drawn} == {1, 2, 3, 4}
    assert {one["kind"] for one in drawn} == {"sgd", "adam"}
    assert min(one["wide"] for one in drawn) == 1
    assert max(one["wide"] for one in drawn) <= 1000
    # A third of what is drawn by factors is in each of three decades; of distances, a hundredth:
    # 400 draws are off by more than a tenth once in 10,000 times.
    for low, high in ((0.001, 0.01), (0.01, 0.1), (0.1, 1)):
        assert sum(low <= one["rate"] <= high for one in drawn) / 400 == pytest.approx(
            1 / 3, abs=0.1
        )
    assert sum(one["part"] < 0.1 for one in drawn) / 400 == pytest.approx(0.1, abs=0.1)
    assert sum(one["wide"] < 32 for one in drawn) / 400 == pytest.approx(0.5, abs=0.1)


def test_draws_are_a_function_of_the_seed_and_their_number():
    five = combinations(SPACE, 5, seed=3)
    assert combinations(SPACE, 9, seed=3)[:5] == five
    assert combinations(SPACE, 5, seed=4) != five


def test_nothing_is_drawn_twice():
    """Of 2 x 3 combinations five are drawn, and where eight are asked for, all."""
    few = {"a": ["x", "y"], "b": [1, 2, 3]}
    drawn = combinations(few, 5)
    assert len({tuple(one.values()) for one in drawn}) == 5
    assert combinations(few, 8) == combinations(few)
    for few in (Range(1, 3), Range(1, 3, log=True)):
        assert sorted(one["a"] for one in combinations({"a": few}, 8)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("settings", "draws", "seed", "told"),
    [
        (
            {"a": Range(1, 2)},
            None,
            0,
            "found the range 1..2; expected values, V1,V2,…, or --random",
        ),
        ({"a": []}, None, 0, "a: found no value"),
        ({"a": [1]}, 0, 0, "--random 0: expected a number from 1"),
        ({"a": [1]}, 1, -1, "--seed -1: expected 0 or more"),
        ({"a": [object()]}, None, 0, "found a value that no recipe has"),
        ({"a": list(range(101)), "b": list(range(100))}, None, 0, f"at most {MOST:,}"),
    ],
)
def test_what_cannot_be_tried(settings, draws, seed, told):
    with pytest.raises(RecipeError, match=told):
        combinations(settings, draws, seed)
