"""Dropout: leave out a random part of the inputs while training."""

from __future__ import annotations

from handgrad.arrays import Array

__all__ = ["dropout", "dropout_backward"]


def dropout(x: Array, kept: Array, rate: float) -> Array:
    """Leave out what was not drawn, and scale the rest: ``y = x · kept / (1 - rate)``.

    Each element is kept with probability 1 - rate, so that E[y] = x: at prediction nothing has to
    be done ("inverted" dropout).

    Parameters
    ----------
    x : any shape, float
    kept : same shape, bool    this batch's draw
    rate : the probability of leaving out, in [0, 1)

    Source: Srivastava et al., Dropout (JMLR 15, 2014).
    """
    y: Array = x * kept
    y *= 1 / (1 - rate)
    return y


def dropout_backward(dy: Array, kept: Array, rate: float) -> Array:
    """Carry a gradient back through `dropout`: ``dx = dy · kept / (1 - rate)``.

    The map is linear and diagonal, so the way back is the way there.

    Parameters
    ----------
    dy : any shape, float      gradient at the output
    kept, rate : as `dropout` received them
    """
    return dropout(dy, kept, rate)
