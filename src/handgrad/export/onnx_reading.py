"""Reading an ONNX file that `save_onnx` wrote, and what can run it.

Nothing in such a file is executed but its operators, by onnxruntime or by onnx's own reference
evaluator; a file that wants more than itself (tensors in other files) is refused before that.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from handgrad.arrays import Array, Shape
from handgrad.datasets import Preparation
from handgrad.errors import DataError, HandgradError, nearest
from handgrad.export.packages import needed_onnx
from handgrad.tables import from_table

__all__ = ["Evaluator", "OnnxFile", "read_onnx", "runner"]

Evaluator = Literal["onnxruntime", "onnx reference"]
OPERATORS = frozenset(
    ("Add", "ArgMax", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Conv")
    + ("Div", "Elu", "Erf", "Flatten", "Gemm", "GlobalAveragePool", "Greater")
    + ("InstanceNormalization", "LeakyRelu", "MaxPool", "Min", "Mul", "Pad", "ReduceMin")
    + ("ReduceSum", "Relu", "Reshape", "Sigmoid", "Slice", "Softmax", "Squeeze", "Sub", "Tanh")
    + ("Transpose", "Where")
)
"""Those that `save_onnx` writes, and no others: a loop may run for ever, and a few bytes may ask
for a tensor that no machine can hold."""

MOST = 1 << 31
"""Numbers that one tensor may have, for one image."""

EXPECTED = "an ONNX file written by handgrad export"


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """An ONNX file and what it says of itself.

    Parameters
    ----------
    path : where it was
    graph : the parsed file, an ``onnx.ModelProto``
    shape : (H, W, C) of the images it takes
    class_names : (K,)
    preparation : what was done to the images that it takes, and what it does itself
    """

    path: Path
    graph: Any
    shape: Shape
    class_names: tuple[str, ...]
    preparation: Preparation


def read_onnx(path: str | os.PathLike[str]) -> OnnxFile:
    """Read and check a file without running it.

    Raises
    ------
    DataError : no such file, no ONNX, a damaged one, one with tensors in other files, one that
        handgrad did not write
    HandgradError : the package onnx is not there
    """
    onnx = needed_onnx()
    path = Path(path)
    if not path.is_file():
        raise DataError(path, "a folder" if path.is_dir() else "no such file", EXPECTED)
    try:
        graph = onnx.load_model_from_string(path.read_bytes())
    except Exception as error:  # protobuf has several kinds, none of them in a common family
        raise _refused(path, error) from None
    if any(tensor.data_location or tensor.external_data for tensor in _tensors(graph, onnx)):
        raise DataError(path, "tensors kept in other files", "all of them within")
    try:
        onnx.checker.check_model(graph)
    except Exception as error:  # onnx's own error, and those of its parser
        raise _refused(path, error) from None
    strange = {node.op_type for node in graph.graph.node} - OPERATORS
    if strange or graph.functions:
        found = f"the operators {_listed(strange)[:100]}" if strange else "functions of its own"
        raise DataError(path, found, "those that handgrad writes")
    if (most := _largest(path, graph, onnx)) > MOST:
        raise DataError(path, f"a tensor of {most:,} numbers for one image", f"at most {MOST:,}")
    told = {entry.key: entry.value for entry in graph.metadata_props}
    try:
        names, table = json.loads(told["class_names"]), json.loads(told["handgrad"])
        preparation = from_table(Preparation, table["preparation"], "preparation")
    except KeyError as error:
        raise DataError(path, f"metadata without {error}", EXPECTED) from None
    except (HandgradError, TypeError, ValueError, RecursionError) as error:
        raise DataError(path, f"metadata that cannot be used ({error})", EXPECTED) from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(path, "class names that are no list of texts", EXPECTED)
    return OnnxFile(path, graph, _shape(path, graph), tuple(names), preparation)


def runner(
    file: OnnxFile, asked: Evaluator | None = None
) -> tuple[str, Callable[[Array], tuple[Array, Array]]]:
    """What runs the file: its name and version, and from images to probabilities and labels.

    Parameters
    ----------
    asked : None for onnxruntime, or where that is not installed for onnx's reference evaluator

    Raises
    ------
    HandgradError : an evaluator that is not known, or not installed
    DataError : a graph that the evaluator does not take; from the function: does not finish, or
        answers in another shape
    """
    there = importlib.util.find_spec("onnxruntime") is not None
    chosen = asked or ("onnxruntime" if there else "onnx reference")
    makers = {"onnxruntime": _onnxruntime, "onnx reference": _reference}
    if chosen not in makers:
        raise HandgradError(f"evaluator = {chosen!r} is unknown{nearest(chosen, makers)}")
    if chosen == "onnxruntime" and not there:
        raise HandgradError("the package onnxruntime is not installed; pip install onnxruntime")
    try:
        version, run = makers[chosen](file.graph)
    except Exception as error:  # whatever a foreign program raises over a file is the file's fault
        raise _refused(file.path, error) from None
    classes = len(file.class_names)

    def answers(images: Array) -> tuple[Array, Array]:
        try:
            probabilities, labels = map(np.asarray, run(images))
        except Exception as error:
            raise _refused(file.path, error) from None
        N = len(images)
        if (probabilities.shape, labels.shape) != ((N, classes), (N,)):
            found = f"answers of shape {probabilities.shape} and {labels.shape}"
            raise DataError(file.path, found, f"{(N, classes)} and {(N,)}")
        if probabilities.dtype.kind != "f":
            found = f"probabilities of type {probabilities.dtype}"
            raise DataError(file.path, found, "float32")
        if labels.dtype.kind != "i" or not ((labels >= 0) & (labels < classes)).all():
            raise DataError(file.path, "labels that name no class", f"0 to {classes - 1}")
        return probabilities, labels

    return f"{chosen} {version}", answers


def _onnxruntime(graph: Any) -> tuple[str, Callable[[Array], Any]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what matters is raised, and becomes one sentence
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return onnxruntime.__version__, lambda x: session.run(["probabilities", "label"], {"images": x})


def _reference(graph: Any) -> tuple[str, Callable[[Array], Any]]:
    from onnx import __version__
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(graph)

    def run(x: Array) -> Any:
        with np.errstate(all="ignore"):  # as onnxruntime computes, without a word
            return evaluator.run(["probabilities", "label"], {"images": x})

    return __version__, run


def _shape(path: Path, graph: Any) -> Shape:
    """(H, W, C) of the one input, which must be as `save_onnx` makes it."""
    inputs = {entry.name: entry.type.tensor_type for entry in graph.graph.input}
    outputs = {entry.name for entry in graph.graph.output}
    if set(inputs) != {"images"} or not {"probabilities", "label"} <= outputs:
        found = f"the inputs {_listed(inputs)} and the outputs {_listed(outputs)}"
        raise DataError(path, found, "images; probabilities and label")
    sizes = [axis.dim_value for axis in inputs["images"].shape.dim]
    if inputs["images"].elem_type != 2 or len(sizes) != 4 or sizes[0] or min(sizes[1:]) < 1:
        raise DataError(path, "another kind of input", "uint8 images (N, H, W, C)")
    return tuple(sizes[1:])


def _largest(path: Path, graph: Any, onnx: Any) -> int:
    """The numbers of the largest tensor for one image, as far as the file says its sizes."""
    try:
        made = onnx.shape_inference.infer_shapes(graph, data_prop=True).graph
    except Exception as error:
        raise _refused(path, error) from None
    tensors = (*made.value_info, *made.input, *made.output)
    shapes = ([axis.dim_value for axis in t.type.tensor_type.shape.dim] for t in tensors)
    return max((math.prod(max(size, 1) for size in shape) for shape in shapes), default=0)


def _tensors(message: Any, onnx: Any) -> Iterator[Any]:
    """Every tensor in a file, also those in the attributes of nodes and in their graphs."""
    if isinstance(message, onnx.TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in [value] if hasattr(value, "ListFields") else value:
                yield from _tensors(inner, onnx)


def _listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"


def _refused(path: Path, error: Exception) -> DataError:
    """What another program said, down to one line."""
    said = " ".join(str(error).split())
    short = said if len(said) <= 200 else f"{said[:200]}…"
    return DataError(path, f"a file that cannot be run ({short})", EXPECTED)
