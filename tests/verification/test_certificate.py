"""The certificate passes, and a part of the package without a check makes it fail."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass

import numpy as np
import pytest

from handgrad import calculus
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.optimizers import Averaging, Optimizer, Schedule
from handgrad.tables import members
from handgrad.verification import certificate, checks, verify

HERE = __name__


@pytest.mark.parametrize("name", checks())
def test_every_check_passes(name):
    (finding,) = verify([(name, checks()[name])])
    assert finding.passed, finding.failure
    assert finding.comparisons >= 2
    assert finding.worst_error < 1e-9
    assert finding.shapes


def test_everything_that_the_package_has_is_there():
    names = {name.partition(" ")[2] for name in checks()}
    for family in (Averaging, Layer, Loss, Optimizer, Schedule):
        own = {n for n, kind in members(family).items() if kind.__module__.startswith("handgrad.")}
        assert own <= names
        assert own
    # Every function of calculus is checked itself, or is the derivative of one that is.
    for name in calculus.__all__:
        assert any(name == known or name.startswith(f"{known}_") for known in names), name


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (lambda z: z * z, "no entry in handgrad.verification.functions.DEFINITIONS"),
        (lambda z, w: z * w, "DEFINITIONS"),
    ],
)
def test_a_new_function_without_a_check_fails(monkeypatch, new, said):
    monkeypatch.setattr(calculus, "square", new, raising=False)
    monkeypatch.setattr(calculus, "__all__", [*calculus.__all__, "square"])
    (finding,) = verify([("function square", checks()["function square"])])
    assert not finding.passed
    assert said in finding.failure


def test_a_new_function_with_a_definition_is_checked_by_its_names_alone(monkeypatch):
    functions = importlib.import_module("handgrad.verification.functions")
    for name, function in {
        "square": lambda z: z * z,
        "square_backward": lambda da, z: 2.001 * da * z,
    }.items():
        monkeypatch.setattr(calculus, name, function, raising=False)
    monkeypatch.setattr(calculus, "__all__", [*calculus.__all__, "square", "square_backward"])
    monkeypatch.setitem(functions.DEFINITIONS, "square", lambda given: given["z"] ** 2)
    (finding,) = verify([("function square", checks()["function square"])])
    assert "∂/∂z (1,), element (0,)" in finding.failure
    monkeypatch.setattr(calculus, "square_backward", lambda da, z: 2 * da * z)
    (finding,) = verify([("function square", checks()["function square"])])
    assert finding.passed, finding.failure


def test_new_kinds_are_found_and_those_that_cannot_be_checked_fail():
    @dataclass(frozen=True)
    class Sink(Optimizer):
        name = "sink"

    @dataclass(frozen=True)
    class Wave(Schedule):
        name = "wave"

    @dataclass(frozen=True)
    class Picky(Layer):
        name = "picky"

        def output_shape(self, shape):
            raise ValueError("nothing suits")

    @dataclass(frozen=True)
    class Guess(Loss):
        name = "guess"

    assert not {"optimizer sink", "schedule wave", "layer picky"} & checks().keys()
    own = checks([HERE.partition(".")[0], HERE])
    for name in ("optimizer sink", "schedule wave", "layer picky", "loss guess"):
        (finding,) = verify([(name, own[name])])
        assert not finding.passed, name


def test_a_layer_that_writes_into_its_input_fails():
    @dataclass(frozen=True)
    class Greedy(Layer):
        name = "greedy"

        def forward(self, x, params):
            x *= 2
            return x, None

        def backward(self, dy, memory, params, grads):
            return 2 * dy

    own = checks([HERE.partition(".")[0], HERE])
    (finding,) = verify([("layer greedy", own["layer greedy"])])
    assert "read-only" in finding.failure


def test_a_layer_that_adds_to_its_gradients_fails():
    @dataclass(frozen=True)
    class Adding(Layer):
        name = "adding"

        def parameters(self, shape):
            return {"b": shape}

        def forward(self, x, params):
            return x + params.b, None

        def backward(self, dy, memory, params, grads):
            grads.b += dy.sum(axis=0)
            return dy

    own = checks([HERE.partition(".")[0], HERE])
    (finding,) = verify([("layer adding", own["layer adding"])])
    assert "∂/∂b" in finding.failure
    assert "nan" in finding.failure


def test_the_certificate_is_plain_data():
    found = certificate(verify([(n, c) for n, c in checks().items() if n.startswith("schedule")]))
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(found))
    assert found["passed"] is True
    assert found["versions"]["numpy"] == np.__version__
    assert found["rows"][0]["name"] == "constant"
    assert {"name", "kind", "passed", "worst_error", "shapes", "method"} <= found["rows"][0].keys()
