"""The ONNX file itself: what it promises, and that it is written whole or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest

from handgrad.errors import HandgradError
from handgrad.export import onnx_bytes, save_onnx
from handgrad.layers import (
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    ReLU,
    Residual,
)
from handgrad.losses import SigmoidCrossEntropy
from handgrad.networks import Model


@pytest.fixture
def onnx():
    return pytest.importorskip("onnx")


def test_what_a_file_says_of_itself(onnx, made, tmp_path):
    model = made(
        (Dense(1),), (4, 5, 3), SigmoidCrossEntropy(), 2, resample="box", mean=(0.5,) * 3,
        deviation=(0.25,) * 3, views="mirror",
    )  # fmt: skip
    names = ("a, b", 'é "赤"\n')
    model = Model(model.network, model.preparation, names, model.loss, views="mirror")
    save_onnx(model, tmp_path / "a.onnx")
    file = onnx.load(tmp_path / "a.onnx")
    onnx.checker.check_model(file, full_check=True)
    assert file.ir_version == 8
    assert [(opset.domain, opset.version) for opset in file.opset_import] == [("", 17)]
    told = {entry.key: json.loads(entry.value) for entry in file.metadata_props}
    assert told.keys() == {"class_names", "handgrad"}
    assert tuple(told["class_names"]) == names
    assert told["handgrad"]["preparation"] == {
        "height": 4, "width": 5, "channels": 3, "resample": "box", "draft": False, "scale": "unit",
        "mean": [0.5] * 3, "deviation": [0.25] * 3, "transposed": False,
    }  # fmt: skip
    assert told["handgrad"]["loss"]["kind"] == "sigmoid cross-entropy"
    assert told["handgrad"]["views"] == "mirror"
    assert told["handgrad"]["format"] == 1
    ends = {}
    for entry in (*file.graph.input, *file.graph.output):
        axes = [axis.dim_param or axis.dim_value for axis in entry.type.tensor_type.shape.dim]
        kind = onnx.helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type)
        ends[entry.name] = (kind.name, axes)
    assert ends == {
        "images": ("uint8", ["N", 4, 5, 3]),
        "probabilities": ("float32", ["N", 2]),
        "label": ("int64", ["N"]),
    }


def test_equal_models_give_equal_bytes(onnx, made):
    layers = (Convolution(4), BatchNorm(), Residual((Convolution(4), ReLU())), Dense(3))
    first = onnx_bytes(made(layers, views="mirror-shift"))
    assert first == onnx_bytes(made(layers, views="mirror-shift"))
    other = made(layers, views="mirror-shift")
    other.network.vector[0] += 1
    assert first != onnx_bytes(other)


def operators(onnx, model) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(onnx_bytes(model)).graph.node]


def test_graphs_are_plain(onnx, made):
    """One transposition, to ONNX's order, and none for what stands column by column already."""
    layers = (
        Convolution(4), BatchNorm(), Dropout(), ReLU(), MaxPool(), Flatten(), Dense(5), ReLU(),
        Dense(3),
    )  # fmt: skip
    assert operators(onnx, made(layers)) == [
        "Cast", "Div", "Transpose", "Conv", "BatchNormalization", "Relu", "MaxPool", "Flatten",
        "Gemm", "Relu", "Gemm", "Softmax", "ArgMax",
    ]  # fmt: skip
    assert "Transpose" not in operators(onnx, made(layers, (6, 5, 1)))
    assert "Transpose" not in operators(onnx, made((Dense(4), ReLU(), Dense(3))))
    pooled = (Convolution(4), Residual((Convolution(4), ReLU())), GlobalAveragePool(), Dense(3))
    assert operators(onnx, made(pooled)).count("Transpose") == 1
    turned = operators(onnx, made((Dense(3),), (4, 4, 1), transposed=True))
    assert turned.count("Transpose") == 1


def test_numbers_are_called_as_in_the_model_file(onnx, made):
    layers = (Convolution(4), Residual((Convolution(4, offset=False), BatchNorm())), Dense(3))
    model = made(layers)
    file = onnx.load_from_string(onnx_bytes(model))
    found = {entry.name for entry in file.graph.initializer}
    assert set(model.network.layout.slots) <= found


def test_a_failure_leaves_what_was_there(onnx, made, tmp_path):
    (tmp_path / "a.onnx").write_text("mine")
    with pytest.raises(HandgradError, match="cannot be written"):
        save_onnx(made((Dense(3),)), tmp_path / "none" / "a.onnx")
    huge = made((Dense(3),))
    huge.network.vector = np.broadcast_to(np.float32(0), (2**29,))
    with pytest.raises(HandgradError, match="536,870,912 numbers; expected at most 536,608,768"):
        save_onnx(huge, tmp_path / "a.onnx")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_without_the_package(made, monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    with pytest.raises(HandgradError, match=r"onnx.* pip install 'handgrad\[export]'"):
        save_onnx(made((Dense(3),)), tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []
