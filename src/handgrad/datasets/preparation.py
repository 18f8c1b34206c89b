"""The contract between an image file and the numbers that a network sees.

Everything that is done to a picture on its way (orientation, transparency, bit depth, size,
resampling, scaling, normalization) is said here and nowhere else. Training and prediction call the
same two functions, `decoding.decode` and `numbers`, with the `Preparation` that the model file
holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray
from PIL import Image

from handgrad.datasets.on_disk import IN_MEMORY, OnDisk, pieces
from handgrad.errors import DataError

__all__ = ["MOST_PIXELS", "Preparation", "fitted", "measured", "natural", "numbers"]

MOST_PIXELS = 89_478_485
"""Of one image: no more are decoded either, see `PIL.Image.MAX_IMAGE_PIXELS`."""

Resample = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]


@dataclass(frozen=True)
class Preparation:
    """How a picture becomes numbers; stored in every model.

    The whole picture is resized, without cropping: its aspect ratio is not kept.

    Parameters
    ----------
    height, width : pixels
    channels : 1 (grey) or 3 (red, green, blue)
    resample : the filter; "nearest" takes single pixels, the others are antialiased
    draft : let the JPEG decoder skip detail that resizing throws away: faster, and it changes
        pixels a little
    scale : "unit" brings 0..255 to 0..1 (floats are in 0..1 already); "none" leaves 0..255
    mean, deviation : one number a channel, subtracted and divided by after scaling, or None
    transposed : the network is fed each picture column by column, as the tutorial on 3x3 lines
        does; for square pictures

    Raises
    ------
    ValueError : a size, a number of channels or a normalization that cannot be
    """

    height: int
    width: int
    channels: int
    resample: Resample = "bilinear"
    draft: bool = False
    scale: Literal["unit", "none"] = "unit"
    mean: tuple[float, ...] | None = None
    deviation: tuple[float, ...] | None = None
    transposed: bool = False

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"found a size of {self.height}x{self.width}; expected at least 1x1")
        if self.height * self.width > MOST_PIXELS:
            found = f"a size of {self.height}x{self.width}"
            raise ValueError(f"found {found}; expected at most {MOST_PIXELS:,} pixels")
        if self.channels not in (1, 3):
            raise ValueError(f"found {self.channels} channels; expected 1 (grey) or 3 (colour)")
        if self.transposed and self.height != self.width:
            raise ValueError(f"found {self.height}x{self.width}; expected a square to transpose")
        if (self.mean is None) != (self.deviation is None):
            raise ValueError("found one of mean and deviation; expected both or neither")
        for values in (self.mean, self.deviation):
            if values is not None and len(values) != self.channels:
                expected = f"one for each of {self.channels} channels"
                raise ValueError(f"found {len(values)} numbers; expected {expected}")
        if self.deviation is not None and min(self.deviation) <= 0:
            raise ValueError(f"found a deviation of {min(self.deviation)}; expected more than 0")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a prepared image."""
        return self.height, self.width, self.channels


def natural(images: NDArray[Any]) -> Preparation:
    """The preparation that leaves images of this size as they are: (N, H, W, C)."""
    _, height, width, channels = images.shape
    try:
        return Preparation(height, width, channels)
    except ValueError as error:
        raise DataError("images", f"a shape of {images.shape} ({error})", "images") from None


def fitted(images: NDArray[Any], preparation: Preparation) -> NDArray[Any]:
    """Bring images that are arrays already to the size and the channels of a preparation.

    Grey becomes colour by repetition; colour becomes grey as Pillow's "L" does. Images that fit
    are returned as they are. Those `OnDisk` are held in memory then, or if they would be many, made
    anew whenever they are read: for more than a few epochs it is quicker to prepare a file of the
    right size.

    Parameters
    ----------
    images : (N, H, W, C) uint8, or float in 0..1

    Returns
    -------
    images : (N, height, width, channels), dtype as before
    """
    if images.shape[1:] == preparation.shape:
        return images
    if isinstance(images, OnDisk):
        if len(images) * math.prod(preparation.shape) * images.dtype.itemsize > IN_MEMORY:
            return images.then(
                lambda read: fitted(read, preparation), images.dtype, preparation.shape
            )
        return np.concatenate([fitted(images[piece], preparation) for piece in pieces(images)])
    size = (preparation.width, preparation.height)
    method = Image.Resampling[preparation.resample.upper()]
    result = np.empty((len(images), *preparation.shape), dtype=images.dtype)
    for image, place in zip(_with_channels(images, preparation.channels), result, strict=True):
        for channel in range(preparation.channels):
            plane = image[:, :, channel]
            if plane.dtype != np.uint8:
                plane = plane.astype(np.float32)  # the only floats that Pillow resizes
            resized = Image.fromarray(plane).resize(size, method)
            place[:, :, channel] = np.asarray(resized)
    # The wider filters overshoot; whole numbers are clipped by Pillow itself.
    if result.dtype != np.uint8:
        np.clip(result, 0, 1, out=result)
    return result


def numbers(
    images: NDArray[Any], preparation: Preparation, dtype: DTypeLike = np.float32
) -> NDArray[Any]:
    """Scale and normalize images: what a network is fed.

    Parameters
    ----------
    images : (N, H, W, C) uint8, or float in 0..1, of the size of the preparation
    dtype : of the result

    Returns
    -------
    x : (N, H, W, C) of dtype, always a new array; of images `OnDisk` so, whenever they are read

    Raises
    ------
    DataError : images of another size
    """
    if images.shape[1:] != preparation.shape:
        found = f"images of {_size(images.shape[1:])}"
        raise DataError("images", found, f"{_size(preparation.shape)}, as the preparation says")
    if isinstance(images, OnDisk):
        return images.then(lambda read: numbers(read, preparation, dtype), dtype)
    if images.dtype == np.uint8 and preparation.scale == "unit":
        x: NDArray[Any] = np.divide(images, 255, dtype=dtype)
    else:
        x = images.astype(dtype)
        if images.dtype != np.uint8 and preparation.scale == "none":
            x *= 255
    if preparation.mean is not None and preparation.deviation is not None:
        x -= np.asarray(preparation.mean, dtype=dtype)
        x /= np.asarray(preparation.deviation, dtype=dtype)
    return np.ascontiguousarray(x.swapaxes(1, 2)) if preparation.transposed else x


def measured(preparation: Preparation, images: NDArray[Any]) -> Preparation:
    """Complete a preparation with mean and deviation per channel, measured on training images.

    The deviation is the one of the population (divided by N); a channel that never varies gets 1.

    Parameters
    ----------
    images : (N, H, W, C) uint8, or float in 0..1
    """
    plain = replace(preparation, mean=None, deviation=None)
    pixels = images.size // preparation.channels

    def summed(mean: NDArray[Any] | None = None) -> NDArray[Any]:
        """The sums over pixels of x, or of (x - mean)²; in pieces, each changed in place."""

        def piece(x: NDArray[Any]) -> NDArray[Any]:
            if mean is not None:
                x -= mean
                np.square(x, out=x)
            total: NDArray[Any] = x.sum(axis=(0, 1, 2))
            return total

        return sum(
            (piece(numbers(images[own], plain, np.float64)) for own in pieces(images)),
            np.zeros(preparation.channels),
        )

    mean = summed() / pixels
    deviation = np.sqrt(summed(mean) / pixels)
    deviation[deviation < 1e-12] = 1
    return replace(plain, mean=tuple(mean.tolist()), deviation=tuple(deviation.tolist()))


def _with_channels(images: NDArray[Any], channels: int) -> NDArray[Any]:
    if images.shape[3] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=3)
    if images.dtype == np.uint8:
        return np.stack([np.asarray(Image.fromarray(i).convert("L")) for i in images])[..., None]
    grey: NDArray[Any] = images @ np.array([[0.299], [0.587], [0.114]], dtype=images.dtype)
    return grey


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in shape)
