"""Cutout, brightness and contrast, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from handgrad.datasets.augmentation import Brightness, Contrast, Cutout

NINE = np.arange(1, 10, dtype=np.float32).reshape(1, 3, 3, 1)


def cut(size: int, y: int, x: int, fill: str = "zero") -> list[list[float]]:
    return Cutout(size=size, fill=fill).apply(NINE, np.array([[y, x]]))[0, :, :, 0].tolist()


def test_where_the_square_is() -> None:
    assert cut(1, 0, 2) == [[1, 2, 0], [4, 5, 6], [7, 8, 9]]
    assert cut(2, 1, 1) == [[0, 0, 3], [0, 0, 6], [7, 8, 9]]
    assert cut(2, 1, 2) == [[1, 0, 0], [4, 0, 0], [7, 8, 9]]
    assert cut(3, 2, 0) == [[1, 2, 3], [0, 0, 6], [0, 0, 9]]  # partly outside
    assert cut(3, 1, 1) == [[0, 0, 0]] * 3
    assert cut(50, 0, 0) == [[0, 0, 0]] * 3


def test_cut_out_to_the_mean_of_the_image() -> None:
    assert cut(1, 0, 0, "mean") == [[5, 2, 3], [4, 5, 6], [7, 8, 9]]
    images = np.stack([[[[1.0, 10.0], [3.0, 30.0]]], [[[5.0, 0.0], [7.0, 2.0]]]])
    result = Cutout(size=1, fill="mean").apply(images, np.array([[0, 1], [0, 0]]))
    assert result.tolist() == [[[[1, 10], [2, 20]]], [[[6, 1], [7, 2]]]]


def test_every_pixel_is_a_centre() -> None:
    (centres,) = Cutout().draw(np.arange(3000), (3, 5, 1), np.random.default_rng(0), 0)
    counts = np.zeros((3, 5))
    np.add.at(counts, tuple(centres.T), 1)
    # 200 expected of each of the 15, deviation 14
    assert 140 < counts.min() <= counts.max() < 260


def test_brightness_adds_one_number_to_an_image() -> None:
    images = np.concatenate([NINE, NINE])
    result = Brightness().apply(images, np.array([0.5, -2.0]))
    np.testing.assert_array_equal(result, images + np.array([0.5, -2]).reshape(2, 1, 1, 1))


def test_contrast_spreads_about_the_mean_of_a_channel() -> None:
    image = np.array([1.0, 10.0, 3.0, 30.0, 5.0, 50.0]).reshape(1, 3, 1, 2)
    images = np.concatenate([image, image + 100])
    result = Contrast().apply(images, np.array([0.5, 2.0]))
    assert result[0].ravel().tolist() == [2, 20, 3, 30, 4, 40]
    assert result[1].ravel().tolist() == [99, 90, 103, 130, 107, 170]


def test_contrast_is_that_of_pillow() -> None:
    pixels = np.random.default_rng(0).integers(60, 190, size=(9, 7), dtype=np.uint8)
    images = pixels.astype(np.float32)[None, :, :, None]
    for factor in (0.4, 1.5):
        expected = np.asarray(ImageEnhance.Contrast(Image.fromarray(pixels)).enhance(factor))
        result = Contrast().apply(images, np.array([factor]))[0, :, :, 0]
        # Pillow rounds the mean and the result
        np.testing.assert_allclose(result, expected, rtol=0, atol=1.01)


def test_contrast_and_normalization_may_change_places() -> None:
    images = np.random.default_rng(0).random((3, 4, 5, 3))
    mean, deviation, factors = np.array([0.2, 0.5, 0.7]), np.array([0.1, 0.3, 0.2]), [0.5, 1, 1.5]
    before = (Contrast().apply(images, np.array(factors)) - mean) / deviation
    after = Contrast().apply((images - mean) / deviation, np.array(factors))
    np.testing.assert_allclose(before, after, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("step", "middle"), [(Brightness(0.3), 0), (Contrast(0.3), 1)])
def test_the_range_of_the_draws(step: Brightness | Contrast, middle: float) -> None:
    (values,) = step.draw(np.arange(4000), (2, 2, 1), np.random.default_rng(0), 0)
    assert values.shape == (4000,)
    assert middle - 0.3 <= values.min() < middle - 0.297
    assert middle + 0.297 < values.max() <= middle + 0.3
    # the deviation of the mean is 0.3 / sqrt(3 * 4000) = 0.003
    assert values.mean() == pytest.approx(middle, abs=0.015)
