"""The contract between an image file and the numbers that a network sees.

Everything that is done to a picture on its way (orientation, transparency, bit depth, size,
resampling, scaling, normalization) is done here and nowhere else. Training and prediction call the
same two functions, `decode` and `numbers`, with the `Preparation` that the model file holds.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray
from PIL import Image, UnidentifiedImageError

from handgrad.errors import DataError

__all__ = ["Preparation", "decode", "decode_many", "fitted", "measured", "natural", "numbers"]

Resample = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]

# The formats that are read. A file is opened as one of these or not at all: Pillow also knows some
# (EPS) for which it starts another program, and one (TGA) that takes any bytes for a picture.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "ICO", "JPEG2000", "AVIF")

ORIENTATION = 0x0112  # the EXIF tag
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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
    return Preparation(height, width, channels)


def decode(path: str | os.PathLike[str], preparation: Preparation) -> NDArray[np.uint8]:
    """Read one image file.

    Orientation (EXIF) is applied before anything else, transparency is composited on white, 16
    bits are scaled (not clipped) to 8, and of an animation the first frame is taken. Several
    threads are `decode_many`'s business: this function changes what Python does with warnings.

    Parameters
    ----------
    path : a file in one of `FORMATS`; its name does not matter
    preparation : its size, channels, filter and draft are used

    Returns
    -------
    image : (H, W, C) uint8

    Raises
    ------
    DataError : no such file, not an image, truncated, too many pixels, an unknown pixel format
    """
    with _without_warnings():
        return _decode(Path(path), preparation)


def decode_many(
    paths: Sequence[str | os.PathLike[str]],
    preparation: Preparation,
    threads: int | None = None,
    each: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.uint8], list[DataError]]:
    """Read many image files, several at a time.

    Parameters
    ----------
    threads : how many at a time; None for one a core, at most 8
    each : called after every file with the number of files done and in all

    Returns
    -------
    images : (N, H, W, C) uint8: those that decode, in the order of the paths
    faults : one for each of the others, in the same order; ``fault.path`` tells which
    """
    images = np.empty((len(paths), *preparation.shape), dtype=np.uint8)

    def one(place: int) -> DataError | None:
        try:
            images[place] = _decode(Path(paths[place]), preparation)
        except DataError as error:
            return error
        return None

    _formats()  # once, here: the plug-ins are not loaded by several threads at a time
    with _without_warnings(), ThreadPoolExecutor(threads or min(os.cpu_count() or 1, 8)) as pool:
        outcomes = []
        for outcome in pool.map(one, range(len(paths))):
            outcomes.append(outcome)
            if each is not None:
                each(len(outcomes), len(paths))
    faults = [outcome for outcome in outcomes if outcome is not None]
    if faults:
        images = images[[outcome is None for outcome in outcomes]]
    return images, faults


def fitted(images: NDArray[Any], preparation: Preparation) -> NDArray[Any]:
    """Bring images that are arrays already to the size and the channels of a preparation.

    Grey becomes colour by repetition; colour becomes grey as Pillow's "L" does. Images that fit
    are returned as they are.

    Parameters
    ----------
    images : (N, H, W, C) uint8, or float in 0..1

    Returns
    -------
    images : (N, height, width, channels), dtype as before
    """
    if images.shape[1:] == preparation.shape:
        return images
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
    x : (N, H, W, C) of dtype, always a new array

    Raises
    ------
    DataError : images of another size
    """
    if images.shape[1:] != preparation.shape:
        found = f"images of {_size(images.shape[1:])}"
        raise DataError("images", found, f"{_size(preparation.shape)}, as the preparation says")
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

    def summed(function: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[Any]:
        # In pieces, so that the float64 copy never holds the whole set.
        starts = range(0, len(images), 1000)
        pieces = (function(numbers(images[i : i + 1000], plain, np.float64)) for i in starts)
        total: NDArray[Any] = sum(piece.sum(axis=(0, 1, 2)) for piece in pieces)
        return total

    mean = summed(lambda x: x) / pixels
    deviation = np.sqrt(summed(lambda x: np.square(x - mean)) / pixels)
    deviation[deviation < 1e-12] = 1
    return replace(plain, mean=tuple(mean.tolist()), deviation=tuple(deviation.tolist()))


def _decode(path: Path, preparation: Preparation) -> NDArray[np.uint8]:
    try:
        if not path.is_file():  # a pipe or a device would never end
            found = "a folder" if path.is_dir() else "no such file"
            raise DataError(path, found, "an image")
        # An open file, not its name: by name Pillow maps an uncompressed TIFF into memory, and
        # then gets one that lies on its side wrong (Pillow 13.0).
        with path.open("rb") as file, Image.open(file, formats=_formats()) as image:
            _check_size(path, image)
            _draft(image, preparation)
            image.load()
            upright = _upright(image)
            plain = _grey(path, upright) if preparation.channels == 1 else _rgb(path, upright)
        size = (preparation.width, preparation.height)
        if plain.size != size:
            plain = plain.resize(size, Image.Resampling[preparation.resample.upper()])
        return np.asarray(plain, dtype=np.uint8).reshape(preparation.shape)
    except DataError:
        raise
    except UnidentifiedImageError:
        empty = path.stat().st_size == 0
        found = "an empty file" if empty else "a file that is not an image that can be read"
        raise DataError(path, found, "an image (JPEG, PNG, GIF, BMP, TIFF, WebP …)") from None
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(path, f"a file that cannot be read ({reason})", "an image") from None
    except Exception as error:  # a damaged file makes Pillow's decoders raise nearly anything
        reason = f"{type(error).__name__}: {error}"
        raise DataError(path, f"a damaged image ({reason})", "an image that decodes") from None


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence Pillow: what matters in its warnings is raised here as an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@functools.cache
def _formats() -> list[str]:
    """Those of `FORMATS` that this Pillow was built with."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _check_size(path: Path, image: Image.Image) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise _too_large(path)


def _too_large(path: Path) -> DataError:
    limit = f"{Image.MAX_IMAGE_PIXELS:,}"
    return DataError(path, f"more than {limit} pixels", "fewer (the limit for decompression)")


def _draft(image: Image.Image, preparation: Preparation) -> None:
    if preparation.draft:
        width, height = preparation.width, preparation.height
        if _orientation(image) >= 5:  # lying on its side
            width, height = height, width
        image.draft(None, (width, height))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged EXIF data leave a picture readable
        return 1


def _upright(image: Image.Image) -> Image.Image:
    method = UPRIGHT.get(_orientation(image))
    return image if method is None else image.transpose(method)


def _grey(path: Path, image: Image.Image) -> Image.Image:
    if image.mode in ("L", "1") and "transparency" not in image.info:
        return image.convert("L")
    return _rgb(path, image).convert("L")


def _rgb(path: Path, image: Image.Image) -> Image.Image:
    """Bring any pixel format to 8 bits of red, green and blue, composited on white."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        # 0..65535; Pillow's own conversion would clip at 255. 65535 = 255 · 257.
        wide = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((wide + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise DataError(path, f"32 bits a pixel (mode {image.mode})", "8 or 16 bits")
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), picture).convert("RGB")
    return image.convert("RGB")


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
