"""What is computed forward only is what the calculus says."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad import calculus
from handgrad.kernels import (
    Filters,
    Maps,
    Workspace,
    gathered,
    largest,
    pooled_tiles,
    run,
    taps,
    winograd_border,
)

RNG = np.random.default_rng(0)
NONE = ((0, 0), (0, 0))


def maps(x, border):
    """Images (N, H, W, C) as maps."""
    N, H, W, C = x.shape
    made = Maps(np.zeros((H + sum(border[0]), W + sum(border[1]), N, C)), border)
    made.rows[...] = x
    return made


def empty(N, H, W, C, border=NONE):
    made = maps(np.zeros((N, H, W, C)), border)
    made.rows[...] = np.nan
    return made


@pytest.mark.parametrize("border", [NONE, ((1, 0), (2, 1))])
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "channels"),
    [((3, 3), 1, 1, 8), ((2, 5), 2, 1, 3), ((3, 2), 1, 2, 4), ((1, 1), 1, 1, 5), ((1, 1), 2, 1, 5)],
)
def test_patches_gathered(kernel, stride, dilation, channels, n, border):
    x, W = RNG.normal(size=(n, 11, 9, channels)), RNG.normal(size=(*kernel, channels, 6))
    padding = ((1, 2), (0, 1))
    expected = calculus.convolve(x, W, None, stride, padding, dilation)
    y = empty(*expected.shape, border)
    run(gathered(maps(x, padding), W, y, Workspace(float), stride, dilation))
    np.testing.assert_allclose(y.rows, expected, rtol=1e-12, atol=1e-12)


def test_large_patches_are_gathered_some_rows_at_a_time():
    x, W = RNG.normal(size=(9, 20, 20, 16)), RNG.normal(size=(3, 3, 16, 4))
    y = empty(9, 18, 18, 4)
    calls = gathered(maps(x, NONE), W, y, Workspace(float))
    assert len(calls) > 2
    run(calls)
    np.testing.assert_allclose(y.rows, calculus.convolve(x, W, None), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("border", [NONE, ((1, 2), (0, 1))])
@pytest.mark.parametrize("channels", [1, 3])
def test_taps(channels, border):
    x = RNG.normal(size=(1, 7, 8, channels))
    W, b = RNG.normal(size=(3, 2, channels, 5)), RNG.normal(size=5)
    expected = calculus.convolve(x, W, b, padding=((1, 0), (2, 1)))
    y = empty(*expected.shape, border)
    # The rows of W stand in the order of its taps, as `Patches` has them.
    run(taps(maps(x, ((1, 0), (2, 1))), np.vstack([W.reshape(-1, 5), b]), y, Workspace(float)))
    np.testing.assert_allclose(y.rows, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("shape", [(6, 12), (7, 8)])
def test_the_largest(size, shape):
    x = RNG.normal(size=(2, *shape, 5))
    expected = calculus.max_pool(x, size, size)
    y = empty(*expected.shape, ((1, 1), (0, 2)))
    run(largest(maps(x, ((0, 1), (1, 0))), size, y, Workspace(float)))
    np.testing.assert_array_equal(y.rows, expected)


@pytest.mark.parametrize("n", [1, 2, 40])
@pytest.mark.parametrize("shape", [(4, 4), (8, 12), (24, 20)])
def test_tiles_and_their_pooling(shape, n):
    padding, C, O = ((1, 1), (1, 1)), 8, 9
    x = RNG.normal(size=(n, *shape, C))
    W, b = RNG.normal(size=(3, 3, C, O)), RNG.normal(size=O)
    filters = Filters(C, O, float)
    filters.read(W, b)
    expected = calculus.max_pool(calculus.convolve(x, W, b, padding=padding), 2, 2)
    y = empty(*expected.shape, ((1, 2), (2, 1)))
    border = winograd_border((*shape, C), padding)
    run(pooled_tiles(maps(x, border), filters, y, Workspace(float)))
    np.testing.assert_allclose(y.rows, expected, rtol=1e-9, atol=1e-9)
    assert not y.whole[0].any()  # the border is left alone
