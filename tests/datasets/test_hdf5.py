"""HDF5 files from anywhere: the expected names, or a sentence."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from handgrad.datasets import OnDisk, Preparation, hdf5, load, on_disk
from handgrad.datasets.hdf5 import read_prepared
from handgrad.errors import DataError, HandgradError

IMAGES = np.arange(4 * 3 * 2, dtype=np.uint8).reshape(4, 3, 2, 1)
GOOD: dict[str, Any] = {
    "images": IMAGES,
    "labels": np.array([0, 1, 1, 0]),
    "class_names": ["cat", "Katze"],
}


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    def put(**contents: Any) -> Path:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            for name, content in (GOOD | contents).items():
                if content is not None:
                    file[name] = content
        return path

    return put


def test_a_file_that_somebody_wrote_with_h5py(put: Callable[..., Path]) -> None:
    splits = read_prepared(put(class_names=["Straße", "猫"], file_names=list("abcd")))
    dataset = splits.train
    np.testing.assert_array_equal(dataset.images, IMAGES)
    assert dataset.labels.tolist() == [0, 1, 1, 0]
    assert dataset.class_names == ("Straße", "猫")
    assert dataset.file_names == tuple("abcd")
    assert splits.test is None
    assert splits.preparation == Preparation(3, 2, 1)


def test_names_of_fixed_length_and_big_endian_numbers(put: Callable[..., Path]) -> None:
    names = np.array(["ä".encode(), b"b"], dtype="S2")
    floats = (IMAGES / 255).astype(">f4")
    dataset = read_prepared(put(images=floats, class_names=names)).train
    assert dataset.class_names == ("ä", "b")
    assert dataset.images.dtype == np.float32
    np.testing.assert_array_equal(dataset.images, (IMAGES / 255).astype(np.float32))


def test_a_split_makes_the_parts(put: Callable[..., Path]) -> None:
    path = put(split=["test", "train", "validation", "train"])
    splits = read_prepared(path)
    assert splits.train.images[:, 0, 0, 0].tolist() == [6, 18]
    assert splits.test is not None
    assert splits.test.images[:, 0, 0, 0].tolist() == [0]
    assert splits.others["validation"].labels.tolist() == [1]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no images": ({"images": None}, "the names class_names, labels; expected a dataset 'images'"),
    "no labels": ({"labels": None}, "expected a dataset 'labels'"),
    "no names": ({"class_names": None}, "expected a dataset 'class_names'"),
    "flat images": ({"images": IMAGES[..., 0]}, "'images' of shape (4, 3, 2)"),
    "whole numbers": ({"images": IMAGES.astype(np.int32)}, "dtype int32"),
    "wide numbers": ({"images": IMAGES.astype(np.uint16)}, "dtype uint16"),
    "four channels": ({"images": IMAGES.repeat(4, axis=3)}, "images of 4 channels"),
    "text for labels": ({"labels": ["a", "b", "b", "a"]}, "'labels' of shape (4,)"),
    "float labels": ({"labels": np.array([0.0, 1, 1, 0])}, "dtype float64"),
    "one label less": ({"labels": np.array([0, 1, 1])}, "4 images and 3 labels"),
    "label too high": ({"labels": np.array([0, 2, 1, 0])}, "label 2 at image 1"),
    "label negative": ({"labels": np.array([0, 1, 1, -1])}, "label -1 at image 3"),
    "numbers for names": ({"class_names": np.array([1, 2])}, "one dimension of texts"),
    "one file name": ({"file_names": ["a"]}, "4 images and 1 file names"),
    "NaN": ({"images": np.full((4, 3, 2, 1), np.nan)}, "NaN or infinity in image 0"),
    "bytes as floats": ({"images": IMAGES * 1.0}, "floats from 0 to 23"),
    "a short split": ({"split": ["train", "test"]}, "a split of 2 entries"),
    "no train in split": ({"split": ["test"] * 4}, "'train' among them"),
    "names that are no text": ({"class_names": np.array([b"\xff", b"b"])}, "damaged content"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_a_sentence(put: Callable[..., Path], kind: str) -> None:
    contents, words = BAD[kind]
    path = put(**contents)
    with pytest.raises(DataError) as refusal:
        read_prepared(path)
    assert str(refusal.value).startswith(f"{path}: found ")
    assert words in str(refusal.value)


@pytest.mark.parametrize("made", ["no JSON", "[]", '{"height": 3}', b"\xff", 7])
def test_a_preparation_that_is_none_is_refused(put: Callable[..., Path], made: Any) -> None:
    path = put()
    with h5py.File(path, "a") as file:
        file.attrs["preparation"] = made
    with pytest.raises(DataError, match="an attribute 'preparation'"):
        read_prepared(path)


def test_a_preparation_of_another_size_is_refused(put: Callable[..., Path]) -> None:
    path = put()
    with h5py.File(path, "a") as file:
        file.attrs["preparation"] = '{"height": 9, "width": 2, "channels": 1}'
    with pytest.raises(DataError, match=r"\(3, 2, 1\); expected \(9, 2, 1\)"):
        read_prepared(path)


def test_an_external_link_is_not_followed(tmp_path: Path, put: Callable[..., Path]) -> None:
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = IMAGES
    path = put(images=None)
    for link in (h5py.ExternalLink(str(other), "secret"), h5py.SoftLink("/labels")):
        with h5py.File(path, "a") as file:
            file.pop("images", None)
            file["images"] = link
        with pytest.raises(DataError, match="'images' as a link"):
            read_prepared(path)


def test_content_kept_in_another_file_is_not_read(tmp_path: Path, put: Callable[..., Path]) -> None:
    raw = tmp_path / "raw"
    raw.write_bytes(IMAGES.tobytes())
    path = put(images=None)
    with h5py.File(path, "a") as file:
        file.create_dataset(
            "images", IMAGES.shape, "u1", external=[(str(raw), 0, raw.stat().st_size)]
        )
    with pytest.raises(DataError, match="stored in another file"):
        read_prepared(path)
    with h5py.File(path, "a") as file:
        del file["images"]
        layout = h5py.VirtualLayout(IMAGES.shape, "u1")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", IMAGES.shape)
        file.create_virtual_dataset("images", layout)
    with pytest.raises(DataError, match="stored in another file"):
        read_prepared(path)


def test_a_file_that_claims_more_than_it_can_hold(put: Callable[..., Path]) -> None:
    path = put(images=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("images", (4, 100_000, 100_000, 3), "u1", chunks=(1, 100, 100, 3))
    with pytest.raises(DataError, match="claiming 120,000,000,000 bytes in a file of"):
        read_prepared(path)


def test_a_group_is_no_dataset(put: Callable[..., Path]) -> None:
    path = put(images=None)
    with h5py.File(path, "a") as file:
        file.create_group("images")
    with pytest.raises(DataError, match="'images' as a group"):
        read_prepared(path)


def test_what_is_no_hdf5_is_refused(tmp_path: Path, put: Callable[..., Path]) -> None:
    path = tmp_path / "b.h5"
    with pytest.raises(DataError, match="no such file; expected an HDF5 file"):
        read_prepared(path)
    path.write_bytes(b"this is no HDF5")
    with pytest.raises(DataError, match="expected an HDF5 file"):
        read_prepared(path)
    whole = put().read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"b\.h5: found "):
        read_prepared(path)


FLOATS = IMAGES / 255
STORED: dict[str, tuple[np.ndarray, dict[str, Any], bool]] = {
    "bytes": (IMAGES, {}, True),
    "float32": (FLOATS.astype("<f4"), {}, True),
    "float64, big-endian": (FLOATS.astype(">f8"), {}, True),
    "chunks": (IMAGES, {"chunks": (3, 2, 2, 1)}, False),
    "gzip": (IMAGES, {"chunks": (1, 3, 2, 1), "compression": "gzip", "shuffle": True}, False),
    "floats in chunks": (FLOATS.astype(">f4"), {"chunks": (2, 3, 1, 1)}, False),
}


@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize("block", [0, 1024], ids=["", "behind a block of the user's"])
def test_many_images_stay_on_disk_and_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path, kind: str, block: int
) -> None:
    images, how, where_they_lie = STORED[kind]
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", userblock_size=block) as file:
        for name, content in (GOOD | {"images": None}).items():
            if content is not None:
                file[name] = content
        file["split"] = ["test", "train", "train", "train"]
        file.create_dataset("images", data=images, **how)
    plain = read_prepared(path)
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    monkeypatch.setattr(on_disk, "IMAGES", 2)  # so that there are two pieces
    if where_they_lie:
        monkeypatch.setattr(hdf5, "_unpacked", None)
    before = set(own_cache.iterdir())
    lazy = read_prepared(path)
    for dataset, whole in ((lazy.train, plain.train), (lazy.test, plain.test)):
        assert dataset is not None
        assert whole is not None
        assert isinstance(dataset.images, OnDisk)
        assert dataset.images.dtype == whole.images.dtype
        assert dataset.images[:].dtype.isnative
        assert dataset.fingerprint() == whole.fingerprint()
    assert lazy.preparation == plain.preparation
    assert set(own_cache.iterdir()) == before


def test_numbers_of_seven_bits_are_not_taken_for_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: Callable[..., Path]
) -> None:
    """They lie in bytes, one bit further up than they are: the library must read them."""
    path = put(images=None)
    seven = h5py.h5t.STD_U8LE.copy()
    seven.set_precision(7)
    seven.set_offset(1)
    with h5py.File(path, "a") as file:
        space = h5py.h5s.create_simple(IMAGES.shape)
        made = h5py.h5d.create(file.id, b"images", seven, space)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, IMAGES)
        assert made.get_offset() is not None
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    np.testing.assert_array_equal(read_prepared(path).train.images[:], IMAGES)


def test_images_that_were_never_written_are_what_the_library_says(
    monkeypatch: pytest.MonkeyPatch, put: Callable[..., Path]
) -> None:
    path = put(images=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("images", IMAGES.shape, "u1", fillvalue=7)
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    assert (read_prepared(path).train.images[:] == 7).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1.5])
def test_a_number_that_cannot_be_is_found_on_disk(
    monkeypatch: pytest.MonkeyPatch, put: Callable[..., Path], bad: float
) -> None:
    images = FLOATS.copy()
    images[3, 1, 1, 0] = bad
    path = put(images=images)
    with pytest.raises(DataError) as plain:
        read_prepared(path)
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    monkeypatch.setattr(on_disk, "IMAGES", 2)
    with pytest.raises(DataError) as lazy:
        read_prepared(path)
    assert str(lazy.value) == str(plain.value)


def test_a_file_that_ends_within_its_images_is_refused(
    monkeypatch: pytest.MonkeyPatch, put: Callable[..., Path]
) -> None:
    """Reading behind the end of a mapped file would end the process."""
    path = put(images=np.zeros((1000, 8, 8, 1), np.uint8), labels=np.zeros(1000, int))
    whole = path.read_bytes()
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    with h5py.File(path) as file:
        end = file["images"].id.get_offset() + 64_000
    path.write_bytes(whole[: end - 1])
    with pytest.raises(DataError, match=r"a\.h5: found "):
        read_prepared(path)


def test_unpacked_images_leave_no_file_and_no_handle(
    monkeypatch: pytest.MonkeyPatch, put: Callable[..., Path]
) -> None:
    path = put(images=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("images", data=IMAGES, compression="gzip")
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    handles = Path("/proc/self/fd")
    if not handles.exists():
        pytest.skip("/proc is Linux's")
    read_prepared(path)
    gc.collect()
    before = len(os.listdir(handles))
    for _ in range(3):
        read_prepared(path)
    gc.collect()
    assert len(os.listdir(handles)) == before


class Full:
    """A file on a disk that is full."""

    def __enter__(self) -> Full:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, _: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_no_room_to_unpack_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, put: Callable[..., Path], tmp_path: Path
) -> None:
    path = put(images=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("images", data=IMAGES, chunks=(1, 3, 2, 1))
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.TemporaryFile", lambda **_: Full())
        with pytest.raises(
            HandgradError, match=r"a\.h5: found packed images, and no room .* .No spa"
        ):
            read_prepared(path)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=IMAGES.nbytes - 1))
        patch.setattr("tempfile.TemporaryFile", None)
        with pytest.raises(HandgradError, match=r"no room .*No space"):
            read_prepared(path)
    (tmp_path / "file").touch()
    monkeypatch.setenv("HANDGRAD_CACHE", str(tmp_path / "file"))
    with pytest.raises(HandgradError, match=r"no room to unpack them in .*file \("):
        read_prepared(path)


def test_cat_vs_noncat_is_what_is_known_of_it(data: Path) -> None:
    splits = load("cat-vs-noncat")
    assert splits.test is not None
    assert splits.train.images.shape == (209, 64, 64, 3)
    assert splits.train.class_names == ("non-cat", "cat")
    assert splits.train.counts().tolist() == [137, 72]
    assert splits.test.counts().tolist() == [17, 33]
    assert splits.train.labels[:10].tolist() == [0, 0, 1, 0, 0, 0, 0, 1, 0, 0]
    assert splits.test.labels[:10].tolist() == [1, 1, 1, 1, 1, 0, 1, 1, 1, 1]
    np.testing.assert_array_equal(splits.test.images[17], splits.train.images[146])
