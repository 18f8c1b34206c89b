"""Checks of whole networks: the loss that is reported is the loss that is descended."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from handgrad.arrays import Array, Shape
from handgrad.layers import Dense, Dropout, ReLU, Tanh
from handgrad.losses import Loss, SoftmaxCrossEntropy
from handgrad.networks import Network
from handgrad.optimizers import SGD, Momentum
from handgrad.training import by_the_book, fit
from handgrad.verification.difference import compare_gradient
from handgrad.verification.finding import Ledger

__all__ = ["check_network", "check_small_network", "check_training"]


def check_network(
    name: str,
    network: Network,
    loss: Loss,
    *,
    classes: int,
    samples: int = 4,
    kind: str = "network",
) -> Ledger:
    """Verify a network end to end, in float64, with its own numbers and loss.

    The gradient in all learned numbers and in the images is compared along random directions, with
    the loss as training reports it: penalty included, draws held still. The penalty is tried also
    where the loss has none.

    Parameters
    ----------
    network : not changed
    classes : how many labels there are
    samples : random images of the network's size
    """
    ledger = Ledger(name, kind)
    generator = np.random.default_rng(11)
    network = Network(network.architecture, network.shapes[0], network.vector.astype(np.float64))
    x = generator.random((samples, *network.shapes[0])) + 0.01
    labels = generator.integers(classes, size=samples)
    draws = network.draw(samples, np.random.default_rng(12))
    ledger.shapes["x".join(map(str, x.shape))] = None
    ledger.shapes[f"{network.layout.learned:,} numbers"] = None
    # Less than 0.1 for large networks, where the rounding of ½ λ Σ w² would hide the loss.
    some = 0.1 / max(1.0, 0.01 * float(network.learned @ network.learned))
    for penalty in dict.fromkeys((loss.penalty, some)):
        tried = dataclasses.replace(loss, penalty=penalty)
        gradient = network.gradient()
        by_the_book(network, tried, x, labels, draws, gradient)
        vector = network.learned.copy()

        def reported(value: Array, tried: Loss = tried) -> complex:
            whole = np.concatenate([value, network.vector[network.layout.learned :]])
            changed = Network(network.architecture, network.shapes[0], whole)
            found, _ = by_the_book(changed, tried, x, labels, draws, changed.gradient())
            return complex(found)

        what = f"penalty {penalty:g}: the reported loss along"
        compare_gradient(ledger, what, reported, vector, gradient.vector, elements=False)
    outputs, memories = network.forward(x, draws)
    _, dy = loss(outputs, labels)
    dx = network.backward_to_input(dy, memories, network.gradient().views)

    def from_images(value: Array) -> complex:
        return complex(loss(network.forward(value, draws)[0], labels)[0])

    compare_gradient(ledger, "the loss along the images", from_images, x, dx, elements=False)
    return ledger


def check_small_network() -> Ledger:
    """Verify a network of a few layers; the recipes have theirs checked when they are named."""
    architecture = (Dense(5), Tanh(), Dense(4), ReLU(), Dropout(0.3), Dense(3))
    network = Network(architecture, (3, 2, 1), dtype=np.float64)
    network.initialize(np.random.default_rng(1))
    return check_network("small", network, SoftmaxCrossEntropy(), classes=3)


@dataclasses.dataclass(frozen=True)
class _Given:
    """Batches of a small data set in the order given."""

    x: Array
    labels: Array
    size: int | None

    @property
    def full(self) -> bool:
        return self.size is None

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.x) / (self.size or len(self.x)))

    def __call__(self, epoch: int, first: int = 0) -> list[tuple[Array, Array]]:
        size = self.size or len(self.x)
        starts = range(0, len(self.x), size)
        return [(self.x[i : i + size], self.labels[i : i + size]) for i in starts]


def check_training() -> Ledger:
    """Verify the loop itself: each report and each update, done again step by step.

    A small network is trained by `fit` with a short last batch; beside it every step is taken with
    the loss differenced along the step that was made, and the report made from its parts.
    """
    ledger = Ledger("fit", "training")
    generator = np.random.default_rng(5)
    shape: Shape = (2, 2, 1)
    x = generator.normal(size=(7, *shape))
    labels = generator.integers(3, size=7)
    architecture = (Dense(4), Tanh(), Dropout(0.25), Dense(3))
    for size in (None, 3):
        for loss in (SoftmaxCrossEntropy(), SoftmaxCrossEntropy(over="sum", penalty=0.2)):
            batches = _Given(x, labels, size)
            network = Network(architecture, shape, dtype=np.float64)
            network.initialize(np.random.default_rng(6))
            mirror = network.vector.copy()
            rate = 0.05
            ledger.shapes[f"batch {size or 'full'}, {loss.over}"] = None
            step = 0
            for report in fit(network, batches, loss, SGD(rate), epochs=3, seed=3):
                values, correct = [], 0
                for batch, true in batches(0):
                    twin = Network(architecture, shape, mirror)
                    draws = twin.draw(
                        len(batch),
                        np.random.default_rng(np.random.SeedSequence(3, spawn_key=(2, step))),
                    )
                    gradient = twin.gradient()
                    value, outputs = by_the_book(twin, loss, batch, true, draws, gradient)
                    if size is None:
                        same = np.array_equal(network.vector, mirror)
                        if not same:
                            ledger.fail("a full batch is not reported before its update")
                    mirror -= rate * gradient.vector
                    values += [value] * len(true)
                    correct += int((outputs.argmax(axis=1) == true).sum())
                    step += 1
                for what, found, expected in (
                    ("the loss", report.loss, sum(values) / len(values)),
                    ("the accuracy", report.train_accuracy, correct / len(labels)),
                    ("the steps", report.step, step - (size is None)),
                ):
                    ledger.compare(
                        f"{what} of report {report.step}",
                        found,
                        expected,
                        tolerance=1e-12,
                        method="the same step by step",
                    )
            worst = float(np.abs(network.vector - mirror).max())
            ledger.compare(
                "the weights at the end",
                worst,
                0.0,
                scale=1.0,
                tolerance=1e-12,
                method="the same step by step",
            )
    _check_descent(ledger, x, labels, shape)
    return ledger


def _check_descent(ledger: Ledger, x: Array, labels: Array, shape: Shape) -> None:
    """The loss must fall by rate · ‖gradient‖² to first order, and momentum must speed it up."""
    network = Network((Dense(4), ReLU(), Dense(3)), shape, dtype=np.float64)
    network.initialize(np.random.default_rng(6))
    begun = network.vector.copy()
    losses = []
    for optimizer in (SGD(1e-4), Momentum(1e-4)):
        network.vector[...] = begun
        reports = fit(
            network,
            _Given(x, labels, None),
            SoftmaxCrossEntropy(),
            optimizer,
            epochs=20,
            norms=True,
        )
        found = [(report.loss, report.gradient_norms or ()) for report in reports]
        losses.append(found[-1][0])
        fall = found[0][0] - found[1][0]
        expected = 1e-4 * sum(norm**2 for norm in found[0][1])
        ledger.compare(
            f"the first fall of the loss with {optimizer.name}",
            fall,
            expected,
            tolerance=1e-2,
            method="rate times squared norm of the gradient",
            counted=False,
        )
    if not losses[1] < losses[0]:
        ledger.fail("twenty steps with momentum lead less far down than without")
