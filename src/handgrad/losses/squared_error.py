"""Squared error against the one-hot row of the label."""

from __future__ import annotations

import numpy as np

from handgrad.arrays import Array

__all__ = ["squared_error"]


def squared_error(y: Array, labels: Array) -> tuple[Array, Array]:
    """Half the squared distance to the one-hot row t of the label, ``L_n = ½ Σ_k (y_nk - t_nk)²``.

    ∂L/∂y_k = y_k - t_k; the half is there so that no 2 remains. With one output (two classes), t
    is the label itself.

    Parameters
    ----------
    y : (N, K) float, or (N, 1) for two classes
    labels : (N,) int

    Returns
    -------
    losses : (N,), dtype of y
    dy : (N, K), dtype of y

    >>> losses, dy = squared_error(np.array([[0.5, 0.5]]), np.array([1]))
    >>> losses, dy
    (array([0.25]), array([[ 0.5, -0.5]]))
    """
    dy: Array = y.copy()
    if y.shape[1] == 1:
        dy[:, 0] -= labels
    else:
        dy[np.arange(len(y), like=y), labels] -= 1
    return 0.5 * np.einsum("nk,nk->n", dy, dy), dy
