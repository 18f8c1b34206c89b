"""Whole networks: what is reported is what is descended; and every recipe is right end to end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from handgrad.experiments import recipe_checks
from handgrad.layers import Dense, Layer, Tanh
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Network
from handgrad.verification import check_network, verify


@pytest.mark.parametrize("name", recipe_checks())
def test_every_recipe_is_right_end_to_end(name):
    (finding,) = verify([(name, recipe_checks()[name])])
    assert finding.passed, finding.failure
    assert finding.comparisons == 12


@dataclass(frozen=True)
class HalfTanh(Tanh):
    """A wrong derivative in the middle of a network."""

    name = "half-tanh"

    def backward(self, da, a, params, grads):
        return 0.5 * super().backward(da, a, params, grads)


def checked(layer: Layer, **settings):
    network = Network((Dense(4), layer, Dense(3)), (2, 2, 1), dtype=np.float64)
    network.initialize(np.random.default_rng(0))
    return check_network("it", network, SoftmaxCrossEntropy(**settings), classes=3).finding()


@pytest.mark.parametrize("settings", [{}, {"over": "sum"}, {"penalty": 0.3}])
def test_a_right_network_passes(settings):
    found = checked(Tanh(), **settings)
    assert found.passed, found.failure


def test_a_wrong_layer_in_the_middle_is_noticed():
    found = checked(HalfTanh())
    assert not found.passed
    assert "the reported loss along" in found.failure


def test_the_network_that_is_checked_is_not_changed():
    network = Network((Dense(3),), (4,), dtype=np.float32)
    network.initialize(np.random.default_rng(0))
    before = network.vector.copy()
    assert check_network("it", network, SoftmaxCrossEntropy(), classes=3).finding().passed
    np.testing.assert_array_equal(network.vector, before)
    assert network.vector.dtype == np.float32
