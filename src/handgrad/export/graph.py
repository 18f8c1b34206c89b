"""An ONNX graph that is being written: nodes, constants, and how each tensor lies.

This library's images are (N, H, W, C), ONNX's convolutions take (N, C, H, W). A picture is brought
there once, at the first layer that asks for it, and stays; a row that was a picture is flattened as
it lies where a dense layer follows, whose weights are put into that order instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from handgrad.arrays import Array, Shape
from handgrad.export.packages import needed_onnx

__all__ = ["Graph", "Value"]


@dataclass(frozen=True)
class Value:
    """A tensor of the graph, and what one sample of it is in this library.

    Parameters
    ----------
    name : of the tensor
    shape : of a sample by the layers' own word, (H, W, C) or (F,)
    picture : (H, W, C) as long as the tensor has these axes, even where ``shape`` is a row by now
    first : whether its channels come first, (N, C, H, W)
    """

    name: str
    shape: Shape
    picture: Shape | None = None
    first: bool = False


class Graph:
    """Nodes and constants, in the order in which they are added.

    Attributes
    ----------
    place : the layer that is being written, ``"3.block.0"``, by which its tensors are named
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.place = ""
        self._names: set[str] = set()
        self._onnx = needed_onnx()

    def add(
        self,
        kind: str,
        inputs: str | list[str],
        arrays: Mapping[str, Any] | None = None,
        **attributes: Any,
    ) -> str:
        """One node.

        Parameters
        ----------
        kind : the operator's name
        inputs : names of tensors, before the constants
        arrays : constants by name, in the operator's order

        Returns
        -------
        name : of its output
        """
        names = [inputs] if isinstance(inputs, str) else list(inputs)
        names += [self.constant(name, array) for name, array in (arrays or {}).items()]
        output = self._unused(kind)
        self.nodes.append(self._onnx.helper.make_node(kind, names, [output], **attributes))
        return output

    def constant(self, name: str, given: Any) -> str:
        """A constant's name in the graph: int64 where it holds whole numbers, else float32."""
        array = np.asarray(given)
        array = array.astype(np.int64 if array.dtype.kind == "i" else np.float32, order="C")
        unused = self._unused(name)
        self.constants.append(self._onnx.numpy_helper.from_array(array, unused))
        return unused

    def apply(
        self, kind: str, value: Value, arrays: Mapping[str, Any] | None = None, **attributes: Any
    ) -> Value:
        """One node that leaves every number in its place."""
        return replace(value, name=self.add(kind, value.name, arrays, **attributes))

    def call(self, name: str, new: str) -> None:
        """Give a tensor its name for those outside."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for i, found in enumerate(names):
                    if found == name:
                        names[i] = new

    def settled(self, value: Value) -> Value:
        """As an operator expects it that tells channels apart: (N, C, H, W), or a row in order."""
        return self.first(value) if len(value.shape) == 3 else self.row(value)

    def first(self, value: Value) -> Value:
        """Channels first: (N, C, H, W)."""
        if value.first:
            return value
        height, width, channels = value.shape
        if channels == 1:  # the same numbers in the same order
            name = self.add("Reshape", value.name, {"first": [0, 1, height, width]})
        else:
            name = self.add("Transpose", value.name, perm=[0, 3, 1, 2])
        return replace(value, name=name, first=True)

    def row(self, value: Value) -> Value:
        """(N, F), a sample's numbers in this library's order: row by row, channels innermost."""
        if value.picture is None:
            return value
        height, width, channels = value.picture
        if value.first and channels > 1 and height * width > 1:
            turned = self.add("Transpose", value.name, perm=[0, 2, 3, 1])
            value = replace(value, name=turned)
        return replace(self.apply("Flatten", value, axis=1), picture=None, first=False)

    def as_it_lies(self, value: Value, W: Array) -> tuple[str, Array]:
        """(N, F) in the order of the tensor, and a dense layer's W (F, O) with its rows so."""
        if value.picture is None:
            return value.name, W
        if value.first:
            W = W.reshape(*value.picture, -1).transpose(2, 0, 1, 3).reshape(W.shape)
        return self.add("Flatten", value.name, axis=1), W

    def _unused(self, name: str) -> str:
        stem = unused = f"{self.place}.{name}" if self.place else name
        number = 2
        while unused in self._names:
            unused, number = f"{stem}-{number}", number + 1
        self._names.add(unused)
        return unused
