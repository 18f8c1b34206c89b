"""Max-pooling of windows that touch, on maps: that of the definition, of equals the first."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad import calculus
from handgrad.kernels import MaxPooling, Workspace, run


@pytest.mark.parametrize(("size", "height", "width"), [(2, 4, 6), (2, 5, 7), (3, 6, 3), (3, 8, 7)])
def test_pooling_there_and_back(size, height, width):
    generator = np.random.default_rng(0)
    x = generator.integers(3, size=(2, height, width, 5)).astype(float)  # many are equal
    y = calculus.max_pool(x, size, size)
    dy = generator.normal(size=y.shape)
    maps, dmaps = (a.transpose(1, 2, 0, 3).reshape(*a.shape[1:3], -1) for a in (x, dy))
    out, dx = np.empty_like(dmaps), np.zeros_like(maps)
    first = np.empty((size**2, *out.shape), bool)
    pooling = MaxPooling(size, out.shape, first, Workspace(float))
    run(pooling.forward(maps, out))
    run(pooling.backward(dmaps, dx))
    expected = calculus.max_pool_backward(dy, x, y, size, size)
    for found, true in ((out, y), (dx, expected)):
        found = found.reshape(*found.shape[:2], 2, 5).transpose(2, 0, 1, 3)
        np.testing.assert_array_equal(found, true)


def test_without_a_way_back_only_the_largest_is_found():
    x = np.arange(16.0).reshape(4, 4, 1)
    y = np.empty((2, 2, 1))
    run(MaxPooling(2, y.shape, None, Workspace(float)).forward(x, y))
    np.testing.assert_array_equal(y[:, :, 0], [[5, 7], [13, 15]])
