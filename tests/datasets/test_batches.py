"""Batches: every image once an epoch, in an order that the seed and the epoch alone decide."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.datasets import Batches

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
