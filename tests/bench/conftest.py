"""Tiny works: every side does them in milliseconds."""

from __future__ import annotations

import pytest

from handgrad.bench.problems import Descent
from handgrad.bench.works import Work, convolutional, descent
from handgrad.layers import Dense, Sigmoid
from handgrad.optimizers import SGD


@pytest.fixture
def dense() -> Descent:
    """8x8 images, five hidden neurons, three classes; the last batch is short."""
    return descent((Dense(5), Sigmoid(), Dense(3)), (8, 8, 1), 20, 8, SGD(learning_rate=0.5))


@pytest.fixture
def images() -> Descent:
    """Convolutions, pooling, and a flattening whose order is not PyTorch's."""
    return descent(convolutional((2, 3), 7, 3), (8, 12, 2), 8, 4, SGD(learning_rate=0.05))


@pytest.fixture
def work(dense) -> Work:
    """Three epochs of the dense one."""
    return Work("tiny", "8x8, 64-5-3", lambda: dense, "epoch", whole=3, units=3)
