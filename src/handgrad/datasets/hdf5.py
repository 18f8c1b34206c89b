"""Images in HDF5: prepared sets, and the two files of cat-vs-noncat.

A file is data from anywhere: only hard links are followed (an external link would open another
file), and nothing is read that claims far more than the file can hold.
"""

from __future__ import annotations

import errno
import json
import math
import mmap
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.datasets.cache import cache_folder
from handgrad.datasets.compressed import GREATEST_RATIO
from handgrad.datasets.dataset import Dataset, Splits
from handgrad.datasets.on_disk import IN_MEMORY, OnDisk, pieces
from handgrad.datasets.preparation import Preparation, natural
from handgrad.errors import DataError, HandgradError, RecipeError, printable
from handgrad.tables import from_table

__all__ = ["CATS", "read_cats", "read_prepared"]

FILTERS = {1: "gzip", 2: "shuffle", 3: "checksum", 32000: "lzf"}
"""What may be done to the bytes of a dataset, each once; others are programs to be looked for, and
gzip in gzip unpacks to a million times its size."""

HEAP = b"GCOL\1\0\0\0"

PARTS = 100

CATS = ("train_catvnoncat.h5", "test_catvnoncat.h5")


def read_prepared(path: Path) -> Splits:
    """Read a prepared set: ``images``, ``labels``, ``class_names``; ``file_names``, ``groups``.

    The last two may be missing; ``groups`` has equal numbers for copies of one image.

    A further dataset ``split`` says of each image to which part it belongs ("train", "test" or
    another name); without it everything is in the training part. The attribute ``preparation``
    tells how the images were made; without it, images of their own size are assumed.

    More than 64 MB of images are `OnDisk`: read where they lie in the file if they are one block of
    it (as `handgrad prepare` writes them, and h5py if not asked for anything else). Images that are
    packed, or lie in chunks, are unpacked first, every time, into a file without a name in the
    user's cache folder, which is gone with its last reader: in batches drawn from all over the
    file, every image would mean a chunk to unpack.

    Raises
    ------
    DataError : not HDF5, a name that is missing, another shape or dtype, counts that disagree, a
        label out of range, NaN
    HandgradError : no room to unpack

    Cost: of 65,000 images of 32x32x3 (200 MB) 0.1 s of processor time where they lie, 3 s to
    unpack. A batch of 64 then takes 0.2 ms; from gzip itself it would take 90 ms in chunks of one
    image, and 1 s in those that h5py makes.
    """
    with _file(path) as file:
        images = _images(file, path)
        labels = _numbers(file, path, "labels", 1, "iu").astype(np.int64)
        class_names = _texts(file, path, "class_names")
        there = set(file)  # asking the file itself would follow a link to another one
        file_names = _texts(file, path, "file_names") if "file_names" in there else None
        groups = _numbers(file, path, "groups", 1, "iu") if "groups" in there else None
        split = _texts(file, path, "split") if "split" in there else None
        made = _attribute(file, path, "preparation")
    if images.shape[3] not in (1, 3):
        raise DataError(path, f"images of {images.shape[3]} channels", "1 (grey) or 3 (colour)")
    dataset = Dataset(images, labels, class_names, file_names, str(path), groups)
    preparation = natural(images) if made is None else _preparation(path, made, images)
    if split is None:
        return Splits(dataset, preparation=preparation)
    if len(split) != len(dataset) or "train" not in split:
        found = f"a split of {len(split):,} entries, among them {sorted(set(split))[:5]}"
        raise DataError(path, found[:200], f"{len(dataset):,} entries, 'train' among them")
    members: dict[str, list[int]] = {}
    for place, name in enumerate(split):
        members.setdefault(name, []).append(place)
    if len(members) > PARTS:
        raise DataError(path, f"a split into {len(members):,} parts", f"at most {PARTS}")
    parts = {name: dataset.take(np.array(places)) for name, places in sorted(members.items())}
    train, test = parts.pop("train"), parts.pop("test", None)
    return Splits(train, test, parts, preparation=preparation)


def read_cats(folder: Path) -> Splits:
    """Read the training and the test file of cat-vs-noncat.

    Raises
    ------
    DataError : as `read_prepared`
    """
    train, test = (
        _cats(folder / name, part) for name, part in zip(CATS, ("train", "test"), strict=True)
    )
    return Splits(train, test)


def _cats(path: Path, part: str) -> Dataset:
    with _file(path) as file:
        images = _numbers(file, path, f"{part}_set_x", 4, "u")
        labels = _numbers(file, path, f"{part}_set_y", 1, "iu").astype(np.int64)
        class_names = _texts(file, path, "list_classes")
    return Dataset(images, labels, class_names, name=str(path))


DAMAGED = (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError) + (
    AttributeError,
    MemoryError,
    AssertionError,
)
"""What h5py raises over a file that is not as it should be."""


@contextmanager
def _file(path: Path) -> Iterator[Any]:
    import h5py  # a tenth of a second, which a command without HDF5 need not spend

    if not path.is_file():
        raise DataError(path, "no such file", "an HDF5 file")
    _check_heaps(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = error.strerror or "not HDF5, or truncated"
        raise DataError(path, f"a file that cannot be read ({reason})", "an HDF5 file") from None
    with file:
        try:
            yield file
        except DAMAGED as error:
            raise DataError(path, f"damaged content ({error})", "a whole HDF5 file") from None


def _check_heaps(path: Path) -> None:
    """Refuse a file in whose texts the HDF5 library would go round for ever.

    Texts of any length lie in heaps, one behind the other: a number of 2 bytes (0 for what is
    free), 6 bytes, a size of 8 bytes, the text. The library (2.0) goes on by that size from what is
    free, even if it is 0. A heap begins with its name, a version and its size.

    Source: HDF5 File Format Specification, III.E Global Heap, II.A Superblock.
    """
    if path.stat().st_size == 0:
        return
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        start = 0
        while data[start : start + 8] != b"\x89HDF\r\n\x1a\n":
            start = max(512, 2 * start)
            if start >= len(data):
                return  # which the library says
        if len(data) < start + 16:
            return  # truncated, says the library
        sizes = (
            data[start + 13 : start + 15] if data[start + 8] < 2 else data[start + 9 : start + 11]
        )
        if sizes != b"\x08\x08":
            raise DataError(path, "addresses and sizes of other than 8 bytes", "8, as h5py writes")
        heap, steps = data.find(HEAP), 0
        while heap >= 0:
            (size,) = struct.unpack("<Q", data[heap + 8 : heap + 16].ljust(8, b"\xff"))
            at, end = heap + 16, min(heap + size, len(data))
            while at + 16 <= end:
                number, size = struct.unpack("<H6xQ", data[at : at + 16])
                at += size if number == 0 else 16 + -(-size // 8) * 8
                steps += 1
                if number == size == 0 or 16 * steps > len(data):
                    raise DataError(path, "a damaged heap of texts", "a whole HDF5 file")
            heap = data.find(HEAP, heap + 1)


def _content(file: Any, path: Path, name: str) -> Any:
    """A dataset of the file itself, of a size that the file can hold."""
    import h5py

    names = sorted(file.keys())
    if name not in names:
        listed = f"the names {', '.join(names)[:200]}" if names else "an empty file"
        raise DataError(path, listed, f"a dataset {name!r}")
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise DataError(path, f"{name!r} as a link", "a dataset in the file itself")
    content = file[name]
    if not isinstance(content, h5py.Dataset):
        raise DataError(path, f"{name!r} as a group", "a dataset")
    if content.external or content.is_virtual:
        raise DataError(path, f"{name!r} stored in another file", "a dataset in the file itself")
    if content.shape is None:
        raise DataError(path, f"{name!r} without a shape", "a dataset with one")
    made = content.id.get_create_plist()
    filters = [made.get_filter(i)[0] for i in range(made.get_nfilters())]
    if not FILTERS.keys() >= set(filters) or len(set(filters)) < len(filters):
        found = f"{name!r} stored through the filters {filters}"
        raise DataError(path, found, f"each of {', '.join(FILTERS.values())} once at most")
    size = path.stat().st_size
    # Python's numbers, for NumPy's would begin anew at 2^63; and a chunk is unpacked as a whole.
    claimed = math.prod(content.shape) * content.dtype.itemsize
    claimed = max(claimed, math.prod(content.chunks or (0,)) * content.dtype.itemsize)
    if claimed > (GREATEST_RATIO if filters else 1) * size:
        found = f"{name!r} claiming {claimed:,} bytes in a file of {size:,}"
        raise DataError(path, found, "no more than the file can hold")
    return content


def _attribute(file: Any, path: Path, name: str) -> Any:
    """A text that is attached to the file; None where there is none."""
    import h5py

    if name not in set(file.attrs):
        return None
    attribute = file.attrs.get_id(name)
    kind = h5py.check_string_dtype(attribute.dtype)
    if attribute.shape != () or kind is None:
        raise DataError(path, f"an attribute {name!r} that is no text", "one text")
    lengths = [attribute.dtype.itemsize] if kind.length else _attached(path, name)
    size = path.stat().st_size
    if not lengths or max(lengths) > size:
        found = f"an attribute {name!r} of more letters than the file holds"
        raise DataError(path, found, f"at most {size:,}")
    return file.attrs[name]


def _attached(path: Path, name: str) -> list[int]:
    """The length that each attribute of this name says its text has, before the library trusts it.

    An attribute is a version, a byte, the sizes of its name, kind and shape (2 bytes each), in
    version 3 another byte, these three, padded to 8 bytes in version 1, and the text's length.

    Source: HDF5 File Format Specification, IV.A.2.m The Attribute Message.
    """
    word, lengths = name.encode() + b"\0", []
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        at = data.find(word)
        while at >= 0:
            for version, before, pad in ((1, 8, 8), (2, 8, 1), (3, 9, 1)):
                start = max(0, at - before)
                head = data[start : start + 8]
                sizes = struct.unpack("<HHH", head[2:].ljust(6, b"\0"))
                if head[:1] == bytes([version]) and sizes[0] == len(word):
                    end = at + sum(-(-size // pad) * pad for size in sizes)
                    lengths.append(int.from_bytes(data[end : end + 4], "little"))
            at = data.find(word, at + 1)
    return lengths


def _images(file: Any, path: Path) -> Any:
    """An array, or the images where they lie if they are many."""
    import h5py

    content = _of_kind(file, path, "images", 4, "uf")
    if math.prod(content.shape) * content.dtype.itemsize <= IN_MEMORY:
        return _native(content[()])
    offset, stored = content.id.get_offset(), content.dtype
    # What NumPy has no name for, such as numbers of 7 bits, the library turns into what it has.
    plain = content.id.get_type() == h5py.h5t.py_create(stored)
    rows = (
        np.memmap(path, stored, "r", offset, content.shape)
        if plain and offset is not None
        else _unpacked(content, path)
    )
    return OnDisk(rows, np.arange(len(rows)), _native, stored.newbyteorder("="))


def _unpacked(content: Any, path: Path) -> NDArray[Any]:
    """The images behind one another in a file that nobody else sees."""
    folder = cache_folder()
    chunk = content.chunks[0] if content.chunks else 1
    count = next(pieces(content)).stop
    count = -(-count // chunk) * chunk  # so that no chunk is unpacked twice
    with _room(path, folder):
        folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder).free < content.size * content.dtype.itemsize:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # now, not in an hour
        beside = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed below
    with beside:
        place = np.empty((min(count, len(content)), *content.shape[1:]), content.dtype)
        for first in range(0, len(content), count):
            some = place[: len(content) - first]
            content.read_direct(some, np.s_[first : first + len(some)])
            with _room(path, folder):  # written, not mapped: a full disk then is an error
                beside.write(some.data)
        with _room(path, folder):
            beside.flush()
        return np.memmap(beside, content.dtype, "r", shape=content.shape)


@contextmanager
def _room(path: Path, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HandgradError(
            f"{printable(str(path))}: found packed images, and no room to unpack them in {folder} "
            f"({error.strerror}); expected room, or images as `handgrad prepare` writes them"
        ) from None


def _native(data: NDArray[Any]) -> NDArray[Any]:
    """In the machine's own order of bytes."""
    return data.astype(data.dtype.newbyteorder("="), copy=False)


def _numbers(file: Any, path: Path, name: str, dimensions: int, kinds: str) -> NDArray[Any]:
    return _native(_of_kind(file, path, name, dimensions, kinds)[()])


def _of_kind(file: Any, path: Path, name: str, dimensions: int, kinds: str) -> Any:
    """A dataset with so many dimensions, of one of these kinds of numbers."""
    content = _content(file, path, name)
    if content.dtype.kind not in kinds or len(content.shape) != dimensions:
        found = f"{name!r} of shape {content.shape} and dtype {content.dtype}"
        words = {"u": "uint8", "uf": "uint8 or float", "iu": "integers"}[kinds]
        raise DataError(path, found, f"{dimensions} dimensions of {words}")
    return content


def _texts(file: Any, path: Path, name: str) -> tuple[str, ...]:
    import h5py

    content = _content(file, path, name)
    if h5py.check_string_dtype(content.dtype) is None or len(content.shape) != 1:
        found = f"{name!r} of shape {content.shape} and dtype {content.dtype}"
        raise DataError(path, found, "one dimension of texts")
    kind = h5py.check_string_dtype(content.dtype)
    if kind is not None and kind.length is None:
        _check_lengths(content, path, name)
    return tuple(content.asstr("utf-8")[()])


def _check_lengths(content: Any, path: Path, name: str) -> None:
    """Refuse texts that are together longer than the file: they may all be the same one.

    Each is a length of 4 bytes, an address of 8 and a number of 4. The library would ask for as
    much memory as the length says, and copy the text that is there.
    """
    places = [(content.id.get_offset(), len(content))]
    if content.chunks is not None:
        chunks = map(content.id.get_chunk_info, range(content.id.get_num_chunks()))
        places = [(chunk.byte_offset, chunk.size // 16) for chunk in chunks]
    if content.id.get_create_plist().get_nfilters() or None in (place for place, _ in places):
        raise DataError(path, f"{name!r} packed", "texts as they are, or of a fixed length")
    total, size = 0, path.stat().st_size
    with path.open("rb") as file:
        for place, count in places:
            file.seek(place)
            said = np.frombuffer(file.read(16 * count), dtype="<u4")
            total += int(said[::4].sum(dtype=np.uint64))
    if total > size:
        raise DataError(path, f"{name!r} of {total:,} letters", f"at most {size:,}, the file's")


def _preparation(path: Path, made: Any, images: NDArray[Any]) -> Preparation:
    try:
        preparation = from_table(Preparation, json.loads(made))
    except (RecipeError, ValueError, TypeError, RecursionError) as error:
        expected = "the table that handgrad writes"
        raise DataError(path, f"an attribute 'preparation' ({error})", expected) from None
    if preparation.shape != images.shape[1:]:
        found = f"images of shape {images.shape[1:]}"
        raise DataError(path, found, f"{preparation.shape}, as its preparation says")
    return preparation
