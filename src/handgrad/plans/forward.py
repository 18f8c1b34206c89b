"""The planned reading of a forward pass: nothing is kept, since nobody comes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

import numpy as np

from handgrad.arrays import Array, Numbers, Shape
from handgrad.calculus.windows import NO_PADDING, Padding
from handgrad.kernels import Call, Workspace, run
from handgrad.layers import Convolution, Dense, FrozenNorm, Identity, Layer, forward_through
from handgrad.networks import Network, forward_by_the_book
from handgrad.plans.boundary import maps_of
from handgrad.plans.forward_steps import (
    Affine,
    forward_step,
    joined,
    made_from,
    samples_together,
)
from handgrad.plans.reading import in_order
from handgrad.plans.step import FEW, Few, ForwardStep, more_together

__all__ = ["ForwardPlan", "PlannedForward"]


class PlannedForward:
    """A `HowForward`: by a plan, where one is worth while for the network, else by the book.

    A plan is made when a network is first seen, and kept as long as this object. It is taken out
    while it computes, since it owns the memory in which it does, so that several threads may ask.
    """

    def __init__(self) -> None:
        self._plans: dict[Network, list[ForwardPlan]] = {}
        self._book: set[Network] = set()

    def __call__(self, network: Network, x: Array) -> Array:
        if network in self._book:
            return forward_by_the_book(network, x)
        plans = self._plans.setdefault(network, [])
        plan = plans.pop() if plans else ForwardPlan(network)
        if not plan.worth_while:
            self._book.add(network)
            return forward_by_the_book(network, x)
        y = plan(x)
        plans.append(plan)
        return y

    def __reduce__(self) -> tuple[type[PlannedForward], tuple[()]]:
        return PlannedForward, ()  # plans point into memory: whoever gets a copy makes them anew


class ForwardPlan:
    """A frozen network read forward, for batches of any size; the same numbers, to rounding.

    Layers that have a step make stretches, through which samples go a few at a time; between them
    the others take the whole batch by the book. Products read the network's own vector. What is
    made from it beforehand (transformed filters, the scale and shift of a normalization) is made
    anew when the numbers that it was made from are no longer the same, bit by bit.

    Parameters
    ----------
    network : frozen, see `Network.frozen`
    """

    def __init__(self, network: Network) -> None:
        self.parts: list[_Stretch | _Book] = []
        for has_steps, group in groupby(_placed(network), lambda one: one.step is not None):
            layers = list(group)
            convolves = any(isinstance(one.layer, Convolution) for one in layers)
            planned = has_steps and convolves and network.vector.flags.c_contiguous
            self.parts.append((_Stretch if planned else _Book)(layers, network))

    @property
    def worth_while(self) -> bool:
        """Whether anything in it is not by the book."""
        return any(isinstance(part, _Stretch) for part in self.parts)

    def __call__(self, x: Array) -> Array:
        """From (N, …) images to (N, …) outputs, a new array."""
        for part in self.parts:
            x = part(x)
        return x


class _Placed(NamedTuple):
    """A layer of a network, and its step if it has one.

    Parameters
    ----------
    layers, params : it; and the normalization that its step takes together with it
    shape : that it takes
    """

    layers: tuple[Layer, ...]
    params: tuple[Numbers, ...]
    shape: Shape
    step: ForwardStep | None

    @property
    def layer(self) -> Layer:
        return self.layers[0]


def _placed(network: Network) -> Iterator[_Placed]:
    """The layers that do anything, in order."""
    layers, params = network.architecture, network.params
    i = 0
    while i < len(layers):
        layer, shape = layers[i], network.shapes[i]
        product = isinstance(layer, Convolution | Dense)
        last = i + (product and isinstance(layers[min(i + 1, len(layers) - 1)], FrozenNorm))
        norm = layers[last]
        after = Affine(
            params[i].b if product and hasattr(params[i], "b") else None,
            norm if isinstance(norm, FrozenNorm) else None,
            params[last],
        )
        step = forward_step(layer, params[i], shape, after, network.dtype)
        own = slice(i, (last if step else i) + 1)
        if not isinstance(layer, Identity):
            yield _Placed(layers[own], params[own], shape, step)
        i = own.stop


class _Book:
    """Layers that see the whole batch at once, by the book."""

    def __init__(self, placed: Sequence[_Placed], network: Network) -> None:
        self.layers = [layer for one in placed for layer in one.layers]
        self.params = [params for one in placed for params in one.params]

    def __call__(self, x: Array) -> Array:
        return forward_through(self.layers, x, self.params, [()] * len(self.layers))[0]


class _Watched:
    """Whether parts of a vector still hold the same bits as when they were last read."""

    def __init__(self, vector: Array, parts: Sequence[Array]) -> None:
        begin = vector.ctypes.data
        found = sorted((part.ctypes.data - begin, part.nbytes) for part in parts)
        bounds: list[list[int]] = []
        for start, size in found:
            if bounds and start <= bounds[-1][1]:  # one comparison for neighbours
                bounds[-1][1] = max(bounds[-1][1], start + size)
            else:
                bounds.append([start, start + size])
        whole = vector.view(np.uint8).data
        self.now = [whole[start:stop] for start, stop in bounds]
        self.then = [bytearray(part) for part in self.now]

    def changed(self) -> bool:
        """Whether there is any difference since the last time."""
        same = self.then == self.now
        if not same:
            self.then = [bytearray(part) for part in self.now]
        return not same


class _Stretch:
    """Layers through which samples go a few at a time, each few in the same buffers."""

    def __init__(self, placed: Sequence[_Placed], network: Network) -> None:
        self.network, self.work = network, Workspace(network.dtype)
        self.before = placed[0].shape
        self.steps: list[tuple[ForwardStep, Shape]] = []  # with the shape that it gives
        shape = self.before
        for i in in_order([one.layer for one in placed], range(len(placed))):
            layer, step = placed[i].layer, placed[i].step
            assert step is not None
            shape = layer.output_shape(shape)
            self.steps.append((step, shape))
        enough = max(samples_together(step) for step, _ in self.steps)
        shapes = [shape for _, shape in self.steps]
        self.few = more_together(FEW, enough, shapes, network.dtype)
        self.steps = joined(self.steps)
        self.after = shape
        self.calls: dict[int, tuple[Array, list[Call], Array]] = {}
        self._watch()

    def __call__(self, x: Array) -> Array:
        if self.watched.changed():
            self._begin()
        y = np.empty((len(x), *self.after), self.network.dtype)
        for samples in _powers(len(x), self.few):
            n = samples.stop - samples.start
            if n not in self.calls:
                self.calls[n] = self._compiled(n)
                self._watch()
            first, calls, last = self.calls[n]
            first[...] = x[samples].reshape(first.shape)
            run(calls)
            y[samples].reshape(last.shape)[...] = last
        return y

    def _begin(self) -> None:
        for step, _ in self.steps:
            step.begin(())

    def _watch(self) -> None:
        parts = [part for step, _ in self.steps for part in made_from(step)]
        self.watched = _Watched(self.network.vector, parts)
        self._begin()

    def _compiled(self, n: int) -> tuple[Array, list[Call], Array]:
        """The calls for n samples, and where these stand before and after, (n, H, W, C)."""
        calls: list[Call] = []
        x = first = maps_of(self.before, n, self._border(0), partial(self.work.array, "first"))
        for k, (step, shape) in enumerate(self.steps):
            few = Few(slice(0, n), self.work, True, k)
            y = x
            if not step.in_place:
                y = maps_of(shape, n, self._border(k + 1), partial(few.kept, "y"))
            calls += step.forward(x, y, few)[0]
            x = y
        return first.rows, calls, x.rows

    def _border(self, k: int) -> Padding:
        """What the next step from k on that does not work in place sees around its input."""
        follow = (step.border for step, _ in self.steps[k:] if not step.in_place)
        return next(follow, NO_PADDING)


def _powers(samples: int, few: int) -> Iterator[slice]:
    """The samples of a batch, so many at a time, and the rest in powers of two: any number of them
    takes few plans.

    >>> list(_powers(23, 8))
    [slice(0, 8, None), slice(8, 16, None), slice(16, 20, None), slice(20, 22, None), \
slice(22, 23, None)]
    """
    start = 0
    while start < samples:
        while few > samples - start:
            few //= 2
        yield slice(start, start + few)
        start += few
