"""Batches: every image once an epoch, in an order that the seed and the epoch alone decide."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.arrays import Array, Shape
from handgrad.datasets import Batches
from handgrad.datasets.augmentation import AlternatingFlip, Augmentation, Brightness, Translate

IMAGES = np.arange(22.0).reshape(11, 2)
LABELS = np.arange(11)


def epoch_of(batches: Batches, epoch: int) -> list[int]:
    return [int(label) for _, labels in batches(epoch) for label in labels]


def test_an_epoch_shows_every_image_once_with_its_label() -> None:
    batches = Batches(IMAGES, LABELS, batch_size=4, seed=0)
    assert sorted(epoch_of(batches, 0)) == list(range(11))
    for x, labels in batches(0):
        np.testing.assert_array_equal(x[:, 0], 2 * labels)
    assert [len(labels) for _, labels in batches(0)] == [4, 4, 3]
    assert batches.steps_per_epoch == 3


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    batches = Batches(IMAGES, LABELS, batch_size=4, seed=5)
    # The definition, word by word, so that a resumed training meets the batches it left.
    sequence = np.random.SeedSequence(5, spawn_key=(1, 3))
    expected = np.random.default_rng(sequence).permutation(11)
    epoch_of(batches, 0)  # an epoch that has been drawn changes nothing
    assert epoch_of(batches, 3) == expected.tolist()
    assert epoch_of(batches, 3) != epoch_of(batches, 4)
    assert epoch_of(Batches(IMAGES, LABELS, 4, seed=6), 3) != expected.tolist()
    assert epoch_of(Batches(IMAGES, LABELS, 2, seed=5), 3) == expected.tolist()


def test_without_shuffling_the_order_is_that_of_the_set() -> None:
    assert epoch_of(Batches(IMAGES, LABELS, 4, seed=5, shuffle=False), 2) == list(range(11))


def test_the_full_batch_is_the_array_itself() -> None:
    batches = Batches(IMAGES, LABELS, batch_size=None, seed=0)
    ((x, labels),) = batches(7)
    assert x is IMAGES
    assert labels is LABELS
    assert batches.full
    assert batches.steps_per_epoch == 1


def test_a_batch_may_be_kept() -> None:
    batches = Batches(IMAGES, LABELS, batch_size=4, seed=0)
    kept = list(batches(0))
    for x, labels in kept:
        np.testing.assert_array_equal(x[:, 0], 2 * labels)
        x[:] = -1
    assert IMAGES.min() == 0


@pytest.mark.parametrize("batch_size", [1, 11, 100])
def test_any_batch_size_covers_the_set(batch_size: int) -> None:
    batches = Batches(IMAGES, LABELS, batch_size, seed=0)
    assert sorted(epoch_of(batches, 1)) == list(range(11))
    assert len(list(batches(1))) == batches.steps_per_epoch
    assert not batches.full


def test_what_cannot_be_batched_is_refused() -> None:
    with pytest.raises(ValueError, match="batch size of 0"):
        Batches(IMAGES, LABELS, 0, seed=0)
    with pytest.raises(ValueError, match="11 images and 10 labels"):
        Batches(IMAGES, LABELS[:10], 4, seed=0)
    with pytest.raises(ValueError, match="at least one"):
        Batches(IMAGES[:0], LABELS[:0], 4, seed=0)


class Witness(Augmentation):
    """Writes into each image what its augmentation was told, and a number it drew."""

    def draw(
        self, indices: Array, shape: Shape, generator: np.random.Generator, epoch: int
    ) -> tuple[Array, ...]:
        n = len(indices)
        return indices, np.full(n, epoch), generator.random(n)

    def apply(self, images: Array, *draws: Array) -> Array:
        return np.stack([images[:, 0, 0, 0], *draws], axis=1).reshape(-1, 1, 4, 1)


PIXELS = np.random.default_rng(0).random((11, 3, 4, 1), dtype=np.float32)
NUMBERED = np.arange(44.0).reshape(11, 1, 4, 1)  # the first pixel of image i is 4 i


def seen(batches: Batches, epoch: int) -> Array:
    """What the augmentation of each image saw, in the order of an epoch: (N, 4)."""
    return np.concatenate([x for x, _ in batches(epoch)])[:, 0, :, 0]


@pytest.mark.parametrize("batch_size", [None, 4])
def test_an_augmentation_is_told_which_images_and_when(batch_size: int | None) -> None:
    batches = Batches(NUMBERED, LABELS, batch_size, seed=0, augmentations=(Witness(),))
    found = seen(batches, 3)
    np.testing.assert_array_equal(found[:, 1], epoch_of(batches, 3))  # the places, label for label
    np.testing.assert_array_equal(found[:, 0], 4 * found[:, 1])  # of the images themselves
    assert (found[:, 2] == 3).all()
    if batch_size is None:
        np.testing.assert_array_equal(found[:, 1], LABELS)


@pytest.mark.parametrize("batch_size", [None, 4])
def test_what_is_drawn_is_a_function_of_seed_epoch_and_batch(batch_size: int | None) -> None:
    def drawn(seed: int, epoch: int) -> Array:
        return seen(Batches(NUMBERED, LABELS, batch_size, seed, True, (Witness(),)), epoch)[:, 3]

    first = drawn(0, 2)
    np.testing.assert_array_equal(drawn(0, 2), first)
    # Two of 11 uniform numbers would be equal once in 1e15.
    assert len({*first, *drawn(1, 2), *drawn(0, 3)}) == 33
    # The definition, for the resumed: batch 1 of epoch 2 of seed 0.
    if batch_size:
        sequence = np.random.SeedSequence(0, spawn_key=(5, 2, 1))
        np.testing.assert_array_equal(first[4:8], np.random.default_rng(sequence).random(4))


@pytest.mark.parametrize("batch_size", [None, 4])
def test_the_same_seed_gives_the_same_images(batch_size: int | None) -> None:
    chain = (AlternatingFlip(), Translate(1), Brightness(0.2))

    def bits(seed: int, epoch: int) -> bytes:
        batches = Batches(PIXELS, LABELS, batch_size, seed, augmentations=chain)
        return b"".join(x.tobytes() for x, _ in batches(epoch))

    kept = PIXELS.copy()
    assert bits(0, 1) == bits(0, 1)
    assert len({bits(0, 1), bits(0, 2), bits(1, 1), PIXELS.tobytes()}) == 4
    np.testing.assert_array_equal(PIXELS, kept)  # the set itself stays as it is
    ((x, _),) = Batches(PIXELS, LABELS, None, 0, augmentations=chain)(0)
    assert x.dtype == np.float32


def test_an_alternating_flip_follows_the_images_through_the_shuffling() -> None:
    """An image seen one way in an epoch is seen the other way in the next, wherever it stands."""
    batches = Batches(PIXELS, LABELS, 4, seed=3, augmentations=(AlternatingFlip(),))

    def flipped(epoch: int) -> list[bool]:
        found = {}
        for x, labels in batches(epoch):
            for image, label in zip(x, labels, strict=True):
                mirrored = np.array_equal(image, PIXELS[label, :, ::-1])
                assert mirrored or np.array_equal(image, PIXELS[label])
                found[int(label)] = mirrored
        return [found[i] for i in range(11)]

    first, second, third = flipped(0), flipped(1), flipped(2)
    assert first == third == [not each for each in second]
    assert 0 < sum(first) < 11


@pytest.mark.parametrize(
    ("batch_size", "sizes"),
    [
        (None, [11]),
        (4, [4, 4]),
        (5, [5, 5]),
        (1, [1] * 11),
        (10, [10]),
        (11, [11]),
        (12, [11]),  # the only one there is; else nothing would be left
    ],
)
def test_a_last_short_batch_may_be_dropped(batch_size: int | None, sizes: list[int]) -> None:
    batches = Batches(IMAGES, LABELS, batch_size, seed=0, drop_last=True)
    assert [len(labels) for _, labels in batches(2)] == sizes
    assert batches.steps_per_epoch == len(sizes)
    order = epoch_of(batches, 2)
    whole = epoch_of(Batches(IMAGES, LABELS, batch_size, seed=0), 2)
    assert order == whole[: len(order)]  # otherwise nothing changes


def test_who_is_dropped_changes_with_the_epoch() -> None:
    batches = Batches(IMAGES, LABELS, 4, seed=0, drop_last=True)
    dropped = [set(range(11)) - set(epoch_of(batches, epoch)) for epoch in range(4)]
    assert all(len(each) == 3 for each in dropped)
    assert len(set(map(frozenset, dropped))) > 1
