"""By a plan or by the book: a recipe says which, and both train to the same end."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.experiments import Experiment, read_recipe
from handgrad.experiments.threads import Threads, threads_for
from handgrad.layers import Convolution, Dense
from handgrad.networks import Network
from handgrad.plans import Planned


def table(recipe, **training):
    found = read_recipe(recipe)
    return found | {"training": found.get("training", {}) | training}


@pytest.fixture
def planned(monkeypatch):
    """The sizes of the batches that are computed by a plan."""
    seen = []
    original = Planned.__call__

    def noted(self, network, loss, x, *rest):
        seen.append(len(x))
        return original(self, network, loss, x, *rest)

    monkeypatch.setattr(Planned, "__call__", noted)
    return seen


def test_both_train_to_the_same_accuracy(planned):
    ends = []
    for reference in (False, True):
        planned.clear()
        experiment = Experiment(table("digits", epochs=3, reference=reference))
        *_, last = experiment.train()
        ends.append((experiment.figures(), experiment.network.vector, last.loss))
        assert bool(planned) is not reference
    (one, vector, loss), (other, expected, true) = ends
    assert one["test_accuracy"] > 0.9
    assert abs(one["test_accuracy"] - other["test_accuracy"]) < 0.01
    np.testing.assert_allclose(loss, true, rtol=0.02)
    assert np.linalg.norm(vector - expected) < 0.05 * np.linalg.norm(expected)


def test_a_network_without_tiles_is_trained_by_the_book(planned):
    for _ in Experiment(table("lines", epochs=3)).train():
        pass
    assert planned == []


def test_a_network_with_a_plan_is_for_parts_whatever_its_dense_layers():
    layers = [Convolution(8), Convolution(8), Dense(4000)]
    assert threads_for(Network(layers, (16, 16, 3)), 64, 2) == Threads(shards=2)
    assert threads_for(Network(layers[2:], (16, 16, 3)), 64, 2) == Threads(blas=2)
