"""A plan: a network, a loss and a batch size, compiled into calls with their buffers."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, pairwise

import numpy as np

from handgrad.arrays import Array, Shape
from handgrad.calculus.windows import NO_PADDING
from handgrad.kernels import PAGES, Workspace, tiles_at_a_time, tiles_of
from handgrad.layers import BatchNorm, Convolution, Dense, MaxPool
from handgrad.losses import Loss
from handgrad.networks import Draws, Gradient, Network
from handgrad.plans.boundary import Batch, Boundary
from handgrad.plans.normalization import Normalization, Statistics
from handgrad.plans.parts import Book, Part, Placed, Stream
from handgrad.plans.reading import CHANNELWISE, in_order, ways
from handgrad.plans.step import FEW, Step, more_together
from handgrad.plans.steps import (
    Alone,
    FastDense,
    FastGELU,
    FastReLU,
    FirstConvolution,
    Pooling,
    Tiled,
)

__all__ = ["Plan", "together"]


class Plan:
    """A network read for a given number of samples at a time; the same numbers, to rounding.

    The layers are cut into parts. Through a stream, samples go some at a time (`more_together`);
    where the loss follows, they turn and come back at once, and only their maps exist at that time.
    Batch normalization, which needs the whole batch, ends a stream and begins the next. Layers that
    have no step stand between streams and take the whole batch by the book. All buffers and views
    are made here, once.

    Parameters
    ----------
    network : whose numbers are read at each call
    loss : None for a plan that is given the gradient at the outputs, see `forward_and_back`
    samples : N, of every batch
    """

    def __init__(self, network: Network, loss: Loss | None, samples: int) -> None:
        self.network, self.loss, self.samples = network, loss, samples
        self.each = replace(loss, over="sum", penalty=0.0) if loss else None
        self.work = Workspace(network.dtype, PAGES)
        self.parts = _Cutting(network, samples, self.work, to_input=loss is None).parts()
        self.all = slice(0, samples)
        self.alone = isinstance(self.parts[0], Stream) and len(self.parts) == 1
        parts: list[Part | None] = [None, *self.parts, None]
        self.boundaries = [self._boundary(*both) for both in pairwise(parts)]
        wanted = loss is None
        for part, (before, after) in zip(self.parts, pairwise(self.boundaries), strict=True):
            part.connect(before, after, wanted, self if part is self.parts[-1] else None)
            wanted = wanted or part.learns

    def __call__(
        self, x: Array, labels: Array, draws: Draws | None, gradient: Gradient
    ) -> tuple[float, Array]:
        """The loss of a batch without its penalty, and the outputs; see `training.by_the_book`."""
        assert self.loss is not None
        self.scale = 1 / len(x) if self.loss.over == "mean" else 1.0
        self.labels, self.value = labels, 0.0
        y = np.empty((len(x), *self.network.shapes[-1]), self.network.dtype)
        self._run(x, draws, gradient, y)
        return self.value * self.scale, y

    def forward_and_back(
        self, x: Array, dy: Array, gradient: Gradient, y: Array, dx: Array
    ) -> None:
        """For a given gradient at the outputs: writes the outputs y, and dx at the inputs."""
        self.dy, self.dx = dy, dx
        self._run(x, None, gradient, y)

    def enter(self, samples: slice) -> None:
        """Bring in some samples."""
        if self.alone:
            self.boundaries[0].y.load(self.x, samples)

    def turn(self, samples: slice) -> None:
        """Write some samples' outputs, and the gradient there: of their loss, which is added up."""
        y, dy = self.boundaries[-1]
        y.store(self.y, samples)
        if self.each is None:
            dy.load(self.dy, samples)
        else:
            value, given = self.each(self.y[samples], self.labels[samples])
            self.value += value
            given *= self.scale
            rows = dy.at(samples).rows
            rows[...] = given.reshape(rows.shape)

    def leave(self, samples: slice) -> None:
        """Write the gradient at some samples, where it is wanted."""
        if self.alone and self.loss is None:
            self.boundaries[0].dy.store(self.dx, samples)

    def _run(self, x: Array, draws: Draws | None, gradient: Gradient, y: Array) -> None:
        drawn = draws if draws is not None else [()] * len(self.network.architecture)
        self.x, self.y = x, y
        if not self.alone:
            self.boundaries[0].y.load(x, self.all)
        for part in self.parts:
            part.begin(drawn, gradient)
        for part in self.parts:
            part.forward()
        for part in reversed(self.parts):
            part.backward()
        for part in self.parts:
            part.finish(gradient)
        if self.loss is None and not self.alone:
            self.boundaries[0].dy.store(self.dx, self.all)

    def _boundary(self, before: Part | None, after: Part | None) -> Boundary:
        """Samples lie as who writes them has them together, or else who reads them."""
        shape = self.network.shapes[before.end if before else 0]
        written, read = (part.few if part else 0 for part in (before, after))
        borders = (after.border, after.gradient_border) if after else (NO_PADDING, NO_PADDING)
        few = written or read or self.samples, read or written or self.samples
        name = f"boundary {before.end if before else 0}"

        def batch(which: int) -> Batch:
            def made(size: Shape) -> Array:
                if self.alone:  # each few are back before the next come: one array serves all
                    return self.work.array(f"{name} {which}", size)
                return self.work.fresh(size)

            return Batch(shape, borders[which], self.samples, few[which], made)

        return Boundary(batch(0), batch(1))


def together(network: Network, samples: int) -> int:
    """How many samples of a batch a plan takes through its layers at a time, at most."""
    parts = _Cutting(network, samples, Workspace(network.dtype), to_input=False).parts()
    return min(samples, max(part.few for part in parts))


class _Cutting:
    """From a network to the parts of a plan."""

    def __init__(self, network: Network, samples: int, work: Workspace, to_input: bool) -> None:
        self.network, self.samples, self.work = network, samples, work
        self.ways = ways(network, to_input)
        self.few = FEW

    def parts(self) -> list[Part]:
        """All parts, in order."""
        found: list[Part] = []
        for by_the_book, group in groupby(range(len(self.ways)), lambda i: self.ways[i] == "book"):
            places = list(group)
            run = range(places[0], places[-1] + 1)
            if by_the_book:
                found.append(Book(self.network, slice(run.start, run.stop), self.samples))
            else:
                found += self._streams(run)
        return found

    def _streams(self, run: range) -> list[Part]:
        """One stretch of layers; each batch normalization ends a stream and begins the next."""
        found: list[Part] = []
        steps: list[Placed] = []
        shape = self.network.shapes[run.start]
        for i in in_order(self.network.architecture, run):
            layer, params = self.network.architecture[i], self.network.params[i]
            if isinstance(layer, BatchNorm):
                statistics = Statistics(layer, params)
                found.append(self._stream([*steps, Placed(statistics, i, shape, False)], i))
                step: Step = Normalization(statistics)
                steps = []
            else:
                step = self._step(i, shape, in_place=bool(steps))
            shape = layer.output_shape(shape)
            steps.append(Placed(step, i, shape, bool(self.network.layout.layer(i).stop)))
        return [*found, self._stream(steps, run.stop)]

    def _step(self, i: int, shape: Shape, in_place: bool) -> Step:
        """The step of a layer."""
        layer, params, way = self.network.architecture[i], self.network.params[i], self.ways[i]
        if isinstance(layer, Convolution):
            return (Tiled if way == "tiles" else FirstConvolution)(layer, params, shape)
        if isinstance(layer, Dense):
            return FastDense(layer, params, shape, self.samples)
        if way == "pooling" and isinstance(layer, MaxPool):
            return Pooling(layer, shape)
        if way == "relu":
            return FastReLU(in_place)
        if way == "gelu":
            return FastGELU()
        return Alone(layer, shape, layer.name in CHANNELWISE)

    def _stream(self, steps: list[Placed], end: int) -> Stream:
        """Steps and how many samples go through them together."""
        enough = 0
        for step, _, shape, _ in steps:
            if isinstance(step, Tiled):
                tiles = tiles_of(shape[0]) * tiles_of(shape[1])
                enough = max(enough, -(-tiles_at_a_time(step.filters.C, step.filters.O) // tiles))
        shapes = [shape for _, _, shape, _ in steps]
        self.few = more_together(self.few, enough, shapes, self.network.dtype)
        return Stream(steps, self.samples, self.few, end, self.work)
