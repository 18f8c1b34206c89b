"""A forward plan answers what the book answers, to rounding, with the weights as they are now."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from handgrad.experiments import read_recipe
from handgrad.experiments.recipe import Recipe
from handgrad.layers import (
    GELU,
    BatchNorm,
    Convolution,
    Dense,
    Flatten,
    GlobalAveragePool,
    Identity,
    Layer,
    MaxPool,
    ReLU,
    Residual,
)
from handgrad.networks import InBatches, Network, forward_by_the_book
from handgrad.plans import ForwardPlan, PlannedForward

K = 3


class Strange(Layer):
    """A layer that no planner knows, and that mixes its batch."""

    name = "strange"

    def forward(self, x, params):
        return x - x.mean(axis=0), None

    def backward(self, dy, memory, params, grads):
        return dy - dy.mean(axis=0)


NETWORKS = {
    "normalized": (
        Convolution(8, offset=False), BatchNorm(), ReLU(), Convolution(8), BatchNorm(scale=False),
        ReLU(), MaxPool(), Convolution(9), BatchNorm(1e-3, offset=False), GELU(), Dense(K),
    ),
    "normalized apart": (
        BatchNorm(), Convolution(8), MaxPool(), BatchNorm(), ReLU(), BatchNorm(scale=False),
        Convolution(8), BatchNorm(), BatchNorm(offset=False), Dense(8), BatchNorm(), ReLU(),
        Dense(K), BatchNorm(scale=False, offset=False),
    ),
    "valid": (
        Convolution(8, padding="valid"), ReLU(), Convolution(8, padding="valid"), ReLU(),
        MaxPool(), Convolution(16, offset=False), MaxPool(3), Flatten(), ReLU(), Dense(K),
    ),
    "other kernels": (
        Convolution(8, (5, 4)), Convolution(8, (1, 1)), ReLU(), Convolution(9, (5, 3)),
        Convolution(8, stride=2), ReLU(), Convolution(8, (1, 1), stride=2),
        Convolution(9, dilation=2), Convolution(8, (1, 1), padding=((1, 0), (2, 1))),
        GlobalAveragePool(), Dense(K, offset=False),
    ),
    "padding of its own": (
        Convolution(8), Convolution(8, padding=((3, 2), (0, 1))), MaxPool(), Convolution(8),
        MaxPool(3, 2), Dense(K),
    ),
    "strides first": (
        Convolution(8, stride=2), BatchNorm(), ReLU(), Convolution(8), BatchNorm(), Dense(K),
    ),
    "the unknown, and blocks": (
        Convolution(8), Strange(), BatchNorm(), Convolution(8), ReLU(),
        Residual((Convolution(8), BatchNorm(), ReLU())), Convolution(8), Dense(K), Strange(),
    ),
    "no end": (Convolution(8), ReLU(), Convolution(8), Identity()),
    "pooled in its tiles": (
        Convolution(8), Convolution(9, offset=False), BatchNorm(), ReLU(), MaxPool(),
        Convolution(8), MaxPool(), Convolution(8, padding="valid"), ReLU(), MaxPool(), Dense(K),
    ),
    "activation first": (ReLU(), MaxPool(), Convolution(8), Dense(K)),
}  # fmt: skip

EVERY = [*NETWORKS, "mnist-cnn"]


def made(name, dtype=np.float64):
    """A network with first values, and statistics as of a training."""
    if name in NETWORKS:
        shape = (32, 24, 3) if name == "pooled in its tiles" else (13, 12, 3)
        architecture = NETWORKS[name]
    else:
        recipe = Recipe.of(read_recipe(name), classes=K)
        architecture, shape = recipe.architecture, (28, 28, 1)
    network = Network(architecture, shape, dtype=dtype)
    generator = np.random.default_rng(1)
    network.initialize(generator, *looked_at(network, generator))
    network.vector[...] += 0.1 * generator.uniform(0, 1, network.vector.size)
    return network


def looked_at(network, generator):
    return [generator.normal(size=(20, *network.shapes[0]))] if network.looks else []


def images(network, n, seed=2):
    generator = np.random.default_rng(seed)
    return generator.normal(0.3, 1, size=(n, *network.shapes[0])).astype(network.dtype)


def close(found, expected, precision):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=precision * np.abs(expected).max())


@pytest.mark.parametrize("name", EVERY)
def test_it_answers_what_the_book_answers(name):
    network = made(name)
    plan = ForwardPlan(network.frozen())
    assert plan.worth_while == any(isinstance(e, Convolution) for e in network.architecture)
    for n in (1, 70, 3, 1) if name in NETWORKS else (1, 9):  # one alone, more than go together
        x = images(network, n, seed=n)
        close(plan(x), network.frozen().forward(x)[0], 1e-11)


@pytest.mark.parametrize("name", ["normalized", "normalized apart", "mnist-cnn"])
def test_in_float32_it_agrees_to_its_precision(name):
    exact, network = made(name), made(name, np.float32)
    network.vector[...] = exact.vector
    for n in (1, 40):
        x = images(network, n)
        true = exact.frozen().forward(x.astype(np.float64))[0]
        close(ForwardPlan(network.frozen())(x).astype(np.float64), true, 1e-4)


@pytest.mark.parametrize(
    "name", ["normalized", "normalized apart", "other kernels", "pooled in its tiles"]
)
def test_it_answers_with_the_weights_as_they_are_now(name):
    """Whatever part of the vector was written, however little, after whatever was asked before."""
    network = made(name)
    plan, frozen = ForwardPlan(network.frozen()), network.frozen()
    x = images(network, 9)
    for slot in network.layout.slots.values():
        for n in (1, 9):
            plan(x[:n])
            slot.of(network.vector)[(0,) * len(slot.shape)] += 0.5
            close(plan(x[:n]), frozen.forward(x[:n])[0], 1e-11)


def test_it_writes_nothing_into_what_it_was_given():
    network = made("activation first")
    x = images(network, 9)
    given, numbers = x.copy(), network.vector.copy()
    first = ForwardPlan(network.frozen())(x)
    np.testing.assert_array_equal(x, given)
    np.testing.assert_array_equal(network.vector, numbers)
    plan = ForwardPlan(network.frozen())
    answer = plan(x)
    kept = answer.copy()
    plan(images(network, 9, seed=5))
    np.testing.assert_array_equal(answer, kept)  # a new array each time
    np.testing.assert_array_equal(answer, first)  # and the same bits


def test_the_network_is_handed_it():
    network = made("normalized", np.float32)
    x = images(network, 50)
    expected = network.outputs(x)
    asked = []

    def forward(network, x):
        asked.append(len(x))
        return PlannedForward()(network, x)

    for threads, at_once in ((1, 1000), (1, 7), (3, 1000)):
        network.how_outputs = InBatches(forward, threads, at_once)
        close(network.outputs(x), expected, 1e-4)
    assert asked == [50, *[7] * 7, 1, 17, 17, 16]
    assert network.outputs(x[:0]).shape == (0, K)


def test_several_threads_may_ask_at_once():
    network, how = made("normalized"), PlannedForward()
    expected = forward_by_the_book(network.frozen(), x := images(network, 30))

    def ask(_):
        return how(network.frozen(), x)

    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(ask, range(12)):
            close(found, expected, 1e-11)


@pytest.mark.parametrize("architecture", [(Dense(4), BatchNorm(), ReLU(), Dense(K)), (Strange(),)])
def test_without_a_convolution_it_is_the_book(architecture):
    network = Network(architecture, (3, 3, 1))
    network.initialize(np.random.default_rng(0))
    x = images(network, 5)
    np.testing.assert_array_equal(
        PlannedForward()(network.frozen(), x), network.frozen().forward(x)[0]
    )


def test_numbers_that_do_not_lie_together_are_read_by_the_book():
    given = made("normalized")
    vector = np.zeros(2 * given.vector.size)[::2]
    vector[...] = given.vector
    network = Network(given.architecture, given.shapes[0], vector)
    plan = ForwardPlan(network.frozen())
    assert not plan.worth_while
