"""Activations beside SciPy's, where it has them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from handgrad import calculus

Z = np.concatenate([np.linspace(-30, 30, 121), [-1e4, 1e4]])[:, None]
ROWS = np.random.default_rng(0).normal(size=(5, 7)) * 20


@pytest.mark.parametrize(
    ("ours", "theirs", "z"),
    [
        (calculus.sigmoid, special.expit, Z),
        (calculus.gelu, lambda z: 0.5 * z * special.erfc(-z / np.sqrt(2)), Z),
        (lambda z: calculus.elu(z, 1.0), lambda z: np.where(z > 0, z, special.expm1(z)), Z[:121]),
        (calculus.softmax, lambda z: special.softmax(z, axis=1), ROWS),
        (calculus.log_softmax, lambda z: special.log_softmax(z, axis=1), ROWS),
    ],
    ids=["sigmoid", "gelu", "elu", "softmax", "log_softmax"],
)
def test_the_same_values(ours, theirs, z):
    np.testing.assert_allclose(ours(z), theirs(z), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("shape", [(-1,), (1000, -1), (-1, 40)])
def test_gelu_in_float32_beside_scipy_in_float64(shape):
    z = np.linspace(-20, 20, 80_000, dtype=np.float32).reshape(shape).T  # not as it lies in memory
    exact = z.astype(np.float64)
    distribution, density = special.ndtr(exact), np.exp(-(exact**2) / 2) / np.sqrt(2 * np.pi)
    a, dz = calculus.gelu(z), calculus.gelu_backward(np.full_like(z, 2), z)
    assert a.dtype == dz.dtype == np.float32
    assert a.shape == dz.shape == z.shape
    np.testing.assert_allclose(a, exact * distribution, rtol=1e-5, atol=1e-37)
    np.testing.assert_allclose(dz, 2 * (distribution + exact * density), atol=1e-6)


def test_gelu_in_float32_where_it_ends():
    z = np.array([0.0, -0.0, np.inf, -np.inf, 3e38, -3e38, np.nan], np.float32)
    np.testing.assert_array_equal(calculus.gelu(z)[:2], [0, 0])
    np.testing.assert_allclose(calculus.gelu(z)[2:], [np.inf, 0, 3e38, 0, np.nan], atol=1e-37)
    np.testing.assert_allclose(
        calculus.gelu_backward(np.ones_like(z), z), [0.5, 0.5, 1, 0, 1, 0, np.nan], atol=1e-6
    )
