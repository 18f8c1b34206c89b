"""The matrices of Winograd's algorithm, from their derivation and not from a table."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from handgrad.kernels import Filters, Winograd, Workspace, run, winograd

POINTS = (0, 1, -1, 2, -2)


def test_the_matrices_are_those_of_the_six_points():
    """Toom-Cook: A and G evaluate at the points (and ∞), B interpolates; divisors are G's."""
    A = [[z**t for t in range(4)] for z in POINTS] + [[0, 0, 0, 1]]
    np.testing.assert_array_equal(winograd.A, A)
    G, B = [], []
    for z in POINTS:
        others = [p for p in POINTS if p != z]
        divisor = Fraction(int(np.prod([z - p for p in others])))
        G.append([float(Fraction(z**k) / divisor) for k in range(3)])
        B.append([*np.poly(others)[::-1].round(9), 0])
    G.append([0, 0, 1])
    B.append(np.poly(POINTS)[::-1].round(9))
    # a row of B and G may change its sign together: only their product counts
    signs = np.sign(np.sum(np.array(B) * winograd.B.T, axis=1))
    np.testing.assert_allclose(winograd.B.T, np.array(B) * signs[:, None])
    np.testing.assert_allclose(winograd.G, np.array(G) * signs[:, None])


def test_one_tile_by_hand():
    """y_t = x_t g_0 + x_(t+1) g_1 + x_(t+2) g_2 with g = (1, 10, 100): the digits of x."""
    x, g = np.array([1.0, 2, 3, 4, 5, 6]), np.array([1.0, 10, 100])
    y = winograd.A.T @ ((winograd.G @ g) * (winograd.B.T @ x))
    np.testing.assert_allclose(y, [321, 432, 543, 654])


def test_the_way_back_needs_nothing_but_the_input():
    draw = np.random.default_rng(3).standard_normal
    filters = Filters(8, 6, np.float64)
    filters.read(draw((3, 3, 8, 6)), draw(6))
    kernel = Winograd(8, 5, 40, filters, Workspace(np.float64))
    assert len(kernel.strips) == 2
    x, dy = draw((*kernel.seen, 40 * 8)), draw((8, 5, 40 * 6))
    y, dx = np.empty_like(dy), np.empty_like(x)
    run(kernel.forward(x, y))
    kernel.V[...] = kernel.T[...] = np.nan
    run(kernel.backward(dy, x, dx))
    # The adjoint: <dy, conv x> - <dy, b> = <dx, x>
    offset = (dy.reshape(-1, 6) @ filters.b).sum()
    np.testing.assert_allclose((dx * x).sum(), (dy * y).sum() - offset)


def test_gradients_add_up_until_the_filters_are_read_again():
    draw = np.random.default_rng(3).standard_normal
    filters, W = Filters(8, 6, np.float64), draw((3, 3, 8, 6))
    filters.read(W, None)
    kernel = Winograd(4, 4, 2, filters, Workspace(np.float64))
    x, dy = draw((6, 6, 16)), draw((4, 4, 12))
    once, twice, db = np.empty_like(W), np.empty_like(W), np.empty(6)
    run(kernel.backward(dy, x, None))
    filters.write(once, None)
    run(kernel.backward(dy, x, None))
    filters.write(twice, db)
    np.testing.assert_allclose(twice, 2 * once)
    np.testing.assert_allclose(db, 2 * dy.reshape(-1, 6).sum(axis=0))
    filters.read(W, None)
    assert not filters.dU.any()
    assert not filters.db.any()
