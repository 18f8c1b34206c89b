"""IDX files: read to the byte, or refused with a sentence."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest

from handgrad.datasets import load
from handgrad.datasets.idx import IMAGES, LABELS, read_idx, read_pair
from handgrad.errors import DataError

PIXELS = bytes(range(3 * 2 * 4))
WHOLE = struct.pack(">IIII", 2051, 3, 2, 4) + PIXELS


def put(folder: Path, content: bytes, name: str = "a") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def labels(values: list[int]) -> bytes:
    return struct.pack(">II", 2049, len(values)) + bytes(values)


def a_pair(folder: Path, images: bytes = WHOLE, given: bytes | None = None) -> Path:
    put(folder, images, "train-images-idx3-ubyte")
    put(folder, labels([0, 1, 1]) if given is None else given, "train-labels-idx1-ubyte")
    return folder


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_images_are_read_row_by_row(tmp_path: Path, pack: type[bytes]) -> None:
    images = read_idx(put(tmp_path, pack(WHOLE)), IMAGES)
    assert images.shape == (3, 2, 4)
    assert images[1, 1].tolist() == [12, 13, 14, 15]


def test_gzip_is_known_by_its_content_not_its_name(tmp_path: Path) -> None:
    assert read_idx(put(tmp_path, labels([4, 2]), "a.gz"), LABELS).tolist() == [4, 2]
    assert read_idx(put(tmp_path, gzip.compress(labels([4, 2])), "a"), LABELS).tolist() == [4, 2]


BAD = {
    "empty": (b"", "a truncated file with 0 bytes"),
    "half a header": (WHOLE[:10], "a truncated file with 10 bytes; expected a header of 16"),
    "labels for images": (labels([1, 2]), "magic number 2049; expected 2051 (IDX images)"),
    "another format": (b"\x89PNG\r\n\x1a\n" + bytes(40), "magic number 2303741511; expected 2051"),
    "truncated": (WHOLE[:-1], "a truncated file with 23 bytes; expected 24 bytes"),
    "over-long": (WHOLE + b"\0", "an over-long file"),
    "no images": (struct.pack(">IIII", 2051, 0, 2, 4), "0 x 2 x 4 items"),
    "no columns": (struct.pack(">IIII", 2051, 3, 2, 0), "3 x 2 x 0 items"),
    "a claim of 2^96 bytes": (struct.pack(">IIII", 2051, *[2**32 - 1] * 3), "a truncated file"),
    "a claim of 16 GiB": (struct.pack(">IIII", 2051, 2**14, 2**10, 2**10), "a truncated file"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_bad_file_is_a_sentence(tmp_path: Path, kind: str, pack: type[bytes]) -> None:
    content, words = BAD[kind]
    path = put(tmp_path, pack(content))
    with pytest.raises(DataError) as refusal:
        read_idx(path, IMAGES)
    assert str(refusal.value).startswith(f"{path}: found ")
    assert words in str(refusal.value)
    assert "; expected " in str(refusal.value)


@pytest.mark.parametrize("cut", [12, 25, -4])
def test_gzip_that_ends_early_is_refused(tmp_path: Path, cut: int) -> None:
    path = put(tmp_path, gzip.compress(WHOLE)[:cut])
    with pytest.raises(DataError, match="damaged gzip data"):
        read_idx(path, IMAGES)


def test_gzip_whose_sum_is_wrong_is_refused(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(WHOLE))
    content[-8] ^= 1  # of the checksum, which comes after all the data
    with pytest.raises(DataError, match="damaged gzip data"):
        read_idx(put(tmp_path, bytes(content)), IMAGES)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "none", IMAGES)
    with pytest.raises(DataError, match="no file train-images-idx3-ubyte; expected"):
        read_pair(tmp_path, "train", ("a", "b"))


def test_a_pair_has_channels_last_and_int64_labels(tmp_path: Path) -> None:
    dataset = read_pair(a_pair(tmp_path), "train", ("a", "b"))
    assert dataset.images.shape == (3, 2, 4, 1)
    assert dataset.labels.tolist() == [0, 1, 1]


def test_counts_that_disagree_name_both_files(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refusal:
        read_pair(a_pair(tmp_path, given=labels([0, 1])), "train", ("a", "b"))
    assert "train-labels-idx1-ubyte: found 2 labels; expected 3" in str(refusal.value)
    assert "train-images-idx3-ubyte" in str(refusal.value)


def test_a_label_out_of_range_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="train-labels-idx1-ubyte: found label 2 at image 1"):
        read_pair(a_pair(tmp_path, given=labels([0, 2, 1])), "train", ("a", "b"))


def test_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="images of 2 x 4; expected 28 x 28"):
        read_pair(a_pair(tmp_path), "train", ("a", "b"), (28, 28))


def test_mnist_is_what_its_page_says(data: Path) -> None:
    splits = load("mnist")
    assert splits.test is not None
    assert splits.train.images.shape == (60000, 28, 28, 1)
    assert splits.test.images.shape == (10000, 28, 28, 1)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert splits.train.counts().tolist() == counts
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert splits.test.counts().tolist() == counts
    assert splits.train.images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert splits.test.images.mean() / 255 == pytest.approx(0.1325, abs=5e-5)
    assert splits.train.class_names == tuple("0123456789")
