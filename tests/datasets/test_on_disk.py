"""Images in a file read like an array, and are not held."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from handgrad.datasets import Batches, Dataset, OnDisk, Preparation, numbers, on_disk, preparation
from handgrad.datasets.dataset import pooled
from handgrad.datasets.preparation import fitted, measured

ROWS = np.array([4, 0, 3, 3])


@pytest.fixture
def stored(tmp_path: Path) -> np.ndarray:
    path = tmp_path / "pixels"
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 2, 3), dtype=np.uint8)
    path.write_bytes(pixels.tobytes())
    return np.memmap(path, np.uint8, "r", shape=pixels.shape)


@pytest.fixture
def both(stored: np.ndarray) -> tuple[OnDisk, np.ndarray]:
    """The images and the array that they are."""
    return OnDisk(stored, ROWS), np.array(stored)[ROWS]


@pytest.mark.parametrize(
    "key",
    [
        0,
        -1,
        np.int64(2),
        slice(None),
        slice(1, 3),
        slice(2, 2),
        [2, 0],
        np.array([3, 3, 1]),
        np.array([True, False, False, True]),
        (slice(0, 2), 1),
        (2, slice(None), 0),
        (slice(None), slice(None), slice(None, None, -1)),
        (np.array([1, 2]), Ellipsis, 0),
    ],
    ids=str,
)
def test_it_reads_like_the_array(both: tuple[OnDisk, np.ndarray], key: object) -> None:
    images, array = both
    found = images[key]
    assert isinstance(found, np.ndarray)
    assert not isinstance(found, np.memmap)
    assert found.shape == array[key].shape  # type: ignore[index]
    assert np.array_equal(found, array[key])  # type: ignore[index]


def test_its_face_is_the_arrays(both: tuple[OnDisk, np.ndarray]) -> None:
    images, array = both
    for name in ("shape", "dtype", "ndim", "size"):
        assert getattr(images, name) == getattr(array, name)
    assert len(images) == 4
    assert np.array_equal(np.asarray(images), array)
    assert np.array_equal(images.take(np.array([1, 0]), axis=0, mode="clip"), array[[1, 0]])
    with pytest.raises(IndexError):
        images[4]


def test_fewer_of_them(both: tuple[OnDisk, np.ndarray]) -> None:
    images, array = both
    assert np.array_equal(images.rows(np.array([3, 1]))[:], array[[3, 1]])
    mask = np.array([False, True, True, False])
    assert np.array_equal(images.rows(mask).rows(np.array([1]))[:], array[2:3])


def test_what_is_done_is_done_to_what_is_read(both: tuple[OnDisk, np.ndarray]) -> None:
    images, array = both
    sizes = []

    def halved(x: np.ndarray) -> np.ndarray:
        sizes.append(len(x))
        return x / 2

    lazy = images.then(halved, np.float64).then(lambda x: x + 1, np.float64)
    assert sizes == []
    assert lazy.dtype == np.float64
    assert np.array_equal(lazy.rows(np.array([1, 2]))[1], array[2] / 2 + 1)
    assert sizes == [1]


def test_numbers_of_them_are_the_same(both: tuple[OnDisk, np.ndarray]) -> None:
    images, array = both
    preparation = measured(Preparation(3, 2, 3), array)
    assert measured(Preparation(3, 2, 3), images) == preparation  # type: ignore[arg-type]
    lazy = numbers(images, preparation)  # type: ignore[arg-type]
    assert isinstance(lazy, OnDisk)
    assert np.array_equal(np.asarray(lazy), numbers(array, preparation))


def test_batches_of_them_are_the_same(both: tuple[OnDisk, np.ndarray]) -> None:
    images, array = both
    labels = np.arange(4)
    for epoch in range(2):
        lazy = Batches(images, labels, 3, seed=1)(epoch)  # type: ignore[arg-type]
        plain = Batches(array, labels, 3, seed=1)(epoch)
        for (x, y), (u, v) in zip(lazy, plain, strict=True):
            assert np.array_equal(x, u)
            assert np.array_equal(y, v)


def test_a_data_set_of_them(both: tuple[OnDisk, np.ndarray]) -> None:
    images, array = both
    labels = np.array([0, 1, 1, 0])
    lazy = Dataset(images, labels, ("a", "b"))  # type: ignore[arg-type]
    plain = Dataset(array, labels, ("a", "b"))
    assert lazy.fingerprint() == plain.fingerprint()
    some = lazy.take(np.array([2, 0]))
    assert isinstance(some.images, OnDisk)
    assert some.fingerprint() == plain.take(np.array([2, 0])).fingerprint()
    assert lazy.take(labels == 1).fingerprint() == plain.take(labels == 1).fingerprint()


@pytest.mark.parametrize("most", [0, 10**9], ids=["whenever they are read", "once"])
@pytest.mark.parametrize("channels", [1, 3])
def test_another_size_is_the_same(
    both: tuple[OnDisk, np.ndarray], monkeypatch: pytest.MonkeyPatch, most: int, channels: int
) -> None:
    images, array = both
    asked = Preparation(4, 5, channels)
    monkeypatch.setattr(preparation, "IN_MEMORY", most)
    monkeypatch.setattr(on_disk, "IMAGES", 3)
    found = fitted(images, asked)  # type: ignore[arg-type]
    assert isinstance(found, OnDisk if most == 0 else np.ndarray)
    assert found.shape == (4, 4, 5, channels)
    assert found.size == 80 * channels
    assert np.array_equal(found[:], fitted(array, asked))
    fewer = found[np.array([3, 1])] if most else found.rows(np.array([3, 1]))  # type: ignore[attr-defined]
    assert fewer.shape == (2, 4, 5, channels)
    assert np.array_equal(fewer[:], fitted(array[[3, 1]], asked))


def test_two_parts_of_one_file_are_pooled_in_it(both: tuple[OnDisk, np.ndarray]) -> None:
    images, array = both
    labels = np.array([0, 1, 1, 0])
    first, second = (
        Dataset(images, labels, ("a", "b")).take(np.array(places))  # type: ignore[arg-type]
        for places in ([2, 0], [1])
    )
    together = pooled(first, second)
    assert isinstance(together.images, OnDisk)
    assert np.array_equal(together.images[:], array[[2, 0, 1]])
    other = Dataset(np.zeros((1, 3, 2, 3), np.uint8), np.array([0]), ("a", "b"))
    assert np.array_equal(pooled(first, other).images[:2], array[[2, 0]])
    elsewhere = Dataset(OnDisk(array, np.array([1])), np.array([0]), ("a", "b"))  # type: ignore[arg-type]
    assert np.array_equal(pooled(first, elsewhere).images, array[[2, 0, 1]])


def test_extremes_are_those_of_all(stored: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_disk, "IMAGES", 2)
    images = OnDisk(stored, np.arange(5))
    assert images.extremes() == (stored.min(), stored.max())
    lazy = images.then(lambda x: np.where(x == x.max(), np.nan, x), np.float64)
    assert np.isnan(lazy.extremes()).all()


def test_large_images_are_cut_in_fewer_pieces() -> None:
    """At most 16 million numbers at a time, which are 128 MB where they are summed."""
    places = list(on_disk.pieces(OnDisk(np.zeros((1, 2000, 2000, 3)), np.zeros(3, int))))
    assert places == [slice(0, 1), slice(1, 2), slice(2, 3)]
