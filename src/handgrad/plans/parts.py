"""The parts of a plan: a stream, which samples go through a few at a time; layers by the book."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from handgrad.arrays import Array, Shape
from handgrad.calculus.windows import NO_PADDING, Padding
from handgrad.kernels import Call, Workspace, run
from handgrad.layers import backward_through, forward_through
from handgrad.networks import Gradient, Network
from handgrad.plans.boundary import Boundary, maps_of, slices
from handgrad.plans.step import Few, Step

__all__ = ["Book", "Part", "Placed", "Stream", "Turn"]


class Placed(NamedTuple):
    """A step and where it stands.

    Parameters
    ----------
    place : of its layer in the network
    shape : of a sample's output
    learns : whether its way back is wanted even where the gradient at its input is not
    """

    step: Step
    place: int
    shape: Shape
    learns: bool


class Turn(Protocol):
    """What the last part does with the outside, for some samples at a time."""

    def enter(self, samples: slice) -> None:
        """Before they go."""

    def turn(self, samples: slice) -> None:
        """When they have come: write the gradient at their outputs."""

    def leave(self, samples: slice) -> None:
        """When they are back."""


class Part(abc.ABC):
    """What lies between two boundaries.

    Attributes
    ----------
    border, gradient_border : those of its input, and of the gradient there
    learns : whether anything in it learns
    end : the layer that comes after it
    few : how many samples go together; 0 for all
    """

    border: Padding = NO_PADDING
    gradient_border: Padding = NO_PADDING
    learns: bool
    end: int
    few: int = 0

    @abc.abstractmethod
    def connect(self, before: Boundary, after: Boundary, wanted: bool, turn: Turn | None) -> None:
        """Make all calls, between these boundaries.

        Parameters
        ----------
        wanted : whether the gradient at the input is wanted
        turn : for the last part; then samples turn and come back in `forward`
        """

    @abc.abstractmethod
    def begin(self, draws: Sequence[tuple[Array, ...]], gradient: Gradient) -> None:
        """Before a batch: its random draws, and where the gradient is to be written."""

    @abc.abstractmethod
    def forward(self) -> None:
        """The whole batch there."""

    @abc.abstractmethod
    def backward(self) -> None:
        """The whole batch back."""

    @abc.abstractmethod
    def finish(self, gradient: Gradient) -> None:
        """After a batch: overwrite the gradients, write the statistics."""


class Stream(Part):
    """Steps through which samples go a few at a time.

    Parameters
    ----------
    steps : the first of which does not work in place
    samples, few : of a batch, and how many go together
    end : the layer that comes after them
    work : arrays for a moment
    """

    def __init__(
        self, steps: Sequence[Placed], samples: int, few: int, end: int, work: Workspace
    ) -> None:
        self.steps, self.samples, self.few, self.end, self.work = steps, samples, few, end, work
        self.border = self.gradient_border = steps[0].step.border
        if steps[0].step.at_once and len(steps) > 1:
            self.gradient_border = steps[1].step.border
        self.learns = any(placed.learns for placed in steps)

    def connect(self, before: Boundary, after: Boundary, wanted: bool, turn: Turn | None) -> None:
        self.turn = turn
        self.ways = [
            self._way(before, after, wanted, samples) for samples in slices(self.samples, self.few)
        ]

    def begin(self, draws: Sequence[tuple[Array, ...]], gradient: Gradient) -> None:
        for placed in self.steps:
            placed.step.begin(draws[placed.place])

    def forward(self) -> None:
        for samples, there, back in self.ways:
            if self.turn is None:
                run(there)
                continue
            self.turn.enter(samples)
            run(there)
            self.turn.turn(samples)
            run(back)
            self.turn.leave(samples)
        for placed in self.steps:
            placed.step.after_forward()

    def backward(self) -> None:
        if self.turn is None:
            for _, _, back in self.ways:
                run(back)
        for placed in self.steps:
            placed.step.after_backward()

    def finish(self, gradient: Gradient) -> None:
        for placed in self.steps:
            placed.step.end(gradient.views[placed.place])

    def _way(
        self, before: Boundary, after: Boundary, wanted: bool, samples: slice
    ) -> tuple[slice, list[Call], list[Call]]:
        """The calls of a few samples, there and back."""
        steps = [placed.step for placed in self.steps]
        fews = [Few(samples, self.work, self.turn is not None, i) for i in range(len(steps))]
        last = max(i for i, step in enumerate(steps) if not step.in_place)
        there: list[Call] = []
        memories: list[Any] = []
        y = before.y.at(samples)
        for i, step in enumerate(steps):
            x = y
            if i == last:
                y = after.y.at(samples)
            elif not step.in_place:
                follows = next(s for s in steps[i + 1 :] if not s.in_place)
                kept = partial(fews[i].kept, "y")
                y = maps_of(self.steps[i].shape, fews[i].n, follows.border, kept)
            calls, memory = step.forward(x, y, fews[i])
            there += calls
            memories.append(memory)
        first = 0 if wanted else next((i for i, s in enumerate(self.steps) if s.learns), len(steps))
        back: list[Call] = []
        dy, entry = after.dy.at(samples), before.dy.at(samples)
        for i in range(len(steps) - 1, first - 1, -1):
            dx = None
            if i == 0:
                dx = entry if wanted else None
            elif i == 1 and wanted and steps[0].at_once:
                dx = entry
            elif i > first:
                dx = maps_of(self.steps[i - 1].shape, fews[i].n, steps[i].border, fews[i].passing)
            back += steps[i].backward(dy, dx, memories[i], fews[i])
            dy = dx if dx is not None else dy
        return samples, there, back


class Book(Part):
    """Layers that see the whole batch at once, by the book.

    Parameters
    ----------
    network : whose layers they are
    place : which of its layers
    samples : of a batch
    """

    def __init__(self, network: Network, place: slice, samples: int) -> None:
        self.network, self.place, self.end = network, place, place.stop
        self.samples, self.all = samples, slice(0, samples)
        self.layers, self.params = network.architecture[place], network.params[place]
        learning = (k for k in range(place.start, place.stop) if network.layout.layer(k).stop)
        self.first = next(learning, place.stop) - place.start
        self.learns = self.first < len(self.layers)

    def connect(self, before: Boundary, after: Boundary, wanted: bool, turn: Turn | None) -> None:
        self.before, self.after, self.wanted, self.turn = before, after, wanted, turn

    def begin(self, draws: Sequence[tuple[Array, ...]], gradient: Gradient) -> None:
        self.draws, self.grads = draws[self.place], gradient.views[self.place]

    def forward(self) -> None:
        x = np.empty((self.samples, *self.network.shapes[self.place.start]), self.network.dtype)
        self.before.y.store(x, self.all)
        y, self.memories = forward_through(self.layers, x, self.params, self.draws)
        self.after.y.load(y, self.all)
        if self.turn is not None:
            self.turn.turn(self.all)

    def backward(self) -> None:
        dy = np.empty((self.samples, *self.network.shapes[self.end]), self.network.dtype)
        self.after.dy.store(dy, self.all)
        layers, memories, params, grads = self.layers, self.memories, self.params, self.grads
        if self.wanted:
            self.before.dy.load(backward_through(layers, dy, memories, params, grads), self.all)
        elif self.learns:
            i, after = self.first, slice(self.first + 1, None)
            dy = backward_through(layers[after], dy, memories[after], params[after], grads[after])
            layers[i].backward_parameters(dy, memories[i], params[i], grads[i])

    def finish(self, gradient: Gradient) -> None:
        for layer, memory, params in zip(self.layers, self.memories, self.params, strict=True):
            layer.gather(memory, params)
