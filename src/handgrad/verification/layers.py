"""Checks of layers: every class that is a `Layer`, by the protocol that all of them keep."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

import numpy as np

from handgrad.arrays import Array, Layout, Numbers, Shape
from handgrad.errors import HandgradError
from handgrad.layers import BatchNorm, Convolution, Dropout, Layer, Tanh
from handgrad.verification.difference import compare_gradient
from handgrad.verification.finding import Ledger

__all__ = ["check_layer"]

SHAPES: list[Shape] = [(1,), (5,), (3, 3, 1), (4, 5, 2), (1, 1, 3)]
BATCHES = (1, 3)
FILLED: dict[Any, Any] = {int: 3, float: 0.5, tuple[Layer, ...]: (Tanh(),)}
"""For fields without a default."""

FURTHER: dict[str, list[dict[str, Any]]] = {
    "convolution": [
        {"channels": 2, "kernel": (2, 3), "padding": "valid"},
        {"channels": 1, "kernel": (3, 3), "stride": 2},
        {"channels": 2, "kernel": (3, 2), "stride": 3, "padding": ((1, 0), (2, 1))},
        {"channels": 2, "kernel": (2, 2), "dilation": 2, "offset": False},
        {"channels": 2, "kernel": (1, 1), "offset": False},
    ],
    "dense": [{"units": 2, "offset": False}],
    "max-pool": [{"size": 3, "stride": 1}, {"size": 1, "stride": 2}],
    "average-pool": [{"size": 3, "stride": 1}, {"size": 1, "stride": 2}],
    "batch-norm": [{"scale": False}, {"offset": False}, {"scale": False, "offset": False}],
    "frozen-norm": [{"scale": False}, {"offset": False}],
    "group-norm": [{"groups": 2}, {"groups": 3, "scale": False, "offset": False}],
    "residual": [
        {"layers": (Convolution(2), BatchNorm(), Tanh()), "shortcut": (Convolution(2, (1, 1)),)},
        {"layers": (Dropout(0.3), Tanh(), Dropout(0.5))},
    ],
}
"""Settings that no default shows."""


def check_layer(kind: type[Layer]) -> Ledger:
    """Verify a layer: input and parameters, several shapes and batches, its draws held still."""
    ledger = Ledger(kind.name, "layer")
    for layer in _instances(kind):
        for shape in SHAPES:
            try:
                layer.output_shape(shape)
            except HandgradError:
                continue
            for batch in BATCHES:
                ledger.shapes["x".join(map(str, (batch, *shape)))] = None
                try:
                    _check_one(ledger, layer, (batch, *shape))
                except Exception as error:  # a fault of a user's layer is a finding, not ours
                    said = f"{type(error).__name__}: {error}"
                    ledger.fail(f"{layer} on {(batch, *shape)} raises {said}")
    if not ledger.comparisons:
        ledger.fail("no check: no shape that verify tries suits it")
    return ledger


def _instances(kind: type[Layer]) -> Iterator[Layer]:
    """The layer with its defaults, and with every number of them changed once."""
    hints = typing.get_type_hints(kind)
    settings: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            settings[field.name] = FILLED.get(hints[field.name])
    usual = kind(**settings)
    yield usual
    for further in FURTHER.get(kind.name, []):
        yield kind(**further)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if hints[field.name] is float:
            changed = getattr(usual, field.name) * 0.5 + 0.2
            yield dataclasses.replace(usual, **{field.name: changed})  # type: ignore[type-var]


def _check_one(ledger: Ledger, layer: Layer, shape: Shape) -> None:
    generator = np.random.default_rng(7)
    x = generator.normal(size=shape)
    x += np.copysign(0.1, x)  # away from a kink at 0
    layout = Layout(
        {f"0.{name}": s for name, s in layer.parameters(shape[1:]).items()},
        {f"0.{name}": s for name, s in layer.statistics(shape[1:]).items()},
    )
    vector = generator.normal(size=layout.size)
    gathered = vector[layout.learned :]
    gathered[...] = np.abs(gathered) + 0.5  # a variance is positive
    params: Numbers = layout.views(vector, 1)[0]
    draws = layer.draw(shape, np.random.default_rng(8))
    x.setflags(write=False)
    y, memory = layer.forward(x, params, *draws)
    if y.shape != (shape[0], *layer.output_shape(shape[1:])):
        ledger.fail(
            f"{layer}: an output of shape {y.shape[1:]}, where output_shape says "
            f"{layer.output_shape(shape[1:])}"
        )
        return
    dy = generator.normal(size=y.shape)
    dy.setflags(write=False)
    # NaN, since a backward pass overwrites what it finds there.
    gradient = np.full(layout.learned, np.nan)
    dx = layer.backward(dy, memory, params, layout.views(gradient, 1)[0])

    def from_input(value: Array) -> complex:
        total: complex = np.sum(dy * layer.forward(value, params, *draws)[0])
        return total

    def from_parameters(value: Array) -> complex:
        total: complex = np.sum(dy * layer.forward(x, layout.views(value, 1)[0], *draws)[0])
        return total

    scale = float(np.abs(np.concatenate([dx.ravel(), gradient])).max(initial=0.0))
    compare_gradient(ledger, f"{layer!r}: ∂/∂x at", from_input, x, dx, scale=scale)
    for name, slot in layout.slots.items():
        if slot.stop > layout.learned:
            continue

        def from_one(value: Array, slot: Any = slot) -> complex:
            changed = vector.astype(value.dtype)
            slot.of(changed)[...] = value
            return from_parameters(changed)

        what = f"{layer!r} on {shape}: ∂/∂{name.partition('.')[2]} at"
        own = slot.of(gradient)
        compare_gradient(ledger, what, from_one, slot.of(vector), own, scale=scale)
    again = np.full(layout.learned, np.nan)
    layer.backward_parameters(dy, memory, params, layout.views(again, 1)[0])
    if not np.array_equal(again, gradient):
        ledger.fail(f"{layer} on {shape}: backward_parameters gives other gradients than backward")
    _check_frozen(ledger, layer, x, params)


def _check_frozen(ledger: Ledger, layer: Layer, x: Array, params: Numbers) -> None:
    """What a layer does in training it must do on average: its frozen form is the mean of draws."""
    if not isinstance(type(layer).draws, int) or not layer.draws:
        return  # of a block this does not hold: what follows a draw need not be linear
    expected = layer.frozen().forward(x, params)[0]
    generator = np.random.default_rng(9)
    rounds = 2000
    total = np.zeros_like(expected)
    squares = np.zeros_like(expected)
    for _ in range(rounds):
        y = layer.forward(x, params, *layer.draw(x.shape, generator))[0]
        total += y
        squares += y * y
    mean = total / rounds
    deviation = np.sqrt(np.maximum(squares / rounds - mean**2, 0) / rounds)
    # Six standard errors: of a thousand right layers none fails.
    if (np.abs(mean - expected) > 6 * deviation + 1e-12).any():
        ledger.fail(f"{layer}: its mean over {rounds} draws is not what it gives when frozen")
