"""The convolutional layer: the same filters at every place of an image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from handgrad import calculus
from handgrad.arrays import Array, Numbers, Shape
from handgrad.calculus.windows import NO_PADDING, Padding, output_size, same_padding
from handgrad.errors import RecipeError
from handgrad.layers.initial import He, Initial, Whitening, Zeros
from handgrad.layers.layer import Layer

__all__ = ["Convolution"]


MOST = 1 << 31
"""So many numbers one image may become: 8 GB in float32."""


@dataclass(frozen=True)
class Convolution(Layer):
    """``y = patches(x) W + b``: ``channels`` filters of ``kernel`` pixels; see `calculus.convolve`.

    Parameters
    ----------
    channels : O, how many filters
    kernel : height and width of a filter
    stride : how many pixels it moves
    padding : "same" (the output has the input's size over the stride), "valid" (no zeros around the
        image), or ((above, below), (left, right))
    dilation : how many pixels the places of a filter lie apart
    offset : whether there is a b; a normalization that follows makes it useless
    weights, offsets : how W (KH, KW, C, O) and b (O,) begin

    >>> Convolution(32).parameters((28, 28, 1))
    {'W': (3, 3, 1, 32), 'b': (32,)}
    """

    name: ClassVar[str] = "convolution"

    channels: int
    kernel: tuple[int, ...] = (3, 3)
    stride: int = 1
    padding: Literal["same", "valid"] | tuple[tuple[int, ...], ...] = "same"
    dilation: int = 1
    offset: bool = True
    weights: Initial = He()
    offsets: Initial = Zeros()

    def __post_init__(self) -> None:
        for name in ("channels", "stride", "dilation"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}; expected at least 1")
        if len(self.kernel) != 2 or min(self.kernel) < 1:
            raise ValueError(f"kernel = {list(self.kernel)}; expected [height, width]")
        if not isinstance(self.padding, str):
            pairs = [list(pair) for pair in self.padding]
            if [len(pair) for pair in pairs] != [2, 2] or min(map(min, pairs)) < 0:
                raise ValueError(f"padding = {pairs}; expected [[above, below], [left, right]]")

    def around(self, shape: Shape) -> Padding:
        """The zeros around an image of this shape: ((above, below), (left, right))."""
        if self.padding == "valid":
            return NO_PADDING
        if self.padding == "same":
            return (
                same_padding(shape[0], self.kernel[0], self.stride, self.dilation),
                same_padding(shape[1], self.kernel[1], self.stride, self.dilation),
            )
        (above, below), (left, right) = self.padding
        return (above, below), (left, right)

    def output_shape(self, shape: Shape) -> Shape:
        height, width, _ = _image(shape, self)
        rows, columns = self.around(shape)
        size = (
            output_size(height, self.kernel[0], self.stride, rows, self.dilation),
            output_size(width, self.kernel[1], self.stride, columns, self.dilation),
        )
        zeros = (height + sum(rows)) * (width + sum(columns)) * shape[2]
        if (most := max(zeros, math.prod(size) * self.channels)) > MOST:
            raise RecipeError(
                f"{self}: found {most:,} numbers for one image of {height}x{width}, the zeros "
                f"around it among them; expected at most {MOST:,}"
            )
        if min(size) < 1:
            raise RecipeError(
                f"{self}: found images of {height}x{width}, on which its kernel of "
                f"{self.kernel[0]}x{self.kernel[1]} does not fit"
            )
        return (*size, self.channels)

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        W = {"W": (*self.kernel, shape[2], self.channels)}
        return W | {"b": (self.channels,)} if self.offset else W

    @property
    def looks(self) -> bool:  # type: ignore[override]
        """Whether the weights begin with values made from images."""
        return isinstance(self.weights, Whitening)

    def initialize(
        self,
        params: Numbers,
        shape: Shape,
        generator: np.random.Generator,
        images: Array | None = None,
    ) -> None:
        params.W[...] = self.weights.filters(params.W.shape, generator, images)
        if self.offset:
            n_in = math.prod(params.W.shape[:3])
            params.b[...] = self.offsets.offsets(n_in, self.channels, generator)

    def forward(self, x: Array, params: Numbers) -> tuple[Array, Array]:
        b = params.b if self.offset else None
        padding = self.around(x.shape[1:])
        return calculus.convolve(x, params.W, b, self.stride, padding, self.dilation), x

    def backward(self, dy: Array, x: Array, params: Numbers, grads: Numbers) -> Array:
        db = grads.b if self.offset else None
        padding = self.around(x.shape[1:])
        return calculus.convolve_backward(
            dy, x, params.W, grads.W, db, self.stride, padding, self.dilation
        )

    def backward_parameters(self, dy: Array, x: Array, params: Numbers, grads: Numbers) -> None:
        db = grads.b if self.offset else None
        padding = self.around(x.shape[1:])
        calculus.convolve_backward_parameters(
            dy, x, grads.W, db, self.stride, padding, self.dilation
        )

    def flops(self, shape: Shape) -> int:
        rows, columns, channels = self.output_shape(shape)
        return 2 * rows * columns * channels * self.kernel[0] * self.kernel[1] * shape[2]

    def __str__(self) -> str:
        stride = f"/{self.stride}" if self.stride > 1 else ""
        return f"convolution {self.channels} {self.kernel[0]}x{self.kernel[1]}{stride}"


def _image(shape: Shape, layer: Layer) -> Shape:
    """A sample's shape, refused where it is no image."""
    if len(shape) != 3:
        raise RecipeError(f"{layer}: found samples of shape {shape}; expected (H, W, C)")
    return shape
