"""Copies and pickles of a network: one vector again, and views into it."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import handgrad as hg
from handgrad.networks import InBatches
from handgrad.plans import PlannedForward


def network():
    layers = (hg.Convolution(8), hg.BatchNorm(), hg.ReLU(), hg.GlobalAveragePool(), hg.Dense(3))
    made = hg.Network(layers, (8, 8, 8))
    made.initialize(np.random.default_rng(0))
    made.how_outputs = InBatches(PlannedForward(), threads=2)
    return made


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_a_copy_says_the_same_and_its_params_are_views_into_its_own_vector(copied):
    x = np.random.default_rng(1).normal(size=(5, 8, 8, 8)).astype(np.float32)
    first = network()
    said = first.outputs(x)  # plans are there now, which point into memory
    second = copied(first)
    np.testing.assert_array_equal(second.outputs(x), said)
    assert second.how_outputs.threads == 2
    assert not np.shares_memory(second.vector, first.vector)
    for mine, theirs in zip(second.params, first.params, strict=True):
        for name, view in vars(mine).items():
            assert np.shares_memory(view, second.vector), name
            np.testing.assert_array_equal(view, vars(theirs)[name])
    second.vector[...] = 0
    assert not second.params[0].W.any()
    assert not second.outputs(x).any()
    np.testing.assert_array_equal(first.outputs(x), said)


def test_a_pickle_holds_the_vector_once():
    first = hg.Network((hg.Dense(100),), (1000,))
    assert len(pickle.dumps(first)) < 1.1 * first.vector.nbytes
