"""From an image file to its pixels, as the preparation says: several files at a time."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from handgrad.datasets.preparation import Preparation
from handgrad.errors import ImageError

__all__ = ["Properties", "decode", "decode_many", "decoded", "in_order", "reading"]

T = TypeVar("T")
R = TypeVar("R")

# The formats that are read. A file is opened as one of these or not at all: Pillow also knows some
# (EPS) for which it starts another program, and one (TGA) that takes any bytes for a picture.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "ICO", "JPEG2000", "AVIF")

AT_ONCE = 64_000_000
"""Bytes of a file that may be held in memory."""

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

TOGETHER, AHEAD = 8, 4
"""So many items are handed to a thread at once: one by one, a fifth of the time it takes to decode
a small JPEG would be spent on handing them over. And so many such blocks a thread are ahead."""


@dataclass
class Properties:
    """What a file is, filled in as far as it could be read.

    Parameters
    ----------
    bytes : its size
    content : SHA-256 of its bytes, in hex
    format, mode : Pillow's words, such as "JPEG" and "RGB"
    width, height : as stored, before the picture is turned upright
    orientation : EXIF, 1 to 8
    frames : more than 1 for an animation
    """

    bytes: int = 0
    content: str = ""
    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    orientation: int = 1
    frames: int = 1


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
    ImageError : no such file, not an image, truncated, too many pixels, an unknown pixel format
    """
    with reading():
        return decoded(Path(path), preparation)


def decode_many(
    paths: Sequence[str | os.PathLike[str]],
    preparation: Preparation,
    threads: int | None = None,
    each: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.uint8], list[ImageError]]:
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
    faults: list[ImageError] = []

    def one(path: str | os.PathLike[str]) -> NDArray[np.uint8] | ImageError:
        try:
            return decoded(Path(path), preparation)
        except ImageError as error:
            return error

    with reading():
        for done, found in enumerate(in_order(one, paths, threads), start=1):
            if isinstance(found, ImageError):
                faults.append(found)
            else:
                images[done - 1 - len(faults)] = found
            if each is not None:
                each(done, len(paths))
    return images[: len(paths) - len(faults)], faults


def in_order(function: Callable[[T], R], items: Iterable[T], threads: int | None) -> Iterator[R]:
    """The results of a function in the order of the items, computed by several threads.

    Only a few are computed ahead, so that whoever takes them one by one holds only those.

    Parameters
    ----------
    threads : how many at a time; None for one a core, at most 8
    """
    threads = threads or min(os.cpu_count() or 1, 8)
    rest = iter(items)

    def results(block: list[T]) -> list[R]:
        return [function(item) for item in block]

    with ThreadPoolExecutor(threads) as pool:
        begun: deque[Future[list[R]]] = deque()
        while block := list(islice(rest, TOGETHER)):
            begun.append(pool.submit(results, block))
            if len(begun) > AHEAD * threads:
                yield from begun.popleft().result()
        while begun:
            yield from begun.popleft().result()


@contextmanager
def reading() -> Iterator[None]:
    """Around `decoded`, once for all threads: Pillow is loaded and keeps its warnings to itself.

    What matters in its warnings is raised as an error.
    """
    _formats()  # once, here: the plug-ins are not loaded by several threads at a time
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decoded(
    path: Path, preparation: Preparation, properties: Properties | None = None
) -> NDArray[np.uint8]:
    """`decode`, within `reading`; also fills in what the file is."""
    try:
        if not path.is_file():  # a pipe or a device would never end
            raise ImageError(path, "unreadable", _no_file(path))
        with _opened(path, properties) as file, Image.open(file, formats=_formats()) as image:
            if properties is not None:
                _describe(image, properties)
            _check_size(path, image)
            _draft(image, preparation)
            image.load()
            upright = _upright(image)
            plain = _grey(path, upright) if preparation.channels == 1 else _rgb(path, upright)
            if properties is not None and getattr(image, "is_animated", False):
                properties.frames = int(getattr(image, "n_frames", 2))
        size = (preparation.width, preparation.height)
        if plain.size != size:
            plain = plain.resize(size, Image.Resampling[preparation.resample.upper()])
        return np.asarray(plain, dtype=np.uint8).reshape(preparation.shape)
    except ImageError:
        raise
    except UnidentifiedImageError:
        if path.stat().st_size == 0:
            raise ImageError(path, "empty", "an empty file") from None
        raise ImageError(
            path,
            "not an image",
            "a file that is not an image that can be read",
            "an image (JPEG, PNG, GIF, BMP, TIFF, WebP …)",
        ) from None
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except OSError as error:
        raise _unreadable(path, error) from None
    except Exception as error:  # a damaged file makes Pillow's decoders raise nearly anything
        found = f"a damaged image ({type(error).__name__}: {error})"
        raise ImageError(path, "damaged", found, "an image that decodes") from None


def _opened(path: Path, properties: Properties | None) -> io.BytesIO | io.BufferedReader:
    """The content of a file, read at once unless it is large.

    Pillow reads a small JPEG in forty pieces, and at each of them a thread may have to wait for
    the others. Never by its name: then Pillow maps an uncompressed TIFF into memory, and gets one
    that lies on its side wrong (Pillow 13.0).
    """
    file = path.open("rb")
    size = os.fstat(file.fileno()).st_size
    whole = size <= AT_ONCE
    opened: io.BytesIO | io.BufferedReader = file
    if whole:
        with file:
            opened = io.BytesIO(file.read())
    if properties is not None:
        properties.bytes = size
        properties.content = hashlib.file_digest(opened, "sha256").hexdigest()
        opened.seek(0)
    return opened


def _no_file(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    if path.exists():
        return "what is no file (a pipe or a device)"
    return "a link that leads nowhere" if path.is_symlink() else "no such file"


def _unreadable(path: Path, error: OSError) -> ImageError:
    """The system's errors have a number, Pillow's have not."""
    reason = error.strerror or str(error)
    kind = (
        "unreadable"
        if error.errno is not None
        else "truncated"
        if "truncated" in reason.lower()
        else "damaged"
    )
    return ImageError(path, kind, f"a file that cannot be read ({reason})")


def _describe(image: Image.Image, properties: Properties) -> None:
    properties.format = image.format or ""
    properties.mode = image.mode
    properties.width, properties.height = image.size
    properties.orientation = _orientation(image)


@functools.cache
def _formats() -> list[str]:
    """Those of `FORMATS` that this Pillow was built with."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _check_size(path: Path, image: Image.Image) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise _too_large(path)


def _too_large(path: Path) -> ImageError:
    limit = f"{Image.MAX_IMAGE_PIXELS:,}"
    return ImageError(
        path, "too large", f"more than {limit} pixels", "fewer (the limit for decompression)"
    )


def _draft(image: Image.Image, preparation: Preparation) -> None:
    if preparation.draft:
        width, height = preparation.width, preparation.height
        if _orientation(image) >= 5:  # lying on its side
            width, height = height, width
        image.draft(None, (width, height))


def _orientation(image: Image.Image) -> int:
    if image.format == "JPEG" and not image.info.keys() & {"exif", "xmp"}:
        return 1  # half of the time it takes to open a small file is spent on looking again
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
        raise ImageError(
            path, "unsupported", f"32 bits a pixel (mode {image.mode})", "8 or 16 bits"
        )
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), picture).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
