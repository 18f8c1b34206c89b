"""onnxruntime, on a graph that is built here with the package `onnx`."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from handgrad.arrays import Array
from handgrad.bench.problems import Answers, Problem, Side
from handgrad.bench.rivals.refusals import NotMeantError, SkippedError
from handgrad.layers import BatchNorm, Convolution, Dense, MaxPool, ReLU
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Network

__all__ = ["session"]


def session(problem: Problem, threads: int) -> Side:
    """Its side of prediction."""
    if not isinstance(problem, Answers) or not isinstance(problem.model.loss, SoftmaxCrossEntropy):
        raise NotMeantError
    if importlib.util.find_spec("onnx") is None:
        raise SkippedError("onnx is not installed, with which its graph is built")
    return _Session(problem, threads)


class _Session:
    def __init__(self, problem: Answers, threads: int) -> None:
        import onnxruntime

        self.problem = problem
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            _graph(problem.network), options, providers=["CPUExecutionProvider"]
        )

    def restart(self) -> None:
        pass

    def run(self, repeats: int) -> None:
        images = self.problem.images
        for _ in range(repeats):
            parts = []
            for i in range(0, len(images), 1000):
                x = np.divide(images[i : i + 1000], 255, dtype=np.float32).transpose(0, 3, 1, 2)
                parts += self.session.run(None, {"x": x})
            self.found = np.concatenate(parts)

    def numbers(self) -> Array:
        return self.found.ravel()


def _graph(network: Network) -> bytes:
    """The network as it predicts, from scaled (N, C, H, W) images to probabilities."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    values: list[Any] = []
    last = "x"

    def add(kind: str, arrays: list[Array], **attributes: Any) -> None:
        nonlocal last
        names = []
        for array in arrays:
            names.append(f"w{len(values)}")
            values.append(numpy_helper.from_array(np.ascontiguousarray(array), names[-1]))
        nodes.append(helper.make_node(kind, [last, *names], [f"y{len(nodes)}"], **attributes))
        last = nodes[-1].output[0]

    layers = zip(network.architecture, network.params, network.shapes, strict=False)
    for layer, own, shape in layers:
        if isinstance(layer, Convolution):
            (above, below), (left, right) = layer.around(shape)
            b = [own.b] if layer.offset else []
            add("Conv", [own.W.transpose(3, 2, 0, 1), *b], pads=[above, left, below, right],
                strides=[layer.stride] * 2, dilations=[layer.dilation] * 2)  # fmt: skip
        elif isinstance(layer, BatchNorm):
            ones = np.ones_like(own.mean)
            scale = own.scale if layer.scale else ones
            offset = own.offset if layer.offset else 0 * ones
            add("BatchNormalization", [scale, offset, own.mean, own.variance],
                epsilon=layer.epsilon)  # fmt: skip
        elif isinstance(layer, ReLU):
            add("Relu", [])
        elif isinstance(layer, MaxPool):
            add("MaxPool", [], kernel_shape=[layer.size] * 2, strides=[layer.apart] * 2)
        elif isinstance(layer, Dense):
            W = own.W
            if len(shape) == 3:
                W = W.reshape(*shape, -1).transpose(2, 0, 1, 3).reshape(len(W), -1)
                add("Flatten", [])
            add("Gemm", [W, own.b])
        else:
            raise SkippedError(f"{layer} has no place in its graph yet")
    add("Softmax", [], axis=1)
    sizes = network.shapes[0]
    begin = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", sizes[2], *sizes[:2]])
    end = helper.make_tensor_value_info(last, TensorProto.FLOAT, ["n", *network.shapes[-1]])
    graph = helper.make_graph(nodes, "network", [begin], [end], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    found: bytes = model.SerializeToString()
    return found
