"""Activations a = f(z), element by element, each with its derivative right under it.

The backward functions take the gradient ``da`` at the activation and either ``z`` or ``a``,
whichever makes the derivative plainest, and return ``dz``, of the same shape and dtype.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from handgrad.arrays import Array, at_once

__all__ = [
    "elu",
    "elu_backward",
    "gelu",
    "gelu_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "tanh",
    "tanh_backward",
]


def sigmoid(z: Array) -> Array:
    """The logistic function, ``a = 1 / (1 + e⁻ᶻ)``.

    Where e⁻ᶻ is too large to be a number (z < -88 in float32) it is infinite, and a is 0: right to
    less than the smallest normal number.

    Parameters
    ----------
    z : any shape, float

    Returns
    -------
    a : in [0, 1], shape and dtype of z

    >>> sigmoid(np.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    a: Array = -z
    with np.errstate(over="ignore"):
        np.exp(a, out=a)
    a += 1
    return np.divide(1, a, out=a)


def sigmoid_backward(da: Array, a: Array) -> Array:
    """Carry a gradient back through `sigmoid`.

    From a = (1 + e⁻ᶻ)⁻¹: a' = e⁻ᶻ (1 + e⁻ᶻ)⁻² = a (1 - a), since e⁻ᶻ/(1 + e⁻ᶻ) = 1 - a.

        dz = da · a (1 - a)

    Parameters
    ----------
    da : any shape, float      gradient at the output
    a : same shape             what `sigmoid` returned

    Source: tutorial "Deep Learning with matrices", section 2.1.
    """
    dz: Array = 1 - a
    dz *= a
    dz *= da
    return dz


def tanh(z: Array) -> Array:
    """The hyperbolic tangent, ``a = (eᶻ - e⁻ᶻ) / (eᶻ + e⁻ᶻ)``, in (-1, 1)."""
    a: Array = np.tanh(z)
    return a


def tanh_backward(da: Array, a: Array) -> Array:
    """Carry a gradient back through `tanh`: ``dz = da (1 - a²)``.

    With s, c for sinh and cosh: (s/c)' = (c² - s²)/c² = 1 - a².

    Parameters
    ----------
    da : any shape, float      gradient at the output
    a : same shape             what `tanh` returned
    """
    dz: Array = a * a
    np.subtract(1, dz, out=dz)
    dz *= da
    return dz


def relu(z: Array) -> Array:
    """The rectified linear unit, ``a = max(0, z)``."""
    # NumPy compares with an array faster than with one 0.
    zeros = np.zeros(z.shape[1:], z.dtype, like=z)
    a: Array = np.maximum(z, zeros)
    return a


def relu_backward(da: Array, a: Array) -> Array:
    """Carry a gradient back through `relu`: ``dz = da`` where z > 0, else 0.

    The output says as much as the input: a > 0 exactly where z > 0. At the kink z = 0, where no
    derivative exists, 0 is taken, as the tutorial's R' does.

    Parameters
    ----------
    da : any shape, float      gradient at the output
    a : same shape             what `relu` returned (its input will do as well)

    >>> relu_backward(np.array([5.0, 5.0, 5.0]), np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 5.])
    """
    dz: Array = da * (a > 0)
    return dz


def leaky_relu(z: Array, slope: float = 0.01) -> Array:
    """A rectified linear unit that leaks, ``a = z`` for z > 0, else ``slope · z``.

    Source: Maas, Hannun, Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models
    (ICML workshop 2013), where slope is 0.01.
    """
    a: Array = np.where(z > 0, z, z * slope)
    return a


def leaky_relu_backward(da: Array, z: Array, slope: float = 0.01) -> Array:
    """Carry a gradient back through `leaky_relu`: ``dz = da`` where z > 0, else ``slope · da``.

    At the kink z = 0 the left derivative, ``slope``, is taken.

    Parameters
    ----------
    da : any shape, float      gradient at the output
    z : same shape             the input that `leaky_relu` received
    """
    dz: Array = np.where(z > 0, da, da * slope)
    return dz


def elu(z: Array, alpha: float = 1.0) -> Array:
    """The exponential linear unit, ``a = z`` for z > 0, else ``α (eᶻ - 1)``.

    The exponential is taken of min(z, 0) alone, so that large z cannot overflow.

    Source: Clevert, Unterthiner, Hochreiter, arXiv 1511.07289 (2015).
    """
    a: Array = np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))
    return a


def elu_backward(da: Array, z: Array, alpha: float = 1.0) -> Array:
    """Carry a gradient back through `elu`: ``dz = da`` where z > 0, else ``da · α eᶻ``.

    At z = 0 the left derivative, α, is taken; for α = 1 both sides agree.

    Parameters
    ----------
    da : any shape, float      gradient at the output
    z : same shape             the input that `elu` received
    """
    dz: Array = np.where(z > 0, da, da * (alpha * np.exp(np.minimum(z, 0))))
    return dz


def gelu(z: Array) -> Array:
    """The Gaussian error linear unit, ``a = z Φ(z)``, with Φ(z) = ½ (1 + erf(z/√2)).

    In float32 it is computed as max(z, 0) - |z| Q(|z|), which is the same: Q(x) = 1 - Φ(x) is the
    share of a standard normal variable above x (see `_tail`), and Φ(z) = Q(-z).

    Source: Hendrycks, Gimpel, arXiv 1606.08415 (2016); the exact form, not the tanh one.

    >>> gelu(np.array([0.0])), float(gelu(np.array([1.0]))[0].round(4))
    (array([0.]), 0.8413)
    """
    a: Array
    if z.dtype != np.float32:
        a = z * _normal_distribution(z)
        return a
    a = np.empty(z.shape, z.dtype, like=z)
    for own, z_own in _blocks(a, z):
        x, q, e = _tail(z_own)
        q *= e
        q *= x
        np.maximum(z_own, 0, out=own)
        own -= q
    return a


def gelu_backward(da: Array, z: Array) -> Array:
    """Carry a gradient back through `gelu`: ``dz = da (Φ(z) + z φ(z))``.

    By the product rule, with Φ' = φ, the normal density φ(z) = e^(-z²/2) / √(2π). In float32, with
    x = |z| and h = Q(x) - x φ(x), it is da · h for z < 0 and da (1 - h) for z ≥ 0.

    Parameters
    ----------
    da : any shape, float      gradient at the output
    z : same shape             the input that `gelu` received
    """
    dz: Array
    if z.dtype != np.float32:
        with np.errstate(over="ignore"):
            density = np.exp(-0.5 * z * z)
        density *= 1 / math.sqrt(2 * math.pi)
        dz = da * (_normal_distribution(z) + z * density)
        return dz
    dz = np.empty(z.shape, z.dtype, like=z)
    for own, z_own, da_own in _blocks(dz, z, da):
        x, h, e = _tail(z_own)
        x *= np.float32(1 / math.sqrt(2 * math.pi))
        h -= x
        h *= e
        np.multiply(h, -2, out=own)
        own += 1
        own *= z_own >= 0
        own += h
        own *= da_own
    return dz


def silu(z: Array) -> Array:
    """The sigmoid linear unit ("swish"), ``a = z σ(z)``, with σ the logistic function `sigmoid`.

    Source: Hendrycks, Gimpel, arXiv 1606.08415 (2016), where it is named; Elfwing, Uchibe, Doya,
    arXiv 1702.03118 (2017).

    >>> silu(np.array([0.0, 1e4, -1e4]))
    array([    0., 10000.,    -0.])
    """
    a: Array = sigmoid(z)
    a *= z
    return a


def silu_backward(da: Array, z: Array) -> Array:
    """Carry a gradient back through `silu`: ``dz = da · σ(z) (1 + z (1 - σ(z)))``.

    By the product rule, with σ' = σ (1 - σ): (z σ)' = σ + z σ (1 - σ).

    Parameters
    ----------
    da : any shape, float      gradient at the output
    z : same shape             the input that `silu` received
    """
    s = sigmoid(z)
    dz: Array = 1 - s
    dz *= z
    dz += 1
    dz *= s
    dz *= da
    return dz


def _normal_distribution(z: Array) -> Array:
    """Φ(z), the share of a standard normal variable below z."""
    if isinstance(z, np.ndarray):
        from scipy.special import ndtr  # 0.1 s to import, so only where used
    else:
        from cupyx.scipy.special import ndtr  # its twin on a card

    distribution: Array = ndtr(z)
    return distribution


_TAIL = (
    0.11962639,
    0.12079836,
    0.09963749,
    0.12946925,
    -0.05539394,
    0.20820672,
    -0.15827607,
    0.03593175,
)
"""c₁ … c₈: a least-squares fit over 0 ≤ x ≤ 13.5, reweighted until its largest error was least."""

_BLOCK = 1 << 14
"""Numbers computed at once, so that what lies between two operations stays in cache."""


def _tail(z: Array) -> tuple[Array, Array, Array]:
    """x = |z|, Q(x) e^(x²/2) and e^(-x²/2), with Q(x) the share of a normal variable above x.

    Q falls like its density φ(x) over x, so that their quotient is a tame function of
    t = 1 / (1 + 0.3 x), which brings 0 ≤ x < ∞ to 1 ≥ t > 0: a polynomial c₁ t + … + c₈ t⁸ meets it
    with a relative error of 1.3e-7, the rounding of float32, for which it is meant. Three times as
    fast as scipy's, which computes float32 in float64. Beyond x = 13.5, e^(-x²/2) is 0 to float32.

    Source: the form is Hastings' (Abramowitz, Stegun, Handbook of Mathematical Functions, 26.2.17).
    """
    x: Array = np.minimum(np.abs(z), np.float32(13.5))
    t = 1 / (1 + np.float32(0.3) * x)
    quotient = t * np.float32(_TAIL[-1])
    for c in reversed(_TAIL[:-1]):
        quotient += np.float32(c)
        quotient *= t
    np.multiply(x, x, out=t)
    t *= np.float32(-0.5)
    return x, quotient, np.exp(t, out=t)


def _blocks(out: Array, *arrays: Array) -> Iterator[tuple[Array, ...]]:
    """The same stretch of each array, one after the other; the first is written."""
    flat = [out.reshape(-1), *(array.reshape(-1) for array in arrays)]
    block = at_once(out, _BLOCK)
    for i in range(0, out.size, block):
        yield tuple(array[i : i + block] for array in flat)
