"""Cross-entropy, from scores (fused, safe at any score) and from probabilities (as derived).

Each function returns one loss a sample and the gradient of their sum.
"""

from __future__ import annotations

import numpy as np

from handgrad.arrays import Array
from handgrad.calculus import log_softmax, sigmoid

__all__ = [
    "binary_cross_entropy",
    "cross_entropy",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
]


def softmax_cross_entropy(z: Array, labels: Array, smoothing: float = 0.0) -> tuple[Array, Array]:
    """Cross-entropy of softmax, from scores: ``L_n = -log softmax(z_n)[label_n]``.

    With y the one-hot row of the label and s = softmax(z), L = -Σ_i y_i log s_i. Through the
    Jacobian ∂s_i/∂z_k = s_i (δ_ik - s_k):

        ∂L/∂z_k = -Σ_i (y_i/s_i) s_i (δ_ik - s_k) = s_k Σ_i y_i - y_k = s_k - y_k

    The logarithm is that of `log_softmax`, so that no score can make it log 0.

    With smoothing ε the label is not believed wholly: y = (1 - ε) one-hot + ε/K. The sum of y is
    still 1, so the gradient is still s - y, and L = -(1 - ε) log s_label - ε mean_k log s_k.

    Parameters
    ----------
    z : (N, K) float       scores
    labels : (N,) int      in 0..K-1
    smoothing : ε, in [0, 1)

    Returns
    -------
    losses : (N,), in nats, dtype of z
    dz : (N, K), dtype of z

    Source: tutorial on 3x3 lines (dmattek/tutorial-classify-nano), appendix; Szegedy et al.,
    Rethinking the Inception Architecture (CVPR 2016), for smoothing.

    >>> losses, dz = softmax_cross_entropy(np.log([[0.1, 0.9]]), np.array([0]))
    >>> losses.round(2), dz.round(2)
    (array([2.3]), array([[-0.9,  0.9]]))
    """
    rows = np.arange(len(z), like=z)
    log_s = log_softmax(z)
    losses = -log_s[rows, labels]
    if smoothing:
        losses = (1 - smoothing) * losses - smoothing * log_s.mean(axis=1)
    dz: Array = np.exp(log_s, out=log_s)
    if smoothing:
        dz -= smoothing / z.shape[1]
    dz[rows, labels] -= 1 - smoothing
    return losses, dz


def sigmoid_cross_entropy(z: Array, labels: Array) -> tuple[Array, Array]:
    """Cross-entropy of the logistic function, from scores, for two classes 0 and 1.

    With a = σ(z), L = -y log a - (1 - y) log(1 - a). As log a = -log(1 + e⁻ᶻ) and
    log(1 - a) = -z - log(1 + e⁻ᶻ),

        L = (1 - y) z + log(1 + e⁻ᶻ) = max(z, 0) - y z + log(1 + e^-|z|)
        ∂L/∂z = a (1 - a) (-y/a + (1 - y)/(1 - a)) = a - y

    where the last form of L cannot overflow.

    Parameters
    ----------
    z : (N, 1) float       scores
    labels : (N,) int      0 or 1

    Returns
    -------
    losses : (N,), in nats, dtype of z
    dz : (N, 1), dtype of z

    Source: tutorial "Deep Learning with matrices", section 2.1, for a - y.

    >>> sigmoid_cross_entropy(np.array([[0.0]]), np.array([1]))[0].round(6)
    array([0.693147])
    """
    y = labels.astype(z.dtype)[:, None]
    positive = z >= 0
    losses = np.where(positive, z, 0) - y * z + np.log1p(np.exp(np.where(positive, -z, z)))
    dz: Array = sigmoid(z)
    dz -= y
    return losses[:, 0], dz


def cross_entropy(s: Array, labels: Array) -> tuple[Array, Array]:
    """Cross-entropy from probabilities, as it is derived: ``L_n = -log s_n[label_n]``.

    From L = -Σ_i y_i log s_i, ∂L/∂s_i = -y_i / s_i. Through `softmax_backward` this becomes s - y.
    A probability of 0 is taken as the smallest normal number of its type; the fused form,
    `softmax_cross_entropy`, has no such limit and is the one to train with.

    Parameters
    ----------
    s : (N, K) float       probabilities
    labels : (N,) int      in 0..K-1

    Returns
    -------
    losses : (N,), in nats
    ds : (N, K)

    Source: tutorial on MNIST (2024), "Backward Pass"; tutorial on 3x3 lines, "Loss function", whose
    three examples are these:

    >>> s = np.array([[0.1, 0.9], [0.5, 0.5], [0.9, 0.1]])
    >>> cross_entropy(s, np.array([0, 0, 0]))[0].round(2)
    array([2.3 , 0.69, 0.11])
    """
    rows = np.arange(len(s), like=s)
    true = np.maximum(s[rows, labels], np.finfo(s.dtype).tiny)
    ds = np.zeros_like(s)
    ds[rows, labels] = -1 / true
    return -np.log(true), ds


def binary_cross_entropy(a: Array, labels: Array) -> tuple[Array, Array]:
    """Cross-entropy from the probability of class 1, as it is derived, for two classes.

        L = -y log a - (1 - y) log(1 - a)        ∂L/∂a = -y/a + (1 - y)/(1 - a)

    (The first tutorial prints the second term with a plus before it, which is a slip: its code has
    the minus.) Through `sigmoid_backward` the gradient becomes a - y. A probability of 0 for what
    is true is taken as the smallest normal number of its type; `sigmoid_cross_entropy` has no
    such limit and is the one to train with.

    Parameters
    ----------
    a : (N, 1) float       probability of class 1
    labels : (N,) int      0 or 1

    Returns
    -------
    losses : (N,), in nats
    da : (N, 1)

    Source: tutorial "Deep Learning with matrices", section 2.1.
    """
    y = labels[:, None] == 1
    true = np.maximum(np.where(y, a, 1 - a), np.finfo(a.dtype).tiny)
    da: Array = np.where(y, -1 / true, 1 / true)
    return -np.log(true)[:, 0], da
