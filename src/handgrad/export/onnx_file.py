"""A model as one ONNX file: from decoded, resized images to probabilities and labels."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import numpy as np

from handgrad.datasets import Preparation
from handgrad.errors import HandgradError
from handgrad.export.graph import Graph, Value
from handgrad.export.onnx_twins import in_onnx
from handgrad.export.packages import needed_onnx
from handgrad.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Loss,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
)
from handgrad.networks import Model, Views, weighted_views
from handgrad.storage import written
from handgrad.tables import to_table

__all__ = ["ONNX_PROBABILITIES", "onnx_bytes", "save_onnx"]

OPSET, IR_VERSION = 17, 8
FORMAT = 1
LARGEST = (1 << 31) - (1 << 20)
"""Bytes that one protobuf message holds, less some room for the nodes."""


def save_onnx(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model as an ONNX file, which needs nothing of this library to run.

    Its input ``images`` is (N, H, W, C) uint8 of the model's size, decoded and resized as the
    preparation says; scaling, normalization, views and network are in the graph. Its outputs are
    ``probabilities`` (N, K) float32 and ``label`` (N,) int64. Computed in float32, also where the
    model has float64. Opset 17, ir_version 8; equal models give equal bytes.

    The metadata hold two keys, both JSON in ASCII: ``class_names``, a list in the order of the
    probabilities, and ``handgrad``, a table of ``format`` (1), ``version`` (of this library),
    ``preparation``, ``class_names``, ``loss`` and ``views``, in the words of the model file.

    Raises
    ------
    HandgradError : the package onnx is not there (``pip install 'handgrad[export]'``); a layer or
        a loss of one's own that has no twin; a path that cannot be written
    """
    content = onnx_bytes(model)
    with written(path) as beside:
        beside.write_bytes(content)


def onnx_bytes(model: Model) -> bytes:
    """What `save_onnx` writes."""
    from handgrad import __version__

    onnx = needed_onnx()
    network = model.network.frozen()
    if 4 * network.vector.size > LARGEST:
        raise HandgradError(
            f"found a network of {network.vector.size:,} numbers; expected at most "
            f"{LARGEST // 4:,}, which one ONNX file holds"
        )
    graph = Graph()
    x = _prepared(graph, "images", model.preparation, model.views)
    y = graph.row(in_onnx(graph, x, network.architecture, network.params))
    graph.place = ""
    outputs = _averaged(graph, y, model)
    if type(model.loss) not in ONNX_PROBABILITIES:
        raise HandgradError(f"found the loss {model.loss.name!r}; it has no twin in ONNX yet")
    probabilities = ONNX_PROBABILITIES[type(model.loss)](graph, outputs, *y.shape)
    graph.call(_decided(graph, outputs, model), "label")
    graph.call(probabilities, "probabilities")

    helper, kinds = onnx.helper, onnx.TensorProto
    K = len(model.class_names)
    made = helper.make_graph(
        graph.nodes,
        "handgrad",
        [helper.make_tensor_value_info("images", kinds.UINT8, ["N", *model.preparation.shape])],
        [
            helper.make_tensor_value_info("probabilities", kinds.FLOAT, ["N", K]),
            helper.make_tensor_value_info("label", kinds.INT64, ["N"]),
        ],
        graph.constants,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    file = helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION)
    file.producer_name, file.producer_version = "handgrad", __version__
    contract = {
        "format": FORMAT,
        "version": __version__,
        "preparation": to_table(model.preparation),
        "class_names": list(model.class_names),
        "loss": to_table(model.loss),
        "views": model.views,
    }
    told = {"class_names": list(model.class_names), "handgrad": contract}
    helper.set_model_props(
        file, {key: json.dumps(value, sort_keys=True) for key, value in told.items()}
    )
    onnx.checker.check_model(file, full_check=True)
    found: bytes = file.SerializeToString(deterministic=True)
    return found


def _prepared(graph: Graph, images: str, preparation: Preparation, views: Views) -> Value:
    """What `datasets.numbers` makes of each view; all views one after another along N.

    The views are taken of the numbers, since what is done to them is done to each pixel alone;
    pictures that stand column by column are turned after that.
    """
    x = graph.add("Cast", images, to=1)  # float32
    if preparation.scale == "unit":
        x = graph.add("Div", x, {"white": 255.0})
    if preparation.mean is not None and preparation.deviation is not None:
        x = graph.add("Sub", x, {"mean": preparation.mean})
        x = graph.add("Div", x, {"deviation": preparation.deviation})
    x = _viewed(graph, x, preparation, views)
    if preparation.transposed:
        x = graph.add("Transpose", x, perm=[0, 2, 1, 3])
    return Value(x, preparation.shape, preparation.shape)


def _viewed(graph: Graph, x: str, preparation: Preparation, views: Views) -> str:
    """The views of `networks.weighted_views`, in its order."""
    if views == "none":
        return x
    H, W, _ = preparation.shape
    seen = [x]
    if views == "mirror-shift":
        padded = graph.add("Pad", x, {"around": [0, 1, 1, 0, 0, 1, 1, 0]}, mode="reflect")
        for i in (0, 2):
            places = {"from": [i, i], "to": [i + H, i + W], "axes": [1, 2]}
            seen.append(graph.add("Slice", padded, places))
    backwards = {"from": [-1], "to": [-W - 1], "axes": [2], "step": [-1]}
    both = [each for view in seen for each in (view, graph.add("Slice", view, backwards))]
    return graph.add("Concat", both, axis=0)


def _averaged(graph: Graph, value: Value, model: Model) -> str:
    """The weighted mean of the outputs over the views."""
    if model.views == "none":
        return value.name
    one = np.zeros((1, *model.preparation.shape), np.uint8)
    weights = np.array([weight for weight, _ in weighted_views(one, model.views)])
    each = graph.add("Reshape", value.name, {"views": [len(weights), -1, *value.shape]})
    each = graph.add("Mul", each, {"weights": weights[:, None, None]})
    return graph.add("ReduceSum", each, {"first": [0]}, keepdims=0)


def _decided(graph: Graph, outputs: str, model: Model) -> str:
    """`Loss.decide`."""
    if model.network.shapes[-1] != (1,):
        return graph.add("ArgMax", outputs, axis=1, keepdims=0)
    above = graph.add("Greater", outputs, {"threshold": float(model.loss.threshold)})
    whole = graph.add("Cast", above, to=7)  # int64
    return graph.add("Squeeze", whole, {"last": [1]})


def _softmax(graph: Graph, z: str, width: int) -> str:
    return graph.add("Softmax", z, axis=1)


def _both(graph: Graph, a: str, width: int) -> str:
    other = graph.add("Sub", [graph.constant("one", 1.0), a])
    return graph.add("Concat", [other, a], axis=1)


def _sigmoid(graph: Graph, z: str, width: int) -> str:
    return _both(graph, graph.add("Sigmoid", z), width)


def _as_they_are(graph: Graph, s: str, width: int) -> str:
    return s


def _lifted(graph: Graph, y: str, width: int) -> str:
    """Where nothing is above 0 all classes are as likely; nothing is divided by 0 for that."""
    if width == 1:
        return _both(graph, graph.add("Clip", y, {"zero": 0.0, "one": 1.0}), width)
    least = graph.add("ReduceMin", y, axes=[1], keepdims=1)
    lifted = graph.add("Sub", [y, graph.add("Min", least, {"zero": 0.0})])
    total = graph.add("ReduceSum", lifted, {"last": [1]}, keepdims=1)
    some = graph.add("Greater", total, {"zero": 0.0})
    share = graph.add("Div", [lifted, graph.add("Where", [some, total], {"one": 1.0})])
    return graph.add("Where", [some, share], {"even": 1 / width})


ONNX_PROBABILITIES: dict[type[Loss], Callable[[Graph, str, int], str]] = {
    BinaryCrossEntropy: _both,
    CrossEntropy: _as_they_are,
    SigmoidCrossEntropy: _sigmoid,
    SoftmaxCrossEntropy: _softmax,
    SquaredError: _lifted,
}
"""`Loss.probabilities` of every loss, from so many outputs."""
