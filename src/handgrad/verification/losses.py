"""Checks of losses: value and gradient belong together, for every kind that there is."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from handgrad.arrays import Array
from handgrad.calculus import sigmoid, softmax
from handgrad.losses import Loss
from handgrad.verification.difference import compare_gradient
from handgrad.verification.finding import Ledger

__all__ = ["check_loss"]


def check_loss(kind: type[Loss]) -> Ledger:
    """Verify a loss: mean and sum, one sample and several, one class and several."""
    ledger = Ledger(kind.name, "loss")
    for n, k in [(1, 1), (5, 1), (1, 2), (4, 2), (3, 5)]:
        if kind.single and k == 1:
            classes = 2
        else:
            classes = k
        generator = np.random.default_rng(n + k)
        z = generator.normal(size=(n, k)) * 2
        labels = generator.integers(classes, size=n)
        for outputs in _suited(kind, z):
            ledger.shapes[f"{n}x{k}"] = None
            for settings in _settings(kind, classes):
                _check_one(ledger, kind(over="mean", **settings), outputs, labels)
                _check_one(ledger, kind(over="sum", **settings), outputs, labels)
            _check_meaning(ledger, kind(), outputs, labels)
    if not ledger.comparisons:
        ledger.fail("no check: its outputs fit neither scores nor probabilities")
    return ledger


def _settings(kind: type[Loss], classes: int) -> list[dict[str, Any]]:
    """Its defaults, and each further setting that it has."""
    found: list[dict[str, Any]] = [{}, {"class_weights": tuple(0.5 + k for k in range(classes))}]
    if "smoothing" in {field.name for field in dataclasses.fields(kind)}:
        found.append({"smoothing": 0.2})
    return found


def _suited(kind: type[Loss], z: Array) -> list[Array]:
    """Outputs that a network with this loss may have: probabilities where it asks for them."""
    if "from the probability" in (kind.__doc__ or "").lower():
        return [sigmoid(z)] if z.shape[1] == 1 else []
    if "from probabilities" in (kind.__doc__ or "").lower():
        return [softmax(z)] if z.shape[1] > 1 else []
    if kind.single and kind.name != "squared error" and z.shape[1] != 1:
        return []
    return [z]


def _check_one(ledger: Ledger, loss: Loss, outputs: Array, labels: Array) -> None:
    def reported(value: Array) -> complex:
        losses, _ = loss.each(value, labels)
        each = [loss.class_weights[label] if loss.class_weights else 1.0 for label in labels]
        total: complex = (losses * each).sum()
        return total / len(labels) if loss.over == "mean" else total

    outputs.setflags(write=False)
    value, gradient = loss(outputs, labels)
    what = f"over the {loss.over}: ∂/∂output at"
    compare_gradient(ledger, what, reported, outputs, gradient)
    ledger.compare(
        f"over the {loss.over}: the value for {outputs.shape}",
        value,
        float(reported(outputs).real),
        tolerance=1e-14,
        method="the sum of its samples",
    )


def _check_meaning(ledger: Ledger, loss: Loss, outputs: Array, labels: Array) -> None:
    """Its value is what its name says, from the probabilities that it gives, by the definition."""
    p = loss.probabilities(outputs)
    if p.shape[1] == 1:
        return
    if not np.allclose(p.sum(axis=1), 1, atol=1e-12) or p.min() < 0:
        ledger.fail("its probabilities do not sum to 1")
    if "cross-entropy" in loss.name:
        expected = -sum(math.log(p[n, label]) for n, label in enumerate(labels)) / len(labels)
        ledger.compare(
            f"the value for {outputs.shape}",
            loss(outputs, labels)[0],
            expected,
            tolerance=1e-12,
            scale=1.0,
            method="-log of the true class's probability",
        )
    called = loss.decide(outputs)
    if "cross-entropy" in loss.name and not np.array_equal(called, p.argmax(axis=1)):
        ledger.fail("it decides for another class than its largest probability")
