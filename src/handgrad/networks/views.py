"""The views of an image that a model may look at before it answers (test-time augmentation)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Literal, get_args

import numpy as np

from handgrad.arrays import Array
from handgrad.datasets import OnDisk

__all__ = ["VIEWS", "Views", "weighted_views"]

Views = Literal["none", "mirror", "mirror-shift"]
VIEWS: tuple[Views, ...] = get_args(Views)


def weighted_views(images: Array, views: Views) -> Iterator[tuple[float, Array]]:
    """Each view of a batch with its weight; the outputs for them are to be averaged.

    "mirror" is the image and its mirror, left to right, a half each. "mirror-shift" has six views:

        ½ (image)  +  ¼ (shifted by (-1, -1))  +  ¼ (shifted by (+1, +1))

    each of them as the mean over itself and its mirror. A shift by (dy, dx) reads out(y, x) =
    in(y + dy, x + dx); what comes in from outside is the image mirrored at its edge pixel.

    Parameters
    ----------
    images : (N, H, W, C); for "mirror-shift" H and W are at least 2
    views : "none" is the image alone

    Returns
    -------
    (weight, view), the weights adding up to 1; a view has the shape and the dtype of the images,
    and like them it may be `OnDisk`

    Cost: n views cost a network n times as much: 2 and 6 times.
    Source: airbench94.py, its test-time augmentation (github.com/KellerJordan/cifar10-airbench).

    >>> [(weight, view.ravel().tolist())
    ...  for weight, view in weighted_views(np.array([[[[1], [2], [3]]]]), "mirror")]
    [(0.5, [1, 2, 3]), (0.5, [3, 2, 1])]
    """
    if views == "none":
        yield 1.0, images
        return
    if isinstance(images, OnDisk):
        for number, (weight, _) in enumerate(weighted_views(images[:1], views)):
            yield weight, images.then(partial(_view, views=views, number=number), images.dtype)
        return
    seen = [(1.0, images)]
    if views == "mirror-shift":
        _, H, W, _ = images.shape
        padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="reflect")
        seen = [(0.5, images), (0.25, padded[:, :H, :W]), (0.25, padded[:, 2:, 2:])]
    for weight, view in seen:
        yield weight / 2, view
        yield weight / 2, view[:, :, ::-1]


def _view(images: Array, views: Views, number: int) -> Array:
    """One of the views, by its place."""
    _, view = next(islice(weighted_views(images, views), number, None))
    return view
