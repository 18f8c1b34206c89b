"""The way back from patches to the image.

A kernel of KH x KW sees from each of its positions a patch of the image:

    p_n,h,w,i,j,c = x_n,h+i,w+j,c

A pixel stands in as many patches as see it, up to KH·KW. A later layer says dp = ∂L/∂p. Wanted is
dx = ∂L/∂x: each pixel gets the sum over all places of p that it stands in. (This is the transpose,
or adjoint, of cutting the patches out.)

Where to read: chapter "Convolution".
"""

import numpy as np


def patches(x, kernel):
    KH, KW = kernel
    H, W = x.shape[1] - KH + 1, x.shape[2] - KW + 1
    rows = [[x[:, i : i + H, j : j + W] for j in range(KW)] for i in range(KH)]
    return np.moveaxis(np.array(rows), (0, 1), (3, 4))


def patches_backward(dp, shape):
    """Carry a gradient back through `patches`.

    dp : (N, H', W', KH, KW, C)     the gradient at the patches, H' = H - KH + 1, W' = W - KW + 1
    shape : (N, H, W, C)            of the image

    Return dx, (N, H, W, C).
    """
    _, H, W, KH, KW, _ = dp.shape
    dx = np.zeros(shape)
    for i in range(KH):
        for j in range(KW):
            dx[:, i : i + H, j : j + W] += dp[:, :, :, i, j]
    return dx


CHAPTER = "convolution"
RETURNS = "dx"
FORWARD = patches


def _seen(shape, dp):
    """How many patches see each pixel."""
    return patches_backward(np.ones_like(dp), shape)


def _last(dp, shape):
    _, H, W, KH, KW, _ = dp.shape
    dx = np.zeros(shape)
    for i, j in np.ndindex(KH, KW):
        dx[:, i : i + H, j : j + W] = dp[:, :, :, i, j]
    return dx


def _first_corner(dp, shape):
    dx = np.zeros(shape)
    dx[:, : dp.shape[1], : dp.shape[2]] = dp.sum(axis=(3, 4))
    return dx


MISTAKES = {
    "overlapping patches overwrite each other: every pixel gets the sum of all places that saw it "
    "(+=, not =)": _last,
    "the sum is divided by the number of patches that see the pixel: it is a sum, not a mean": (
        lambda dp, shape: patches_backward(dp, shape) / _seen(shape, dp)
    ),
    "the places within the kernel are not shifted: place (i, j) of patch (h, w) is pixel "
    "(h + i, w + j)": _first_corner,
    "the kernel is turned by half a turn: place (i, j) belongs to pixel (h + i, w + j)": (
        lambda dp, shape: patches_backward(dp[:, :, :, ::-1, ::-1], shape)
    ),
    "rows and columns of the kernel are exchanged": lambda dp, shape: (
        patches_backward(dp.swapaxes(3, 4), shape) if dp.shape[3] == dp.shape[4] else None
    ),
    "the sign is turned": lambda dp, shape: -patches_backward(dp, shape),
}


def inputs():
    draw = np.random.default_rng(13).normal
    for shape, kernel in [((1, 3, 3, 1), (2, 2)), ((2, 4, 5, 2), (3, 3)), ((1, 4, 4, 1), (1, 1))]:
        yield {"x": draw(size=shape), "kernel": kernel, "shape": shape}
