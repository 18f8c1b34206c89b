"""Where numbers go wrong: the layer, the largest values, the images; a good step costs nothing."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.datasets import Batches
from handgrad.errors import NotFiniteError
from handgrad.layers import (
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    GroupNorm,
    Layer,
    MaxPool,
    ReLU,
    Residual,
    Tanh,
)
from handgrad.losses import SoftmaxCrossEntropy, SquaredError
from handgrad.networks import Network
from handgrad.optimizers import SGD, Adam
from handgrad.parallel import Shards
from handgrad.plans import Planned, is_planned
from handgrad.tables import members
from handgrad.training import diagnose, fit

LOSS = SoftmaxCrossEntropy()
LABELS = np.array([0, 1, 0, 1])


def made(*architecture, shape=(3,), dtype=np.float32):
    network = Network(architecture, shape, dtype=dtype)
    network.initialize(np.random.default_rng(0))
    return network


def drawn(network, n=4):
    x = np.random.default_rng(1).normal(size=(n, *network.shapes[0])).astype(network.dtype)
    draws = network.draw(n, np.random.default_rng(2)) if network.random else None
    return x, draws


def found(network, loss=LOSS, x=None, labels=LABELS):
    own, draws = drawn(network, len(labels))
    before = network.vector.copy()
    diagnosis = diagnose(network, loss, own if x is None else x, labels, draws)
    np.testing.assert_array_equal(network.vector, before)  # nothing is gathered
    return diagnosis


def test_where_all_is_finite_there_is_nothing():
    network = made(
        Dense(4), BatchNorm(), Dropout(0.3), Residual((Dense(4), Tanh())), GroupNorm(), Dense(2)
    )
    diagnosis = found(network)
    assert (diagnosis.where, diagnosis.layer, diagnosis.rows) == ("", "", ())
    x, _ = drawn(network)
    assert diagnosis.largest["the images"] == np.abs(x).max()
    assert diagnosis.largest["all weights"] == np.abs(network.vector).max()
    assert diagnosis.largest["the gradient"] > 0
    assert "reference = true" in diagnosis.hint


def test_an_image_that_holds_what_is_no_number():
    network = made(Dense(4), Dense(2))
    x, _ = drawn(network)
    x[2, 1] = np.nan
    diagnosis = found(network, x=x)
    assert (diagnosis.where, diagnosis.layer, diagnosis.rows) == ("the images", "", (2,))
    assert "mend or leave out their files" in diagnosis.hint


def test_a_weight_that_is_none():
    network = made(Dense(4), Residual((Tanh(), Dense(4))), Dense(2))
    getattr(network.params[1].block, "1").b[2] = np.inf
    assert found(network)[:2] == ("b", "1.block.1 dense 4")


def test_the_first_layer_whose_output_is_not_finite():
    """1e25 · 1e25 is beyond float32, behind the activation, for the rows that it lets through."""
    network = made(Dense(2), ReLU(), Dense(2), Dense(2))
    network.vector[...] = 0
    network.params[0].W[0], network.params[2].W[...] = 1e25, 1e25
    x = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [2, 0, 0]], np.float32)
    diagnosis = found(network, x=x)
    assert (diagnosis.where, diagnosis.layer) == ("the output", "2 dense 2")
    assert diagnosis.rows == (0, 3)  # of the others ReLU lets nothing through
    assert diagnosis.largest["its input"] == pytest.approx(2e25)
    assert diagnosis.largest["its weights"] == pytest.approx(1e25)
    assert diagnosis.largest["the images"] == 2
    assert diagnosis.hint.startswith("The weights have grown to 1e+25. A smaller learning rate")


@pytest.mark.parametrize(
    ("block", "shortcut", "layer"),
    [
        ((Dense(3), Dense(3)), (), "1.block.1 dense 3"),
        ((Dense(3),), (Dense(3), Dense(3)), "1.shortcut.1 dense 3"),
        ((Residual((Dense(3), Dense(3))),), (), "1.block.0.block.1 dense 3"),
    ],
)
def test_a_layer_within_a_block(block, shortcut, layer):
    network = made(Tanh(), Residual(block, shortcut), Dense(2))
    network.vector[...] = 1e-3
    for name, slot in network.layout.slots.items():
        if name.startswith(layer.split(" ")[0][:-1]) and name.endswith("W"):
            slot.of(network.vector)[...] = 1e20
    assert found(network)[:2] == ("the output", layer)


def test_a_gradient_on_its_way_back():
    """y = 1e15 x; dy = 1e15, and 1e15 · 1e25 is beyond float32 at the input of the last layer."""
    network = made(Dense(1), Dense(1), Dense(1), shape=(1,))
    network.vector[...] = 0
    for params, value in zip(network.params, (1e-35, 1e25, 1e25), strict=True):
        params.W[...] = value
    diagnosis = found(network, SquaredError(), np.ones((1, 1), np.float32), np.array([0]))
    assert diagnosis[:2] == ("the gradient at the input", "2 dense 1")
    assert diagnosis.largest["the gradient"] == np.inf


def test_the_gradient_of_weights():
    """x = 1e25 and dy = y = 1e15: their product is beyond float32, and nobody asks for dx."""
    network = made(Dense(1), shape=(1,))
    network.vector[...] = 1e-10, 0
    diagnosis = found(network, SquaredError(), np.full((1, 1), 1e25, "f4"), np.array([0]))
    assert diagnosis[:2] == ("the gradient of W", "0 dense 1")
    assert diagnosis.hint.startswith("The images reach 1e+25: scale = ")


def test_the_loss_and_its_penalty():
    network = made(Dense(1), shape=(1,))
    network.vector[...] = 1e20, 0
    one = np.ones((1, 1), np.float32)
    assert found(network, SquaredError(), one, np.array([0])).where == "the loss"
    diagnosis = found(network, SquaredError(penalty=1.0), 0 * one, np.array([0]))
    assert diagnosis.where == "the penalty of the weights"


def test_a_witness_is_no_layer_of_a_recipe():
    assert "witness" not in members(Layer)


# --- within a training


def stopped(network, x, optimizer=None, **settings):
    """Trains until it fails, and holds the network to finite numbers, statistics included."""
    batches = Batches(x, np.arange(len(x)) % 2, 2, 0, shuffle=False)
    with pytest.raises(NotFiniteError) as caught:
        list(fit(network, batches, LOSS, optimizer or SGD(0.1), epochs=9, **settings))
    assert np.isfinite(network.vector).all()
    return caught.value


CONVOLVED = (Convolution(8), BatchNorm(), ReLU(), Convolution(8), MaxPool(), Dense(2))
HOW = {"book": {}, "plan": {"gradient": Planned()}, "shards": {"gradient": Shards(2)}}


@pytest.mark.parametrize("how", HOW)
def test_a_training_names_step_layer_and_rows_and_keeps_finite_statistics(how):
    """By a plan and by threads too: what is said is by the book."""
    network = made(*CONVOLVED, shape=(8, 8, 3))
    assert is_planned(network)
    x, _ = drawn(network, 6)
    x[3, 0, 0, 0] = np.inf
    error = stopped(network, x, **HOW[how])
    assert (error.step, error.epoch, error.where, error.rows) == (1, 0, "the images", (1,))
    assert error.largest["the images"] == np.inf
    assert error.table()["largest"]["the images"] == "inf"


def test_a_plan_trains_and_the_book_says_where():
    network = made(*CONVOLVED, shape=(8, 8, 3))
    network.params[5].W[...] = 1e38
    x, _ = drawn(network, 4)
    error = stopped(network, 100 * x, gradient=Planned())
    assert (error.step, error.where, error.layer) == (0, "the output", "5 dense 2")


def test_a_step_that_only_the_optimizer_makes_infinite():
    error = stopped(made(Dense(2)), drawn(made(Dense(2)))[0], SGD(1e39))
    assert (error.step, error.where, error.layer) == (0, "the step of W", "0 dense 2")
    assert error.hint.startswith("The gradient itself is finite. A smaller learning rate")
    assert error.largest["the step"] == np.inf
    error = stopped(made(Dense(2)), drawn(made(Dense(2)))[0], SGD(1e25))
    assert error.where == "the squared length of the step"


def test_variances_beyond_float32_do_not_become_silent_zeros():
    """Otherwise x / ∞ = 0 is normalized, the loss is finite, and the model is worth nothing."""
    for norm, how in ((BatchNorm(), {}), (GroupNorm(), {}), (BatchNorm(), HOW["plan"])):
        network = made(Convolution(8), norm, ReLU(), Convolution(8), Dense(2), shape=(8, 8, 3))
        network.params[0].W[...] *= 1e20
        error = stopped(network, drawn(network)[0], **how)
        assert (error.where, error.layer[:2]) == ("the output", "1 ")


@pytest.mark.parametrize("batch_size", [None, 2])
def test_a_good_step_is_never_looked_at(batch_size):
    def looked(*_):
        raise AssertionError

    network = made(Flatten(), Dense(4), BatchNorm(), Dense(2), shape=(2, 2, 1))
    x, _ = drawn(network)
    batches = Batches(x, LABELS, batch_size, 0)
    assert list(fit(network, batches, LOSS, Adam(0.01), epochs=3, diagnosed=looked))
