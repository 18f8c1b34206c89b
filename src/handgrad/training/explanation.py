"""Why a network says what it says of an image: which pixels speak for a class, which against."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from handgrad.arrays import Array
from handgrad.errors import HandgradError
from handgrad.layers import Identity
from handgrad.networks import Network

__all__ = ["Contribution", "contribution", "input_gradient", "layer_outputs", "occluded"]

_AT_ONCE = 200  # covered images that are held together


class Contribution(NamedTuple):
    """What each pixel adds to a score.

    Parameters
    ----------
    values : (N, …) as the images: weight times pixel
    score : (N,) z_k, what the network says
    """

    values: Array
    score: Array

    @property
    def rest(self) -> Array:
        """(N,) what no pixel accounts for, z_k - Σ values; of a linear network its offset b_k."""
        return np.asarray(self.score - self.values.reshape(len(self.score), -1).sum(axis=1))


def input_gradient(network: Network, x: Array, k: int | ArrayLike) -> Array:
    """How the score of one class changes with each pixel, ``∂z_k/∂x``.

    With the cotangent e_k (1 at output k, 0 elsewhere), the backward pass carries
    Σ_j e_j ∂z_j/∂x = ∂z_k/∂x home to the images: one pass, whatever the network.

    Parameters
    ----------
    network : asked as it predicts (frozen), by the book
    x : (N, …) float, prepared
    k : the output whose score it is, one for all or (N,); a network of one output has k = 0 only,
        the score of class 1

    Returns
    -------
    g : (N, …), as x

    Raises
    ------
    HandgradError : an output that the network does not have

    Cost: a forward and a backward pass.
    Source: Simonyan, Vedaldi, Zisserman, Deep inside convolutional networks: visualising image
    classification models and saliency maps (2013), arXiv 1312.6034.
    """
    return _score_and_gradient(network, x, k)[1]


def contribution(network: Network, x: Array, k: int | ArrayLike) -> Contribution:
    """What each pixel adds to the score of one class: weight times pixel.

    Of a linear network, z_k = Σ_i x_i W_ik + b_k: the sum falls apart into one addend a pixel, and
    ``values`` are these, x_i W_ik; they sum to z_k - b_k.

    A deeper network has no such weights. In their place stands the gradient, ``values`` being
    x_i ∂z_k/∂x_i ("gradient times input"), the addends of the plane that touches z_k at this image.
    With ReLU that plane is z_k itself near the image; its offset (`Contribution.rest`) then gathers
    all offsets of the network that are passed on.

    Parameters
    ----------
    network : asked as it predicts (frozen), by the book
    x : (N, …) float, prepared: a pixel that is 0 there contributes nothing
    k : the output whose score it is, one for all or (N,); a network of one output has k = 0 only,
        the score of class 1

    Raises
    ------
    HandgradError : an output that the network does not have

    Cost: a forward and a backward pass.

    >>> from handgrad.layers import Dense
    >>> network = Network((Dense(2),), (2,), dtype=np.float64)
    >>> network.params[0].W[...], network.params[0].b[...] = [[1, 2], [3, 4]], [0, 0.5]
    >>> found = contribution(network, np.array([[10.0, 0.1]]), 1)  # 10·2 + 0.1·4 + 0.5
    >>> found.values, found.score, found.rest
    (array([[20. ,  0.4]]), array([20.9]), array([0.5]))
    """
    score, gradient = _score_and_gradient(network, x, k)
    return Contribution(x * gradient, score)


def occluded(
    network: Network,
    x: Array,
    k: int,
    patch: int,
    step: int,
    fill: ArrayLike | None = None,
    *,
    says: Callable[[Array], Array] = lambda outputs: outputs,
) -> Array:
    """What is lost of one class when a part of an image is covered.

    A square is laid over the image, everywhere in turn. With p(R) what the network says of class k
    when the square R is covered, each pixel gets the mean over all squares that cover it:

        d_yx = mean over R with (y, x) in R of  p(nothing) - p(R)

    A positive number: without this part the network is less sure. Of a linear network covered with
    0 it is the sum of the contributions in the square.

    Parameters
    ----------
    network : asked as it predicts (frozen)
    x : (H, W, C) float, one image, prepared
    k : the class, or the output
    patch : pixels of a side of the square, at most H and W
    step : pixels from one square to the next; the last ones end at the edge
    fill : (C,) what the square is filled with; None for the mean colour of the image
    says : makes of (N, outputs) what is asked for, such as a loss's ``probabilities``; the scores
        themselves if it is left out

    Returns
    -------
    d : (H, W) float64

    Raises
    ------
    HandgradError : a square that is larger than the image, or empty; a class that is not there

    Cost: a forward pass for each square.
    Source: Zeiler, Fergus, Visualizing and understanding convolutional networks (ECCV 2014),
    "occlusion sensitivity".
    """
    H, W, _ = x.shape
    if not (1 <= patch <= min(H, W) and step >= 1):
        raise HandgradError(
            f"occlusion: found a square of {patch}, moved by {step}; expected 1 to {min(H, W)}, "
            "moved by at least 1"
        )
    colour = x.mean(axis=(0, 1)) if fill is None else np.asarray(fill, x.dtype)
    whole = says(network.outputs(x[None]))[0]
    _check_output(k, len(whole))
    corners = [(top, left) for top in _starts(H, patch, step) for left in _starts(W, patch, step)]
    lost, times = np.zeros((H, W)), np.zeros((H, W))
    for i in range(0, len(corners), _AT_ONCE):
        some = corners[i : i + _AT_ONCE]
        covered = np.repeat(x[None], len(some), axis=0)
        for image, (top, left) in zip(covered, some, strict=True):
            image[top : top + patch, left : left + patch] = colour
        drops = whole[k] - says(network.outputs(covered))[:, k]
        for drop, (top, left) in zip(drops, some, strict=True):
            lost[top : top + patch, left : left + patch] += drop
            times[top : top + patch, left : left + patch] += 1
    return lost / np.maximum(times, 1)  # a step beyond the square leaves pixels that none covers


def layer_outputs(network: Network, x: Array) -> dict[str, Array]:
    """What every layer says of some images, by its place and name, such as "1 relu".

    Layers that only serve training, and so do nothing here, are left out.

    Parameters
    ----------
    network : asked as it predicts (frozen), by the book
    x : (N, …) float, prepared

    Returns
    -------
    (N, …) each, from the first layer to the last; a residual block counts as one

    >>> from handgrad.layers import Dense, ReLU
    >>> network = Network((Dense(1), ReLU()), (1,), dtype=np.float64)
    >>> network.params[0].W[...] = -2
    >>> layer_outputs(network, np.array([[3.0]]))
    {'0 dense 1': array([[-6.]]), '1 relu': array([[0.]])}
    """
    frozen = network.frozen()
    found = {}
    for i, (named, layer) in enumerate(zip(network.architecture, frozen.architecture, strict=True)):
        x, _ = layer.forward(x, frozen.params[i])
        if not isinstance(layer, Identity):
            found[f"{i} {named}"] = x
    return found


def _score_and_gradient(network: Network, x: Array, k: int | ArrayLike) -> tuple[Array, Array]:
    """z_k and ∂z_k/∂x, for the output k of each image."""
    frozen = network.frozen()
    z, memories = frozen.forward(x)
    chosen = np.broadcast_to(np.asarray(k), (len(x),))
    for each in np.unique(chosen):
        _check_output(int(each), z.shape[1])
    samples = np.arange(len(x))
    dz = np.zeros_like(z)
    dz[samples, chosen] = 1
    gradient = frozen.backward_to_input(dz, memories, frozen.gradient().views)
    return z[samples, chosen], gradient


def _check_output(k: int, outputs: int) -> None:
    if not 0 <= k < outputs:
        raise HandgradError(f"found output {k}; expected 0 to {outputs - 1}, as the network has")


def _starts(size: int, patch: int, step: int) -> list[int]:
    """Where squares begin along one side: every ``step``, and at the end.

    >>> _starts(7, 3, 2), _starts(8, 3, 2)
    ([0, 2, 4], [0, 2, 4, 5])
    """
    return sorted({*range(0, size - patch + 1, step), size - patch})
