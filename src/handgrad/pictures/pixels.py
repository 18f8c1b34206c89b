"""Images as matplotlib can draw them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handgrad.errors import HandgradError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["pixels", "show"]


def pixels(images: ArrayLike, what: str) -> NDArray[Any]:
    """The images, uint8 or float32 in 0..1, or a sentence about what they are.

    Parameters
    ----------
    images : (N, H, W, C) uint8, or float 0..1; C = 1 or 3
    what : the picture that they are for, for the sentence

    Raises
    ------
    HandgradError : another shape, another type, values outside 0..1
    """
    found = np.asarray(images)
    if found.ndim != 4 or found.shape[3] not in (1, 3) or 0 in found.shape[1:]:
        raise HandgradError(
            f"{what}: found images of shape {found.shape}; expected (N, H, W, 1 or 3)"
        )
    if found.dtype == np.uint8:
        return found
    if found.dtype.kind != "f":
        raise HandgradError(f"{what}: found images of {found.dtype}; expected uint8, or float 0..1")
    if found.size and not (found.min() >= 0 and found.max() <= 1):
        raise HandgradError(
            f"{what}: found images from {found.min():g} to {found.max():g}; "
            "expected 0..1 (or uint8)"
        )
    return found.astype(np.float32)


def show(axes: Axes, image: NDArray[Any]) -> None:
    """Draw one of `pixels`, (H, W, C), as it is: a grey one is not stretched to black and white."""
    white = 255 if image.dtype == np.uint8 else 1
    axes.imshow(image[..., 0] if image.shape[2] == 1 else image, "gray", vmin=0, vmax=white)
