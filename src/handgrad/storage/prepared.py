"""Prepared images in one HDF5 file, readable by anyone with h5py."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from handgrad.datasets.dataset import Dataset, Splits
from handgrad.datasets.on_disk import pieces
from handgrad.errors import HandgradError
from handgrad.tables import to_table
from handgrad.writing import written

__all__ = ["write_prepared"]


def write_prepared(data: Dataset | Splits, path: str | os.PathLike[str]) -> None:
    """Write images to HDF5; `handgrad.datasets.hdf5.read_prepared` reads them back.

    The file holds ``images`` (N, H, W, C) uint8, ``labels`` (N,) int64, ``class_names`` and, where
    they are known, ``file_names`` (texts, UTF-8) and ``groups`` (N,) int64, equal for copies of
    one image. Splits of more than one part also give ``split``: the name of the part of every
    image. The attribute ``preparation`` holds, as JSON, how the images were made. Equal data give
    equal bytes. The images are one block as they are, neither packed nor in chunks, so that they
    can be read where they lie.

    Raises
    ------
    HandgradError : the file cannot be written, or the images are not uint8
    """
    import h5py  # a tenth of a second, which other commands need not spend

    splits = data if isinstance(data, Splits) else Splits(data)
    parts = {"train": splits.train}
    if splits.test is not None:
        parts["test"] = splits.test
    parts |= splits.others
    for part in parts.values():
        if part.images.dtype != np.uint8:
            raise HandgradError(f"{path}: found images of {part.images.dtype}; expected uint8")
    names = [part.file_names for part in parts.values()]
    text = h5py.string_dtype("utf-8")
    # Times of creation would make equal data give other bytes.
    plain: dict[str, Any] = {"track_times": False}
    with written(path) as beside, h5py.File(beside, "w") as file:
        first, count = splits.train, sum(len(part) for part in parts.values())
        images = file.create_dataset("images", (count, *first.images.shape[1:]), "u1", **plain)
        start = 0
        for part in parts.values():
            for piece in pieces(part.images):  # which may stay in a file themselves
                images[start + piece.start : start + piece.stop] = part.images[piece]
            start += len(part)
        labels = np.concatenate([part.labels for part in parts.values()])
        file.create_dataset("labels", data=labels.astype("<i8"), **plain)
        file.create_dataset("class_names", data=list(first.class_names), dtype=text, **plain)
        if all(known is not None for known in names):
            listed = [name for known in names for name in known or ()]
            file.create_dataset("file_names", data=listed, dtype=text, **plain)
        groups = [part.groups for part in parts.values() if part.groups is not None]
        if len(groups) == len(parts):
            file.create_dataset("groups", data=np.concatenate(groups).astype("<i8"), **plain)
        if len(parts) > 1:
            split = [name for name, part in parts.items() for _ in range(len(part))]
            file.create_dataset("split", data=split, dtype=text, **plain)
        if splits.preparation is not None:
            file.attrs["preparation"] = json.dumps(to_table(splits.preparation), sort_keys=True)
