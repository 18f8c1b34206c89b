"""IDX, the format of MNIST: a big-endian header, then unsigned bytes.

The header is a magic number (0x0800 + the number of dimensions, 0x08 meaning unsigned bytes) and
one 32-bit integer a dimension. Source: the table of the data folder's README.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handgrad.datasets.compressed import existing, opened, read_exactly
from handgrad.datasets.dataset import Dataset
from handgrad.errors import DataError

__all__ = ["IMAGES", "LABELS", "read_idx", "read_pair"]

IMAGES, LABELS = 2051, 2049
"""The magic numbers of images (3 dimensions) and of labels (1)."""

_NAMES = {IMAGES: "IDX images", LABELS: "IDX labels"}


def read_idx(path: Path, magic: int) -> NDArray[np.uint8]:
    """Read one IDX file, gzipped or not.

    Parameters
    ----------
    magic : `IMAGES` or `LABELS`

    Returns
    -------
    (N, H, W) or (N,) uint8

    Raises
    ------
    DataError : another magic number, a truncated or over-long file, an empty one
    """
    dimensions = magic - 2048
    with opened(path) as file:
        header = file.read(4 + 4 * dimensions)
        if len(header) >= 4:
            found = int.from_bytes(header[:4], "big")
            if found != magic:
                raise DataError(path, f"magic number {found}", f"{magic} ({_NAMES[magic]})")
        if len(header) < 4 + 4 * dimensions:
            found_size = f"a truncated file with {len(header)} bytes"
            raise DataError(path, found_size, f"a header of {4 + 4 * dimensions} bytes")
        shape = struct.unpack(f">{dimensions}I", header[4:])
        if 0 in shape:
            raise DataError(path, f"{_times(shape)} items", "at least one of each")
        data = read_exactly(path, file, math.prod(shape), f"{_times(shape)} after the header")
    return data.reshape(shape)


def read_pair(
    folder: Path, stem: str, class_names: tuple[str, ...], size: tuple[int, int] | None = None
) -> Dataset:
    """Read ``{stem}-images-idx3-ubyte`` and ``{stem}-labels-idx1-ubyte``, gzipped or not.

    Parameters
    ----------
    size : (H, W) that the images must have, or None for any

    Raises
    ------
    DataError : as `read_idx`; counts that disagree, another size, a label out of range
    """
    images_path = existing(folder, f"{stem}-images-idx3-ubyte")
    labels_path = existing(folder, f"{stem}-labels-idx1-ubyte")
    images, labels = read_idx(images_path, IMAGES), read_idx(labels_path, LABELS)
    if len(images) != len(labels):
        expected = f"{len(images):,}, as many as images in {images_path.name}"
        raise DataError(labels_path, f"{len(labels):,} labels", expected)
    if size is not None and images.shape[1:] != size:
        raise DataError(images_path, f"images of {_times(images.shape[1:])}", _times(size))
    name = str(labels_path)  # what is still to be checked are the labels
    return Dataset(images[..., np.newaxis], labels.astype(np.int64), class_names, name=name)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{n:,}" for n in shape)
