"""Softmax: from K scores to K probabilities, with its Jacobian written out."""

from __future__ import annotations

import numpy as np

from handgrad.arrays import Array

__all__ = ["log_softmax", "softmax", "softmax_backward", "softmax_jacobian"]


def softmax(z: Array) -> Array:
    """From scores to probabilities, ``s_k = e^(z_k) / Σ_j e^(z_j)``, along the last axis.

    The largest score is subtracted first: it cancels in the fraction, and no exponential is then
    larger than 1. Where two scores are further apart than numbers reach, the smaller has 0.

    Parameters
    ----------
    z : (N, K) float

    Returns
    -------
    s : (N, K), rows sum to 1, dtype of z

    >>> softmax(np.array([[1e4, 1e4]]))
    array([[0.5, 0.5]])
    """
    with np.errstate(over="ignore"):
        s: Array = z - z.max(axis=-1, keepdims=True)
    np.exp(s, out=s)
    s /= s.sum(axis=-1, keepdims=True)
    return s


def softmax_backward(ds: Array, s: Array) -> Array:
    """Carry a gradient back through `softmax`, without writing its Jacobian down.

    With the Jacobian J_ik = s_i (δ_ik - s_k) (see `softmax_jacobian`):

        dz_k = Σ_i ds_i J_ik = s_k (ds_k - Σ_i ds_i s_i)

    Parameters
    ----------
    ds : (N, K) float      gradient at the output
    s : (N, K)             what `softmax` returned

    Returns
    -------
    dz : (N, K), dtype of ds

    Cost: 4·N·K flops, where the Jacobian takes 2·N·K².
    """
    dz: Array = s * (ds - (ds * s).sum(axis=-1, keepdims=True))
    return dz


def softmax_jacobian(s: Array) -> Array:
    """The Jacobian of `softmax`, ``∂s_i/∂z_k = s_i (δ_ik - s_k)``, one matrix a sample.

    From log s_i = z_i - log Σ_j e^(z_j): ∂ log s_i/∂z_k = δ_ik - s_k, and ∂s_i = s_i ∂ log s_i.

    Parameters
    ----------
    s : (N, K) float       what `softmax` returned

    Returns
    -------
    J : (N, K, K), J[n, i, k] = ∂s_ni/∂z_nk; symmetric, rows sum to 0

    Source: tutorial on 3x3 lines (dmattek/tutorial-classify-nano), appendix.

    >>> softmax_jacobian(np.array([[0.5, 0.5]]))[0]
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    k = np.arange(s.shape[-1], like=s)
    delta = k[:, None] == k
    J: Array = s[:, :, None] * (delta - s[:, None, :])
    return J


def log_softmax(z: Array) -> Array:
    """The logarithm of `softmax`, ``z_k - log Σ_j e^(z_j)``, without a logarithm of 0.

    With m the largest score, log Σ_j e^(z_j) = m + log Σ_j e^(z_j - m), and that sum is at least 1.
    Where two scores are further apart than numbers reach, the smaller has -∞.

    Parameters
    ----------
    z : (N, K) float

    Returns
    -------
    log s : (N, K), at most 0, dtype of z

    >>> log_softmax(np.array([[0.0, -1e4]]))
    array([[     0., -10000.]])
    """
    shifted: Array = z.T.copy()  # a class a row: NumPy goes along a few long rows the fastest
    with np.errstate(over="ignore"):
        shifted -= shifted.max(axis=0)
    shifted -= np.log(np.exp(shifted).sum(axis=0))
    return shifted.T
