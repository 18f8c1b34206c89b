"""CIFAR-10's two formats, the pickles among them read without being run."""

from __future__ import annotations

import gzip
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handgrad.datasets import load
from handgrad.datasets.cifar import CLASSES, read_batches, read_pickled, read_records
from handgrad.errors import DataError

RECORD = 3073
ROWS = np.random.default_rng(0).integers(0, 256, (3, RECORD), dtype=np.uint8)
ROWS[:, 0] = [6, 9, 0]


def put(folder: Path, content: bytes, name: str = "batch") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


# --- binary records


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_record_is_a_label_and_three_planes(tmp_path: Path, pack: type[bytes]) -> None:
    dataset = read_records(put(tmp_path, pack(ROWS.tobytes())), records=3)
    assert dataset.labels.tolist() == [6, 9, 0]
    assert dataset.images.shape == (3, 32, 32, 3)
    # The green pixel of row 5 and column 7 stands behind the label, the red plane and 5 rows.
    assert dataset.images[1, 5, 7, 1] == ROWS[1, 1 + 1024 + 5 * 32 + 7]
    assert dataset.images[2, 31, 0, 2] == ROWS[2, 1 + 2048 + 31 * 32]
    assert dataset.class_names == CLASSES


def test_any_number_of_whole_records(tmp_path: Path) -> None:
    assert len(read_records(put(tmp_path, ROWS.tobytes()), records=None)) == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (ROWS.tobytes()[:-1], "a truncated file with 9,218 bytes; expected 9,219 bytes"),
        (ROWS.tobytes() + b"\0", "an over-long file"),
        (b"", "a truncated file"),
    ],
)
def test_a_bad_length_is_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = put(tmp_path, content)
    with pytest.raises(DataError) as refusal:
        read_records(path, records=3)
    assert str(refusal.value).startswith(f"{path}: found ")
    assert words in str(refusal.value)


def test_a_label_above_9_is_refused(tmp_path: Path) -> None:
    rows = ROWS.copy()
    rows[1, 0] = 10
    with pytest.raises(DataError, match=r"batch: found label 10 at image 1; expected labels in 0"):
        read_records(put(tmp_path, rows.tobytes()), records=3)


def test_a_batch_has_ten_thousand_images(tmp_path: Path) -> None:
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        put(tmp_path, ROWS.tobytes(), name)
    with pytest.raises(DataError, match=r"data_batch_1\.bin: found a truncated file"):
        read_batches(tmp_path)


def test_a_python_batch_has_ten_thousand_images_too(tmp_path: Path) -> None:
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        put(tmp_path, python_2_batch(ROWS[:, 1:], [6, 9, 0]), name)
    with pytest.raises(DataError, match="data_batch_1: found 3 images; expected 10,000"):
        read_batches(tmp_path)


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    put(tmp_path, ROWS.tobytes(), "data_batch_1.bin")
    with pytest.raises(DataError, match=r"no file data_batch_2.bin; expected .* or .*\.gz"):
        read_batches(tmp_path)


# --- Python batches


def text(value: bytes) -> bytes:
    """A text as Python 2 wrote it: U and one byte of length, or T and four."""
    if len(value) < 256:
        return b"U" + bytes([len(value)]) + value
    return b"T" + struct.pack("<I", len(value)) + value


def python_2_batch(pixels: np.ndarray, labels: list[int]) -> bytes:
    """The instructions that Python 2's cPickle gave for a batch, in its protocol 2."""
    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    rows, columns = pixels.shape
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x06cnumpy\nndarray\nq\x07"
        b"K\x00\x85U\x01b\x87Rq\x08"  # (ndarray, (0,), "b"), called
        b"(K\x01" + b"K" + bytes([rows]) + b"M" + struct.pack("<H", columns) + b"\x86"
        b"cnumpy\ndtype\nq\x09U\x02u1K\x00K\x01\x87Rq\x0a"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"  # the state of the dtype
        b"\x89" + text(pixels.tobytes()) + b"q\x0btb"  # False: row by row
    )
    return (
        b"\x80\x02}q\x01("
        + (text(b"batch_label") + b"q\x02" + text(b"training batch 1 of 5") + b"q\x03")
        + (text(b"labels") + b"q\x04]q\x05(" + numbers + b"e")
        + (text(b"data") + array)
        + (text(b"filenames") + b"]q\x0c(" + text(b"a.png") * len(labels) + b"e")
        + b"u."
    )


def test_the_batch_of_this_test_is_what_pickle_reads() -> None:
    batch = pickle.loads(python_2_batch(ROWS[:, 1:], [6, 9, 0]), encoding="latin1")
    np.testing.assert_array_equal(batch["data"], ROWS[:, 1:])
    assert batch["labels"] == [6, 9, 0]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_python_2_batch_is_the_same_as_its_records(tmp_path: Path, pack: type[bytes]) -> None:
    pickled = read_pickled(put(tmp_path, pack(python_2_batch(ROWS[:, 1:], [6, 9, 0]))))
    records = read_records(put(tmp_path, ROWS.tobytes(), "a.bin"), records=3)
    assert pickled.fingerprint() == records.fingerprint()


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("key", [str, str.encode], ids=["text", "bytes"])
def test_batches_that_python_3_saved_again(tmp_path: Path, protocol: int, key: Any) -> None:
    batch = {key("data"): ROWS[:, 1:].copy(), key("labels"): [6, 9, 0], key("note"): None}
    dataset = read_pickled(put(tmp_path, pickle.dumps(batch, protocol)))
    assert dataset.labels.tolist() == [6, 9, 0]
    np.testing.assert_array_equal(dataset.images[..., 0].reshape(3, -1), ROWS[:, 1:1025])


def test_an_array_written_by_columns(tmp_path: Path) -> None:
    batch = {"data": np.asfortranarray(ROWS[:, 1:]), "labels": [6, 9, 0]}
    dataset = read_pickled(put(tmp_path, pickle.dumps(batch, 2)))
    np.testing.assert_array_equal(dataset.images[..., 0].reshape(3, -1), ROWS[:, 1:1025])


class Harm:
    """What a pickle can do: run a command where it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path, protocol: int) -> None:
    harm = tmp_path / "harm"
    content = pickle.dumps({"data": Harm(harm), "labels": [1]}, protocol)
    path = put(tmp_path, content)
    with pytest.raises(DataError, match="a pickle with"):
        read_pickled(path)
    assert not harm.exists()
    pickle.loads(content)  # it is a real one
    assert harm.exists()


@pytest.mark.parametrize(
    "name", ["os system", "builtins eval", "numpy load", "numpy.core.multiarray scalar"]
)
def test_no_other_name_is_followed(tmp_path: Path, name: str) -> None:
    content = b"\x80\x02c" + name.replace(" ", "\n").encode() + b"\nU\x04true\x85R."
    with pytest.raises(DataError) as refusal:
        read_pickled(put(tmp_path, content))
    assert f"the name {name.replace(' ', '.')!r}" in str(refusal.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (b"cnumpy\ndtype\nU\x01O\x85R.", "a call of dtype"),  # objects instead of bytes
        (b"cnumpy\nndarray\nK\x01\x85R.", "a call of ndarray"),
        (b"K\x01K\x01\x85R.", "a call of 1"),
        (b"}K\x01b.", "a state for"),
    ],
)
def test_known_names_are_called_in_one_way_only(
    tmp_path: Path, arguments: bytes, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        read_pickled(put(tmp_path, b"\x80\x02" + arguments))


WHOLE = python_2_batch(ROWS[:, 1:], [6, 9, 0])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged pickle"),
        (b"no pickle at all", "pickle"),
        (WHOLE[:-500], "damaged pickle"),
        (WHOLE[:2000], "damaged pickle"),
        (b"\x80\x02K\x01.", "expected a dictionary with data and labels"),
        (pickle.dumps({"data": 1}, 2), "a dictionary of ['data']"),
        (pickle.dumps({"data": [1], "labels": [1]}, 2), "no data array"),
        (pickle.dumps({"data": np.zeros((2, 7), np.uint8), "labels": [1, 1]}, 2), "(2, 7)"),
        (pickle.dumps({"data": ROWS[:, 1:].copy(), "labels": ["a"] * 3}, 2), "integers"),
        (python_2_batch(ROWS[:, 1:], [6, 9]), "3 images and 2 labels"),
        (python_2_batch(ROWS[:, 1:], [6, 10, 1]), "label 10 at image 1"),
        (b"\x80\x02(((((.", "a pickle of 0 values"),
        (b"\x80\x02\x87.", "damaged pickle"),
        (b"\x80\x02u.", "damaged pickle"),
    ],
)
def test_a_bad_pickle_is_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = put(tmp_path, content)
    with pytest.raises(DataError) as refusal:
        read_pickled(path)
    assert str(refusal.value).startswith(f"{path}: found ")
    assert words in str(refusal.value)


def test_any_damage_to_a_pickle_is_a_sentence(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    whole = np.frombuffer(python_2_batch(ROWS[:1, 1:], [6]), np.uint8)
    refused = 0
    for _ in range(100):
        damaged = whole.copy()
        damaged[generator.integers(300, size=2)] = generator.integers(256, size=2)
        try:
            read_pickled(put(tmp_path, damaged.tobytes()))
        except DataError:
            refused += 1
    assert refused > 30


def test_cifar10_is_what_its_page_says(data: Path) -> None:
    splits = load("cifar10")
    assert splits.test is not None
    assert splits.train.images.shape == (50000, 32, 32, 3)
    assert splits.train.labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    assert splits.test.labels[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    assert splits.train.counts().tolist() == [5000] * 10
    assert splits.test.counts().tolist() == [1000] * 10
    names = (data / "cifar-10-batches-bin" / "batches.meta.txt").read_text().split()
    assert splits.train.class_names == tuple(names)
