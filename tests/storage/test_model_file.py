"""The model file: everything in one file, equal bytes, and refusals in a sentence."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import handgrad as hg
from handgrad.datasets import Preparation
from handgrad.errors import DataError, HandgradError
from handgrad.storage import FORMAT, load_model, save_model


def model(seed=0, dtype="float32", **about) -> hg.Model:
    """2x3 in colour, 18-4-3; its numbers are drawn, so that no two are equal."""
    network = hg.Network(
        (hg.Dense(4), hg.ReLU(), hg.Dropout(0.5), hg.Dense(3)), (2, 3, 3), dtype=dtype
    )
    network.vector[...] = np.random.default_rng(seed).normal(size=network.vector.size)
    preparation = Preparation(
        2, 3, 3, "lanczos", True, "none", mean=(0.1, 0.2, 0.3), deviation=(1.0, 2.0, 1 / 3)
    )
    names = ("Straße", "b c", "猫")
    return hg.Model(network, preparation, names, hg.SoftmaxCrossEntropy("sum", 0.25), about)


@pytest.fixture
def changed(tmp_path):
    """Writes a model and changes its table, its tensors or both."""

    def change(tensors=None, text=None, **table):
        path = tmp_path / "m.safetensors"
        save_model(model(), path)
        with safe_open(path, framework="numpy") as file:
            whole = json.loads(file.metadata()["handgrad"])
            numbers = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for key, value in table.items():
            if value is None:
                del whole[key]
            else:
                whole[key] = value
        if tensors:
            tensors(numbers)
        save_file(numbers, path, metadata={"handgrad": text or json.dumps(whole)})
        return path

    return change


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_of_it_comes_back(tmp_path, dtype):
    before = model(dtype=dtype, recipe={"name": "é", "data": {}}, test={"n": 3})
    save_model(before, tmp_path / "größe 猫.safetensors")
    after = load_model(tmp_path / "größe 猫.safetensors")
    np.testing.assert_array_equal(after.network.vector, before.network.vector)
    assert after.network.dtype == dtype
    assert after.network.architecture == before.network.architecture
    assert after.network.shapes == before.network.shapes
    assert after.preparation == before.preparation
    assert after.class_names == before.class_names
    assert after.loss == before.loss
    assert after.about == before.about
    images = np.random.default_rng(1).integers(0, 256, (5, 2, 3, 3), dtype=np.uint8)
    np.testing.assert_array_equal(after.probabilities(images), before.probabilities(images))


@pytest.mark.parametrize("views", ["none", "mirror", "mirror-shift"])
def test_the_views_come_back(tmp_path, views):
    before = dataclasses.replace(model(), views=views)
    save_model(before, tmp_path / "m")
    assert load_model(tmp_path / "m").views == views


def test_a_file_that_says_nothing_of_views(changed):
    """As older ones do not: each image is looked at once."""
    assert load_model(changed(views=None)).views == "none"


def test_another_program_reads_the_numbers_by_name(tmp_path):
    """safetensors itself: the (I, O) weights and (O,) offsets of each layer."""
    before = model()
    save_model(before, tmp_path / "m")
    with safe_open(tmp_path / "m", framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "0.W": (18, 4), "0.b": (4,), "3.W": (4, 3), "3.b": (3,),
    }  # fmt: skip
    np.testing.assert_array_equal(tensors["3.W"], before.network.params[3].W)
    np.testing.assert_array_equal(tensors["0.b"], before.network.params[0].b)
    assert list(metadata) == ["handgrad"]  # several would come in random order
    table = json.loads(metadata["handgrad"])
    assert (table["format"], FORMAT) == (1, 1)
    assert table["architecture"][2] == {"layer": "dropout", "rate": 0.5}
    assert metadata["handgrad"] == json.dumps(
        table, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def test_equal_models_give_equal_bytes(tmp_path):
    save_model(model(a=1, b=2), tmp_path / "a")
    save_model(model(b=2, a=1), tmp_path / "b")
    save_model(model(seed=1, a=1, b=2), tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_a_failure_leaves_the_older_file(tmp_path, monkeypatch):
    save_model(model(), tmp_path / "m")
    before = (tmp_path / "m").read_bytes()
    monkeypatch.setattr("safetensors.numpy.save_file", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_model(model(seed=1), tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_no_such_file(tmp_path):
    with pytest.raises(DataError, match="found no such file; expected a model written by handgrad"):
        load_model(tmp_path / "none")
    with pytest.raises(DataError, match="found a folder"):
        load_model(tmp_path)


@pytest.mark.parametrize("length", [0, 5, 9, 100, -1, -30])
def test_truncated_anywhere(tmp_path, length):
    save_model(model(), tmp_path / "m")
    whole = (tmp_path / "m").read_bytes()
    (tmp_path / "m").write_bytes(whole[:length])
    with pytest.raises(DataError, match="m: found a file that safetensors refuses"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize(
    "content",
    [b"x" * 1000, b"\x80\x04\x95pickle", b"PK\x03\x04" + bytes(100), b"\xff" * 8 + bytes(50)],
)
def test_other_kinds_of_file(tmp_path, content):
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(DataError, match="refuses"):
        load_model(tmp_path / "m")


def test_over_long(tmp_path):
    save_model(model(), tmp_path / "m")
    with (tmp_path / "m").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DataError, match="refuses"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_safetensors_of_somebody_else(tmp_path, metadata):
    save_file({"weight": np.zeros((2, 2))}, tmp_path / "m", metadata=metadata)
    with pytest.raises(DataError, match="found safetensors without the key 'handgrad'"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize("version", [2, 0, -1, "1", 1.0, True, []])
def test_a_format_that_is_not_known(changed, version):
    with pytest.raises(DataError, match=r"found format .*; expected format 1 to 1 \(a newer"):
        load_model(changed(format=version))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "metadata that is no JSON"),
        ("[" * 100_000, "metadata that is no JSON"),
        ("[1]", "metadata that is list"),
        ("7", "metadata that is int"),
        ("{}", "format None"),
    ],
)
def test_metadata_of_another_kind(changed, text, found):
    with pytest.raises(DataError, match=found):
        load_model(changed(text=text))


@pytest.mark.parametrize(
    "table",
    [
        {"architecture": None},
        {"architecture": 5},
        {"architecture": []},
        {"architecture": [{"layer": "os.system"}]},
        {"architecture": [{"layer": "dense", "units": -3}]},
        {"architecture": [{"layer": "dense", "units": 3, "code": "1"}]},
        {"input_shape": None},
        {"input_shape": "abc"},
        {"input_shape": 7},
        {"input_shape": [2, 3, -3]},
        {"input_shape": [10**9, 10**9, 3]},
        {"dtype": "float16"},
        {"dtype": ["float32"]},
        {"preparation": None},
        {"preparation": {"height": 2}},
        {"preparation": {"height": 4, "width": 3, "channels": 3}},
        {"class_names": None},
        {"class_names": ["a", "b"]},
        {"class_names": ["a", "b", "a"]},
        {"class_names": 3},
        {"loss": {"kind": "unknown"}},
        {"loss": {"kind": "sigmoid cross-entropy"}},
        {"views": "twice"},
        {"views": 2},
        {"views": ["mirror"]},
        {"loss": {"kind": "softmax cross-entropy", "class_weights": "balanced"}},
        {"about": None},
        {"about": [1, 2]},
        {"about": "x"},
        {"about": {"recipe": 5}},
        {"about": {"test": [1]}},
    ],
    ids=str,
)
def test_a_table_that_cannot_be_used(changed, table):
    with pytest.raises(DataError, match=r"m\.safetensors: found .*; expected "):
        load_model(changed(**table))


def nan(tensors):
    tensors["0.W"][0, 0] = np.nan


def infinite(tensors):
    tensors["3.b"][2] = np.inf


def missing(tensors):
    del tensors["0.b"]


def surplus(tensors):
    tensors["9.W"] = np.zeros(3, np.float32)


def narrower(tensors):
    tensors["0.W"] = tensors["0.W"][:-1].copy()


def turned(tensors):
    tensors["3.W"] = tensors["3.W"].T.copy()


def double(tensors):
    tensors["0.W"] = tensors["0.W"].astype(np.float64)


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        (nan, "found numbers that are infinite or NaN; expected finite weights"),
        (infinite, "found numbers that are infinite or NaN"),
        (missing, r"found 0.b as nothing; expected float32 of shape \(4,\)"),
        (surplus, r"found 9.W as float32 of shape \(3,\); expected nothing"),
        (narrower, r"found 0.W as float32 of shape \(17, 4\); expected float32 of shape \(18, 4\)"),
        (turned, r"found 3.W as float32 of shape \(3, 4\); expected float32 of shape \(4, 3\)"),
        (double, "found 0.W as float64 of .* expected float32"),
    ],
)
def test_numbers_that_do_not_fit_the_architecture(changed, tensors, sentence):
    with pytest.raises(DataError, match=sentence):
        load_model(changed(tensors))


def test_a_table_from_a_file_is_never_run(changed, tmp_path):
    """A word that a looser reader would import or unpickle does nothing."""
    trap = "__import__('pathlib').Path('%s').touch()" % (tmp_path / "trapped")
    for table in ({"dtype": trap}, {"architecture": [{"layer": trap}]}, {"loss": {"kind": trap}}):
        with pytest.raises(HandgradError):
            load_model(changed(**table))
    assert not (tmp_path / "trapped").exists()
