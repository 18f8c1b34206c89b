"""Prepared images: written once, read back the same, by anyone."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from handgrad.datasets import Dataset, Preparation, Splits
from handgrad.datasets.hdf5 import read_prepared
from handgrad.errors import HandgradError
from handgrad.storage.prepared import write_prepared

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 1, 0, 1])
NAMES = ("a/ü.png", "a/2.png", "b/3.png", "b/4 5.png", "b/猫.png")
WHOLE = Dataset(IMAGES, LABELS, ("Straße", "b"), NAMES)


def test_anyone_can_read_it_with_h5py(tmp_path: Path) -> None:
    write_prepared(WHOLE, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert sorted(file) == ["class_names", "file_names", "images", "labels"]
        assert file["images"].dtype == np.uint8
        assert file["labels"].dtype == np.int64
        np.testing.assert_array_equal(file["images"][()], IMAGES)
        np.testing.assert_array_equal(file["labels"][()], LABELS)
        assert [name.decode() for name in file["class_names"]] == ["Straße", "b"]
        assert tuple(name.decode() for name in file["file_names"]) == NAMES


def test_one_part_comes_back(tmp_path: Path) -> None:
    made = Preparation(4, 3, 3, "lanczos", draft=True)
    write_prepared(Splits(WHOLE, preparation=made), tmp_path / "a.h5")
    splits = read_prepared(tmp_path / "a.h5")
    assert splits.train.fingerprint() == WHOLE.fingerprint()
    assert splits.train.file_names == NAMES
    assert splits.train.class_names == ("Straße", "b")
    assert splits.test is None
    assert splits.preparation == made


def test_several_parts_come_back_as_they_were(tmp_path: Path) -> None:
    parts = [WHOLE.take(np.array(places)) for places in ([0, 2], [1, 3], [4])]
    write_prepared(Splits(parts[0], parts[1], {"validation": parts[2]}), tmp_path / "a.h5")
    splits = read_prepared(tmp_path / "a.h5")
    assert splits.test is not None
    again = [splits.train, splits.test, splits.others["validation"]]
    for part, back in zip(parts, again, strict=True):
        assert back.fingerprint() == part.fingerprint()
        assert back.file_names == part.file_names


def test_file_names_are_left_out_where_there_are_none(tmp_path: Path) -> None:
    write_prepared(Dataset(IMAGES, LABELS, ("a", "b")), tmp_path / "a.h5")
    assert read_prepared(tmp_path / "a.h5").train.file_names is None


def test_equal_data_give_equal_bytes(tmp_path: Path) -> None:
    splits = Splits(WHOLE, WHOLE.take(np.array([0, 1])), preparation=Preparation(4, 3, 3))
    for name in ("a.h5", "b.h5"):
        write_prepared(splits, tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_floats_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(HandgradError, match="found images of float64; expected uint8"):
        write_prepared(Dataset(IMAGES / 255, LABELS, ("a", "b")), tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(HandgradError, match="cannot be written"):
        write_prepared(WHOLE, tmp_path / "none" / "a.h5")


def test_an_interruption_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.h5"
    write_prepared(WHOLE, path)
    before = path.read_bytes()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("handgrad.storage.prepared.to_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_prepared(Splits(WHOLE, preparation=Preparation(4, 3, 3)), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
