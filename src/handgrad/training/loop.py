"""The training loop: a generator of reports."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from handgrad.arrays import Array
from handgrad.errors import NotFiniteError
from handgrad.losses import Loss
from handgrad.networks import Network
from handgrad.optimizers import Optimizer
from handgrad.training.gradient import HowGradient, by_the_book
from handgrad.training.report import Report

__all__ = ["BatchSource", "State", "fit"]

DRAWS = 2
"""The branch of the seed from which layers draw; branch 1 shuffles (see `datasets.Batches`)."""


class BatchSource(Protocol):
    """What hands out the batches of an epoch, `datasets.Batches` or something around it.

    Whoever wraps one may count what goes by (a bar does), and may stop handing out: an epoch that
    ends early is reported as far as it went, and one without any batch ends the training.
    """

    @property
    def full(self) -> bool: ...

    @property
    def steps_per_epoch(self) -> int: ...

    def __call__(self, epoch: int) -> Iterable[tuple[Array, Array]]: ...


@dataclass
class State:
    """Where a training stands, besides the network's vector.

    Parameters
    ----------
    steps : the updates made
    memory : what the optimizer remembers, plain arrays by name
    """

    steps: int = 0
    memory: dict[str, Any] = field(default_factory=dict)


def fit(
    network: Network,
    batches: BatchSource,
    loss: Loss,
    optimizer: Optimizer,
    *,
    epochs: int,
    seed: int = 0,
    gradient: HowGradient = by_the_book,
    watched: Mapping[str, tuple[Array, Array]] | None = None,
    every: int = 1,
    norms: bool | None = None,
    state: State | None = None,
) -> Generator[Report]:
    """Descend the loss, and say how it goes.

    ``w ← w - step(∇L(w))``, for every batch of every epoch. A full batch gives a report a step,
    before its update, so that loss, accuracy and weights belong together; mini-batches give one an
    epoch. Whoever has seen enough leaves the loop: the network then holds the weights reported.

    Parameters
    ----------
    network : its vector is changed in place
    batches : one full batch an epoch, or mini-batches
    seed : of the layers' draws; step t draws from branch (2, t) of it, whatever came before
    gradient : how a gradient is computed
    watched : "validation" and "test" to images and labels, measured with each report
    every : measure ``watched`` with every so many reports only
    norms : report the norms of weights, gradients and updates per layer. None: with mini-batches,
        where once an epoch costs nothing; a step of a small full batch would be 15 % slower.
    state : told of every update

    Yields
    ------
    Report

    Raises
    ------
    NotFiniteError : the loss or a step is infinite or no number; the network keeps the weights that
        it had before that step
    """
    learned, g = network.learned, network.gradient()
    chain = optimizer.chain(network.layout.weights())
    state = state or State()
    state.memory = chain.start(learned)
    total = epochs * batches.steps_per_epoch
    norms = not batches.full if norms is None else norms
    layers = [
        place for i in range(len(network.architecture)) if (place := network.layout.layer(i)).stop
    ]
    t = reports = 0

    def report(epoch: int, seen: _Seen, measured: dict[str, Any]) -> Report:
        nonlocal reports
        if watched and reports % every == 0:
            for name, (images, labels) in watched.items():
                measured |= _measure(name, network, loss, images, labels)
        reports += 1
        rate = optimizer.learning_rate * optimizer.schedule(max(t - (not batches.full), 0), total)
        return Report(t, epoch, seen.loss, seen.accuracy, rate, **measured)

    for epoch in range(epochs):
        seen = _Seen()
        measured: dict[str, Any] = {}
        for x, labels in batches(epoch):
            draws = network.draw(len(x), _generator(seed, t)) if network.random else None
            measuring = norms and (t + 1) % batches.steps_per_epoch == 0
            with np.errstate(over="ignore", invalid="ignore"):
                value, outputs = gradient(network, loss, x, labels, draws, g)
                if not math.isfinite(value):
                    raise NotFiniteError(t, epoch, f"the loss is {value}")
                if measuring:
                    measured["weight_norms"] = _norms(learned, layers)
                    measured["gradient_norms"] = _norms(g.vector, layers)
                chain.apply(g.vector, state.memory, learned, t, total)
                if not math.isfinite(g.vector @ g.vector):
                    raise NotFiniteError(t, epoch, "the step that follows is not finite")
            if measuring:
                measured["update_norms"] = _norms(g.vector, layers)
            seen.add(value, int((loss.decide(outputs) == labels).sum()), len(labels))
            if batches.full:
                yield report(epoch, seen, measured)
            learned -= g.vector
            t = state.steps = t + 1
        if seen.samples == 0:
            return
        if not batches.full:
            yield report(epoch + 1, seen, measured)


class _Seen:
    """Sample-weighted sums over an epoch."""

    def __init__(self) -> None:
        self.samples = self.correct = 0
        self.total = 0.0

    def add(self, value: float, correct: int, samples: int) -> None:
        self.total += value * samples
        self.correct += correct
        self.samples += samples

    @property
    def loss(self) -> float:
        return self.total / self.samples

    @property
    def accuracy(self) -> float:
        return self.correct / self.samples


def _generator(seed: int, t: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(DRAWS, t)))


def _norms(vector: Array, places: list[slice]) -> tuple[float, ...]:
    return tuple(math.sqrt(float(vector[place] @ vector[place])) for place in places)


def _measure(
    name: str, network: Network, loss: Loss, images: Array, labels: Array
) -> dict[str, float]:
    outputs = network.outputs(images)
    found = {f"{name}_accuracy": float((loss.decide(outputs) == labels).mean())}
    if name == "validation":
        value, _ = loss(outputs, labels)
        found["validation_loss"] = value if loss.over == "mean" else value / len(labels)
    return found
