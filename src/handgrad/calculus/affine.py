"""The affine map y = x W + b, which a dense layer computes, and its derivative."""

from __future__ import annotations

import numpy as np

from handgrad.arrays import Array

__all__ = ["affine", "affine_backward", "affine_backward_parameters"]


def affine(x: Array, W: Array, b: Array | None) -> Array:
    """Weigh and add: ``y = x W + b``, one row a sample.

    y_no = Σ_i x_ni W_io + b_o. The tutorials write columns, z = W x + b with W of shape (O, I):
    this is the same, transposed.

    Parameters
    ----------
    x : (N, I) float
    W : (I, O) float
    b : (O,) float, or None for no offset

    Returns
    -------
    y : (N, O), dtype of x

    Cost: 2·N·I·O flops.

    >>> affine(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([0.5]))
    array([[11.5]])
    """
    y: Array = x @ W
    if b is not None:
        y += b
    return y


def affine_backward(dy: Array, x: Array, W: Array, dW: Array, db: Array | None) -> Array:
    """Carry a gradient back through ``y = x W + b``.

    From y_no = Σ_i x_ni W_io + b_o:

        ∂L/∂W_io = Σ_n x_ni dy_no     dW = xᵀ dy
        ∂L/∂b_o  = Σ_n dy_no          db = Σ_n dy_n
        ∂L/∂x_ni = Σ_o dy_no W_io     dx = dy Wᵀ

    Parameters
    ----------
    dy : (N, O) float          gradient at the output
    x : (N, I) float           the input that `affine` received
    W : (I, O) float
    dW, db : (I, O), (O,)      overwritten, never added to; db None for no offset

    Returns
    -------
    dx : (N, I), dtype of dy

    Cost: 4·N·I·O flops.
    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.5.
    """
    affine_backward_parameters(dy, x, dW, db)
    dx: Array = dy @ W.T
    return dx


def affine_backward_parameters(dy: Array, x: Array, dW: Array, db: Array | None) -> None:
    """The half of `affine_backward` that the first layer needs: nobody asks for its dx.

    Parameters
    ----------
    dy, x, dW, db : as in `affine_backward`

    Cost: 2·N·I·O flops.
    """
    np.matmul(x.T, dy, out=dW)
    if db is not None:
        dy.sum(axis=0, out=db)
