"""Convolution of images (N, H, W, C), as patches and one matrix product, and its derivative.

``docs/book/convolution.md`` derives it with a picture of a small example.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from handgrad.arrays import Array, Shape, at_once
from handgrad.calculus.windows import NO_PADDING, Padding, places

__all__ = [
    "convolve",
    "convolve_backward",
    "convolve_backward_parameters",
    "patches",
    "patches_backward",
]

PATCHES = 2**18
"""How many numbers of copied patches lie in the processor's cache at a time."""


def patches(
    x: Array,
    kernel: tuple[int, int],
    stride: int = 1,
    padding: Padding = NO_PADDING,
    dilation: int = 1,
) -> Array:
    """What a kernel sees from each of its positions ("im2col").

    p_nhwijc = x̄_n(hs + id)(ws + jd)c, with x̄ the image and zeros around it, s the stride, d the
    dilation. A 2x2 kernel on a 3x3 image:

        1 2 3      1 2 4 5 │ 2 3 5 6      (h, w) = (0, 0) │ (0, 1)
        4 5 6  ->  ────────┼────────
        7 8 9      4 5 7 8 │ 5 6 8 9               (1, 0) │ (1, 1)

    Parameters
    ----------
    x : (N, H, W, C) float
    kernel : its height and width (KH, KW)
    stride : how many pixels the kernel moves, downwards and to the right
    padding : zeros ((above, below), (left, right))
    dilation : how many pixels the places of a kernel lie apart

    Returns
    -------
    p : (N, H', W', KH, KW, C), dtype of x, read-only: a view into the padded image

    Cost: one copy of x where there is padding; nothing else before p itself is copied.
    Source: Chellapilla, Puri, Simard, High Performance Convolutional Neural Networks for Document
    Processing (2006), "unrolled convolution".

    >>> x = np.arange(1.0, 10.0).reshape(1, 3, 3, 1)
    >>> patches(x, (2, 2)).reshape(4, 4)
    array([[1., 2., 4., 5.],
           [2., 3., 5., 6.],
           [4., 5., 7., 8.],
           [5., 6., 8., 9.]])
    """
    if padding != NO_PADDING:
        padded, inside = _zeros_around(x.shape, padding, x)
        inside[...] = x
        x = padded
    spans = tuple(dilation * (k - 1) + 1 for k in kernel)
    windows = sliding_window_view(x, spans, axis=(1, 2))
    windows = windows[:, ::stride, ::stride, :, ::dilation, ::dilation]
    p: Array = windows.transpose(0, 1, 2, 4, 5, 3)
    return p


def patches_backward(
    dp: Array, shape: Shape, stride: int = 1, padding: Padding = NO_PADDING, dilation: int = 1
) -> Array:
    """Carry a gradient back through `patches`: each pixel gets the sum over all that saw it.

    The map is linear, with a 1 where patch element (h, w, i, j) is pixel (y, x), so the way back
    is its transpose:

        dx̄_nyxc = Σ dp_nhwijc  over all h, i with hs + id = y, and w, j with ws + jd = x

    The sum runs over the few places (i, j) of the kernel: at one place, no two positions of it see
    the same pixel. What was added around the image is cut off again.

    Parameters
    ----------
    dp : (N, H', W', KH, KW, C) float      gradient at the output
    shape : (N, H, W, C)                   of the input of `patches`
    stride, padding, dilation : as `patches` received them

    Returns
    -------
    dx : (N, H, W, C), dtype of dp
    """
    padded, inside = _zeros_around(shape, padding, dp)
    kernel = dp.shape[3], dp.shape[4]
    seen = places(padded, kernel, stride, dilation)
    for (i, j), pixels in zip(np.ndindex(kernel), seen, strict=True):
        pixels += dp[:, :, :, i, j]
    return inside


def convolve(
    x: Array,
    W: Array,
    b: Array | None,
    stride: int = 1,
    padding: Padding = NO_PADDING,
    dilation: int = 1,
) -> Array:
    """Look at every patch with every filter: ``y = patches(x) W + b``.

    y_nhwo = Σ_ijc p_nhwijc W_ijco + b_o: one row a patch, one column a filter, as in `affine`.
    (As everywhere in the field the kernel is not turned around: strictly, a cross-correlation.)

    Parameters
    ----------
    x : (N, H, W, C) float
    W : (KH, KW, C, O) float
    b : (O,) float, or None for no offset
    stride, padding, dilation : as in `patches`

    Returns
    -------
    y : (N, H', W', O), dtype of x

    Cost: 2·N·H'·W'·KH·KW·C·O flops.
    Source: as `patches`.

    >>> x, W = np.arange(1.0, 10.0).reshape(1, 3, 3, 1), np.ones((2, 2, 1, 1))
    >>> convolve(x, W, np.array([0.5]))[0, :, :, 0]
    array([[12.5, 16.5],
           [24.5, 28.5]])
    """
    *kernel, _, O = W.shape
    p = patches(x, (kernel[0], kernel[1]), stride, padding, dilation)
    y = np.empty((*p.shape[:3], O), np.result_type(x, W), like=x)
    for few in _few_samples(p):
        y[few] = (_rows(p[few]) @ W.reshape(-1, O)).reshape(y[few].shape)
    if b is not None:
        y += b
    return y


def convolve_backward(
    dy: Array,
    x: Array,
    W: Array,
    dW: Array | None,
    db: Array | None,
    stride: int = 1,
    padding: Padding = NO_PADDING,
    dilation: int = 1,
) -> Array:
    """Carry a gradient back through `convolve`.

    From y_nhwo = Σ_ijc p_nhwijc W_ijco + b_o:

        ∂L/∂W_ijco   = Σ_nhw p_nhwijc dy_nhwo     dW = patchesᵀ dy
        ∂L/∂b_o      = Σ_nhw dy_nhwo
        ∂L/∂p_nhwijc = Σ_o dy_nhwo W_ijco         dp = dy Wᵀ, and from there `patches_backward`

    For stride 1 that sum of patches is a convolution itself. Pixel y of the padded image was seen
    from h = y - id at place i, so dx̄_nyc = Σ_io dy_n(y-id)o W_ico (rows only; columns likewise).
    With i = KH-1-i' the index is y + i'd - (KH-1)d: `convolve` of dy, with (KH-1)d zeros around it,
    less those that were around x, and with W turned by half a turn, its C and O exchanged.

    Parameters
    ----------
    dy : (N, H', W', O) float      gradient at the output
    x : (N, H, W, C) float         the input that `convolve` received
    W : (KH, KW, C, O) float
    dW, db : (KH, KW, C, O), (O,)  overwritten, never added to; None where it is not wanted
    stride, padding, dilation : as `convolve` received them

    Returns
    -------
    dx : (N, H, W, C), dtype of dy

    Cost: 4·N·H'·W'·KH·KW·C·O flops; a little more for the border with stride 1.
    Source: Dumoulin, Visin, arXiv 1603.07285 (2016), "Transposed convolution".
    """
    convolve_backward_parameters(dy, x, dW, db, stride, padding, dilation)
    KH, KW, C, O = W.shape
    (above, below), (left, right) = padding
    rows, columns = dilation * (KH - 1), dilation * (KW - 1)
    around = (rows - above, rows - below), (columns - left, columns - right)
    if stride == 1 and min(*around[0], *around[1]) >= 0:
        turned = W[::-1, ::-1].swapaxes(2, 3)
        return convolve(dy, turned, None, 1, around, dilation)
    dx = np.empty(x.shape, dy.dtype, like=dy)
    for few in _few_samples(patches(x, (KH, KW), stride, padding, dilation)):
        dp = (dy[few].reshape(-1, O) @ W.reshape(-1, O).T).reshape(*dy[few].shape[:3], KH, KW, C)
        dx[few] = patches_backward(dp, x[few].shape, stride, padding, dilation)
    return dx


def convolve_backward_parameters(
    dy: Array,
    x: Array,
    dW: Array | None,
    db: Array | None,
    stride: int = 1,
    padding: Padding = NO_PADDING,
    dilation: int = 1,
) -> None:
    """The half of `convolve_backward` that the first layer needs: nobody asks for its dx.

    Parameters
    ----------
    dy, x, dW, db, stride, padding, dilation : as in `convolve_backward`

    Cost: 2·N·H'·W'·KH·KW·C·O flops.
    """
    if dW is not None:
        KH, KW, _, O = dW.shape
        p = patches(x, (KH, KW), stride, padding, dilation)
        dW[...] = 0
        for few in _few_samples(p):
            dW += (_rows(p[few]).T @ dy[few].reshape(-1, O)).reshape(dW.shape)
    if db is not None:
        # Samples first: their long rows add faster and, in float32, more exactly.
        np.sum(dy.sum(axis=0), axis=(0, 1), out=db)


def _zeros_around(shape: Shape, padding: Padding, x: Array) -> tuple[Array, Array]:
    """Zeros like x for an image with its border, and the view into them where the image lies."""
    N, H, W, C = shape
    (above, below), (left, right) = padding
    padded: Array = np.zeros((N, above + H + below, left + W + right, C), x.dtype, like=x)
    return padded, padded[:, above : above + H, left : left + W]


def _rows(p: Array) -> Array:
    """Patches as a matrix, one row a patch: here they are copied."""
    return p.reshape(-1, p.shape[3] * p.shape[4] * p.shape[5])


def _few_samples(p: Array) -> Iterator[slice]:
    """Slices of the batch, so that the copied patches of one stay in the processor's cache.

    Patches are KH·KW times as large as the image: those of a whole batch would travel to memory and
    back, which takes longer than the multiplication.
    """
    few = max(1, at_once(p, PATCHES) // max(1, p[0].size)) if len(p) else 1
    for start in range(0, len(p), few):
        yield slice(start, start + few)
