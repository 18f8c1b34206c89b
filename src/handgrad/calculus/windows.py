"""Where a window stands on an image: what convolution and pooling have in common.

Output position h looks with place i of its window at row h·stride + i·dilation of the padded image;
columns likewise. Nothing here has a derivative.
"""

from __future__ import annotations

from handgrad.arrays import Array

__all__ = ["NO_PADDING", "Padding", "output_size", "places", "same_padding"]

Padding = tuple[tuple[int, int], tuple[int, int]]
"""How many zeros stand around an image: ((above, below), (left, right))."""

NO_PADDING: Padding = ((0, 0), (0, 0))


def output_size(
    size: int, window: int, stride: int = 1, padding: tuple[int, int] = (0, 0), dilation: int = 1
) -> int:
    """How often a window fits along one side, ``⌊(size + padding - span) / stride⌋ + 1``.

    span = dilation · (window - 1) + 1 is what the window covers. What is left over at the end is
    not looked at. 0 where the window does not fit at all.

    Source: Dumoulin, Visin, arXiv 1603.07285 (2016), relationship 6.

    >>> output_size(32, 3), output_size(32, 3, padding=(1, 1)), output_size(7, 2, stride=2)
    (30, 32, 3)
    """
    span = dilation * (window - 1) + 1
    return max(0, (size + sum(padding) - span) // stride + 1)


def same_padding(size: int, window: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after one side, so that ``output_size`` is ``⌈size / stride⌉``.

    That takes (⌈size/stride⌉ - 1) · stride + span zeros and pixels; where the zeros do not split
    evenly, the odd one comes after.

    Source: documentation of TensorFlow 2.8, tf.nn, "Notes on padding".

    >>> same_padding(32, 3), same_padding(32, 2), same_padding(32, 3, stride=2)
    ((1, 1), (0, 1), (0, 1))
    """
    span = dilation * (window - 1) + 1
    zeros = max(0, (-(-size // stride) - 1) * stride + span - size)
    return zeros // 2, zeros - zeros // 2


def places(x: Array, window: tuple[int, int], stride: int, dilation: int = 1) -> list[Array]:
    """For each place of a window, row by row, what the windows see there: views into ``x``.

    Parameters
    ----------
    x : (N, H, W, C)
    window : its height and width in places, (KH, KW)

    Returns
    -------
    KH·KW views, each (N, H', W', C); the one of place (i, j) is x[:, i·d + h·s, j·d + w·s]
    """
    rows, columns = (
        (output_size(size, k, stride, dilation=dilation) - 1) * stride + 1
        for size, k in zip(x.shape[1:3], window, strict=True)
    )
    return [
        x[:, i : i + rows : stride, j : j + columns : stride]
        for i in range(0, window[0] * dilation, dilation)
        for j in range(0, window[1] * dilation, dilation)
    ]
