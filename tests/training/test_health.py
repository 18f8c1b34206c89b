"""Dead units and saturated outputs, of networks whose every number is chosen."""

import math

import numpy as np
import pytest

from handgrad.errors import HandgradError
from handgrad.layers import (
    ELU,
    GELU,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    LeakyReLU,
    ReLU,
    Residual,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from handgrad.networks import Network
from handgrad.training.health import UnitHealth, unit_health


def _copies(z, activation):
    """A network whose activation is shown the rows of ``z`` as they are."""
    network = Network((Dense(z.shape[1]), activation), (z.shape[1],), dtype=np.float64)
    network.params[0].W[...] = np.eye(z.shape[1])
    return network


def test_a_relu_is_dead_when_no_image_passes():
    #              always   once     never  never (0 is not above 0)
    z = np.array([[1.0, -1.0, -1.0, 0.0], [2.0, 0.1, -2.0, -1.0]])
    assert unit_health(_copies(z, ReLU()), z) == [UnitHealth("1 relu", "dead", 4, 0.5)]


def test_one_answer_among_many_images_is_life():
    """450 images, more than are looked at in one go; one unit answers the first, one the last."""
    z = np.full((450, 4), -1.0)
    z[0, 0] = z[-1, 1] = 1.0
    assert unit_health(_copies(z, ReLU()), z)[0].share == 0.5


def test_saturated_outputs_are_counted():
    # a (1 - a) = 0.05 · 1/4 at a = (1 ± √0.95)/2: z = ±4.36; 1 - a² = 0.05 at a = ±√0.95: z = ±2.18
    edge = math.log((1 + math.sqrt(0.95)) / (1 - math.sqrt(0.95)))
    assert edge == pytest.approx(4.36, abs=0.005)
    z = np.array([[0.0, edge - 0.01, edge + 0.01, -edge - 0.01], [9.0, 0.0, -edge + 0.01, 1.0]])
    assert unit_health(_copies(z, Sigmoid()), z) == [UnitHealth("1 sigmoid", "saturated", 4, 3 / 8)]
    # tanh z = 2 σ(2z) - 1: it bends at half the place.
    assert unit_health(_copies(z, Tanh()), z / 2) == [UnitHealth("1 tanh", "saturated", 4, 3 / 8)]


def _gelu_slope(z):
    Φ, φ = (1 + math.erf(z / math.sqrt(2))) / 2, math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return Φ + z * φ


def _silu_slope(z):
    s = 1 / (1 + math.exp(-z))
    return s * (1 + z * (1 - s))


def _edge(slope):
    """Where, far on the left, the slope is down to -5 % of its largest."""
    optimize = pytest.importorskip("scipy.optimize")
    largest = -optimize.minimize_scalar(lambda z: -slope(z), (1, 2, 4)).fun
    lowest = optimize.minimize_scalar(slope, (-4, -2, 0)).x
    return optimize.brentq(lambda z: slope(z) + 0.05 * largest, -9, lowest)


@pytest.mark.parametrize(
    ("activation", "edge"),
    [
        (ELU(), lambda: math.log(0.05)),  # e^z = 0.05
        (ELU(2.0), lambda: math.log(0.05)),  # 2 e^z = 0.05 · 2
        (GELU(), lambda: _edge(_gelu_slope)),
        (SiLU(), lambda: _edge(_silu_slope)),
    ],
)
def test_smooth_ones_die_where_they_are_flat(activation, edge):
    edge = edge()
    z = np.array([[edge - 0.01, edge + 0.01], [edge - 5, edge - 5]])
    (found,) = unit_health(_copies(z, activation), z)
    assert (found.state, found.share) == ("dead", 0.5)


def test_a_channel_is_dead_when_it_is_flat_everywhere():
    network = Network((Convolution(3, (1, 1)), ReLU()), (2, 2, 1), dtype=np.float64)
    network.params[0].W[...] = np.array([1.0, 1.0, -1.0]).reshape(network.params[0].W.shape)
    network.params[0].b[...] = [0, -3.5, 0]
    x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 2, 2, 1)  # channel 1 answers at one place only
    assert unit_health(network, x) == [UnitHealth("1 relu", "dead", 3, 1 / 3)]


def test_blocks_are_looked_into_and_layers_that_cannot_die_are_not():
    block = Residual((Dense(2), ReLU(), Dense(2)), (Dense(2), Residual((Tanh(),))))
    network = Network((block, LeakyReLU(), Dense(2), Softmax()), (2,))
    found = unit_health(network, np.ones((1, 2), np.float32))
    assert [(each.layer, each.share) for each in found] == [
        ("0.block.1 relu", 1.0),  # of a network of zeros
        ("0.shortcut.1.block.0 tanh", 0.0),
    ]


def test_the_network_is_asked_as_it_predicts():
    """Over its batch, normalization would make half of the values positive; dropout needs draws."""
    network = Network((BatchNorm(), Dropout(0.5), ReLU()), (2,), dtype=np.float64)
    network.initialize(np.random.default_rng(0))
    before = network.vector.copy()
    assert unit_health(network, np.array([[-1.0, -2.0], [-3.0, 1.0]]))[0].share == 0.5
    np.testing.assert_array_equal(network.vector, before)


def test_no_images_is_a_sentence():
    with pytest.raises(HandgradError, match="unit health: found no images"):
        unit_health(_copies(np.zeros((1, 2)), ReLU()), np.zeros((0, 2)))
