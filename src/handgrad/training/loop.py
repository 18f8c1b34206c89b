"""The training loop: a generator of reports."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from handgrad.arrays import Array, on_host
from handgrad.errors import NotFiniteError
from handgrad.losses import Loss
from handgrad.networks import Network
from handgrad.optimizers import Averaging, Optimizer
from handgrad.training.diagnosis import HowDiagnosed, diagnose, of_step
from handgrad.training.gradient import HowGradient, by_the_book
from handgrad.training.report import Report
from handgrad.training.state import Seen, State

__all__ = ["BatchSource", "fit"]

DRAWS = 2
"""The branch of the seed from which layers draw; branch 1 shuffles (see `datasets.Batches`)."""


class BatchSource(Protocol):
    """What hands out the batches of an epoch, `datasets.Batches` or something around it.

    Whoever wraps one may count what goes by (a bar does), and may stop handing out: an epoch that
    ends early is reported as far as it went, and is the last one.
    """

    @property
    def full(self) -> bool: ...

    @property
    def steps_per_epoch(self) -> int: ...

    def __call__(self, epoch: int, first: int = 0) -> Iterable[tuple[Array, Array]]:
        """The batches of an epoch, without the ``first`` ones."""


def fit(
    network: Network,
    batches: BatchSource,
    loss: Loss,
    optimizer: Optimizer,
    *,
    epochs: int,
    seed: int = 0,
    gradient: HowGradient = by_the_book,
    averaging: Averaging | None = None,
    watched: Mapping[str, tuple[Array, Array]] | None = None,
    every: int = 1,
    norms: bool | None = None,
    state: State | None = None,
    between: Callable[[], None] = lambda: None,
    diagnosed: HowDiagnosed = diagnose,
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
    averaging : of the weights: what the network holds in the end; with mini-batches also what it
        holds, and what is watched, at a report
    watched : "validation" and "test" to images and labels, measured with each report
    every : measure ``watched`` with every so many reports only, and with the last
    norms : report the norms of weights, gradients and updates per layer. None: with mini-batches,
        where once an epoch costs nothing; a step of a small full batch would be 18 % slower.
    state : where to begin, from the start if None; kept up to date
    between : called where ``state`` and the network's vector are a place to go on from: before
        every step, and where the batches of an epoch end early
    diagnosed : asked where a batch is not finite, once one was not

    Yields
    ------
    Report

    Raises
    ------
    NotFiniteError : the loss or a step is infinite or no number; the network keeps the numbers that
        it had before that step
    """
    norms = not batches.full if norms is None else norms
    state = state if state is not None else State()
    descent = _Descent(network, loss, optimizer, averaging, gradient, seed, state, diagnosed)
    each = batches.steps_per_epoch
    descent.total = epochs * each

    def report(epoch: int, rate: float) -> Report:
        found: dict[str, Any] = dict(descent.norms)
        last = epoch + batches.full == epochs
        if watched and (state.reports % every == 0 or last):
            for name, (images, labels) in watched.items():
                found |= _measure(name, network, loss, images, labels)
        state.reports += 1
        return Report(state.steps, epoch, state.seen.loss, state.seen.accuracy, rate, **found)

    for epoch in range(state.steps // each, epochs):
        first = state.steps % each
        if first == 0:
            state.seen = Seen()
        rate = 0.0
        for x, labels in batches(epoch, first):
            between()
            rate = optimizer.learning_rate * optimizer.schedule(state.steps, descent.total)
            descent.step(x, labels, epoch, norms and (state.steps + 1) % each == 0)
            if batches.full:
                yield report(epoch, rate)
            descent.update()
        early = state.steps < (epoch + 1) * each
        if early:
            between()
        if not batches.full and state.seen.samples:
            with descent.averaged():
                yield report(epoch + 1, rate)
        if early:
            break
    descent.hold_average()


class _Descent:
    """The two halves of a step, between which a full batch is reported."""

    def __init__(
        self,
        network: Network,
        loss: Loss,
        optimizer: Optimizer,
        averaging: Averaging | None,
        gradient: HowGradient,
        seed: int,
        state: State,
        diagnosed: HowDiagnosed,
    ) -> None:
        self.network, self.loss, self.averaging = network, loss, averaging
        self.how, self.seed, self.state, self.diagnosed = gradient, seed, state, diagnosed
        self.g, self.learned, self.random = network.gradient(), network.learned, network.random
        self.gathered = network.vector[network.layout.learned :]
        self.chain = optimizer.chain(network.layout)
        if state.steps == 0:
            state.memory = self.chain.start(self.learned)
            state.average = averaging.start(network.vector) if averaging else {}
        places = (network.layout.layer(i) for i in range(len(network.architecture)))
        self.layers = [place for place in places if place.stop]
        self.total = 0
        self.norms: dict[str, tuple[float, ...]] = {}

    def step(self, x: Array, labels: Array, epoch: int, measuring: bool) -> None:
        """Turn the gradient of a batch into the step that is due; the weights stay as they are."""
        network, g, t = self.network, self.g.vector, self.state.steps
        if not isinstance(network.vector, np.ndarray):  # it is on a card: so must be the batch
            x, labels = (np.asarray(each, like=network.vector) for each in (x, labels))
        draws = network.draw(len(x), _generator(self.seed, t)) if self.random else None
        gathered = self.gathered.copy()  # few numbers, which the forward pass writes
        wrong = ""
        with np.errstate(over="ignore", invalid="ignore"):
            value, outputs = self.how(network, self.loss, x, labels, draws, self.g)
            if not math.isfinite(value):
                wrong = f"the loss is {value}"
            else:
                if measuring:
                    self.norms["weight_norms"] = self._norms(network.vector)
                    self.norms["gradient_norms"] = self._norms(g)
                self.chain.apply(g, self.state.memory, self.learned, t, self.total)
                if not math.isfinite(g @ g):
                    wrong = "the step that follows is not finite"
        if wrong:
            self.gathered[...] = gathered
            whole = np.asarray(x, like=network.vector)  # also where this rank read its own rows
            found = self.diagnosed(network, self.loss, whole, labels, draws)
            if not found.where and math.isfinite(value):
                found = of_step(found, network, on_host(g))
            raise NotFiniteError(t, epoch, wrong, *found)
        if measuring:
            self.norms["update_norms"] = self._norms(g)
        right = int(np.count_nonzero(self.loss.decide(outputs) == labels))
        self.state.seen.add(value, right, len(labels))

    def update(self) -> None:
        """Make the step."""
        self.learned -= self.g.vector
        state = self.state
        state.steps += 1
        if self.averaging is not None:
            self.averaging.after(self.network.vector, state.average, state.steps, self.total)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """In the block the network holds the weights to judge."""
        if self.averaging is None:
            yield
            return
        running = self.network.vector.copy()
        self.hold_average()
        yield
        # Not in a finally: whoever leaves at a report keeps the weights that were reported.
        self.network.vector[...] = running

    def hold_average(self) -> None:
        """Let the network hold the weights to judge."""
        if self.averaging is not None:
            vector = self.network.vector
            vector[...] = self.averaging.kept(vector, self.state.average)

    def _norms(self, vector: Array) -> tuple[float, ...]:
        return tuple(math.sqrt(float(vector[p] @ vector[p])) for p in self.layers)


def _generator(seed: int, t: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(DRAWS, t)))


def _measure(
    name: str, network: Network, loss: Loss, images: Array, labels: Array
) -> dict[str, float]:
    outputs = network.outputs(images)
    found = {f"{name}_accuracy": float((loss.decide(outputs) == labels).mean())}
    if name == "validation":
        value, _ = loss(outputs, labels)
        found["validation_loss"] = value if loss.over == "mean" else value / len(labels)
    return found
