"""Each layer as operators of ONNX (opset 17): the same function with the same numbers.

The operators' meaning is that of onnx.ai/onnx/operators. A layer is found by its class, frozen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from handgrad.arrays import Numbers
from handgrad.errors import HandgradError
from handgrad.export.graph import Graph, Value
from handgrad.layers import (
    ELU,
    GELU,
    AveragePool,
    Convolution,
    Dense,
    Flatten,
    FrozenNorm,
    GlobalAveragePool,
    GroupNorm,
    Identity,
    Layer,
    LeakyReLU,
    MaxPool,
    ReLU,
    Residual,
    Scale,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)

__all__ = ["ONNX_TWINS", "in_onnx"]

Twin = Callable[[Graph, Value, Any, Numbers], Value]


def in_onnx(
    graph: Graph, value: Value, layers: Sequence[Layer], params: Sequence[Any], way: str = ""
) -> Value:
    """Layers one after another.

    Parameters
    ----------
    layers : frozen
    way : before the places of the layers in their names, such as ``"3.block."``

    Raises
    ------
    HandgradError : a layer that has no twin in ONNX
    """
    for i, (layer, own) in enumerate(zip(layers, params, strict=True)):
        if type(layer) not in ONNX_TWINS:
            raise HandgradError(f"found the layer {layer}; it has no twin in ONNX yet")
        graph.place = f"{way}{i}"
        value = ONNX_TWINS[type(layer)](graph, value, layer, own)
    return value


def _dense(graph: Graph, value: Value, layer: Dense, params: Numbers) -> Value:
    row, W = graph.as_it_lies(value, params.W)
    b = {"b": params.b} if layer.offset else {}
    return Value(graph.add("Gemm", row, {"W": W} | b), (layer.units,))


def _convolution(graph: Graph, value: Value, layer: Convolution, params: Numbers) -> Value:
    value = graph.first(value)
    (above, below), (left, right) = layer.around(value.shape)
    b = {"b": params.b} if layer.offset else {}
    name = graph.add(
        "Conv",
        value.name,
        {"W": params.W.transpose(3, 2, 0, 1)} | b,
        pads=[above, left, below, right],
        strides=[layer.stride] * 2,
        dilations=[layer.dilation] * 2,
    )
    shape = layer.output_shape(value.shape)
    return Value(name, shape, shape, first=True)


def _pool(kind: str) -> Twin:
    def twin(graph: Graph, value: Value, layer: MaxPool | AveragePool, params: Numbers) -> Value:
        size, apart = [layer.size] * 2, [layer.apart] * 2
        before = graph.first(value).name
        name = graph.add(kind, before, kernel_shape=size, strides=apart)
        shape = layer.output_shape(value.shape)
        return Value(name, shape, shape, first=True)

    return twin


def _global_pool(graph: Graph, value: Value, layer: Layer, params: Numbers) -> Value:
    name = graph.apply("GlobalAveragePool", graph.first(value)).name
    channels = value.shape[2]
    return Value(name, (channels,), (1, 1, channels), first=True)


def _frozen_norm(graph: Graph, value: Value, layer: FrozenNorm, params: Numbers) -> Value:
    scale = params.scale if layer.scale else np.ones_like(params.mean)
    offset = params.offset if layer.offset else np.zeros_like(params.mean)
    arrays = {"scale": scale, "offset": offset, "mean": params.mean, "variance": params.variance}
    return graph.apply("BatchNormalization", graph.settled(value), arrays, epsilon=layer.epsilon)


def _group_norm(graph: Graph, value: Value, layer: GroupNorm, params: Numbers) -> Value:
    """With the groups as if they were channels; scale and offset belong to the real ones."""
    value = graph.settled(value)
    groups, channels = layer.groups, value.shape[-1]
    lying = [channels, *value.shape[:-1]]
    numbers = math.prod(lying) // groups
    value = graph.apply("Reshape", value, {"groups": [0, groups, numbers]})
    one = {"one": np.ones(groups), "zero": np.zeros(groups)}
    value = graph.apply("InstanceNormalization", value, one, epsilon=layer.epsilon)
    value = graph.apply("Reshape", value, {"shape": [0, *lying]})
    each = (channels, *[1] * (len(lying) - 1))
    if layer.scale:
        value = graph.apply("Mul", value, {"scale": params.scale.reshape(each)})
    if layer.offset:
        value = graph.apply("Add", value, {"offset": params.offset.reshape(each)})
    return value


def _residual(graph: Graph, value: Value, layer: Residual, params: Numbers) -> Value:
    place, value = graph.place, graph.settled(value)
    ends = []
    for way, layers in (("block", layer.layers), ("shortcut", layer.shortcut)):
        views = getattr(params, way, Numbers())
        own = [getattr(views, str(i), Numbers()) for i in range(len(layers))]
        ends.append(graph.settled(in_onnx(graph, value, layers, own, f"{place}.{way}.")))
    graph.place = place
    return replace(ends[0], name=graph.add("Add", [end.name for end in ends]))


def _flatten(graph: Graph, value: Value, layer: Flatten, params: Numbers) -> Value:
    return replace(value, shape=layer.output_shape(value.shape))  # later, by whoever needs a row


def _identity(graph: Graph, value: Value, layer: Identity, params: Numbers) -> Value:
    return value


def _scale(graph: Graph, value: Value, layer: Scale, params: Numbers) -> Value:
    return graph.apply("Mul", value, {"factor": float(layer.factor)})


def _softmax(graph: Graph, value: Value, layer: Softmax, params: Numbers) -> Value:
    return graph.apply("Softmax", graph.row(value), axis=1)


def _gelu(graph: Graph, z: Value, layer: GELU, params: Numbers) -> Value:
    """½ z (1 + erf(z/√2)); ONNX has it as one operator only from opset 20 on."""
    e = graph.apply("Erf", graph.apply("Div", z, {"root": math.sqrt(2)}))
    e = graph.apply("Add", e, {"one": 1.0})
    return graph.apply("Mul", replace(z, name=graph.add("Mul", [z.name, e.name])), {"half": 0.5})


def _silu(graph: Graph, z: Value, layer: SiLU, params: Numbers) -> Value:
    return replace(z, name=graph.add("Mul", [z.name, graph.add("Sigmoid", z.name)]))


def _leaky_relu(graph: Graph, z: Value, layer: LeakyReLU, params: Numbers) -> Value:
    return graph.apply("LeakyRelu", z, alpha=float(layer.slope))


def _elu(graph: Graph, z: Value, layer: ELU, params: Numbers) -> Value:
    return graph.apply("Elu", z, alpha=float(layer.alpha))


def _plain(kind: str) -> Twin:
    return lambda graph, value, layer, params: graph.apply(kind, value)


ONNX_TWINS: dict[type[Layer], Twin] = {
    AveragePool: _pool("AveragePool"),
    Convolution: _convolution,
    Dense: _dense,
    ELU: _elu,
    Flatten: _flatten,
    FrozenNorm: _frozen_norm,
    GELU: _gelu,
    GlobalAveragePool: _global_pool,
    GroupNorm: _group_norm,
    Identity: _identity,
    LeakyReLU: _leaky_relu,
    MaxPool: _pool("MaxPool"),
    ReLU: _plain("Relu"),
    Residual: _residual,
    Scale: _scale,
    SiLU: _silu,
    Sigmoid: _plain("Sigmoid"),
    Softmax: _softmax,
    Tanh: _plain("Tanh"),
}
"""Every layer as it predicts; dropout and batch normalization are something else by then."""
