"""Images with labels: what is refused, and how a set is divided."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from handgrad.datasets import Dataset, Splits, part, pooled, redrawn
from handgrad.errors import DataError


def a_dataset(labels: list[int], classes: int = 3) -> Dataset:
    """Images whose every pixel is their place in the set."""
    places = np.arange(len(labels), dtype=np.uint8)
    images = np.broadcast_to(places[:, None, None, None], (len(labels), 2, 2, 1)).copy()
    names = tuple("abcdefgh"[:classes])
    files = tuple(f"{place}.png" for place in places)
    return Dataset(images, np.array(labels), names, files, "the test's set")


def places(dataset: Dataset) -> list[int]:
    return dataset.images[:, 0, 0, 0].tolist()


def test_labels_become_int64() -> None:
    dataset = Dataset(np.zeros((2, 1, 1, 1), np.uint8), np.array([0, 1], np.uint8), ("a", "b"))
    assert dataset.labels.dtype == np.int64
    assert len(dataset) == 2


@pytest.mark.parametrize(
    ("images", "labels", "sentence"),
    [
        (np.zeros((3, 2, 2)), [0, 1, 0], "images of shape (3, 2, 2)"),
        (np.zeros((0, 2, 2, 1)), [], "images of shape (0, 2, 2, 1)"),
        (np.zeros((2, 2, 2, 1), np.int32), [0, 1], "dtype int32"),
        (np.zeros((3, 2, 2, 1)), [0, 1], "3 images and 2 labels"),
        (np.zeros((2, 2, 2, 1)), [0, 2], "label 2 at image 1; expected labels in 0..1"),
        (np.zeros((2, 2, 2, 1)), [-1, 0], "label -1 at image 0"),
        (np.zeros((2, 2, 2, 1)), [0.0, 1.0], "dtype float64"),
        (np.full((2, 2, 2, 1), 255.0), [0, 1], "floats from 255 to 255; expected floats in 0..1"),
        (np.full((2, 2, 2, 1), -0.5), [0, 1], "floats from -0.5"),
    ],
)
def test_what_does_not_fit_is_refused(
    images: np.ndarray, labels: list[float], sentence: str
) -> None:
    with pytest.raises(DataError) as refusal:
        Dataset(images, np.array(labels), ("a", "b"), name="my file")
    assert str(refusal.value).startswith("my file: found ")
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_named_with_their_image(value: float) -> None:
    images = np.zeros((3, 2, 2, 1))
    images[1, 0, 1, 0] = value
    with pytest.raises(DataError, match="NaN or infinity in image 1; expected finite numbers"):
        Dataset(images, np.zeros(3, np.int64), ("a",))


def test_file_names_must_be_as_many_as_images() -> None:
    with pytest.raises(DataError, match="2 images and 1 file names"):
        Dataset(np.zeros((2, 1, 1, 1)), np.array([0, 0]), ("a",), ("one.png",))


def test_take_keeps_images_labels_and_names_together() -> None:
    dataset = a_dataset([2, 0, 1, 0])
    taken = dataset.take(np.array([3, 0]))
    assert places(taken) == [3, 0]
    assert taken.labels.tolist() == [0, 2]
    assert taken.file_names == ("3.png", "0.png")
    assert taken.name == dataset.name
    masked = dataset.take(np.array([False, True, True, False]))
    assert (places(masked), masked.file_names) == ([1, 2], ("1.png", "2.png"))


def test_counts_include_classes_without_images() -> None:
    assert a_dataset([1, 1, 0], classes=4).counts().tolist() == [1, 2, 0, 0]


def test_the_fingerprint_is_the_digest_of_shape_dtype_images_and_labels() -> None:
    dataset = a_dataset([0, 1, 0])
    by_hand = hashlib.sha256(
        b"(3, 2, 2, 1) |u1"
        + bytes([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
        + b"".join(label.to_bytes(8, "little") for label in (0, 1, 0))
    )
    assert dataset.fingerprint() == by_hand.hexdigest()
    assert dataset.take(np.array([0, 1, 2])).fingerprint() == dataset.fingerprint()
    assert dataset.take(np.array([1, 0, 2])).fingerprint() != dataset.fingerprint()


def test_the_fingerprint_is_that_of_the_values_whatever_their_layout() -> None:
    images = np.random.default_rng(0).random((4, 3, 2, 1))
    labels = np.zeros(4, np.int64)
    turned = np.asfortranarray(images)
    assert (
        Dataset(images, labels, ("a",)).fingerprint()
        == Dataset(turned, labels, ("a",)).fingerprint()
    )


def test_a_part_is_stratified_and_the_two_sides_make_the_whole() -> None:
    dataset = a_dataset([0] * 10 + [1] * 20 + [2] * 5)
    rest, drawn = part(dataset, 0.2, np.random.default_rng(0))
    assert drawn.counts().tolist() == [2, 4, 1]
    assert rest.counts().tolist() == [8, 16, 4]
    assert sorted(places(rest) + places(drawn)) == list(range(35))
    assert places(drawn) == sorted(places(drawn))  # in the order of the set
    assert drawn.file_names == tuple(f"{place}.png" for place in places(drawn))


def test_a_part_depends_on_the_generator_alone() -> None:
    dataset = a_dataset([0, 1] * 20)
    draws = [places(part(dataset, 0.3, np.random.default_rng(seed))[1]) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_every_class_is_on_both_sides(fraction: float) -> None:
    dataset = a_dataset([0, 0, 1, 1, 1])
    rest, drawn = part(dataset, fraction, np.random.default_rng(0))
    assert min(rest.counts()[:2]) >= 1
    assert min(drawn.counts()[:2]) >= 1


def test_a_class_of_one_image_cannot_be_divided() -> None:
    with pytest.raises(DataError, match=r"the test's set: found one image of class 'b'"):
        part(a_dataset([0, 0, 1]), 0.5, np.random.default_rng(0))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 2.0])
def test_a_fraction_outside_0_to_1_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        part(a_dataset([0, 0]), fraction, np.random.default_rng(0))


def test_redrawing_keeps_the_counts_of_both_parts_and_the_images() -> None:
    everything = a_dataset([0] * 12 + [1] * 8)
    first = np.arange(20) % 4 != 0
    splits = Splits(everything.take(first), everything.take(~first), note="kept")
    again = redrawn(splits, np.random.default_rng(3))
    assert again.test is not None
    assert splits.test is not None
    assert again.test.counts().tolist() == splits.test.counts().tolist() == [3, 2, 0]
    assert sorted(places(again.train) + places(again.test)) == list(range(20))
    assert places(again.test) != places(splits.test)
    assert again.note == "kept"


def test_redrawing_needs_a_test_part() -> None:
    with pytest.raises(ValueError, match="no test part"):
        redrawn(Splits(a_dataset([0, 1])), np.random.default_rng(0))


def test_pooling_puts_one_behind_the_other() -> None:
    dataset = a_dataset([0, 1, 2, 0])
    together = pooled(dataset.take(np.array([2, 3])), dataset.take(np.array([0])))
    assert places(together) == [2, 3, 0]
    assert together.file_names == ("2.png", "3.png", "0.png")


def grouped(labels: list[int], groups: list[int]) -> Dataset:
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    names = tuple("abc"[: max(labels) + 1])
    return Dataset(images, np.array(labels), names, groups=np.array(groups))


@pytest.mark.parametrize("seed", range(20))
def test_copies_never_stand_on_both_sides(seed: int) -> None:
    """60 images of two classes; groups of 1 to 4, one of them over both classes."""
    generator = np.random.default_rng(seed)
    labels = [0] * 30 + [1] * 30
    groups = generator.integers(0, 25, 30).tolist() + (generator.integers(24, 49, 30)).tolist()
    rest, drawn = part(grouped(labels, groups), 0.25, generator)
    assert not set(rest.groups.tolist()) & set(drawn.groups.tolist())
    assert len(rest) + len(drawn) == 60
    for counts in (rest.counts(), drawn.counts()):
        assert (counts > 0).all()
    assert (np.abs(drawn.counts() - 7.5) <= 4).all()


def test_groups_of_one_change_nothing() -> None:
    labels = [0] * 10 + [1] * 14
    alone, plain = (
        part(dataset, 0.3, np.random.default_rng(1))[1]
        for dataset in (
            grouped(labels, list(range(24))),
            Dataset(grouped(labels, labels).images, np.array(labels), ("a", "b")),
        )
    )
    assert alone.images.ravel().tolist() == plain.images.ravel().tolist()
    assert len(alone) == 7


def test_a_group_too_large_for_the_part_stays() -> None:
    """Nine copies and three others: two are drawn, of the three."""
    for seed in range(10):
        dataset = grouped([0] * 12 + [1] * 4, [5] * 9 + [0, 1, 2] + [10, 11, 12, 13])
        _, drawn = part(dataset, 0.2, np.random.default_rng(seed))
        assert set(drawn.images.ravel().tolist()[:-1]) < {9, 10, 11}
        assert drawn.counts().tolist() == [2, 1]


def test_no_class_is_emptied_by_its_copies() -> None:
    """Both images of class 1 are copies of images of class 0: they stay where they are."""
    for seed in range(10):
        dataset = grouped([0] * 10 + [1] * 2, [*range(10), 3, 3])
        rest, drawn = part(dataset, 0.3, np.random.default_rng(seed))
        assert rest.counts()[1] == 2
        assert drawn.counts().tolist() == [3, 0]


def test_a_group_for_each_image() -> None:
    with pytest.raises(DataError, match=r"3 images and groups of shape \(2,\); expected one group"):
        Dataset(np.zeros((3, 1, 1, 1)), np.zeros(3, int), ("a",), groups=np.zeros(2, int))


def test_redrawn_keeps_copies_together() -> None:
    dataset = grouped([0] * 12 + [1] * 12, [*range(10), 8, 9, *range(12, 22), 20, 21])
    train, test = part(dataset, 0.25, np.random.default_rng(0))
    for seed in range(10):
        again = redrawn(Splits(train, test), np.random.default_rng(seed))
        assert again.test is not None
        assert not set(again.train.groups.tolist()) & set(again.test.groups.tolist())


def test_what_came_with_another_class_counts() -> None:
    """Each image of class 0 has a copy in class 1: three pairs are drawn, and no more."""
    dataset = grouped([0] * 10 + [1] * 10, [*range(10), *range(10)])
    _, drawn = part(dataset, 0.3, np.random.default_rng(0))
    assert drawn.counts().tolist() == [3, 3]
