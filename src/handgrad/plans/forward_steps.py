"""The steps of a forward plan: those of `plans.steps` where they keep nothing, and these.

A normalization by gathered statistics is a fixed scale and shift of each channel, which right after
a convolution or a dense layer are taken together with that layer's own offset: of z = x W + b

    γ (z - μ)/√(v + ε) + β = g x W + s        g = γ/√(v + ε)        s = β + g (b - μ)

Where filters are transformed anyway, so is g W instead of W.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from handgrad import kernels
from handgrad.arrays import Array, Numbers, Shape
from handgrad.calculus.windows import NO_PADDING
from handgrad.kernels import (
    Call,
    Filters,
    Maps,
    Patches,
    Winograd,
    fits_winograd,
    gathered,
    largest,
    pooled_tiles,
    taps,
    tiles_at_a_time,
    tiles_of,
    winograd_border,
)
from handgrad.kernels.winograd import TILE
from handgrad.layers import GELU, Convolution, Dense, FrozenNorm, Layer, MaxPool, ReLU
from handgrad.plans.boundary import maps_of
from handgrad.plans.reading import ALONE, CHANNELWISE
from handgrad.plans.step import Few, ForwardStep
from handgrad.plans.steps import Alone, FastReLU, dense

__all__ = ["Affine", "forward_step", "joined", "made_from", "samples_together"]


class Affine:
    """What becomes of each channel after the product of a layer: g and s, see above.

    Parameters
    ----------
    b : (O,), the layer's own offset; None for 0
    norm, params : of the normalization after it; None if there is none

    Attributes
    ----------
    gain, shift : (O,); None for 1 and 0
    """

    def __init__(self, b: Array | None, norm: FrozenNorm | None, params: Numbers) -> None:
        self.b, self.norm, self.params = b, norm, params
        like: Array | None = b if norm is None else params.mean
        self.gain: Array | None = None if norm is None else np.ones_like(like)
        self.shift: Array | None = None if like is None else np.zeros_like(like)
        self.repeated: list[tuple[Array, Array]] = []

    def read(self) -> None:
        """Take over the numbers as they are now."""
        p, norm = self.params, self.norm
        if self.shift is not None:
            self.shift[...] = 0 if self.b is None else self.b
        if norm is not None and self.gain is not None and self.shift is not None:
            np.sqrt(p.variance + norm.epsilon, out=self.gain)
            np.divide(p.scale if norm.scale else 1, self.gain, out=self.gain)
            self.shift -= p.mean
            self.shift *= self.gain
            if norm.offset:
                self.shift += p.offset
        for own, line in self.repeated:
            line.reshape(-1, len(own))[...] = own

    @property
    def made_from(self) -> list[Array]:
        """What g and s are made from."""
        norm = [*vars(self.params).values()] if self.norm is not None else []
        return norm if self.b is None else [self.b, *norm]

    def calls(self, y: Maps) -> list[Call]:
        """g y + s, in place."""
        calls: list[Call] = []
        for function, own in ((np.multiply, self.gain), (np.add, self.shift)):
            if own is not None:
                line = np.zeros(y.lines.shape[-1], own.dtype)  # as long as a row of pixels
                self.repeated.append((own, line))
                calls.append((function, (y.lines, line, y.lines)))
        self.read()
        return calls


def forward_step(
    layer: Layer, params: Numbers, shape: Shape, after: Affine, dtype: DTypeLike
) -> ForwardStep | None:
    """The step of a layer for samples of a shape; None if it is to be read by the book."""
    if isinstance(layer, Convolution):
        if shape[2] >= 8:
            return _Convolution(layer, params.W, shape, after)
        plain = layer.stride == layer.dilation == 1
        return _FirstConvolution(layer, params.W, shape, after) if plain else None
    if isinstance(layer, Dense):
        return _Dense(params.W, after)
    if isinstance(layer, FrozenNorm):
        return _Scaled(after)
    if isinstance(layer, ReLU):
        return FastReLU(in_place=True)
    if isinstance(layer, GELU) and dtype == np.float32:
        return _GELU()
    if isinstance(layer, MaxPool) and layer.apart == layer.size > 1:
        return _Pooling(layer)
    return Alone(layer, shape, layer.name in CHANNELWISE) if layer.name in ALONE else None


def samples_together(step: ForwardStep) -> int:
    """How many samples must go together for the products of a step to be large enough."""
    if isinstance(step, _Pooled):
        step = step.convolution
    return step.enough if isinstance(step, _Convolution) else 1


def joined(steps: Sequence[tuple[ForwardStep, Shape]]) -> list[tuple[ForwardStep, Shape]]:
    """Steps, each with the shape that it gives, where a convolution and its pooling are one."""
    found: list[tuple[ForwardStep, Shape]] = []
    for step, shape in steps:
        last, before = found[-1] if found else (None, shape)
        if isinstance(last, _Convolution) and isinstance(step, _Pooling):
            found[-1] = _Pooled(last, step, before), shape
        else:
            found.append((step, shape))
    return found


def made_from(step: ForwardStep) -> list[Array]:
    """The parts of a network's vector that a step makes something of beforehand."""
    if isinstance(step, _Pooled):
        step = step.convolution
    if isinstance(step, _FirstConvolution) or (isinstance(step, _Convolution) and step.filters):
        return [step.W, *step.after.made_from]
    return step.after.made_from if isinstance(step, _Convolution | _Dense | _Scaled) else []


class _FirstConvolution(ForwardStep):
    """A convolution with stride 1 of the images themselves, which have few channels."""

    def __init__(self, layer: Convolution, W: Array, shape: Shape, after: Affine) -> None:
        self.W, self.after, self.border = W, after, layer.around(shape)
        self.filters = np.zeros((W.size // layer.channels + 1, layer.channels), W.dtype)

    def begin(self, draws: tuple[Array, ...]) -> None:
        a = self.after
        a.read()
        np.multiply(
            self.W.reshape(-1, self.W.shape[3]), 1 if a.gain is None else a.gain, self.filters[:-1]
        )
        self.filters[-1] = 0 if a.shift is None else a.shift

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        if few.n == 1:
            return taps(x, self.filters, y, few.work), None
        patches = Patches(self.W.shape[:2], x.whole.shape, few.work)
        return patches.forward(x.whole, self.filters, y.inside), None


class _Convolution(ForwardStep):
    """A convolution of many channels: by Winograd's tiles, or by patches and one product."""

    def __init__(self, layer: Convolution, W: Array, shape: Shape, after: Affine) -> None:
        self.layer, self.W, self.after, self.border = layer, W, after, layer.around(shape)
        (height, width, O), C = layer.output_shape(shape), shape[2]
        self.seen = shape[0] + sum(self.border[0]), shape[1] + sum(self.border[1])
        self.tiles, self.enough = 0, 1
        self.filters: Filters | None = None
        if fits_winograd(height, width, layer.kernel, C, layer.stride, layer.dilation):
            self.tiles = tiles_of(height) * tiles_of(width)
            self.border = winograd_border(shape, self.border)
            self.enough = -(-tiles_at_a_time(C, O) // self.tiles)

    def by_tiles(self, n: int) -> bool:
        """Whether n samples go by tiles: few of them are no work for 36 products."""
        return n * self.tiles >= FEW_TILES

    def begin(self, draws: tuple[Array, ...]) -> None:
        self.after.read()
        if self.filters is not None:
            gain = self.after.gain
            self.filters.read(self.W if gain is None else self.W * gain, self.after.shift)

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        (height, width), layer = y.inside.shape[:2], self.layer
        if not self.by_tiles(few.n):
            x = Maps(x.whole[: self.seen[0], : self.seen[1]])
            calls = gathered(x, self.W, y, few.work, layer.stride, layer.dilation)
            return [*calls, *self.after.calls(y)], None
        kernel = Winograd(height, width, few.n, self.made_filters(), few.work)
        return kernel.forward(x.seen, y.pixels), None

    def made_filters(self) -> Filters:
        """The filters as tiles multiply them, made when first asked for."""
        if self.filters is None:
            self.filters = Filters(self.W.shape[2], self.W.shape[3], self.W.dtype)
            self.begin(())
        return self.filters


class _Pooled(ForwardStep):
    """A convolution and max-pooling of its output."""

    def __init__(self, convolution: _Convolution, pooling: _Pooling, shape: Shape) -> None:
        self.convolution, self.pooling, self.shape = convolution, pooling, shape
        self.border = convolution.border
        whole_tiles = shape[0] % TILE == shape[1] % TILE == 0
        self.in_tiles = convolution.tiles > 0 and whole_tiles and pooling.size == 2

    def begin(self, draws: tuple[Array, ...]) -> None:
        self.convolution.begin(draws)

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        own = self.convolution
        if self.in_tiles and few.n * own.tiles >= FEW_POOLED:
            return pooled_tiles(x, own.made_filters(), y, few.work), None
        between = maps_of(self.shape, few.n, NO_PADDING, partial(few.kept, "before pooling"))
        calls = own.forward(x, between, few)[0]
        return [*calls, *self.pooling.forward(between, y, few)[0]], None


class _Dense(ForwardStep):
    """A dense layer: a sample alone is one row, of several each pixel is; see `steps.FastDense`."""

    def __init__(self, W: Array, after: Affine) -> None:
        self.W, self.after = W, after

    def begin(self, draws: tuple[Array, ...]) -> None:
        self.after.read()

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        calls: list[Call] = [(np.matmul, (x.inside.reshape(few.n, -1), self.W, y.inside[0, 0]))]
        if few.n > 1 and x.inside.shape[:2] != (1, 1):
            calls = dense(x, self.W, None, y, few.work)
        return [*calls, *self.after.calls(y)], None


class _Scaled(ForwardStep):
    """A normalization that stands alone."""

    in_place = True

    def __init__(self, after: Affine) -> None:
        self.after = after

    def begin(self, draws: tuple[Array, ...]) -> None:
        self.after.read()

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        return self.after.calls(y), None


class _GELU(ForwardStep):
    """z Φ(z), by `kernels.GELU`."""

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        return kernels.GELU(few.work).forward(x.pixels, y.pixels), None


class _Pooling(ForwardStep):
    """The largest of windows that touch."""

    def __init__(self, layer: MaxPool) -> None:
        self.size = layer.size

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        return largest(x, self.size, y, few.work), None


FEW_TILES, FEW_POOLED = 32, 4
"""With fewer tiles, of all samples together, patches are faster; the second where max-pooling is
done in the tiles."""
