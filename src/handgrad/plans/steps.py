"""The steps of a plan: the layers that have a faster way, and one for those that have none."""

from __future__ import annotations

from typing import Any

import numpy as np

from handgrad import kernels
from handgrad.arrays import Array, Numbers, Shape
from handgrad.kernels import (
    Call,
    Filters,
    Maps,
    MaxPooling,
    Patches,
    Winograd,
    Workspace,
    blocks,
    maximum,
    winograd_border,
)
from handgrad.layers import Convolution, Dense, Layer, MaxPool
from handgrad.plans.step import Few, Step, image_shape

__all__ = [
    "Alone",
    "FastDense",
    "FastGELU",
    "FastReLU",
    "FirstConvolution",
    "Pooling",
    "Tiled",
    "dense",
]


class Tiled(Step):
    """A 3x3 convolution by Winograd's tiles, `kernels.Winograd`."""

    def __init__(self, layer: Convolution, params: Numbers, shape: Shape) -> None:
        self.offset, self.params = layer.offset, params
        self.border = winograd_border(shape, layer.around(shape))
        self.filters = Filters(shape[2], layer.channels, params.W.dtype)

    def begin(self, draws: tuple[Array, ...]) -> None:
        self.filters.read(self.params.W, self.params.b if self.offset else None)

    def end(self, grads: Numbers) -> None:
        self.filters.write(grads.W, grads.b if self.offset else None)

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        height, width = y.inside.shape[:2]
        kernel = Winograd(height, width, few.n, self.filters, few.work)
        return kernel.forward(x.seen, y.pixels), (kernel, x)

    def backward(self, dy: Maps, dx: Maps | None, memory: Any, few: Few) -> list[Call]:
        kernel, x = memory
        calls: list[Call] = kernel.backward(dy.pixels, x.seen, dx and dx.seen)
        return calls


class FirstConvolution(Step):
    """A convolution with stride 1 of the images themselves, which have few channels."""

    def __init__(self, layer: Convolution, params: Numbers, shape: Shape) -> None:
        self.offset, self.params, self.kernel = layer.offset, params, params.W.shape[:2]
        self.border = layer.around(shape)
        O = params.W.shape[3]
        size = params.W.size // O + 1, O
        self.filters, self.dfilters, self.part = (np.zeros(size, params.W.dtype) for _ in range(3))

    def begin(self, draws: tuple[Array, ...]) -> None:
        self.filters[:-1] = self.params.W.reshape(-1, self.params.W.shape[3])
        if self.offset:
            self.filters[-1] = self.params.b
        self.dfilters[...] = 0

    def end(self, grads: Numbers) -> None:
        grads.W[...] = self.dfilters[:-1].reshape(grads.W.shape)
        if self.offset:
            grads.b[...] = self.dfilters[-1]

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        patches = Patches(self.kernel, x.whole.shape, few.work, few.turning)
        return patches.forward(x.whole, self.filters, y.inside), (patches, x)

    def backward(self, dy: Maps, dx: Maps | None, memory: Any, few: Few) -> list[Call]:
        assert dx is None, "nobody asks for the gradient at the images"
        patches, x = memory
        calls: list[Call] = patches.backward(dy.inside, x.whole, self.dfilters, self.part)
        return calls


class FastReLU(Step):
    """max(0, z); the sign of what is left says what passed."""

    def __init__(self, in_place: bool) -> None:
        self.in_place = in_place

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        zero = np.zeros(x.lines.shape[-1], x.whole.dtype)  # NumPy is slower with the number 0
        return [(maximum, (x.lines, zero, y.lines))], y if self.in_place else x

    def backward(self, dy: Maps, dx: Maps | None, memory: Any, few: Few) -> list[Call]:
        if dx is None:
            return []
        calls: list[Call] = []
        for rows in blocks(memory.pixels.shape):
            a, given, wanted = (maps.pixels[rows] for maps in (memory, dy, dx))
            passed = few.work.array("passed", a.shape, bool)
            calls += [(np.greater, (a, 0, passed)), (np.multiply, (given, passed, wanted))]
        return calls


class FastGELU(Step):
    """z Φ(z), by `kernels.GELU`, which leaves its derivative for the way back."""

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        slope = few.kept("slope", x.pixels.shape)
        return kernels.GELU(few.work).forward(x.pixels, y.pixels, slope), slope

    def backward(self, dy: Maps, dx: Maps | None, memory: Any, few: Few) -> list[Call]:
        return [] if dx is None else [(np.multiply, (dy.pixels, memory, dx.pixels))]


class Pooling(Step):
    """The largest of windows that touch, by `kernels.MaxPooling`."""

    def __init__(self, layer: MaxPool, shape: Shape) -> None:
        self.size = layer.size
        self.left_over = bool(shape[0] % layer.size or shape[1] % layer.size)

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        shape = y.pixels.shape
        first = few.kept("first", (self.size**2, *shape), bool)
        pooling = MaxPooling(self.size, shape, first, few.work)
        return pooling.forward(x.pixels, y.pixels), pooling

    def backward(self, dy: Maps, dx: Maps | None, memory: Any, few: Few) -> list[Call]:
        if dx is None:
            return []
        calls: list[Call] = [(np.copyto, (dx.pixels, 0))] if self.left_over else []
        return [*calls, *memory.backward(dy.pixels, dx.pixels)]


def dense(x: Maps, W: Array, b: Array | None, y: Maps, work: Workspace) -> list[Call]:
    """The calls of a dense layer from x to y, pixel by pixel; see `FastDense`."""
    out, pixels = y.inside[0, 0], x.inside.shape[:2]
    products = work.array("products", (*pixels, *out.shape))
    calls: list[Call] = [
        (np.matmul, (x.inside, W.reshape(*pixels, -1, W.shape[1]), products)),
        (np.add.reduce, (products, (0, 1), None, out)),
    ]
    return calls if b is None else [*calls, (np.add, (out, b, out))]


class FastDense(Step):
    """A dense layer, pixel by pixel; its gradient is one product over all samples, in the end.

    With p for the pixels of a sample, y_no = Σ_pc x_pnc W_pco + b_o and dx_pnc = Σ_o dy_no W_pco:
    for each pixel a product, which reads and writes the maps as they lie. A single product of a few
    samples would take longer to lay out W for itself than to multiply.
    """

    def __init__(self, layer: Dense, params: Numbers, shape: Shape, samples: int) -> None:
        self.params, self.shape = params, image_shape(shape)
        self.offset = hasattr(params, "b")
        dtype = params.W.dtype
        self.x = np.zeros((samples, *self.shape), dtype)
        self.dy = np.zeros((samples, layer.units), dtype)

    def end(self, grads: Numbers) -> None:
        np.matmul(self.x.reshape(len(self.x), -1).T, self.dy, out=grads.W)
        if self.offset:
            np.sum(self.dy, axis=0, out=grads.b)

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        calls: list[Call] = [(np.copyto, (self.x[few.samples], x.rows))]
        b = self.params.b if self.offset else None
        return [*calls, *dense(x, self.params.W, b, y, few.work)], None

    def backward(self, dy: Maps, dx: Maps | None, memory: Any, few: Few) -> list[Call]:
        own, W = self.dy[few.samples], self.params.W.reshape(*self.shape, -1)
        calls: list[Call] = [(np.copyto, (own, dy.inside[0, 0]))]
        if dx is not None:
            calls.append((np.matmul, (own, W.swapaxes(2, 3), dx.inside)))
        return calls


class Alone(Step):
    """A layer without parameters to which each sample is alone: by the book, a few at a time.

    Parameters
    ----------
    channelwise : whether the layer computes with each channel by itself, so that the maps may be
        handed to it as they lie, as one image with n·C channels
    """

    def __init__(self, layer: Layer, shape: Shape, channelwise: bool) -> None:
        self.layer, self.shape, self.channelwise = layer, shape, channelwise
        self.after = layer.output_shape(shape)
        self.draws: tuple[Array, ...] = ()

    def begin(self, draws: tuple[Array, ...]) -> None:
        self.draws = draws

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        found: dict[str, Any] = {}
        return [(self._forward, (x, y, few.samples, found))], found

    def backward(self, dy: Maps, dx: Maps | None, memory: Any, few: Few) -> list[Call]:
        return [] if dx is None else [(self._backward, (dy, dx, memory))]

    def _forward(self, x: Maps, y: Maps, samples: slice, found: dict[str, Any]) -> None:
        drawn = [array[samples] for array in self.draws]
        out, found["memory"] = self.layer.forward(self._read(x, self.shape), Numbers(), *drawn)
        self._write(out, y)

    def _backward(self, dy: Maps, dx: Maps, found: dict[str, Any]) -> None:
        given = self._read(dy, self.after)
        self._write(self.layer.backward(given, found.pop("memory"), Numbers(), Numbers()), dx)

    def _read(self, maps: Maps, shape: Shape) -> Array:
        if self.channelwise:
            return maps.pixels[None] if len(shape) == 3 else maps.pixels[0]
        return np.ascontiguousarray(maps.rows).reshape(-1, *shape)

    def _write(self, y: Array, maps: Maps) -> None:
        target = maps.pixels if self.channelwise else maps.rows
        target[...] = y.reshape(target.shape)
