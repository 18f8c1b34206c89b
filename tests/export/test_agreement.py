"""Parity: what differs is told, what cannot be compared is refused, and nothing is run for that."""

from __future__ import annotations

import dataclasses
import importlib.util
import math

import numpy as np
import pytest
from PIL import Image

from handgrad.errors import DataError, HandgradError
from handgrad.export import parity, save_onnx
from handgrad.layers import Convolution, Dense, Tanh

EVALUATORS = ["onnxruntime", "onnx reference"]
LAYERS = (Convolution(3, padding="valid"), Tanh(), Dense(3))


@pytest.fixture
def onnx():
    return pytest.importorskip("onnx")


@pytest.fixture
def photographs(tmp_path, pixels, made):
    """Five images of another size than the model's, and one file that is none, in the middle."""
    generator = np.random.default_rng(0)
    files = [tmp_path / f"{i} é.png" for i in range(6)]
    for i, file in enumerate(files):
        if i == 2:
            file.write_bytes(b"no image")
        else:
            noise = generator.integers(0, 256, (9, 8, 3), dtype=np.uint8)
            Image.fromarray(noise).save(file)
    return files


@pytest.fixture
def model(made):
    return made(LAYERS, mean=(0.4,) * 3, deviation=(0.3,) * 3)


@pytest.fixture
def exported(onnx, model, tmp_path):
    path = tmp_path / "model.onnx"
    save_onnx(model, path)
    return path


@pytest.mark.parametrize("evaluator", [None, *EVALUATORS])
@pytest.mark.parametrize("at_once", [2, 256])
def test_a_model_and_its_file(model, exported, photographs, evaluator, at_once):
    if evaluator == "onnxruntime":
        pytest.importorskip("onnxruntime")
    seen = []
    found = parity(
        model,
        exported,
        photographs,
        evaluator=evaluator,
        at_once=at_once,
        each=lambda done, all_: seen.append((done, all_)),
    )
    assert found.n == 5
    assert 0 <= found.largest_difference < 1e-5
    assert found.flips == ()
    assert [fault.path for fault in found.failures] == [str(photographs[2])]
    there = importlib.util.find_spec("onnxruntime") is not None
    assert found.evaluator.startswith(evaluator or EVALUATORS[not there])
    assert found.within(1e-5)
    assert seen == [(i, 6) for i in range(1, 7)]


def test_another_offset_is_seen(model, exported, photographs):
    """The file says what the model said before; where that moved the largest, a label differs."""
    good = [i for i in range(6) if i != 2]
    before = model.predict(photographs)
    model.network.params[2].b[...] += np.array([1.0, 0.0, 0.0], np.float32)
    now = model.predict(photographs)
    apart = max(abs(now[i].probabilities[k] - p) for i in good for k, p in _said(before[i]))
    assert apart > 0.05
    flipped = [i for i in good if now[i].label != before[i].label]
    assert 0 < len(flipped) < 5
    assert max(flipped) > 0  # not all within the first batch

    found = parity(model, exported, photographs, at_once=1)
    assert found.largest_difference == pytest.approx(apart, abs=1e-5)
    assert not found.within(0.5 * apart)
    assert [flip.index for flip in found.flips] == flipped
    for flip in found.flips:
        assert flip.file == str(photographs[flip.index])
        for found_one, expected in ((flip.model, now), (flip.onnx, before)):
            assert found_one.label == expected[flip.index].label
            assert found_one.probability == max(found_one.probabilities.values())
            wanted = expected[flip.index].probabilities
            assert found_one.probabilities == pytest.approx(wanted, abs=1e-5)
    assert not found.within(1.0)  # a flip is one, whatever is tolerated


def _said(prediction):
    return prediction.probabilities.items()


def test_what_is_no_number_is_infinitely_far(onnx, model, exported, photographs):
    file = onnx.load(exported)
    [offset] = [entry for entry in file.graph.initializer if entry.name == "2.b"]
    offset.CopyFrom(onnx.numpy_helper.from_array(np.full(3, np.nan, np.float32), "2.b"))
    onnx.save(file, exported)
    found = parity(model, exported, photographs)
    assert found.largest_difference == math.inf
    assert not found.within(1e9)


def test_no_image_at_all(model, exported, photographs):
    found = parity(model, exported, [photographs[2]])
    assert (found.n, found.largest_difference, len(found.failures)) == (0, 0.0, 1)
    assert parity(model, exported, []).n == 0


def other(model, **changes):
    return dataclasses.replace(model, **changes)


def test_a_file_of_another_model(made, model, exported):
    names = ("class 1", "class 0", "class 2")
    box = dataclasses.replace(model.preparation, resample="box")
    for another, sentence in [
        (made(LAYERS, (4, 5, 3)), "images of 6x5x3; expected 4x5x3, as the model's"),
        (
            other(model, class_names=names),
            "the classes class 0, class 1, class 2; expected class 1,",
        ),
        (other(model, preparation=box), "decoded with resample = 'bilinear'; expected 'box', as"),
    ]:
        with pytest.raises(DataError, match=sentence):
            parity(another, exported, [])
    # What the graph does by itself is not refused: its answers show it.
    dimmed = dataclasses.replace(model.preparation, mean=(0.5,) * 3)
    assert parity(other(model, preparation=dimmed), exported, []).n == 0


def changed(onnx, path, change):
    file = onnx.load(path)
    change(file)
    path.write_bytes(file.SerializeToString())


def elsewhere(tensor, location):
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location


def outside(file):
    elsewhere(file.graph.initializer[0], "/etc/hostname")


def outside_within_a_node(file):
    tensor = file.graph.node[0].attribute.add()
    tensor.name, tensor.type = "value", 4
    elsewhere(tensor.t, "../weights")


def outside_within_a_graph(file):
    attribute = file.graph.node[0].attribute.add()
    attribute.name, attribute.type = "body", 5
    elsewhere(attribute.g.initializer.add(), "../weights")


def unknown(file):
    file.graph.node[0].op_type = "System"


def another_domain(file):
    file.graph.node[0].domain = "elsewhere"
    file.opset_import.add().domain = "elsewhere"


def metadata(key, value):
    def change(file):
        [entry] = [entry for entry in file.metadata_props if entry.key == key]
        entry.value = value

    return change


def floats(file):
    file.graph.input[0].type.tensor_type.elem_type = 1


def one_at_a_time(file):
    file.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def renamed(file):
    for node in file.graph.node:
        node.output[:] = ["class" if name == "label" else name for name in node.output]
    file.graph.output[1].name = "class"


def more_classes(file):
    [offset] = [entry for entry in file.graph.initializer if entry.name == "2.b"]
    offset.dims[0] = 2


def whole_numbers(file):
    for node in file.graph.node:
        node.output[:] = ["before" if name == "probabilities" else name for name in node.output]
    cast = file.graph.node.add()
    cast.op_type = "Cast"
    cast.input.append("before")
    cast.output.append("probabilities")
    kind = cast.attribute.add()
    kind.name, kind.type, kind.i = "to", 2, 7
    file.graph.output[0].type.tensor_type.elem_type = 7


def labels_beyond(file):
    """The label 99, by an offset that is added to all of them."""
    for node in file.graph.node:
        node.output[:] = ["before" if name == "label" else name for name in node.output]
    number = file.graph.initializer.add()
    number.name, number.data_type = "99", 7
    number.int64_data.append(99)
    add = file.graph.node.add()
    add.op_type = "Add"
    add.input.extend(["before", "99"])
    add.output.append("label")


def summed_up(file):
    """One number for all classes."""
    for node in file.graph.node:
        node.output[:] = ["before" if name == "probabilities" else name for name in node.output]
    summing = file.graph.node.add()
    summing.op_type = "ReduceSum"
    summing.input.append("before")
    summing.output.append("probabilities")
    del file.graph.output[0].type.tensor_type.shape.dim[:]


REFUSED = {
    "probabilities that are none": (whole_numbers, "probabilities of type int64; expected float32"),
    "labels that are none": (labels_beyond, "labels that name no class; expected 0 to 2"),
    "answers of another shape": (summed_up, "answers of shape "),
    "no such file": (lambda file: None, "no such file"),
    "tensors outside": (outside, "tensors kept in other files; expected all of them within"),
    "tensors outside, in a node": (outside_within_a_node, "tensors kept in other files"),
    "tensors outside, in a graph": (outside_within_a_graph, "tensors kept in other files"),
    "an unknown operator": (unknown, "a file that cannot be run"),
    "an operator from elsewhere": (another_domain, "a file that cannot be run"),
    "class names that are no JSON": (metadata("class_names", "a, b"), "metadata that cannot be"),
    "class names that are no list": (metadata("class_names", '"abc"'), "no list of texts"),
    "a contract that is no table": (metadata("handgrad", "[1]"), "metadata that cannot be used"),
    "a contract without": (metadata("handgrad", "{}"), "metadata without 'preparation'"),
    "a contract too deep": (metadata("handgrad", "[" * 100_000), "metadata that cannot be used"),
    "a contract of nonsense": (
        metadata("handgrad", '{"preparation": {"height": 0, "width": 1, "channels": 1}}'),
        "metadata that cannot be used",
    ),
    "another input": (floats, "another kind of input; expected uint8 images"),
    "one image": (one_at_a_time, "another kind of input; expected uint8 images"),
    "another output": (renamed, "the outputs class, probabilities; expected images; prob"),
    "shapes that do not fit": (more_classes, "a file that cannot be run"),
}


@pytest.mark.parametrize(("change", "sentence"), REFUSED.values(), ids=list(REFUSED))
@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_what_is_refused(onnx, model, exported, photographs, change, sentence, evaluator):
    if evaluator == "onnxruntime":
        pytest.importorskip("onnxruntime")
    changed(onnx, exported, change)
    if sentence == "no such file":
        exported.unlink()
    with pytest.raises(DataError) as refused:
        parity(model, exported, photographs[:1], evaluator=evaluator)
    assert str(refused.value).startswith(f"{exported}: found ")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("keep", [0, 1, 10, 100, 500, -1])
def test_a_truncated_file(model, exported, keep):
    exported.write_bytes(exported.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"model\.onnx: found "):
        parity(model, exported, [])


def test_a_damaged_file(model, exported, photographs):
    """Any one byte wrong: answered or refused, but never a traceback of another kind."""
    content = exported.read_bytes()
    refused = 0
    for i in np.random.default_rng(0).integers(len(content), size=60):
        exported.write_bytes(content[:i] + bytes([content[i] ^ 0x55]) + content[i + 1 :])
        try:
            parity(model, exported, photographs[:1])
        except DataError:
            refused += 1
    assert refused > 5


def test_other_files(model, exported, tmp_path, photographs):
    for path, found in [(tmp_path, "a folder"), (photographs[0], "a file that cannot be run")]:
        with pytest.raises(DataError, match=found):
            parity(model, path, [])


def test_evaluators_that_are_not_there(model, exported, monkeypatch):
    with pytest.raises(HandgradError, match="evaluator = 'x' is unknown; known: onnx ref"):
        parity(model, exported, [], evaluator="x")
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "onnxruntime" else found(name)
    )
    assert parity(model, exported, []).evaluator.startswith("onnx reference ")
    with pytest.raises(HandgradError, match="onnxruntime is not installed; pip install"):
        parity(model, exported, [], evaluator="onnxruntime")


def test_without_the_package(model, monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    with pytest.raises(HandgradError, match=r"onnx.* pip install 'handgrad\[export]'"):
        parity(model, tmp_path / "a.onnx", [])
