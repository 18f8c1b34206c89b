"""By a plan or by the book: a recipe says which, and both train to the same end."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.experiments import Experiment, Run, read_recipe
from handgrad.experiments.threads import Threads, answering, cores, threads_for
from handgrad.layers import Convolution, Dense
from handgrad.networks import Network, forward_by_the_book
from handgrad.plans import Planned, PlannedForward
from handgrad.storage import save_model


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


def test_it_answers_by_a_plan_too_and_so_does_a_model_that_is_read(tmp_path):
    made = [Experiment(table("digits", epochs=1, reference=r)) for r in (False, True)]
    forwards = [experiment.network.how_outputs.forward for experiment in made]
    assert isinstance(forwards[0], PlannedForward)
    assert forwards[1] is forward_by_the_book
    x = made[0].train_set.images[:20]
    one, other = (experiment.model().outputs(x) for experiment in made)
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())
    model = made[1].model()
    save_model(model, tmp_path / "m.safetensors")
    network = Run(tmp_path / "m.safetensors").model.network
    assert isinstance(network.how_outputs.forward, PlannedForward)
    with answering(network, 10**6):  # only the threads are another matter
        assert isinstance(network.how_outputs.forward, PlannedForward)
        assert network.how_outputs.threads == threads_for(network, 10**6, cores()).shards
    assert network.how_outputs.threads == 1


def test_a_network_without_tiles_is_trained_by_the_book(planned):
    for _ in Experiment(table("lines", epochs=3)).train():
        pass
    assert planned == []


def test_a_network_with_a_plan_is_for_parts_whatever_its_dense_layers():
    layers = [Convolution(8), Convolution(8), Dense(4000)]
    assert threads_for(Network(layers, (16, 16, 3)), 64, 2) == Threads(shards=2)
    assert threads_for(Network(layers[2:], (16, 16, 3)), 64, 2) == Threads(blas=2)
