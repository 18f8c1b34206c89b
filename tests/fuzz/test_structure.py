"""Files that are well-formed and say anything: tables, headers, links, pickles, rows."""

from __future__ import annotations

import csv
import io
import json
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tomli_w
from targets import GENERAL, PLAIN, SUMMARY, TARGETS, attempt
from watched import watched

from handgrad.errors import HandgradError
from handgrad.experiments import Recipe, read_recipe, recipe_names, with_settings

pytest.importorskip("hypothesis")

import contextlib

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

often = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # what fails is small enough
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

NUMBERS = st.one_of(
    st.sampled_from([0, -1, 1, 2**31, 2**62, 2**63 - 1, -(2**63), 10**9]),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.integers(0, 10),
)
WORDS = st.one_of(
    st.sampled_from(["", "..", "../../x", "/etc/passwd", "classes", "none", "balanced", "\0", "W"]),
    st.text(max_size=8),
)
KEYS = st.one_of(
    st.sampled_from(["layer", "kind", "layers", "units", "kernel", "initial", "weights", "W"]),
    st.text(max_size=4),
)
VALUES = st.recursive(
    st.one_of(NUMBERS, WORDS, st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def places(table: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a table."""
    inner: Any = []
    if isinstance(table, dict):
        inner = table.items()
    elif isinstance(table, list):
        inner = enumerate(table)
    return [here, *(path for key, value in inner for path in places(value, (*here, key)))]


def changed(table: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of a table with another value at a path."""
    if not path:
        return value
    copy = dict(table) if isinstance(table, dict) else list(table)
    copy[path[0]] = changed(table[path[0]], path[1:], value)
    return copy


def changes(table: Any, values: st.SearchStrategy[Any] = VALUES) -> st.SearchStrategy[Any]:
    """Copies of a table with something else in one or two places."""
    once = st.builds(
        lambda path, value: changed(table, path, value), st.sampled_from(places(table)), values
    )
    return once.flatmap(lambda one: st.one_of(st.just(one), _again(one, values)))


def _again(table: Any, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda path, value: changed(table, path, value), st.sampled_from(places(table)), values
    )


def tried(name: str, data: bytes, place: Path) -> None:
    target = TARGETS[name]
    with watched(place, target.most(len(data))):
        attempt(target, data, place)


@pytest.fixture(autouse=True)
def _imported(place):
    """What is imported late is there when something is watched."""
    for name in ("model", "recipe", "prepared HDF5"):
        attempt(TARGETS[name], TARGETS[name].seeds()[0], place)


def test_changes_reach_everything():
    assert places({"a": [1, {"b": 2}]}) == [(), ("a",), ("a", 0), ("a", 1), ("a", 1, "b")]
    assert changed({"a": [1, {"b": 2}]}, ("a", 1, "b"), 3) == {"a": [1, {"b": 3}]}


@pytest.mark.parametrize("name", sorted(recipe_names()))
@settings(often, max_examples=12)
@given(st.data())
def test_recipes_that_say_anything(name, data):
    """As tables, which may hold what TOML has no word for."""
    table = data.draw(changes(read_recipe(name)))
    most = GENERAL + PLAIN * 100_000
    with watched(Path(__file__).parent, most), contextlib.suppress(HandgradError):
        Recipe.of(table if isinstance(table, dict) else {"name": table})


TOMLS = st.recursive(
    st.one_of(NUMBERS, WORDS.filter(lambda word: word.isprintable()), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


@often
@given(table=changes(read_recipe("mnist-cnn"), TOMLS))
def test_recipes_as_files(place, table):
    try:
        text = tomli_w.dumps(table)
    except (TypeError, AttributeError, ValueError):  # not a table any more
        return
    tried("recipe", text.encode("utf-8", "replace"), place)


@often
@given(key=st.one_of(st.sampled_from(["architecture.0.units", "data.size", "training.until",
                                      "loss.class_weights", "optimizer.rates", "views"]),
                     st.text(max_size=6)),
       value=VALUES)  # fmt: skip
def test_settings_that_say_anything(key, value):
    with contextlib.suppress(HandgradError):
        Recipe.of(with_settings(read_recipe("digits"), {key: value}))


def header(data: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def file_of(table: Any, rest: bytes) -> bytes:
    text = json.dumps(table).encode()
    return len(text).to_bytes(8, "little") + text + rest


@pytest.mark.parametrize("which", [0, 1])
@often
@given(data=st.data())
def test_models_that_say_anything(which, place, data):
    table, rest = header(TARGETS["model"].seeds()[which])
    said = json.loads(table["__metadata__"]["handgrad"])
    table["__metadata__"]["handgrad"] = json.dumps(data.draw(changes(said)))
    tried("model", file_of(table, rest), place)


@often
@given(data=st.data())
def test_checkpoints_that_say_anything(place, data):
    table, rest = header(TARGETS["checkpoint"].seeds()[0])
    said = json.loads(table["__metadata__"]["handgrad"])
    table["__metadata__"]["handgrad"] = json.dumps(data.draw(changes(said)))
    tried("checkpoint", file_of(table, rest), place)


@pytest.mark.parametrize("name", ["model", "snapshots"])
@often
@given(data=st.data())
def test_safetensors_headers(name, place, data):
    """Overlapping, negative, beyond the end, of other kinds and shapes."""
    table, rest = header(TARGETS[name].seeds()[0])
    kinds = st.sampled_from(["F32", "F64", "BF16", "F8_E4M3", "I64", "BOOL", "U8", "F4", "x"])
    tried(name, file_of(data.draw(changes(table, st.one_of(VALUES, kinds))), rest), place)


SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 2**20, 2**40]), max_size=5).map(tuple)
DTYPES = st.sampled_from(
    ["u1", ">u2", "i8", "f2", "f4", ">f8", "c8", "S3", "V5", "?", h5py.string_dtype(),
     h5py.string_dtype("ascii", 4), h5py.ref_dtype, h5py.vlen_dtype(np.int32),
     np.dtype([("a", "u1"), ("b", "f4", (2,))])],
)  # fmt: skip
LINKS = st.sampled_from(
    [h5py.SoftLink("/labels"), h5py.SoftLink("/itself"), h5py.ExternalLink("x.h5", "/"), "group"]
)


@often
@given(names=st.sets(st.sampled_from(["images", "labels", "class_names", "file_names", "groups",
                                      "split", "x", "naïve 猫"]), min_size=1, max_size=3),
       data=st.data())  # fmt: skip
def test_hdf5_of_any_structure(place, names, data):
    path = place / "h.h5"
    path.write_bytes(TARGETS["prepared HDF5"].seeds()[0])
    with h5py.File(path, "a") as file:
        for name in names:
            if name in file:
                del file[name]
            if data.draw(st.booleans()):
                link = data.draw(LINKS)
                file[name] = file.create_group(f"{name} group") if link == "group" else link
                continue
            shape = data.draw(SHAPES)
            options: dict[str, Any] = {}
            if shape and 0 not in shape:
                options["chunks"] = tuple(min(size, 4) for size in shape)
                options["compression"] = data.draw(st.sampled_from([None, "gzip", "lzf"]))
            file.create_dataset(name, shape, data.draw(DTYPES), **options)
        if data.draw(st.booleans()):
            made = data.draw(st.one_of(WORDS.filter(lambda word: "\0" not in word), NUMBERS))
            file.attrs["preparation"] = made
    tried("prepared HDF5", path.read_bytes(), place)


@often
@given(value=st.recursive(
    st.one_of(NUMBERS, WORDS, st.binary(max_size=9), st.none(),
              st.just(np.zeros((2, 3072), np.uint8)), st.just(np.zeros((2, 3072)))),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.tuples(inner, inner),
        st.dictionaries(st.sampled_from(["data", b"data", "labels", b"labels", 1]), inner),
    ), max_leaves=10), protocol=st.integers(0, 5))  # fmt: skip
def test_pickles_of_any_values(place, value, protocol):
    tried("CIFAR pickle", pickle.dumps(value, protocol), place)


@often
@given(rows=st.lists(st.lists(WORDS, max_size=4), max_size=6), mark=st.sampled_from(",;\t"))
def test_lists_of_any_rows(place, rows, mark):
    text = io.StringIO()
    csv.writer(text, delimiter=mark).writerows([["file", "label", "part"], *rows])
    data = text.getvalue().encode("utf-8", "surrogateescape")
    tried("list", data, place)
    tried("quarantine", data, place)


@often
@given(summary=changes(SUMMARY))
def test_summaries_that_say_anything(place, summary):
    tried("summary", json.dumps(summary).encode(), place)


@often
@given(data=st.data())
def test_histories_that_say_anything(place, data):
    row = json.loads(TARGETS["history"].seeds()[0].splitlines()[0])
    tried("history", json.dumps(data.draw(changes(row))).encode(), place)


@often
@given(data=st.data())
def test_indexes_of_caches_that_say_anything(place, data):
    index = json.loads(TARGETS["cache index"].seeds()[0])
    tried("cache index", json.dumps(data.draw(changes(index))).encode(), place)
