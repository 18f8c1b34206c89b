"""Files that somebody made on purpose, one attack each: refused in a sentence, soon, for little."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from targets import GENERAL, PACKED, SECONDS, TARGETS, attempt
from watched import watched

import handgrad as hg
from handgrad.datasets import Preparation, cifar, hdf5, idx, sources
from handgrad.datasets.cache import seen
from handgrad.datasets.listing import listed
from handgrad.datasets.quarantine import read_quarantine
from handgrad.errors import DataError, HandgradError, RecipeError
from handgrad.experiments import Recipe, resume
from handgrad.experiments.recipe import parsed, read_recipe, with_settings
from handgrad.experiments.run import Run
from handgrad.experiments.toml_files import LARGEST
from handgrad.experiments.unfinished import begun, finished
from handgrad.networks import Network, machine_memory
from handgrad.tables import MOST

posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and devices of POSIX systems")


def refused(name: str, data: bytes, place: Path, match: str) -> None:
    """A format's reader refuses these bytes, within its limits of time and memory."""
    target = TARGETS[name]
    path = place / target.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    attempt(target, target.seeds()[0], place)  # what is imported late
    with watched(place, target.most(len(data))), pytest.raises(HandgradError, match=match):
        target.read(place)


# --- safetensors: model files, checkpoints, snapshots


def tensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with any header: its length, JSON, bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("header", "length"),
    [
        pytest.param({"a": F32, "b": F32}, None, id="two at the same place"),
        pytest.param({"a": F32, "b": F32 | {"data_offsets": [4, 12]}}, None, id="overlapping"),
        pytest.param({"a": F32 | {"data_offsets": [0, 2**62]}}, None, id="beyond the end"),
        pytest.param({"a": F32 | {"data_offsets": [8, 0]}}, None, id="backwards"),
        pytest.param({"a": F32 | {"data_offsets": [-8, 0]}}, None, id="negative"),
        pytest.param({"a": F32 | {"shape": [2**40, 2**40]}}, None, id="more than 2^64 numbers"),
        pytest.param({"a": F32 | {"shape": [-2]}}, None, id="a negative size"),
        pytest.param({"a": F32}, 2**63, id="a header of 2^63 bytes"),
        pytest.param({"a": F32}, 2**30, id="a header of a gigabyte"),
        pytest.param(b"[" * 10_000, None, id="a header of 10,000 lists"),
    ],
)
@pytest.mark.parametrize("name", ["model", "snapshots", "checkpoint"])
def test_safetensors_with_a_wrong_header(name, header, length, place):
    refused(name, tensors(header, bytes(12), length), place, "safetensors refuses")


def test_a_tensor_of_no_numbers_and_huge_sizes(place):
    about = {"handgrad": json.dumps({"format": 1})}
    empty = {"dtype": "F32", "shape": [2**62, 0], "data_offsets": [0, 0]}
    refused("snapshots", tensors({"__metadata__": about, "steps": empty}), place, "found")


def model(**changes: Any) -> bytes:
    """The table of a model of one layer without numbers, changed."""
    table = {
        "format": 1, "architecture": [{"layer": "global-average-pool"}], "input_shape": [4, 4, 3],
        "dtype": "float32", "preparation": {"height": 4, "width": 4, "channels": 3},
        "class_names": ["a", "b", "c"], "loss": {"kind": "softmax cross-entropy"}, "about": {},
    }  # fmt: skip
    text = changes.pop("text", None) or json.dumps(table | changes)
    return tensors({"__metadata__": {"handgrad": text}})


def test_the_model_that_the_others_change_is_a_good_one(place):
    assert attempt(TARGETS["model"], model(), place)


def nested(depth: int) -> dict[str, Any]:
    """A block in a block in a block."""
    layer: dict[str, Any] = {"layer": "relu"}
    for _ in range(depth):
        layer = {"layer": "residual", "layers": [layer]}
    return layer


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"architecture": [{"layer": "relu"}] * (MOST + 1)}, "10,001 layers; expected at most"),
        ({"architecture": [nested(60)]}, "nested more than 50 deep"),
        ({"architecture": [nested(200)]}, "nested more than 50 deep"),
        ({"input_shape": [10**6, 10**6, 3],
          "preparation": {"height": 10**6, "width": 10**6, "channels": 3}},
         "GB of memory that are there"),
        ({"input_shape": [-4, -4, 3]}, "found"),
        ({"input_shape": [1e400, 4, 3]}, "cannot be used"),
        ({"input_shape": [10**400, 4, 3]}, "found"),
        ({"architecture": [{"layer": "dense", "units": 10**18}]}, "0.W as nothing"),
        ({"architecture": [{"layer": "dense", "units": 10**30}]}, "64 bits"),
        ({"architecture": [{"layer": "dense", "units": -1}]}, "at least 1"),
        ({"architecture": [{"layer": "convolution", "channels": 3, "dilation": 10**9}]},
         "expected at most 2,147,483,648"),
        ({"architecture": [{"layer": "convolution", "channels": 3, "kernel": [1, 1],
                            "padding": [[10**9, 0], [0, 10**9]]}]}, "at most 2,147,483,648"),
        ({"class_names": [[[]]] * 3}, "found"),
        ({"class_names": 5}, "cannot be used"),
        ({"views": ["none"]}, "cannot be used"),
        ({"loss": {"kind": [1]}}, "unknown"),
        ({"about": [[]]}, "cannot be used"),
        ({"text": "[" * 100_000}, "no JSON"),
        ({"text": '{"format": ' + "1" * 10_000 + "}"}, "no JSON"),
        ({"text": '{"format": NaN}'}, "format nan"),
    ],
)  # fmt: skip
def test_models_of_absurd_tables(changes, match, place):
    refused("model", model(**changes), place, match)


def test_a_model_s_layers_are_not_looked_for_again_and_again(place):
    """Every layer of a long network is found at once: 10,000 take no time."""
    layers = [{"layer": "relu"}] * (MOST - 1) + [{"layer": "global-average-pool"}]
    data = model(architecture=layers)
    begun_at = time.process_time()
    assert attempt(TARGETS["model"], data, place)
    assert time.process_time() - begun_at < SECONDS


# --- recipes

RECIPE = """name = "x"
[data]
source = "digits"
[[architecture]]
layer = "dense"
units = "classes"
[loss]
kind = "softmax cross-entropy"
[optimizer]
kind = "sgd"
"""


def test_the_recipe_that_the_others_change_is_a_good_one(place):
    assert attempt(TARGETS["recipe"], RECIPE.encode(), place)


@pytest.mark.parametrize(
    ("before", "after", "match"),
    [
        ("units = \"classes\"", "units = 0", "at least 1"),
        ("units = \"classes\"", "units = -5", "at least 1"),
        ("units = \"classes\"", "units = 9223372036854775808", "64 bits"),
        ("units = \"classes\"", f"units = 0x{'f' * 5000}", "64 bits"),
        ("units = \"classes\"", f"units = {'9' * 5000}", "not TOML"),
        ("units = \"classes\"", "units = nan", "expected"),
        ("units = \"classes\"", "units = 1000000000000", "GB of memory that are there"),
        ("source = \"digits\"", "source = \"a\\u0000b\"", "NUL"),
        ("source = \"digits\"", "source = \"digits\"\nquarantine = \"a\\u0000b\"", "NUL"),
        ("source = \"digits\"", "source = \"digits\"\nsize = [-1, 2]", "above 0"),
        ("source = \"digits\"", "source = \"digits\"\nsize = [1000000, 1000000]", "89,478,485"),
        ("source = \"digits\"", "source = \"digits\"\nsize = [2, 3]\ntransposed = true", "square"),
        ("kind = \"sgd\"", "kind = \"sgd\"\nlearning_rate = inf", "finite"),
        ("kind = \"sgd\"", "kind = \"sgd\"\nrates = {W = nan}", "0 or more"),
        ("[data]", "seed = -1\n[data]", "0 or more"),
        ("[data]", "seed = 1979-05-27\n[data]", "whole number"),
        ("name = \"x\"", f"name = {'[' * 400}{']' * 400}", "not TOML|expected a text"),
        ("name = \"x\"", "name = " + "{a=" * 90 + "1" + "}" * 90, "expected a text"),
    ],
)  # fmt: skip
def test_recipes_with_absurd_values(before, after, match, place):
    assert before in RECIPE
    refused("recipe", RECIPE.replace(before, after).encode(), place, match)


LAYER = '[[architecture]]\nlayer = "relu"\n'


@pytest.mark.parametrize(
    ("text", "match"),
    [
        pytest.param(RECIPE + LAYER * 1_000_000, f"more than {LARGEST:,} bytes", id="a million"),
        pytest.param(LAYER * 30_000 + RECIPE, "30,001 tables; expected at most", id="30,000"),
    ],
)
def test_a_million_layers(text, match, place):
    head, table = 'name = "x"\n', text.replace('name = "x"\n', "")
    refused("recipe", (head + table).encode(), place, match)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(".".join(["a"] * 30_000) + " = 1", id="one long key: took half a minute"),
        pytest.param(f"[{'.'.join(['a'] * 5000)}]\n" + "\n".join(f"b{i}=1" for i in range(5000)),
                     id="a long table: took half a minute"),
        pytest.param("x = {" + ".".join(["a"] * 50_000) + " = 1}", id="in a table in a line"),
        pytest.param("x = {b = 1," + " . ".join(['"a"'] * 30_000) + " = 1}", id="in quotes"),
        pytest.param("[[" + " .\t".join(["'=,{'"] * 30_000) + "]]", id="in other quotes"),
    ],
)  # fmt: skip
def test_keys_of_thousands_of_parts(text, place):
    refused("recipe", text.encode(), place, "a key of more than 20 parts")


@pytest.mark.parametrize(
    "text",
    [
        'note = "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w = 1"',
        "x = [" + ", ".join(["0.5"] * 100) + "]",
        "x = [\n" + ",\n".join(["0.5"] * 100) + "]",
        'x = "' + "../" * 50 + '"',
        "a.b.c.d.e.f.g.h.i = 1",
    ],
)
def test_texts_and_lists_with_many_dots_are_no_such_keys(text, place):
    path = place / "recipe.toml"
    path.write_text(f"{text}\n{RECIPE}" if "." not in text[:2] else RECIPE + text)
    read_recipe(path)


def test_an_enormous_count_of_classes(place):
    """What a network for them would need is said, and not tried."""
    layers = [{"layer": "dense", "units": "classes"}]
    recipe = Recipe.of(with_settings(read_recipe("digits"), {"architecture": layers}), 10**12)
    with watched(place, GENERAL), pytest.raises(RecipeError, match="GB of memory that are there"):
        Network(recipe.architecture, (8, 8, 1))


@pytest.mark.skipif(machine_memory() is None, reason="this system does not say what it has")
def test_what_a_training_needs_counts_all_its_vectors(monkeypatch):
    """64·20,000,000 weights: 5.1 GB, with gradient and Adam's memory 20.5 GB."""
    monkeypatch.setattr("handgrad.networks.memory.machine_memory", lambda: 10_000_000_000)
    table = with_settings(
        read_recipe("digits"),
        {
            "architecture": [{"layer": "dense", "units": 20_000_000}, {"layer": "dense",
                                                                       "units": 10}],
            "optimizer": {"kind": "adam"},
        },
    )  # fmt: skip
    expected = (
        r"found a network of 1,500,000,010 numbers, which needs 24\.1 GB \(4 times its "
        r"numbers.*expected at most the 10\.0 GB"
    )
    with pytest.raises(RecipeError, match=expected):
        hg.Experiment(table)


def test_names_that_lead_elsewhere(tmp_path, monkeypatch):
    """A run without a folder of its own is made below ``runs``, whatever the recipe's name is."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "../../elsewhere",
        "/etc/elsewhere",
        "..",
        ".",
        "a\0b",
        "..\\..\\x",
        "C:x",
        "x" * 10_000,
    ):
        folder = begun({"name": name})
        assert folder.parent == Path("runs")
        assert folder.resolve().parent == tmp_path.resolve() / "runs"
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


@pytest.mark.parametrize(
    ("key", "match"), [("architecture.².units", "number from 0"), ("data.x.y", "unknown key 'x'"),
                       ("architecture." + "9" * 5000, "number from 0")],
)  # fmt: skip
def test_settings_with_absurd_keys(key, match):
    with pytest.raises(RecipeError, match=match):
        Recipe.of(with_settings(read_recipe("lines"), {key: 1}))


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, "{a=" * 5000])
def test_settings_with_absurd_values_are_words(text):
    assert parsed(text) == text


@posix
def test_a_recipe_that_never_ends(tmp_path):
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.toml")
    for name in ("zero.toml", "pipe.toml"):
        with pytest.raises(DataError, match="expected a recipe in TOML"):
            read_recipe(tmp_path / name)


# --- prepared HDF5


def prepared(path: Path, **changes: Any) -> h5py.File:
    """A small prepared set, open; names given as None are left out."""
    contents = {
        "images": np.zeros((4, 2, 2, 1), np.uint8),
        "labels": np.array([0, 1, 0, 1]),
        "class_names": ["a", "b"],
    }
    file = h5py.File(path, "w")
    for name, content in (contents | changes).items():
        if content is not None:
            file[name] = content
    return file


def refused_hdf5(path: Path, match: str) -> None:
    most = GENERAL + PACKED * path.stat().st_size
    with watched(path.parent, most), pytest.raises(DataError, match=match):
        hdf5.read_prepared(path)


@pytest.mark.parametrize("name", ["images", "labels", "class_names", "file_names", "groups"])
@pytest.mark.parametrize("soft", [True, False])
def test_hdf5_with_links(name, soft, place):
    """Not even whether the other file exists is found out."""
    link = h5py.SoftLink("/labels") if soft else h5py.ExternalLink("nowhere.h5", "/x")
    prepared(place / "a.h5", **{name: None})[name] = link
    refused_hdf5(place / "a.h5", f"'{name}' as a link")


@posix
def test_hdf5_with_an_external_link_to_a_pipe(place):
    """Whoever opened it would wait for ever."""
    os.mkfifo(place / "pipe")
    prepared(place / "a.h5")["split"] = h5py.ExternalLink("pipe", "/x")
    refused_hdf5(place / "a.h5", "'split' as a link")


def test_hdf5_whose_images_are_in_other_files(place):
    with h5py.File(place / "secret.h5", "w") as file:
        file["x"] = np.zeros((4, 2, 2, 1), np.uint8)
    with prepared(place / "a.h5", images=None) as file:
        layout = h5py.VirtualLayout((4, 2, 2, 1), np.uint8)
        layout[...] = h5py.VirtualSource(place / "secret.h5", "x", (4, 2, 2, 1))
        file.create_virtual_dataset("images", layout)
    refused_hdf5(place / "a.h5", "stored in another file")
    (place / "secret").write_bytes(bytes(16))
    with prepared(place / "a.h5", images=None) as file:
        outside = [(str(place / "secret"), 0, 16)]
        file.create_dataset("images", (4, 2, 2, 1), np.uint8, external=outside)
    refused_hdf5(place / "a.h5", "stored in another file")


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        pytest.param((2**20, 2**15, 2**15, 1), {"chunks": (1, 64, 64, 1)}, id="a petabyte"),
        pytest.param((2**32, 2**32, 1, 1), {"chunks": (1, 1, 1, 1)}, id="2^64: 0 to NumPy"),
        pytest.param((4, 2**12, 2**12, 1), {"chunks": (1, 64, 64, 1)}, id="not stored at all"),
        pytest.param(
            (4, 2, 2, 1),
            {"chunks": (2**10, 2**10, 2**10, 1), "maxshape": (None,) * 4, "compression": "gzip"},
            id="a chunk of a gigabyte",
        ),
    ],
)
def test_hdf5_that_claims_more_than_it_holds(shape, options, place):
    with prepared(place / "a.h5", images=None) as file:
        file.create_dataset("images", shape, np.uint8, **options)
    refused_hdf5(place / "a.h5", r"'images' claiming .* bytes in a file of")


@pytest.mark.parametrize(
    "filters",
    [
        pytest.param([(h5py.h5z.FILTER_SCALEOFFSET, (2, 0))], id="scale-offset"),
        pytest.param([(h5py.h5z.FILTER_NBIT, ())], id="n-bit"),
        pytest.param([(32015, (3,))], id="a plug-in that would be looked for"),
        pytest.param([(1, (9,)), (1, (9,))], id="gzip in gzip"),
    ],
)
def test_hdf5_with_filters_that_are_not_allowed(filters, place):
    with prepared(place / "a.h5", images=None) as file:
        made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_chunk((4, 2, 2, 1))
        for code, values in filters:
            made.set_filter(code, h5py.h5z.FLAG_OPTIONAL, values)
        space = h5py.h5s.create_simple((4, 2, 2, 1))
        h5py.h5d.create(file.id, b"images", h5py.h5t.STD_U8LE, space, made)
    refused_hdf5(place / "a.h5", "stored through the filters")


def test_hdf5_whose_texts_are_all_the_same_long_one(place):
    """20,000 names that are references to one text of a megabyte would be 20 GB."""
    path = place / "a.h5"
    with prepared(path) as file:
        names = file.create_dataset("file_names", (20_000,), h5py.string_dtype())
        names[:] = ["x" * 1_000_000] + ["y"] * 19_999
        start, count = names.id.get_offset(), len(names)
    data = bytearray(path.read_bytes())
    data[start : start + 16 * count] = data[start : start + 16] * count
    path.write_bytes(data)
    with h5py.File(path) as file:
        assert file["file_names"].asstr()[777] == "x" * 1_000_000
    refused_hdf5(path, r"'file_names' of 20,000,000,000 letters")


@pytest.mark.parametrize("chunks", [None, (3,)])
def test_hdf5_with_a_text_that_claims_four_gigabytes(chunks, place):
    """The library asks for as much, and then finds less. Found by fuzzing."""
    path = place / "a.h5"
    with prepared(path) as file:
        names = file.create_dataset("file_names", (4,), h5py.string_dtype(), chunks=chunks)
        names[:] = ["a", "bc", "d", "e"]
        at = names.id.get_chunk_info(0).byte_offset if chunks else names.id.get_offset()
    assert hdf5.read_prepared(path).train.file_names == ("a", "bc", "d", "e")
    data = bytearray(path.read_bytes())
    assert data[at + 16 : at + 20] == b"\2\0\0\0"
    data[at + 16 : at + 20] = b"\xff" * 4
    path.write_bytes(data)
    refused_hdf5(path, r"'file_names' of 4,294,967,298 letters")


def test_hdf5_with_packed_texts_of_any_length(place):
    """What they claim cannot be seen before the library has unpacked it."""
    with prepared(place / "a.h5") as file:
        kind = h5py.string_dtype()
        file.create_dataset("file_names", data=list("abcd"), dtype=kind, compression="gzip")
    refused_hdf5(place / "a.h5", "'file_names' packed")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("dense", [False, True])
def test_hdf5_with_an_attribute_that_claims_four_gigabytes(libver, dense, place):
    path = place / "a.h5"
    text = json.dumps({"height": 2, "width": 2, "channels": 1})
    with h5py.File(path, "w", libver=libver) as file, prepared(place / "b.h5") as other:
        for name in other:
            other.copy(name, file)
        file.attrs["preparation"] = text
        for i in range(20 * dense):  # then they are kept in another way
            file.attrs[f"a{i}"] = i
    assert hdf5.read_prepared(path).preparation == Preparation(2, 2, 1)
    data = path.read_bytes()
    length = len(text).to_bytes(4, "little")
    heap = data.index(b"GCOL").to_bytes(8, "little")  # a length is followed by where the text is
    places = [i for i in range(len(data)) if data[i : i + 12] == length + heap]
    broken = [data[:i] + b"\xff" * 4 + data[i + 4 :] for i in places]
    assert broken
    for content in broken:
        path.write_bytes(content)
        told = "more letters" if libver == "earliest" else "more letters|damaged"  # by a checksum
        refused_hdf5(path, told)


def test_hdf5_in_whose_texts_the_library_goes_round_for_ever(place):
    """What is free in a heap of texts is said to be 0 bytes long. Found by fuzzing, in HDF5 2.0."""
    path = place / "a.h5"
    prepared(path).close()
    data = bytearray(path.read_bytes())
    at = data.index(b"GCOL") + 16
    while data[at]:  # the texts
        at += 16 + -(-int.from_bytes(data[at + 8 : at + 16], "little") // 8) * 8
    data[at + 8 : at + 16] = bytes(8)
    path.write_bytes(data)
    refused_hdf5(path, "a damaged heap of texts")


@pytest.mark.parametrize("size", [0, 7, 8, 9, 15, 16, 40])
def test_hdf5_that_ends_in_its_first_bytes(size, place):
    """Found by fuzzing, in our own look at its heaps."""
    path = place / "a.h5"
    prepared(path).close()
    path.write_bytes(path.read_bytes()[:size])
    refused_hdf5(path, "cannot be read")


def test_hdf5_of_heaps_in_heaps_in_heaps(place):
    """Each begins within a text of the one before, and would be gone through to the end."""
    path = place / "a.h5"
    prepared(path).close()
    heap = b"GCOL\1\0\0\0" + struct.pack("<Q", 2**40) + struct.pack("<H6xQ", 1, 16)
    path.write_bytes(path.read_bytes() + heap * 10_000)
    refused_hdf5(path, "a damaged heap of texts")


def test_hdf5_with_as_many_parts_as_images(place):
    """Each would be looked for among all of them."""
    count = 20_000
    prepared(
        place / "a.h5",
        images=np.zeros((count, 1, 1, 1), np.uint8),
        labels=np.arange(count) % 2,
        split=["train", *(f"part {i}" for i in range(count - 1))],
    ).close()
    refused_hdf5(place / "a.h5", "a split into 20,000 parts; expected at most 100")


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(["{}"] * 3, id="several"),
        pytest.param(5, id="a number"),
        pytest.param(h5py.Empty("f"), id="nothing"),
        pytest.param("[" * 100_000, id="lists"),
        pytest.param('{"height": 2, "width": 2, "channels": 10e99}', id="a number of channels"),
    ],
)
def test_hdf5_with_an_attribute_of_another_kind(made, place):
    with prepared(place / "a.h5") as file:
        dense = h5py.File(place / "b.h5", "w", libver="latest")  # attributes above 64 kB
        for name in file:
            file.copy(name, dense)
        dense.attrs["preparation"] = made
        dense.close()
    refused_hdf5(place / "b.h5", "attribute 'preparation'")


# --- IDX, CIFAR


def test_a_gzip_bomb(place):
    """64 MB of zeros in 64 kB, behind a header that says 1 image."""
    data = gzip.compress(struct.pack(">4I", 2051, 1, 2, 2) + bytes(1 << 26), mtime=0)
    (place / "idx").write_bytes(data)
    with watched(place, GENERAL), pytest.raises(DataError, match="over-long"):
        idx.read_idx(place / "idx", idx.IMAGES)


@pytest.mark.parametrize("shape", [(2**32 - 1,) * 3, (1, 2**31, 2**31), (2**30, 1, 1)])
def test_idx_that_claims_more_than_it_holds(shape, place):
    refused("IDX", struct.pack(">4I", 2051, *shape) + bytes(1000), place, "truncated|magic")


class Caller:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_that_call_something(protocol, place, tmp_path):
    data = pickle.dumps({"data": Caller(tmp_path / "made"), "labels": [1]}, protocol)
    refused("CIFAR pickle", data, place, "a pickle with|damaged pickle")
    assert not (tmp_path / "made").exists()


def doubled(kind: bytes, depth: int = 64) -> bytes:
    """A tuple of the same tuple twice, of the same tuple twice …: 2^64 leaves in 300 bytes."""
    return kind + b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(depth))


@pytest.mark.parametrize(
    ("program", "match"),
    [
        pytest.param(b"}" + doubled(b")") + b"K\1s.", "a tuple as a key", id="as a key"),
        pytest.param(b"cnumpy\nndarray\n" + doubled(b")") + b"R.", "a call of", id="as arguments"),
        pytest.param(doubled(b")") + doubled(b")") + b"R.", "a call of", id="as a function"),
        pytest.param(doubled(b")") + doubled(b")") + b"b.", "a state for", id="as a state"),
        pytest.param(doubled(b")") + b"X\1\0\0\0a\x93.", "no text", id="as a name"),
        pytest.param(doubled(b")") + b".", "tuple", id="as the value"),
        pytest.param(b"c_codecs\nencode\nK\5X\6\0\0\0latin1\x86R.", "damaged", id="of a number"),
        pytest.param(b")" * 2**19 + b".", "more than 262,144 instr", id="many instructions"),
        pytest.param(b"}(X\1\0\0\0aK\1K\2K\3u.", "found a dictionary of", id="keys of two kinds"),
        pytest.param(
            b"c_codecs\nencode\nq\1X\0\0\1\0" + b"a" * 65536 + b"X\6\0\0\0latin1\x86q\2"
            + b"h\1h\2R" * 10_000 + b".",
            "again and again",
            id="a text encoded 10,000 times: 655 MB",
        ),
    ],
)  # fmt: skip
def test_pickles_that_grow(program, match, place):
    """Nothing is followed into what is larger than the file that says it."""
    refused("CIFAR pickle", b"\x80\x02" + program, place, match)


def test_a_pickled_label_without_end(place):
    batch = {"data": np.zeros((1, 3072), np.uint8), "labels": [2**200]}
    refused("CIFAR pickle", pickle.dumps(batch, 2), place, "more than 64 bits")


def test_a_small_pickle_asks_for_little(place):
    refused("CIFAR pickle", b"\x80\x02", place, "damaged")


# --- images


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


BMP = b"BM" + struct.pack(
    "<IIIIiiHHIIiiII", 154, 0, 54, 40, 40_000, 40_000, 1, 24, 0, 0, 0, 0, 0, 0
)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(30_000, 30_000), id="PNG"),
        pytest.param(png(2**31 - 1, 2**31 - 1), id="PNG, 2^62"),
        pytest.param(b"P6 100000 100000 255\n" + bytes(100), id="PPM"),
        pytest.param(BMP + bytes(100), id="BMP"),
        pytest.param(b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
                     + b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\0;", id="GIF"),
    ],
)  # fmt: skip
def test_image_bombs(data, place):
    """Refused before a pixel is asked for."""
    (place / "picture").write_bytes(data)
    with watched(place, GENERAL), pytest.raises(DataError, match=r"pixels|cannot be read"):
        TARGETS["image"].read(place)


def test_a_program_that_calls_itself_an_image(place):
    """EPS is a program that Pillow would start another program for."""
    data = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(x) (w) file\n"
    refused("image", data, place, "not an image")


# --- lists


def test_names_with_a_nul(place):
    refused("list", b"file,label\na\0b.png,cat\nc.png,dog\n", place, "NUL in row 1")


def test_a_class_for_every_image(place):
    """100,000 classes: each is looked up, not looked for among all others, which took minutes."""
    rows = "".join(f"{i}.png,class {i}\n" for i in range(100_000))
    (place / "list.csv").write_text("file,label\n" + rows)
    begun_at = time.process_time()
    assert len(listed(place / "list.csv").class_names) == 100_000
    assert time.process_time() - begun_at < SECONDS


def test_a_cell_without_end(place):
    refused("list", b'file,label\n"' + b"a" * 1_000_000, place, "no CSV")
    refused("quarantine", b'"' + b"a" * 1_000_000, place, "no CSV")


@posix
def test_folders_in_folders_in_folders(tmp_path):
    """Whoever calls himself for each would come to Python's end, with a thousand of them."""
    home = os.getcwd()
    (tmp_path / "cats").mkdir()
    (tmp_path / "dogs").mkdir()
    try:
        os.chdir(tmp_path / "cats")
        for _ in range(120):
            os.mkdir("a")
            os.chdir("a")
    finally:
        os.chdir(home)
    with pytest.raises(DataError, match="more than 100 folders below one another"):
        listed(tmp_path)


@posix
def test_a_quarantine_list_that_never_ends(tmp_path):
    for name in ("/dev/zero", "/dev/stdin"):
        with pytest.raises(DataError, match="found no file"):
            read_quarantine(name)


@pytest.mark.parametrize("label", ["1e300", "nan", "inf", "-1", "2", "0.5"])
def test_labels_that_are_none(label, place):
    head = b"a,b,c,d,e,f,g,h,i,class\n"
    refused("lines", head + b"0,0,0,0,0,0,0,0,0," + label.encode(), place, "expected nine pixels")


# --- the cache


@pytest.mark.parametrize(
    "changes",
    [
        {"pixels": ".."},
        {"pixels": "../pixels-0-1.u1"},
        {"pixels": "/dev/zero"},
        {"pixels": "index.json"},
        {"groups": [2**70]},
        {"stamps": []},
        {"facts": []},
        {"format": 2**70},
    ],
)
def test_an_index_of_a_cache_that_nobody_wrote(changes, place):
    """It counts as none: the images are decoded again."""
    table = json.loads(TARGETS["cache index"].seeds()[0])
    refused("cache index", json.dumps(table | changes).encode(), place, "counts as no cache")


@pytest.mark.parametrize("name", ["../elsewhere.u1", "index.json", "pixels.u1"])
def test_an_index_of_a_cache_that_names_another_file(name, place):
    """Neither its pixels nor, once there are new ones, its end is that file's."""
    folder = place / "cache"
    folder.mkdir()
    table = json.loads(TARGETS["cache index"].seeds()[0])
    text = json.dumps(table | {"pixels": name})
    (folder / "index.json").write_text(text + " " * (-len(text) % 4))
    if name != "index.json":
        (folder / name).write_bytes(bytes(4))
    with pytest.raises(HandgradError, match="counts as no cache"):
        TARGETS["cache index"].read(folder)


def test_a_cache_with_an_absurd_index_is_made_anew(tmp_path, paint):
    paint(tmp_path / "folder", 2)
    listing, asked = listed(tmp_path / "folder"), Preparation(4, 4, 3)
    first = seen(listing, asked)
    index = first.where / "index.json"
    table = json.loads(index.read_bytes())
    index.write_text(json.dumps(table | {"groups": [2**70] * len(table["groups"])}))
    again = seen(listing, asked)
    np.testing.assert_array_equal(again.images, first.images)
    assert json.loads(index.read_bytes())["groups"] == table["groups"]


# --- archives


def tar(*members: tuple[str, bytes | str | int]) -> bytes:
    """Members by name: bytes; a text for a link there; a number for that many bytes claimed."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as made:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                made.addfile(member)
            elif isinstance(content, int):
                member.type, member.size = tarfile.GNUTYPE_SPARSE, 0
                raw = bytearray(member.tobuf(tarfile.GNU_FORMAT))
                raw[386:410] = b"%011o\0%011o\0" % (0, 0)
                raw[483:495] = b"\x80" + content.to_bytes(11, "big")
                raw[148:156] = b" " * 8
                raw[148:156] = b"%06o\0 " % sum(raw)
                made.fileobj.write(bytes(raw))
                made.offset += 512
            else:
                member.size = len(content)
                made.addfile(member, io.BytesIO(content))
    return file.getvalue()


def caltech(*members: tuple[str, bytes | str | int]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as outer:
        outer.writestr("caltech-101/101_ObjectCategories.tar.gz", tar(*members))
    return file.getvalue()


def unpacked(unpack: Any, data: bytes, place: Path) -> set[str]:
    """What is there afterwards, below a folder beside which there was the archive."""
    (place / "home").mkdir()
    (place / "home/archive").write_bytes(data)
    with watched(place / "home", GENERAL + PACKED * len(data)):
        sources._unpacked(unpack, place / "home/archive", place / "home/out")
    return {
        str(path.relative_to(place)) for path in place.rglob("*") if not path.is_dir()
    }  # fmt: skip


def test_archives_with_names_that_lead_elsewhere(place):
    names = ("../data_batch_1.bin", "/data_batch_2.bin", "a/../../data_batch_3.bin", "../evil")
    data = tar(*((name, b"x") for name in names), ("data_batch_4.bin", "/etc/passwd"))
    assert unpacked(sources._unpack_cifar, data, place) == {
        "home/out/data_batch_1.bin", "home/out/data_batch_2.bin", "home/out/data_batch_3.bin",
    }  # fmt: skip


def test_photographs_with_names_that_lead_elsewhere(place):
    data = caltech(
        ("x/airplanes/../Motorbikes/image_1.jpg", b"x"),
        ("../airplanes/image_2.jpg", b"x"),
        ("/airplanes/image_3.jpg", b"x"),
        ("airplanes/..\\..\\image_4.jpg", b"x"),
        ("airplanes/C:image_5.jpg", b"x"),
        ("airplanes/...jpg", b"x"),
        ("airplanes/image_6.jpg", "../../elsewhere"),
        ("airplanes/image_7.exe", b"x"),
    )
    assert unpacked(sources._unpack_caltech, data, place) == {
        "home/out/Motorbikes/image_1.jpg",
        "home/out/airplanes/image_2.jpg",
        "home/out/airplanes/image_3.jpg",
    }


def test_a_file_with_holes_that_claims_a_petabyte(place):
    """It would be written, hole by hole."""
    with tarfile.open(fileobj=io.BytesIO(tar(("data_batch_1.bin", 2**50)))) as made:
        member = made.next()
        assert member.isfile()
        assert member.size == 2**50
    assert unpacked(sources._unpack_cifar, tar(("data_batch_1.bin", 2**50)), place) == set()


def test_members_that_are_larger_than_those_published(place):
    data = tar(("data_batch_1.bin", bytes(cifar.SIZE + 1)))
    with pytest.raises(DataError, match=r"found data_batch_1.bin of 30,730,001 bytes"):
        unpacked(sources._unpack_cifar, data, place)


@pytest.mark.parametrize("data", [b"", b"\x1f\x8b\x08" + bytes(20), b"PK\x05\x06" + bytes(18)])
def test_archives_that_are_none(data, place):
    for i, unpack in enumerate((sources._unpack_cifar, sources._unpack_caltech)):
        (place / str(i)).mkdir()
        with pytest.raises(DataError, match="does not unpack"):
            unpacked(unpack, data, place / str(i))


def test_an_encrypted_archive(place):
    data = bytearray(caltech(("airplanes/a.jpg", b"x")))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataError, match="password"):
        unpacked(sources._unpack_caltech, bytes(data), place)


# --- run folders


@pytest.mark.parametrize("row", ["5", "[]", '{"step": "a"}', "[" * 100_000, "1" * 5000, "{}"])
def test_histories_that_are_none(row, place):
    refused("history", row.encode(), place, "one JSON object a line")


@pytest.mark.parametrize(
    "text", ["5", "[]", '{"loss": "a"}', '{"classes": 5}', "[" * 100_000, "1" * 5000]
)
def test_summaries_that_are_none(text, place):
    refused("summary", text.encode(), place, "summary in JSON")


@posix
def test_a_run_s_files_that_never_end(tmp_path):
    (tmp_path / "history.jsonl").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "summary.json")
    run = Run(tmp_path / "model.safetensors")
    with pytest.raises(DataError, match="no file"):
        _ = run.history
    with pytest.raises(DataError, match="no file"):
        _ = run.summary


@posix
@pytest.mark.parametrize(
    "name", ["unfinished", "pictures", "unfinished/results", "unfinished/lock",
             "unfinished/checkpoint.safetensors"],
)  # fmt: skip
def test_runs_with_links_to_elsewhere(name, tmp_path):
    """Resumed, such a run would write over what is there, or take it away."""
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "recipe.toml").write_text(RECIPE)
    (elsewhere / "precious.txt").write_text("precious")
    before = {path: path.read_bytes() for path in elsewhere.iterdir()}
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).symlink_to(elsewhere, target_is_directory=True)
    if name != "unfinished":
        (run / "unfinished").mkdir(exist_ok=True)
        (run / "unfinished/recipe.toml").write_text(RECIPE)
    for again in (lambda: resume(run), lambda: begun({"name": "x"}, run, force=True)):
        with pytest.raises(DataError, match="found a link; expected what is in the run's folder"):
            again()
    assert {path: path.read_bytes() for path in elsewhere.iterdir()} == before


@pytest.mark.parametrize(
    "change",
    [
        {"state": {"steps": -1, "reports": 0, "seen": {}}},
        {"state": {"steps": 1e400, "reports": 0, "seen": {}}},
        {"state": {"steps": 1, "reports": 1,
                   "seen": {"samples": "a", "correct": 0, "total": 0.0}}},
        {"state": {"steps": 1, "reports": 1,
                   "seen": {"samples": 1, "correct": 0, "total": 0.0, "x": 0}}},
        {"state": [1]},
        {"history": [5]},
        {"history": [{"step": "a"}]},
        {"history": 5},
        {"seconds": "a"},
        {"seconds": [1]},
        {"versions": {"another": 1}},
        {"versions": []},
    ],
)  # fmt: skip
def test_checkpoints_of_absurd_tables(change, place):
    data = TARGETS["checkpoint"].seeds()[0]
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    table = json.loads(header["__metadata__"]["handgrad"])
    header["__metadata__"]["handgrad"] = json.dumps(table | change)
    refused("checkpoint", tensors(header, data[8 + length :]), place, "cannot be used")


# --- ONNX


@pytest.mark.parametrize("kind", ["Loop", "Expand", "ConstantOfShape", "Tile"])
def test_onnx_with_operators_that_nobody_wrote(kind, place):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load_model_from_string(TARGETS["ONNX"].seeds()[0])
    helper, kinds = onnx.helper, onnx.TensorProto
    if kind == "Loop":  # for ever
        true = helper.make_tensor("true", kinds.BOOL, [], [True])
        inner = helper.make_graph(
            [helper.make_node("Identity", ["going"], ["goes"])], "inner",
            [helper.make_tensor_value_info("i", kinds.INT64, []),
             helper.make_tensor_value_info("going", kinds.BOOL, [])],
            [helper.make_tensor_value_info("goes", kinds.BOOL, [])],
        )  # fmt: skip
        node = helper.make_node("Loop", ["", "true"], [], body=inner)
        graph.graph.initializer.append(true)
    else:
        size = helper.make_tensor("size", kinds.INT64, [2], [2**40, 2**20])
        graph.graph.initializer.append(size)
        one = helper.make_tensor("one", kinds.FLOAT, [1, 1], [1.0])
        graph.graph.initializer.append(one)
        names = ["size"] if kind == "ConstantOfShape" else ["one", "size"]
        node = helper.make_node(kind, names, ["huge"])
    graph.graph.node.insert(0, node)
    refused("ONNX", graph.SerializeToString(), place, f"the operators .*{kind}|cannot be run")


def test_onnx_with_a_tensor_that_no_machine_holds(place):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load_model_from_string(TARGETS["ONNX"].seeds()[0])
    around = onnx.helper.make_tensor("around", 7, [8], [0, 10**6, 10**6, 0, 0, 0, 0, 0])
    graph.graph.initializer.append(around)
    graph.graph.node.insert(0, onnx.helper.make_node("Cast", ["images"], ["some"], to=1))
    graph.graph.node.insert(1, onnx.helper.make_node("Pad", ["some", "around"], ["huge"]))
    refused("ONNX", graph.SerializeToString(), place, "numbers for one image; expected at most")


def test_results_are_moved_into_the_run_and_nowhere_else(tmp_path):
    """The folder of results that a training made itself is the one that is emptied."""
    run = tmp_path / "run"
    (run / "unfinished").mkdir(parents=True)
    with finished(run, keep=False) as results:
        (results / "pictures").mkdir()
        (results / "pictures/a.png").write_bytes(b"x")
    assert [str(p.relative_to(run)) for p in run.rglob("*")] == ["pictures", "pictures/a.png"]
