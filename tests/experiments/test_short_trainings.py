"""Short trainings from a fixed seed that must come to something: all parts together, for real."""

from __future__ import annotations

import os

import numpy as np
import pytest

from handgrad.datasets import Splits, load
from handgrad.experiments import Experiment, read_recipe, with_settings


def trained(name, settings, splits=None) -> Experiment:
    experiment = Experiment(with_settings(read_recipe(name), settings), splits=splits)
    for _ in experiment.train():
        pass
    return experiment


def test_digits_in_six_epochs():
    found = trained("digits", {"training.epochs": 6, "seed": 3}).figures()
    assert found["test_n"] == 355
    assert found["test_accuracy"] >= 0.97


@pytest.mark.skipif("HANDGRAD_DATA" not in os.environ, reason="mnist: HANDGRAD_DATA is not set")
def test_mnist_from_2000_images():
    """The convolutional recipe at a third of its width: 95 % where one neuron has 83 %."""
    whole = load("mnist")
    assert whole.test is not None
    few = Splits(whole.train.take(np.arange(2000)), whole.test.take(np.arange(1000)))
    widths = {
        f"architecture.{i}.channels": c
        for i, c in zip((0, 3, 7, 10, 14), (8, 8, 16, 16, 32), strict=True)
    }
    settings = {**widths, "training.epochs": 4, "training.batch_size": 32, "averaging.decay": 0.9}
    assert trained("mnist-cnn", settings, few).figures()["test_accuracy"] >= 0.93
