"""The residual block: an architecture inside an architecture, added to its own input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from handgrad.arrays import Array, Numbers, Shape
from handgrad.calculus.normalization import Total
from handgrad.errors import RecipeError
from handgrad.layers.layer import Layer
from handgrad.layers.sequence import backward_through, forward_through, shared_out

__all__ = ["Residual"]


@dataclass(frozen=True)
class Residual(Layer):
    """``y = f(x) + g(x)``: the layers of a block, and a shortcut past them.

    The gradient comes back through both ways and adds up: dx = f'(x)ᵀ dy + g'(x)ᵀ dy. Where the
    shortcut is empty, g(x) = x, so that dy itself is one of the two, however deep the block.

    Parameters
    ----------
    layers : f
    shortcut : g, such as a 1x1 convolution where f changes the shape; empty for x itself

    Source: He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition (CVPR 2016).
    """

    name: ClassVar[str] = "residual"

    layers: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("layers is empty; expected the layers of the block")

    @property
    def draws(self) -> int:  # type: ignore[override]
        """How many arrays the layers of both ways draw."""
        return sum(layer.draws for layer in (*self.layers, *self.shortcut))

    def _ways(self, shape: Shape) -> list[tuple[str, int, Layer, Shape]]:
        """Every inner layer: the name of its way, its place there, and the shape it takes."""
        found = []
        for way, layers in (("block", self.layers), ("shortcut", self.shortcut)):
            before = shape
            for i, layer in enumerate(layers):
                found.append((way, i, layer, before))
                before = layer.output_shape(before)
        return found

    def output_shape(self, shape: Shape) -> Shape:
        ends = []
        for layers in (self.layers, self.shortcut):
            after = shape
            for layer in layers:
                after = layer.output_shape(after)
            ends.append(after)
        if ends[0] != ends[1]:
            raise RecipeError(
                f"residual: the block ends with shape {ends[0]}, its shortcut with {ends[1]}; "
                "expected the same (a 1x1 convolution as shortcut changes channels)"
            )
        return ends[0]

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return {
            f"{way}.{i}.{name}": s
            for way, i, layer, before in self._ways(shape)
            for name, s in layer.parameters(before).items()
        }

    def statistics(self, shape: Shape) -> dict[str, Shape]:
        return {
            f"{way}.{i}.{name}": s
            for way, i, layer, before in self._ways(shape)
            for name, s in layer.statistics(before).items()
        }

    def initialize(self, params: Numbers, shape: Shape, generator: np.random.Generator) -> None:
        for way, i, layer, before in self._ways(shape):
            layer.initialize(_inner(params, way, i), before, generator)

    def draw(self, shape: Shape, generator: np.random.Generator) -> tuple[Array, ...]:
        drawn: list[Array] = []
        for _, _, layer, before in self._ways(shape[1:]):
            drawn += layer.draw((shape[0], *before), generator)
        return tuple(drawn)

    def forward(self, x: Array, params: Numbers, *drawn: Array) -> tuple[Array, Any]:
        both = (*self.layers, *self.shortcut)
        draws = list(shared_out(both, drawn))
        deep = len(self.layers)
        y, memories = forward_through(self.layers, x, self._block(params), draws[:deep])
        past, others = forward_through(self.shortcut, x, self._shortcut(params), draws[deep:])
        return y + past, (memories, others)

    def backward(self, dy: Array, memory: Any, params: Numbers, grads: Numbers) -> Array:
        memories, others = memory
        dx = backward_through(self.layers, dy, memories, self._block(params), self._block(grads))
        return dx + backward_through(
            self.shortcut, dy, others, self._shortcut(params), self._shortcut(grads)
        )

    def gather(self, memory: Any, params: Numbers) -> None:
        memories, others = memory
        for layer, own, inner in zip(self.layers, memories, self._block(params), strict=True):
            layer.gather(own, inner)
        for layer, own, inner in zip(self.shortcut, others, self._shortcut(params), strict=True):
            layer.gather(own, inner)

    def frozen(self) -> Residual:
        return Residual(_frozen(self.layers), _frozen(self.shortcut))

    def shared(self, total: Total, gathers: bool) -> Residual:
        layers, shortcut = (
            tuple(layer.shared(total, gathers) for layer in way)
            for way in (self.layers, self.shortcut)
        )
        return Residual(layers, shortcut)

    def flops(self, shape: Shape) -> int:
        return sum(layer.flops(before) for _, _, layer, before in self._ways(shape))

    def largest_product(self, shape: Shape, n: int) -> int:
        return max(layer.largest_product(before, n) for _, _, layer, before in self._ways(shape))

    def _block(self, views: Numbers) -> list[Numbers]:
        return [_inner(views, "block", i) for i in range(len(self.layers))]

    def _shortcut(self, views: Numbers) -> list[Numbers]:
        return [_inner(views, "shortcut", i) for i in range(len(self.shortcut))]

    def __str__(self) -> str:
        return f"residual({' → '.join(str(layer) for layer in self.layers)})"


def _inner(views: Numbers, way: str, i: int) -> Numbers:
    """The views of one inner layer; none where it has none."""
    found: Numbers = getattr(getattr(views, way, Numbers()), str(i), Numbers())
    return found


def _frozen(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    return tuple(layer.frozen() for layer in layers)
