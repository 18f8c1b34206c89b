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
