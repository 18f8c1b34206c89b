"""Softmax, its logarithm and its Jacobian."""

import numpy as np
import pytest

from handgrad import calculus

SHAPES = [(1, 1), (1, 7), (5, 1), (4, 3)]


def scores(shape):
    return np.random.default_rng(sum(shape)).normal(size=shape) * 3


def test_by_hand():
    # e^0 : e^(ln 2) : e^(ln 5) = 1 : 2 : 5, of 8
    z = np.log([[1.0, 2.0, 5.0]])
    s = calculus.softmax(z)
    np.testing.assert_allclose(s, [[0.125, 0.25, 0.625]], rtol=1e-15)
    # s_i (δ_ik - s_k), in 64ths: 1·7, -1·2, -1·5; 2·6, -2·5; 5·3
    np.testing.assert_allclose(
        calculus.softmax_jacobian(s)[0] * 64,
        [[7, -2, -5], [-2, 12, -10], [-5, -10, 15]],
        rtol=1e-14,
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_jacobian_is_the_derivative_and_what_backward_applies(shape):
    z = scores(shape)
    s = calculus.softmax(z)
    J = calculus.softmax_jacobian(s)
    h = 1e-5
    for k, step in enumerate(h * np.eye(shape[1])):
        column = (calculus.softmax(z + step) - calculus.softmax(z - step)) / (2 * h)
        np.testing.assert_allclose(J[:, :, k], column, atol=1e-9)
    ds = np.random.default_rng(1).normal(size=shape)
    composed = np.einsum("ni,nik->nk", ds, J)
    np.testing.assert_allclose(calculus.softmax_backward(ds, s), composed, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("shape", SHAPES)
def test_log_softmax_is_the_logarithm(shape):
    z = scores(shape)
    np.testing.assert_allclose(
        calculus.log_softmax(z), np.log(calculus.softmax(z)), rtol=1e-12, atol=1e-15
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("top", [1e4, -1e4])
def test_log_softmax_at_large_scores(top, dtype):
    z = np.array([[top, 0.0], [top, top]], dtype)
    found = calculus.log_softmax(z)
    # log(1 + e^-1e4) is 0 to any precision here, so that the larger score has 0, the other -1e4
    larger, smaller = (0, 1) if top > 0 else (1, 0)
    assert found[0, larger] == 0
    assert found[0, smaller] == -1e4
    np.testing.assert_allclose(found[1], np.log(0.5), rtol=1e-6)
    assert found.dtype == dtype
