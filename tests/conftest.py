"""What tests of several rooms need: the slope of a function, and PyTorch as an oracle."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    """PyTorch; without it a test is skipped, by name."""
    return pytest.importorskip("torch")


@pytest.fixture(scope="session")
def check_gradients() -> Callable[..., None]:
    """Holds the gradients of a function of several arrays to its central differences."""

    def check(f, inputs, dy, gradients, seed=0, h=1e-5):
        """For every input u, <dy, f(u + h v) - f(u - h v)> / 2h = <du, v>, in random directions v.

        ``dy`` is the cotangent. A difference of order h² = 1e-10 and rounding of order 1e-16/h
        leave some nine digits; a wrong factor or sign is off by far more than 1e-7.
        """
        generator = np.random.default_rng(seed)
        assert len(inputs) == len(gradients)
        for i, (u, du) in enumerate(zip(inputs, gradients, strict=True)):
            assert du.shape == u.shape
            assert du.dtype == np.float64
            for _ in range(3):
                v = generator.normal(size=u.shape)
                ahead, behind = (
                    f(*inputs[:i], u + sign * h * v, *inputs[i + 1 :]) for sign in (1, -1)
                )
                slope = np.sum(dy * (ahead - behind)) / (2 * h)
                assert np.sum(du * v) == pytest.approx(slope, rel=1e-7, abs=1e-7), f"input {i}"

    return check
