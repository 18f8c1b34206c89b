"""Mirrored and shifted images, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.datasets.augmentation import AlternatingFlip, Flip, Translate, augmented
from handgrad.errors import RecipeError

NINE = np.arange(1, 10, dtype=np.float32).reshape(1, 3, 3, 1)
"""123/456/789"""


def branch(*key: int, seed: int = 0) -> np.random.Generator:
    """A branch of a seed, as a training makes one for each epoch or batch."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def flips(indices: list[int], epoch: int, seed: int = 0) -> list[bool]:
    (flipped,) = AlternatingFlip().draw(
        np.array(indices), (2, 2, 1), branch(9, epoch, seed=seed), epoch
    )
    return flipped.tolist()


def shifted(dy: int, dx: int, pixels: int = 1, padding: str = "reflect") -> list[list[float]]:
    result = Translate(pixels=pixels, padding=padding).apply(NINE, np.array([[dy, dx]]))
    return result[0, :, :, 0].tolist()


def test_a_flip_mirrors_left_and_right() -> None:
    pair = np.concatenate([NINE, NINE])
    result = Flip().apply(pair, np.array([False, True]))
    assert result[0, :, :, 0].tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert result[1, :, :, 0].tolist() == [[3, 2, 1], [6, 5, 4], [9, 8, 7]]


def test_a_flip_keeps_the_channels() -> None:
    image = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert Flip().apply(image, np.array([True])).tolist() == [[[[3, 4], [1, 2]]]]


def test_a_part_of_the_images_is_flipped() -> None:
    (flipped,) = Flip(probability=0.3).draw(np.arange(4000), (2, 2, 1), branch(), 0)
    # the deviation of the mean is sqrt(0.21 / 4000) = 0.007
    assert flipped.mean() == pytest.approx(0.3, abs=0.03)


def test_alternating_flips_alternate_whatever_the_batch() -> None:
    first = flips(list(range(200)), epoch=0)
    assert 70 < sum(first) < 130  # the deviation is 7
    opposite = [not flipped for flipped in first]
    for epoch in range(1, 6):
        assert flips(list(range(200)), epoch) == (opposite if epoch % 2 else first)
    assert flips([17, 3, 150], epoch=2) == [first[17], first[3], first[150]]
    assert flips([150], epoch=3) == [not first[150]]


def test_alternating_flips_depend_on_the_seed_alone() -> None:
    assert flips(list(range(64)), epoch=0, seed=1) != flips(list(range(64)), epoch=0, seed=2)
    step, generator = AlternatingFlip(), np.random.default_rng(3)
    (first,) = step.draw(np.arange(64), (2, 2, 1), generator, 0)
    generator.random(100)
    (later,) = step.draw(np.arange(64), (2, 2, 1), generator, 2)
    assert first.tolist() == later.tolist()


def test_alternating_flips_reach_the_images() -> None:
    images = np.random.default_rng(0).normal(size=(40, 2, 3, 1))
    indices = np.arange(40)[::-1]
    seen = [augmented(images, [AlternatingFlip()], branch(e), e, indices) for e in (0, 1)]
    np.testing.assert_array_equal(seen[0], seen[1][:, :, ::-1])
    at_rest = (seen[0] == images).all(axis=(1, 2, 3))
    assert at_rest.tolist() == [not flipped for flipped in flips(indices.tolist(), 0)]


@pytest.mark.parametrize(
    ("dy", "dx", "expected"),
    [
        (0, 0, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        (1, 0, [[4, 5, 6], [7, 8, 9], [4, 5, 6]]),
        (-1, 0, [[4, 5, 6], [1, 2, 3], [4, 5, 6]]),
        (0, 1, [[2, 3, 2], [5, 6, 5], [8, 9, 8]]),
        (-1, -1, [[5, 4, 5], [2, 1, 2], [5, 4, 5]]),
    ],
)
def test_reflected_at_the_edge_pixel(dy: int, dx: int, expected: list[list[float]]) -> None:
    assert shifted(dy, dx) == expected
    assert shifted(dy, dx, pixels=2) == expected


def test_what_comes_in_from_outside() -> None:
    assert shifted(1, -1, padding="zero") == [[0, 4, 5], [0, 7, 8], [0, 0, 0]]
    assert shifted(1, -1, padding="edge") == [[4, 4, 5], [7, 7, 8], [7, 7, 8]]
    assert shifted(0, 5, pixels=5, padding="zero") == [[0, 0, 0]] * 3


def test_each_image_has_its_own_shift() -> None:
    images = np.random.default_rng(0).normal(size=(30, 4, 7, 3)).astype(np.float32)
    shifts = np.random.default_rng(1).integers(-2, 3, size=(30, 2))
    result = Translate(pixels=2).apply(images, shifts)
    for n, (dy, dx) in enumerate(shifts):
        for y in range(4):
            for x in range(7):
                # reflected by hand: -1 is 1, and the last but -1 is the last but 1
                row, column = 3 - abs(3 - abs(y + dy)), 6 - abs(6 - abs(x + dx))
                np.testing.assert_array_equal(result[n, y, x], images[n, row, column])


def test_every_shift_is_drawn_alike() -> None:
    (shifts,) = Translate(pixels=2).draw(np.arange(5000), (8, 8, 1), branch(), 0)
    counts = np.zeros((5, 5))
    np.add.at(counts, tuple((shifts + 2).T), 1)
    assert counts.sum() == 5000
    # 200 expected of each of the 25, deviation 14
    assert 140 < counts.min() <= counts.max() < 260


def test_a_reflection_needs_enough_image() -> None:
    step = Translate(pixels=3)
    with pytest.raises(RecipeError, match="pixels = 3 for images of 8x3; expected less"):
        step.draw(np.arange(2), (8, 3, 1), branch(), 0)
    step.draw(np.arange(2), (4, 4, 1), branch(), 0)
    Translate(pixels=3, padding="zero").draw(np.arange(2), (2, 2, 1), branch(), 0)
