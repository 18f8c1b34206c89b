"""The affine map, worked by hand."""

import numpy as np

from handgrad import calculus


def test_by_hand():
    # Two samples (rows), three inputs, two outputs.
    x = np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 3.0]])
    W = np.array([[1.0, 0.0], [0.5, -1.0], [2.0, 1.0]])
    b = np.array([0.25, -0.5])
    # 1·1 + 2·0.5 + 0·2 + 0.25 = 2.25      1·0 + 2·(-1) + 0·1 - 0.5 = -2.5
    # 0·1 - 1·0.5 + 3·2 + 0.25 = 5.75      0·0 - 1·(-1) + 3·1 - 0.5 =  3.5
    np.testing.assert_array_equal(calculus.affine(x, W, b), [[2.25, -2.5], [5.75, 3.5]])

    dy = np.array([[1.0, 10.0], [2.0, -1.0]])
    dW, db = np.full((3, 2), np.nan), np.full(2, np.nan)
    # dx_n = dy_n Wᵀ: 1·1 + 10·0 = 1, 1·0.5 - 10 = -9.5, 2 + 10 = 12; 2, 1 + 1 = 2, 4 - 1 = 3
    dx = calculus.affine_backward(dy, x, W, dW, db)
    np.testing.assert_array_equal(dx, [[1.0, -9.5, 12.0], [2.0, 2.0, 3.0]])
    # dW_io = Σ_n x_ni dy_no: 1·1 + 0·2, 1·10 + 0; 2·1 - 1·2, 2·10 + 1; 0 + 3·2, 0 - 3
    np.testing.assert_array_equal(dW, [[1.0, 10.0], [0.0, 21.0], [6.0, -3.0]])
    np.testing.assert_array_equal(db, [3.0, 9.0])


def test_the_half_without_dx_gives_the_same_parameters():
    generator = np.random.default_rng(0)
    dy, x, W = (generator.normal(size=size) for size in ((5, 4), (5, 3), (3, 4)))
    whole, half = ((np.empty((3, 4)), np.empty(4)) for _ in range(2))
    calculus.affine_backward(dy, x, W, *whole)
    calculus.affine_backward_parameters(dy, x, *half)
    for a, b in zip(whole, half, strict=True):
        np.testing.assert_array_equal(a, b)
