"""Normalization: mean 0 and variance 1, over the batch or within a sample; then scale and offset.

Batch normalization takes its statistics over all axes but the last, one mean and one variance a
channel; group normalization over everything in one sample and one group of channels.

Sums and squares must be numbers of the type: in float32 values far beyond 1e18 have no variance,
and what was to be normalized by it is NaN, which a training notices, not the 0 of x / ∞.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from handgrad.arrays import Array

__all__ = [
    "Total",
    "batch_norm",
    "batch_norm_backward",
    "frozen_norm",
    "frozen_norm_backward",
    "group_norm",
    "group_norm_backward",
]

Total = Callable[[Array], Array]
"""Completes a sum whose terms are in several hands: from one's own part to the whole."""


def _alone(part: Array) -> Array:
    """The `Total` of a batch in one hand."""
    return part


def batch_norm(
    x: Array, scale: Array | None, offset: Array | None, epsilon: float, total: Total = _alone
) -> tuple[Array, Array, Array]:
    """Normalize each channel over the batch: ``y = scale · x̂ + offset``, ``x̂ = (x - μ)/σ``.

    With r running over the M = N·H·W places of a channel c,
    μ_c = 1/M Σ_r x_rc, v_c = 1/M Σ_r (x_rc - μ_c)² and σ_c = √(v_c + ε).

    Parameters
    ----------
    x : (N, …, C) float
    scale, offset : (C,) float, or None for 1 and 0
    epsilon : what keeps σ from 0
    total : completes the sums over r where x is one of several parts of the batch

    Returns
    -------
    y : shape and dtype of x
    mean, variance : (C,), μ and v; the variance is the biased one (1/M, not 1/(M - 1))

    Source: Ioffe, Szegedy, arXiv 1502.03167 (2015).

    >>> batch_norm(np.array([[1.0], [3.0]]), None, np.array([5.0]), 0.0)
    (array([[4.],
           [6.]]), array([2.]), array([1.]))
    """
    M = places_of_channel(x, total)
    mean = total(_channel_sum(x)) / M
    squares = x - mean
    squares *= squares
    variance = _known(total(_channel_sum(squares)) / M)
    return frozen_norm(x, mean, variance, scale, offset, epsilon), mean, variance


def batch_norm_backward(
    dy: Array,
    x: Array,
    mean: Array,
    variance: Array,
    scale: Array | None,
    dscale: Array | None,
    doffset: Array | None,
    epsilon: float,
    total: Total = _alone,
) -> Array:
    """Carry a gradient back through `batch_norm`, through its mean and its variance too.

    For one channel, y_r = γ x̂_r + β gives dγ = Σ_r dy_r x̂_r, dβ = Σ_r dy_r and dx̂_r = γ dy_r.
    Each x_k moves every x̂_r = (x_r - μ)/σ, three ways: itself, the mean and σ, where

        ∂μ/∂x_k = 1/M
        ∂v/∂x_k = 2/M Σ_r (x_r - μ)(δ_rk - 1/M) = 2/M (x_k - μ)       since Σ_r (x_r - μ) = 0
        ∂σ/∂x_k = 1/(2σ) ∂v/∂x_k = x̂_k/M

        ∂x̂_r/∂x_k = 1/σ (δ_rk - 1/M) - (x_r - μ)/σ² · x̂_k/M = 1/σ (δ_rk - 1/M - x̂_r x̂_k/M)

    and so

        dx_k = Σ_r dx̂_r ∂x̂_r/∂x_k = γ/σ (dy_k - dβ/M - x̂_k dγ/M)

    Parameters
    ----------
    dy : (N, …, C) float           gradient at the output
    x : same shape                 the input that `batch_norm` received
    mean, variance : (C,)          what it returned besides y
    scale, epsilon, total : as it received them
    dscale, doffset : (C,)         overwritten, never added to; None where it is not wanted. Of x
        alone, also where x is one of several parts.

    Returns
    -------
    dx : shape and dtype of dy
    """
    deviation = np.sqrt(variance + epsilon)
    normalized = x - mean
    normalized /= deviation
    along, straight = (total(part) for part in _parameters(dy, normalized, dscale, doffset))
    M = places_of_channel(x, total)
    dx = normalized
    dx *= -along / M
    dx -= straight / M
    dx += dy
    dx *= _one(scale) / deviation
    return dx


def frozen_norm(
    x: Array,
    mean: Array,
    variance: Array,
    scale: Array | None,
    offset: Array | None,
    epsilon: float,
) -> Array:
    """Normalize by a mean and a variance that are given: ``y = scale · (x - μ)/σ + offset``.

    So batch normalization predicts, with the statistics gathered in training.

    Parameters
    ----------
    x : (N, …, C) float
    mean, variance : (C,) float
    scale, offset, epsilon : as in `batch_norm`

    Returns
    -------
    y : shape and dtype of x

    Source: Ioffe, Szegedy, arXiv 1502.03167 (2015).
    """
    y: Array = x - mean
    y *= _one(scale) / np.sqrt(variance + epsilon)
    if offset is not None:
        y += offset
    return y


def frozen_norm_backward(
    dy: Array,
    x: Array,
    mean: Array,
    variance: Array,
    scale: Array | None,
    dscale: Array | None,
    doffset: Array | None,
    epsilon: float,
) -> Array:
    """Carry a gradient back through `frozen_norm`: ``dx = dy · scale/σ``.

    Mean and variance are numbers here, not functions of x: an affine map of each channel alone,
    with dscale_c = Σ_r dy_rc x̂_rc and doffset_c = Σ_r dy_rc.

    Parameters
    ----------
    dy, x, mean, variance, scale, dscale, doffset, epsilon : as in `batch_norm_backward`
    """
    deviation = np.sqrt(variance + epsilon)
    if dscale is not None or doffset is not None:
        _parameters(dy, (x - mean) / deviation, dscale, doffset)
    dx: Array = dy * (_one(scale) / deviation)
    return dx


def group_norm(
    x: Array, scale: Array | None, offset: Array | None, groups: int, epsilon: float
) -> tuple[Array, Array, Array]:
    """Normalize each sample by itself, its channels in groups: ``y = scale · x̂ + offset``.

    x̂ = (x - μ_ng)/σ_ng, with the mean and the (biased) variance of the M = H·W·C/groups numbers of
    sample n in group g, σ = √(v + ε). One group of all channels is layer normalization.

    Parameters
    ----------
    x : (N, …, C) float
    scale, offset : (C,) float, or None for 1 and 0
    groups : how many; C is a multiple of it
    epsilon : what keeps σ from 0

    Returns
    -------
    y : shape and dtype of x
    mean, variance : (N, groups)

    Source: Wu, He, Group Normalization, arXiv 1803.08494 (2018).

    >>> group_norm(np.array([[1.0, 3.0, 10.0, 30.0]]), None, None, 2, 0.0)[0]
    array([[-1.,  1., -1.,  1.]])
    """
    grouped = _grouped(x, groups)
    mean = _group_mean(grouped)
    y = grouped - mean
    variance = _known(_group_mean(y * y))
    y /= np.sqrt(variance + epsilon)
    y = y.reshape(x.shape)
    if scale is not None:
        y *= scale
    if offset is not None:
        y += offset
    return y, mean[:, 0, :, 0], variance[:, 0, :, 0]


def group_norm_backward(
    dy: Array,
    x: Array,
    mean: Array,
    variance: Array,
    scale: Array | None,
    dscale: Array | None,
    doffset: Array | None,
    epsilon: float,
) -> Array:
    """Carry a gradient back through `group_norm`.

    Within one sample and group the derivation of `batch_norm_backward` holds word for word:
    ∂x̂_r/∂x_k = 1/σ (δ_rk - 1/M - x̂_r x̂_k/M). But r now runs over several channels, whose scales
    differ, so that the scale cannot be taken out of the sums: with dx̂ = dy · scale,

        dx_k = 1/σ (dx̂_k - 1/M Σ_r dx̂_r - x̂_k 1/M Σ_r dx̂_r x̂_r)

    Scale and offset belong to a channel: dscale_c and doffset_c sum dy x̂ and dy over the batch.

    Parameters
    ----------
    dy : (N, …, C) float           gradient at the output
    x : same shape                 the input that `group_norm` received
    mean, variance : (N, groups)   what it returned besides y
    scale, epsilon : as it received them
    dscale, doffset : (C,)         overwritten, never added to; None where it is not wanted

    Returns
    -------
    dx : shape and dtype of dy
    """
    groups = mean.shape[1]
    deviation = np.sqrt(variance + epsilon)[:, None, :, None]
    normalized = _grouped(x, groups) - mean[:, None, :, None]
    normalized /= deviation
    _parameters(dy, normalized.reshape(x.shape), dscale, doffset)
    dx = _grouped(dy * _one(scale), groups)
    along, average = _group_mean(dx * normalized), _group_mean(dx)
    dx -= average
    dx -= normalized * along
    dx /= deviation
    return dx.reshape(x.shape)


def places_of_channel(x: Array, total: Total = _alone) -> int:
    """M, over how many numbers a channel is averaged, in all parts of the batch."""
    return int(total(np.array(x.size // x.shape[-1])))


def _known(variance: Array) -> Array:
    """A variance; NaN where its squares were beyond the type."""
    variance[np.isinf(variance)] = np.nan
    return variance


def _one(scale: Array | None) -> Array | int:
    return 1 if scale is None else scale


def _channel_sum(x: Array) -> Array:
    """The sum of each channel: over the samples first, in long rows, then in float64.

    A hundred thousand float32 one after the other would lose some three digits.
    """
    rows = x.sum(axis=0).reshape(-1, x.shape[-1])
    total: Array = rows.sum(axis=0, dtype=np.result_type(x, np.float64))
    return total.astype(x.dtype)


def _parameters(
    dy: Array, normalized: Array, dscale: Array | None, doffset: Array | None
) -> tuple[Array, Array]:
    """Σ dy x̂ and Σ dy of each channel: the gradients of scale and offset, written where wanted."""
    along, straight = _channel_sum(dy * normalized), _channel_sum(dy)
    if dscale is not None:
        dscale[...] = along
    if doffset is not None:
        doffset[...] = straight
    return along, straight


def _grouped(x: Array, groups: int) -> Array:
    """(N, H·W, groups, C/groups)."""
    return x.reshape(len(x), -1, groups, x.shape[-1] // groups)


def _group_mean(grouped: Array) -> Array:
    """(N, 1, groups, 1), summed over the places first, then in float64."""
    wide = np.result_type(grouped, np.float64)
    mean: Array = grouped.sum(axis=1, keepdims=True).sum(axis=3, keepdims=True, dtype=wide)
    mean /= grouped.shape[1] * grouped.shape[3]
    return mean.astype(grouped.dtype)
