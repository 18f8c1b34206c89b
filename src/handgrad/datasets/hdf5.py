"""Images in HDF5: prepared sets, and the two files of cat-vs-noncat.

A file is data from anywhere: only hard links are followed (an external link would open another
file), and nothing is read that claims far more than the file can hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.datasets.compressed import GREATEST_RATIO
from handgrad.datasets.dataset import Dataset, Splits
from handgrad.datasets.preparation import Preparation, natural
from handgrad.errors import DataError, RecipeError
from handgrad.tables import from_table

__all__ = ["CATS", "read_cats", "read_prepared"]

CATS = ("train_catvnoncat.h5", "test_catvnoncat.h5")


def read_prepared(path: Path) -> Splits:
    """Read a prepared set: ``images``, ``labels``, ``class_names``; ``file_names``, ``groups``.

    The last two may be missing; ``groups`` has equal numbers for copies of one image.

    A further dataset ``split`` says of each image to which part it belongs ("train", "test" or
    another name); without it everything is in the training part. The attribute ``preparation``
    tells how the images were made; without it, images of their own size are assumed.

    Raises
    ------
    DataError : not HDF5, a name that is missing, another shape or dtype, counts that disagree, a
        label out of range, NaN
    """
    with _file(path) as file:
        images = _numbers(file, path, "images", 4, "uf")
        labels = _numbers(file, path, "labels", 1, "iu").astype(np.int64)
        class_names = _texts(file, path, "class_names")
        file_names = _texts(file, path, "file_names") if "file_names" in file.keys() else None  # noqa: SIM118
        groups = _numbers(file, path, "groups", 1, "iu") if "groups" in file.keys() else None  # noqa: SIM118
        split = _texts(file, path, "split") if "split" in file.keys() else None  # noqa: SIM118
        made = file.attrs.get("preparation")
    if images.shape[3] not in (1, 3):
        raise DataError(path, f"images of {images.shape[3]} channels", "1 (grey) or 3 (colour)")
    dataset = Dataset(images, labels, class_names, file_names, str(path), groups)
    preparation = natural(images) if made is None else _preparation(path, made, images)
    if split is None:
        return Splits(dataset, preparation=preparation)
    if len(split) != len(dataset) or "train" not in split:
        found = f"a split of {len(split):,} entries, among them {sorted(set(split))[:5]}"
        raise DataError(path, found, f"{len(dataset):,} entries, 'train' among them")
    parts = {name: dataset.take(np.array(split) == name) for name in sorted(set(split))}
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


@contextmanager
def _file(path: Path) -> Iterator[Any]:
    import h5py  # a tenth of a second, which a command without HDF5 need not spend

    if not path.is_file():
        raise DataError(path, "no such file", "an HDF5 file")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = error.strerror or "not HDF5, or truncated"
        raise DataError(path, f"a file that cannot be read ({reason})", "an HDF5 file") from None
    with file:
        try:
            yield file
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            raise DataError(path, f"damaged content ({error})", "a whole HDF5 file") from None


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
    size = path.stat().st_size
    if content.nbytes > GREATEST_RATIO * size:
        found = f"{name!r} claiming {content.nbytes:,} bytes in a file of {size:,}"
        raise DataError(path, found, "no more than the file can hold")
    return content


def _numbers(file: Any, path: Path, name: str, dimensions: int, kinds: str) -> NDArray[Any]:
    content = _content(file, path, name)
    if content.dtype.kind not in kinds or len(content.shape) != dimensions:
        found = f"{name!r} of shape {content.shape} and dtype {content.dtype}"
        words = {"u": "uint8", "uf": "uint8 or float", "iu": "integers"}[kinds]
        raise DataError(path, found, f"{dimensions} dimensions of {words}")
    data: NDArray[Any] = content[()]
    return data.astype(data.dtype.newbyteorder("="), copy=False)


def _texts(file: Any, path: Path, name: str) -> tuple[str, ...]:
    import h5py

    content = _content(file, path, name)
    if h5py.check_string_dtype(content.dtype) is None or len(content.shape) != 1:
        found = f"{name!r} of shape {content.shape} and dtype {content.dtype}"
        raise DataError(path, found, "one dimension of texts")
    return tuple(content.asstr("utf-8")[()])


def _preparation(path: Path, made: Any, images: NDArray[Any]) -> Preparation:
    try:
        preparation = from_table(Preparation, json.loads(made))
    except (RecipeError, ValueError, TypeError) as error:
        expected = "the table that handgrad writes"
        raise DataError(path, f"an attribute 'preparation' ({error})", expected) from None
    if preparation.shape != images.shape[1:]:
        found = f"images of shape {images.shape[1:]}"
        raise DataError(path, found, f"{preparation.shape}, as its preparation says")
    return preparation
