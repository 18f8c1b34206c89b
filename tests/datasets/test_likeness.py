"""Copies that no byte of their files gives away, and pictures that are merely alike."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from scipy.fft import dctn, idctn

from handgrad.datasets import Preparation, decode_many, likeness, load
from handgrad.datasets.likeness import low_frequencies, near_duplicates, perceptual_hash

Images = NDArray[np.uint8]
LUMA = np.array([0.299, 0.587, 0.114])


def invented(count: int, seed: int = 0, side: int = 64) -> Images:
    """Coloured clouds: amplitudes fall as 1/frequency, as a photograph's do."""
    generator = np.random.default_rng(seed)
    u = np.arange(side)
    size = 1 / np.maximum(np.hypot(u[:, None], u), 1)[:, :, None]
    waves = generator.normal(size=(count, side, side, 3)) * size
    clouds = idctn(waves, axes=(1, 2), norm="ortho")
    clouds /= np.abs(clouds).max(axis=(1, 2, 3), keepdims=True)
    return np.round(128 + 110 * clouds).astype(np.uint8)


def partition(groups: NDArray[np.int64]) -> list[list[int]]:
    """The groups of more than one image."""
    members = [np.flatnonzero(groups == first).tolist() for first in np.unique(groups)]
    return [group for group in members if len(group) > 1]


# --- the frequencies


@pytest.mark.parametrize(
    "shape", [(2, 1, 1, 1), (3, 3, 3, 3), (2, 5, 20, 3), (2, 64, 64, 3), (1, 30, 17, 1)]
)
def test_frequencies_are_those_of_scipy(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    found = low_frequencies(images)
    assert found.shape == (shape[0], 14, 14)
    assert found.dtype == np.float32
    for image, frequencies in zip(images, found, strict=True):
        grey = image @ LUMA if shape[3] == 3 else image[:, :, 0]
        expected = np.zeros((14, 14))
        low = dctn(grey.astype(float), norm="ortho")[:14, :14] / np.sqrt(grey.size)
        expected[: low.shape[0], : low.shape[1]] = low
        np.testing.assert_allclose(frequencies, expected, atol=1e-3)


def test_a_hash_worked_by_hand() -> None:
    # On two pixels the cosines are 1, 1 and 1, -1, halved: mean and half difference, both ways.
    #   [200 0]      a00 = (200 + 0 + 100 + 0)/4 = 75     a01 = (200 - 0 + 100 - 0)/4 = 75
    #   [100 0]      a10 = (200 + 0 - 100 - 0)/4 = 25     a11 = (200 - 0 - 100 + 0)/4 = 25
    # Mirrored, a01 and a11 are negative: only bit 8u + v = 8 is left of the bits 1, 8 and 9.
    image = np.array([[200, 0], [100, 0]], np.uint8)
    frequencies = low_frequencies(np.stack([image, image[:, ::-1]])[:, :, :, None])
    assert frequencies[0, :2, :2].tolist() == [[75, 75], [25, 25]]
    assert frequencies[1, :2, :2].tolist() == [[75, -75], [25, -25]]
    assert not frequencies[:, 2:].any()
    assert not frequencies[:, :, 2:].any()
    assert perceptual_hash(frequencies).tolist() == [2**1 + 2**8 + 2**9, 2**8]


def test_hashes_are_those_of_a_plain_loop() -> None:
    images = invented(20)
    for image, found in zip(images, perceptual_hash(low_frequencies(images)), strict=True):
        low = dctn(image @ LUMA, norm="ortho")[:8, :8]
        low[0, 0] = 0
        margin = 0.01 * np.linalg.norm(low)
        bits = [(u, v) for u in range(8) for v in range(8) if low[u, v] > margin]
        assert int(found) == sum(2 ** (8 * u + v) for u, v in bits)


def test_light_and_contrast_change_no_bit() -> None:
    images = np.random.default_rng(0).integers(0, 100, (20, 16, 16, 1), dtype=np.uint8)
    assert np.array_equal(
        perceptual_hash(low_frequencies(images)), perceptual_hash(low_frequencies(images * 2 + 50))
    )


def test_what_a_symmetrical_image_lacks_is_not_drawn_by_chance() -> None:
    half = invented(20)[:, :, :32].astype(int)
    images = np.concatenate([half, half[:, :, ::-1]], axis=2)
    noise = np.random.default_rng(1).normal(0, 3, (2, *images.shape))
    first, second = perceptual_hash(
        low_frequencies(np.clip(images + noise, 0, 255).astype(np.uint8).reshape(-1, 64, 64, 3))
    ).reshape(2, 20)
    # Half of the 32 odd bits would differ, 16, were they drawn by chance.
    assert np.bitwise_count(first ^ second).max() <= 5


# --- pairs of hashes


def brute(hashes: NDArray[np.uint64], table: NDArray[np.uint64]) -> set[tuple[int, int]]:
    distance = np.bitwise_count(hashes[:, None] ^ table)
    return {(int(i), int(j)) for i, j in np.argwhere(distance <= 7) if i < j}


@pytest.mark.parametrize("pairs", [1, 50, 1 << 20], ids=["one at a time", "some", "all at once"])
def test_no_pair_is_missed(monkeypatch: pytest.MonkeyPatch, pairs: int) -> None:
    monkeypatch.setattr(likeness, "PAIRS", pairs)
    generator = np.random.default_rng(0)
    hashes = generator.integers(0, 2**64, 40, dtype=np.uint64)
    # Neighbours at 6, 7 and 8 bits, drawn, so that some have all of their bits in one band.
    for bits in (6, 7, 8):
        for k in range(40):
            places = generator.choice(64 if k % 2 else 16, bits, replace=False)
            flips = np.bitwise_or.reduce(np.uint64(1) << places.astype(np.uint64))
            hashes = np.append(hashes, hashes[k] ^ flips)
    table = np.concatenate([hashes, hashes[::-1]])
    expected = brute(hashes, table)
    found = {
        (int(a), int(b))
        for i, j in likeness._close(hashes, table)
        for a, b in zip(i, j, strict=True)
    }
    assert len(expected) > 80
    assert found == expected


@pytest.mark.parametrize("single", range(64))
def test_the_edge_is_at_seven_bits(single: int) -> None:
    # Two bits in each of three bands and one in the last: the most that one flip must find.
    doubles = [3 << 16 * band for band in range(4) if band != single // 16]
    seven = sum(doubles) | 1 << single
    eight = seven | 1 << (single ^ 1)
    hashes = np.array([0, seven, eight], np.uint64)
    found = {(int(i[0]), int(j[0])) for i, j in likeness._close(hashes, hashes)}
    assert found == {(0, 1), (1, 2)}


# --- copies


def saved(quality: int) -> Callable[[Image.Image], Image.Image]:
    def change(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer).convert("RGB")

    return change


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "nothing": lambda image: image,
    "JPEG 40": saved(40),
    "JPEG 95": saved(95),
    "half": lambda image: image.resize((64, 64)),
    "double": lambda image: image.resize((256, 256)),
    "lighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.2),
    "grey": lambda image: image.convert("L"),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "mirrored JPEG": lambda image: saved(60)(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_copy_is_found(change: Callable[[Image.Image], Image.Image], tmp_path: Path) -> None:
    paths = []
    for n, pixels in enumerate(invented(20, side=128)):
        original = Image.fromarray(pixels)
        original.save(tmp_path / f"{n:02}.png")
        change(original).save(tmp_path / f"{n:02} copy.bmp")
        paths += [tmp_path / f"{n:02}.png", tmp_path / f"{n:02} copy.bmp"]
    images, _ = decode_many(paths, Preparation(64, 64, 3))
    assert near_duplicates(images).tolist() == [n - n % 2 for n in range(40)]


def test_different_pictures_are_no_copies() -> None:
    assert not partition(near_duplicates(invented(400)))


def test_equal_hashes_are_not_enough() -> None:
    # The frequencies 0..7 agree in all images, and so do the hashes; what is drawn does not.
    generator = np.random.default_rng(0)
    waves = np.zeros((5, 64, 64))
    waves[:, :8, :8] = generator.normal(size=(8, 8)) * 100
    waves[:, 8:14, 8:14] = generator.normal(size=(5, 6, 6)) * 100
    images = np.round(128 + idctn(waves, axes=(1, 2), norm="ortho")).astype(np.uint8)[..., None]
    assert len(set(perceptual_hash(low_frequencies(images)).tolist())) == 1
    assert not partition(near_duplicates(images))


def test_copies_of_a_copy_are_one_group() -> None:
    start, end = invented(2).astype(float)
    steps = np.stack([(start * (1 - t) + end * t).astype(np.uint8) for t in (0, 0.19, 0.38)])
    assert partition(near_duplicates(steps[[0, 2]])) == []
    assert near_duplicates(steps[[0, 2, 1]]).tolist() == [0, 0, 0]


def test_the_order_of_the_images_does_not_matter() -> None:
    originals = invented(30)
    dark, mirrored = originals[:10] // 2 + 40, originals[5:15, :, ::-1]
    images = np.concatenate([originals, dark, mirrored, originals[:3]])
    order = np.random.default_rng(0).permutation(len(images))
    expected = {frozenset(group) for group in partition(near_duplicates(images))}
    found = {
        frozenset(order[group].tolist()) for group in partition(near_duplicates(images[order]))
    }
    assert len(expected) == 15
    assert found == expected


# --- images that show nothing, and hardly anything


def test_flat_images_are_copies_only_of_equal_pixels() -> None:
    colours = np.arange(0, 240, 10, dtype=np.uint8)
    flat = np.broadcast_to(colours[:, None, None, None], (24, 16, 16, 3))
    noisy = flat + np.random.default_rng(0).integers(0, 4, flat.shape, dtype=np.uint8)
    groups = near_duplicates(np.concatenate([flat, noisy, flat[:2]]))
    assert groups.tolist() == [*range(48), 0, 1]


@pytest.mark.parametrize(("step", "copies"), [(3, False), (5, True)])
def test_what_shows_less_than_two_grey_levels_shows_nothing(step: int, copies: bool) -> None:
    # Half of it darker by 3: a deviation of 1.5; by 5: of 2.5.
    image = np.full((64, 64, 1), 100, np.uint8)
    image[:, 32:] += np.uint8(step)
    assert near_duplicates(np.stack([image, image + 20])).tolist() == [0, 0 if copies else 1]


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (1, 8, 8, 3), (3, 1, 1, 1), (3, 1, 9, 1)])
def test_few_and_tiny_images(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert near_duplicates(images).tolist() == [*range(shape[0])]


def test_three_by_three() -> None:
    corner = np.array([[200, 90, 30], [90, 90, 30], [30, 30, 30]], np.uint8)
    cross = np.array([[0, 200, 0], [200, 200, 200], [0, 200, 0]], np.uint8)
    images = np.stack([corner, cross, corner // 2, corner[:, ::-1], corner])[..., None]
    assert near_duplicates(images).tolist() == [0, 1, 0, 0, 0]


# --- how it is called


def test_grey_and_colour_agree() -> None:
    grey = invented(5)[..., :1]
    colour = np.repeat(grey, 3, axis=3)
    np.testing.assert_allclose(low_frequencies(grey), low_frequencies(colour), atol=1e-3)


def test_a_file_in_memory_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.concatenate([invented(9), invented(9)[:, :, ::-1]])
    file = np.lib.format.open_memmap(tmp_path / "i.npy", "w+", np.uint8, images.shape)
    file[:] = images
    monkeypatch.setattr(likeness, "PIECE", 4)
    calls: list[Any] = []
    groups = near_duplicates(file, each=lambda done, of: calls.append((done, of)))
    assert groups.tolist() == [*range(9)] * 2
    assert calls == [(4, 18), (8, 18), (12, 18), (16, 18), (18, 18)]


@pytest.mark.parametrize("images", [np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8, 3))])
def test_other_arrays_are_refused(images: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"expected \(N, H, W, C\) and uint8"):
        near_duplicates(images)


# --- published data


def test_the_cat_that_stands_on_both_sides(data: Path) -> None:
    cats = load("cat-vs-noncat")
    assert cats.test is not None
    images = np.concatenate([cats.train.images, cats.test.images])
    assert partition(near_duplicates(images)) == [[146, 209 + 17]]


def test_handwritten_digits_do_not_run_together(data: Path) -> None:
    test = load("mnist").test
    assert test is not None
    groups = partition(near_duplicates(test.images[:5000]))
    members = [i for group in groups for i in group]
    # Strokes that are alike are ones, and few of the 571.
    assert set(test.labels[members].tolist()) <= {1}
    assert len(members) < 30
    assert all(len(group) < 10 for group in groups)


def test_photographs_of_one_kind_are_not_one_group(data: Path) -> None:
    test = load("cifar10").test
    assert test is not None
    groups = partition(near_duplicates(test.images))
    assert [473, 8031] in groups  # the same aeroplane, seen by eye
    assert [2260, 7452] in groups  # the same deer, mirrored
    assert all(test.labels[i] == test.labels[j] for g in groups for i, j in combinations(g, 2))
    assert len(groups) < 20
