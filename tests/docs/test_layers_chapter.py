"""What docs/book/layers.md says and its cells do not show: of the photographs, of coordinates."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from handgrad.datasets import load
from handgrad.layers import Dense
from handgrad.networks import Network
from handgrad.training import Span

PAGE = Path(__file__).parents[2] / "docs" / "book" / "layers.md"


@pytest.mark.skipif("HANDGRAD_DATA" not in os.environ, reason="HANDGRAD_DATA is not set")
def test_so_much_of_the_test_photographs_lies_outside_of_the_span() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    said = re.search(r"squares of its test images ([\d.]+) % lie outside", text)
    splits = load("cat-vs-noncat")
    assert said is not None
    assert splits.test is not None
    X, others = (part.images.reshape(len(part), -1) / 255.0 for part in (splits.train, splits.test))
    assert np.linalg.matrix_rank(X @ X.T) == len(X) == 209  # "209 of 12,288 directions"
    Q = np.linalg.qr(X.T)[0]
    outside = 1 - ((others @ Q) ** 2).sum() / (others**2).sum()
    assert float(said[1]) == round(100 * outside, 1)


def test_a_step_in_coordinates_is_the_step_of_the_weights() -> None:
    """The gradient in A would be K dz, and the page says that it is not what is stepped along."""
    random = np.random.default_rng(0)
    X, dz = random.normal(size=(3, 5)), random.normal(size=(3, 2))
    network = Network((Dense(2, offset=False),), (5,), random.normal(size=10))
    W = network.params[0].W.copy()
    span = Span(network, X)
    gradient = span.network.gradient()
    _, memories = span.network.forward(span.of(X))
    span.network.backward(dz, memories, gradient.views)
    span.network.vector -= 0.1 * gradient.vector
    span.carry_back()
    np.testing.assert_allclose(network.params[0].W, W - 0.1 * X.T @ dz, rtol=0, atol=1e-13)
    K = X @ X.T
    assert not np.allclose(gradient.vector.reshape(3, 2), K @ dz)
