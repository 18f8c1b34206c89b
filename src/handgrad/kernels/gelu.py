"""`calculus.gelu` and its way back, from one exponential."""

from __future__ import annotations

import math

import numpy as np

from handgrad import calculus
from handgrad.arrays import Array
from handgrad.kernels.calls import Call, Workspace, blocks, maximum, run

__all__ = ["GELU", "gelu", "gelu_backward"]

P = 0.3275911
POLYNOMIAL = 0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429
"""erf(x) = 1 - (a1 t + a2 t² + … + a5 t⁵) e^(-x²) within 1.5e-7 for x ≥ 0, with t = 1/(1 + P x)."""


def gelu(z: Array) -> Array:
    """The twin of `calculus.gelu`: within 1e-6 in float32, else that function itself.

    See `GELU` for how.

    >>> gelu(np.array([0.0, 1.0], np.float32))
    array([0.       , 0.8413447], dtype=float32)
    """
    if z.dtype != np.float32:
        return calculus.gelu(z)
    return _both(z)[0]


def gelu_backward(da: Array, z: Array) -> Array:
    """The twin of `calculus.gelu_backward` in float32, as `gelu`."""
    if z.dtype != np.float32:
        return calculus.gelu_backward(da, z)
    dz = _both(z)[1]
    dz *= da
    return dz


class GELU:
    """a = z Φ(z) and its derivative Φ(z) + z φ(z), planned.

    Both hold e^(-z²/2): the density φ(z) = e^(-z²/2)/√(2π) as it stands, and the distribution since
    erf, a polynomial in t = 1/(1 + p x) away from 1 times e^(-x²), is asked for x = |z|/√2. With

        Φ(-|z|) = ½ (1 - erf(|z|/√2)) = ½ (a1 t + … + a5 t⁵) e^(-z²/2)

    so that a = max(z, 0) - |z| Φ(-|z|) for either sign, and Φ(z) = ½ ± (½ - Φ(-|z|)). The
    derivative is taken while all this is in the cache, so that the way back is one multiplication.

    Source of the polynomial: Abramowitz, Stegun, Handbook of Mathematical Functions, 7.1.26.
    """

    def __init__(self, work: Workspace) -> None:
        self.work = work

    def forward(self, z: Array, a: Array, slope: Array | None = None) -> list[Call]:
        """The calls from z to a and its derivative, both overwritten; all of one shape.

        Parameters
        ----------
        slope : None where nobody asks for the derivative
        """
        calls: list[Call] = []
        for rows in blocks(z.shape):
            calls += self._block(z[rows], a[rows], None if slope is None else slope[rows])
        return calls

    def _block(self, z: Array, a: Array, slope: Array | None) -> list[Call]:
        m, e, t, h = (self.work.array(f"gelu {name}", z.shape) for name in "meth")
        a1, a2, a3, a4, a5 = (0.5 * c for c in POLYNOMIAL)
        calls: list[Call] = [
            (np.absolute, (z, m)),
            (np.multiply, (m, P / math.sqrt(2), t)),
            (np.add, (t, 1, t)),
            (np.divide, (1, t, t)),
            (_square, (z, e)),
            (np.multiply, (e, -0.5, e)),
            (np.exp, (e, e)),
            (np.multiply, (t, a5, h)),
        ]
        for c in (a4, a3, a2, a1):
            calls += [(np.add, (h, c, h)), (np.multiply, (h, t, h))]
        calls += [
            (np.multiply, (h, e, h)),  # Φ(-|z|)
            (np.multiply, (m, h, m)),
        ]
        if slope is not None:
            calls += self._slope(z, e, h, slope)
        return [
            *calls,
            (maximum, (z, self.work.array("gelu zero", z.shape), a)),
            (np.subtract, (a, m, a)),
        ]

    @staticmethod
    def _slope(z: Array, e: Array, h: Array, slope: Array) -> list[Call]:
        """From e^(-z²/2) and Φ(-|z|), both overwritten, to the derivative."""
        return [
            (np.multiply, (e, 1 / math.sqrt(2 * math.pi), e)),
            (np.multiply, (e, z, e)),  # z φ(z)
            (np.subtract, (0.5, h, h)),
            (np.copysign, (h, z, h)),
            (np.add, (h, 0.5, h)),  # Φ(z)
            (np.add, (h, e, slope)),
        ]


def _square(z: Array, out: Array) -> None:
    """z², or infinity, of which e^(-z²/2) is the 0 that it should be."""
    with np.errstate(over="ignore"):
        np.multiply(z, z, out=out)


def _both(z: Array) -> tuple[Array, Array]:
    """a and its derivative, of the shape of z."""
    row = z.ravel()
    a, slope = np.empty_like(row), np.empty_like(row)
    run(GELU(Workspace(z.dtype)).forward(row, a, slope))
    return a.reshape(z.shape), slope.reshape(z.shape)
