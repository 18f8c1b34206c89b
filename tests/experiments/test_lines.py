"""The published training on 3x3 lines (dmattek/tutorial-classify-nano), number by number."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.experiments import Experiment, read_recipe

PUBLISHED = {
    0: 17.3267,
    20: 14.2200,
    40: 10.4207,
    60: 7.3794,
    80: 5.2601,
    100: 3.7983,
    120: 2.8219,
    140: 2.1705,
    160: 1.7246,
    180: 1.4107,
    200: 1.1803,
}
FIRST_PERFECT = 68


@pytest.fixture(scope="module")
def experiment():
    return Experiment(read_recipe("lines"))


@pytest.fixture(scope="module")
def history(experiment):
    first = experiment.network.vector.copy()
    reports = list(experiment.train())
    return first, reports


def test_the_first_values_are_the_tutorials(experiment, history):
    """W1 is drawn before W2, neuron by neuron; a neuron is a column here, a row there."""
    first, _ = history
    generator = np.random.default_rng(7)
    W1, W2 = generator.normal(size=(6, 9)) / 3, generator.normal(size=(2, 6)) / np.sqrt(6)
    views = experiment.network.layout.views(first, 3)
    np.testing.assert_array_equal(views[0].W, W1.T)
    np.testing.assert_array_equal(views[2].W, W2.T)
    assert not views[0].b.any()
    assert not views[2].b.any()


def test_the_published_losses(history):
    _, reports = history
    assert [report.step for report in reports] == list(range(201))
    assert {i: round(reports[i].loss, 4) for i in PUBLISHED} == PUBLISHED


def test_the_published_accuracies(history):
    accuracies = [report.train_accuracy for report in history[1]]
    assert accuracies[0] == 0.25
    assert accuracies.index(1.0) == FIRST_PERFECT
    assert set(accuracies[80:]) == {1.0}


@pytest.mark.usefixtures("history")
def test_both_validation_sets_are_right(experiment):
    """The published files with HANDGRAD_DATA, otherwise sets drawn to the same description."""
    figures = experiment.figures()
    assert figures["train_accuracy"] == 1.0
    assert (figures["test_accuracy"], figures["test_n"]) == (1.0, 18)
    assert figures["validation_2_accuracy"] == 1.0
