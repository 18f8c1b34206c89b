"""Every layer found in the package: derivatives, promises, and PyTorch as an oracle."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from handgrad.arrays import Layout
from handgrad.layers import (
    ELU,
    GELU,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from handgrad.tables import from_table, members, to_table

ANY = [(1,), (5,), (2, 3, 1), (3, 1, 2)]
CASES = {
    "dense": [(Dense(units), shape) for units in (1, 4) for shape in ANY],
    "dropout": [(Dropout(rate), shape) for rate in (0.0, 0.3) for shape in ANY],
    "elu": [(ELU(1.7), shape) for shape in ANY],
    "flatten": [(Flatten(), shape) for shape in ANY],
    "gelu": [(GELU(), shape) for shape in ANY],
    "leaky-relu": [(LeakyReLU(0.3), shape) for shape in ANY],
    "relu": [(ReLU(), shape) for shape in ANY],
    "sigmoid": [(Sigmoid(), shape) for shape in ANY],
    "softmax": [(Softmax(), shape) for shape in ANY[:2]],
    "tanh": [(Tanh(), shape) for shape in ANY],
}
LAYERS = [
    pytest.param(layer, s, id=f"{layer} {s}") for pairs in CASES.values() for layer, s in pairs
]
BATCHES = pytest.mark.parametrize("n", [1, 4])


def oracle(torch, layer, x, params, draws):
    """The same layer in PyTorch, from its own parts."""
    F = torch.nn.functional
    match layer:
        case Dense():
            return F.linear(x.reshape(len(x), -1), params["W"].T, params["b"])
        case Dropout():
            return x * draws[0] / (1 - layer.rate)
        case ELU():
            return F.elu(x, layer.alpha)
        case LeakyReLU():
            return F.leaky_relu(x, layer.slope)
        case Softmax():
            return F.softmax(x, dim=1)
        case Flatten():
            return torch.flatten(x, 1)
    return {"gelu": F.gelu, "relu": F.relu, "sigmoid": F.sigmoid, "tanh": F.tanh}[layer.name](x)


class Trial:
    """A layer with parameters, a batch, its draws and a cotangent, all random."""

    def __init__(self, layer, shape, n, dtype=np.float64):
        generator = np.random.default_rng(n)
        self.layer, self.shape, self.dtype = layer, shape, dtype
        self.shapes = layer.parameters(shape)
        self.layout = Layout({f"0.{name}": size for name, size in self.shapes.items()})
        self.vector = generator.normal(size=self.layout.size).astype(dtype)
        self.params = self.numbers(self.vector)
        self.x = (2 * generator.normal(size=(n, *shape))).astype(dtype)
        self.draws = layer.draw(self.x.shape, generator)
        self.y, self.memory = layer.forward(self.x, self.params, *self.draws)
        self.dy = generator.normal(size=self.y.shape).astype(dtype)

    def numbers(self, vector):
        return self.layout.views(vector, 1)[0]

    def backward(self, which="backward"):
        """The gradient at the input, and the gradient vector, which begins as NaN."""
        g = np.full(self.layout.size, np.nan, self.dtype)
        dx = getattr(self.layer, which)(self.dy, self.memory, self.params, self.numbers(g))
        return dx, g

    def forward(self, x, vector):
        return self.layer.forward(x, self.numbers(vector), *self.draws)[0]


def test_every_layer_of_the_package_has_a_case():
    kinds = {n for n, kind in members(Layer).items() if kind.__module__.startswith("handgrad.")}
    assert kinds == set(CASES)
    assert all(layer.name == name for name, pairs in CASES.items() for layer, _ in pairs)


@BATCHES
@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_backward_is_the_derivative(layer, shape, n, check_gradients):
    trial = Trial(layer, shape, n)
    assert trial.y.shape == (n, *layer.output_shape(shape))
    check_gradients(trial.forward, [trial.x, trial.vector], trial.dy, trial.backward())


@pytest.mark.parametrize(
    ("layer", "sign"), [(Dense(4), "b"), (LeakyReLU(0.3), "slope"), (ELU(1.7), "alpha")], ids=str
)
def test_a_layer_that_calls_the_wrong_derivative_is_caught(layer, sign, check_gradients):
    class Planted(type(layer)):
        def backward(self, dy, memory, params, grads):
            if sign == "b":
                dx = super().backward(dy, memory, params, grads)
                grads.b[...] = dy.mean(axis=0)  # the mean for the sum
                return dx
            return type(layer)().backward(dy, memory, params, grads)  # the setting forgotten

    trial = Trial(Planted(*dataclasses.astuple(layer)[:1]), (5,), 4)
    with pytest.raises(AssertionError):
        check_gradients(trial.forward, [trial.x, trial.vector], trial.dy, trial.backward())


@BATCHES
@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_nothing_that_was_given_is_written_into(layer, shape, n):
    trial = Trial(layer, shape, n)
    given = [trial.x, trial.vector, trial.dy, *trial.draws]
    given += [trial.memory] if isinstance(trial.memory, np.ndarray) else []
    before = [array.copy() for array in given]
    dx, g = trial.backward()
    trial.forward(trial.x, trial.vector)
    for array, was in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, was)
    again, g_again = trial.backward()
    np.testing.assert_array_equal(dx, again)
    np.testing.assert_array_equal(g, g_again)


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_the_half_for_a_first_layer_gives_the_same_gradient(layer, shape):
    trial = Trial(layer, shape, 4)
    np.testing.assert_array_equal(trial.backward("backward_parameters")[1], trial.backward()[1])


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_float32_stays_float32(layer, shape):
    trial = Trial(layer, shape, 4, np.float32)
    assert trial.y.dtype == trial.backward()[0].dtype == np.float32


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_a_layer_is_a_table_and_back(layer, shape):
    assert from_table(Layer, to_table(layer)) == layer
    assert hash(layer) == hash(from_table(Layer, to_table(layer)))


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_against_pytorch(torch, layer, shape):
    trial = Trial(layer, shape, 4)
    x = torch.tensor(trial.x, requires_grad=True)
    params = {
        name: torch.tensor(getattr(trial.params, name), requires_grad=True) for name in trial.shapes
    }
    y = oracle(torch, layer, x, params, [torch.tensor(draw) for draw in trial.draws])
    y.backward(torch.tensor(trial.dy))
    dx, g = trial.backward()
    grads = trial.numbers(g)
    compared = [(trial.y, y.detach()), (dx, x.grad)]
    compared += [(getattr(grads, name), params[name].grad) for name in trial.shapes]
    for ours, theirs in compared:
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_what_a_layer_says_of_its_size(layer, shape):
    n_in = math.prod(shape)
    if isinstance(layer, Dense):
        assert layer.parameters(shape) == {"W": (n_in, layer.units), "b": (layer.units,)}
        assert layer.flops(shape) == 2 * n_in * layer.units
    else:
        assert layer.parameters(shape) == {}
        assert layer.flops(shape) == (0 if isinstance(layer, Flatten | Dropout) else n_in)
    assert layer.frozen() == (None if isinstance(layer, Dropout) else layer)
