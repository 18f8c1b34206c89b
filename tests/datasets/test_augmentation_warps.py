"""Warps against SciPy, Pillow and small images worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from handgrad.datasets.augmentation import Affine, Crop, Distort, Elastic
from handgrad.datasets.augmentation.warps import sampled

NINE = np.arange(1, 10, dtype=np.float64).reshape(1, 3, 3, 1)
MODES = {"zero": "grid-constant", "border": "nearest"}
"""What SciPy calls our fills."""

SHAPES = [(32, 32, 3), (28, 28, 1), (7, 12, 2), (5, 1, 1), (1, 6, 3)]


def images_of(shape: tuple[int, ...], n: int = 4, dtype: type = np.float64) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(n, *shape)).astype(dtype)


def turned(degrees=0.0, scale=1.0, shear=0.0, shift=(0.0, 0.0), fill="zero", images=NINE):
    """Every image by the same affine map."""
    n = len(images)
    columns = [np.full(n, value) for value in (degrees, scale, shear)]
    return Affine(fill=fill).apply(images, *columns, np.tile(shift, (n, 1)))


def written(images: np.ndarray) -> list[list[float]]:
    return np.round(images[0, :, :, 0], 12).tolist()


def test_a_quarter_turn_is_counterclockwise() -> None:
    assert written(turned(degrees=90)) == [[3, 6, 9], [2, 5, 8], [1, 4, 7]]
    np.testing.assert_allclose(turned(degrees=90)[0], np.rot90(NINE[0]), atol=1e-12)


def test_a_shift_moves_down_and_to_the_right() -> None:
    assert written(turned(shift=(1, 0))) == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert written(turned(shift=(0, 1), fill="border")) == [[1, 1, 2], [4, 4, 5], [7, 7, 8]]
    assert written(turned(shift=(0, 0.5))) == [[0.5, 1.5, 2.5], [2, 4.5, 5.5], [3.5, 7.5, 8.5]]
    assert written(turned(shift=(40, 0))) == [[0, 0, 0]] * 3


def test_twice_as_large_is_read_half_as_far_from_the_centre() -> None:
    assert written(turned(scale=2)) == [[3, 3.5, 4], [4.5, 5, 5.5], [6, 6.5, 7]]


def test_a_shear_moves_rows_by_their_height() -> None:
    # the row above the centre goes by -1, the one below by +1
    assert written(turned(shear=1)) == [[2, 3, 0], [4, 5, 6], [0, 7, 8]]


@pytest.mark.parametrize("fill", ["zero", "border"])
@pytest.mark.parametrize("shape", SHAPES)
def test_affine_maps_agree_with_scipy(shape: tuple[int, ...], fill: str) -> None:
    images = images_of(shape)
    degrees, scale = np.array([10.0, -25.0, 3.0, 140.0]), np.array([1.0, 0.8, 1.3, 1.05])
    shear, shift = np.array([0.0, 0.2, -0.1, 0.3]), np.array([[0, 0], [1.5, -2], [-0.3, 1], [2, 2]])
    result = Affine(fill=fill).apply(images, degrees, scale, shear, shift)
    centre = (np.array(shape[:2]) - 1) / 2
    for n in range(4):
        angle = math.radians(degrees[n])
        # in (x, y), as the docstring has it; SciPy wants (y, x), and the way back
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        forward = scale[n] * turn @ np.array([[1, shear[n]], [0, 1]])
        back = np.linalg.inv(forward)[::-1, ::-1]
        offset = centre - back @ (centre + shift[n])
        for c in range(shape[2]):
            expected = ndimage.affine_transform(
                images[n, :, :, c], back, offset, order=1, mode=MODES[fill]
            )
            np.testing.assert_allclose(result[n, :, :, c], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("degrees", [-30, -7.5, 12, 90, 135])
@pytest.mark.parametrize("size", [(16, 16), (11, 18)])
def test_turns_agree_with_pillow(degrees: float, size: tuple[int, int]) -> None:
    image = images_of((*size, 1), n=1, dtype=np.float32)
    result = turned(degrees=degrees, images=image)[0, :, :, 0]
    pillow = Image.fromarray(image[0, :, :, 0])
    expected = np.asarray(pillow.rotate(degrees, Image.Resampling.BILINEAR))
    # Pillow has its own way at the edge: only what is read from inside the image is compared
    inside = turned(degrees=degrees, images=np.ones_like(image))[0, :, :, 0] > 0.9999
    assert inside.sum() > 40
    np.testing.assert_allclose(result[inside], expected[inside], rtol=0, atol=1e-4)


def test_a_crop_by_hand() -> None:
    # the lower right 1.5 x 1.5 pixels of nine, so that each of the new ones is half as high:
    # read at 1.25, 1.75 and (2.25, outside, is the border) 2
    corner, size = np.array([[1.5, 1.5]]), np.array([[1.5, 1.5]])
    result = Crop().apply(NINE, corner, size)
    rows, columns = np.array([1.25, 1.75, 2.0]), np.array([1.25, 1.75, 2.0])
    np.testing.assert_allclose(result[0, :, :, 0], 1 + 3 * rows[:, None] + columns, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_crops_agree_with_pillow(shape: tuple[int, ...]) -> None:
    step, images = Crop(area=(0.1, 1.0)), images_of(shape, n=12, dtype=np.float32)
    corner, size = step.draw(np.arange(12), shape, np.random.default_rng(2), 0)
    result = step.apply(images, corner, size)
    H, W, C = shape
    for n in range(12):
        (top, left), (height, width) = corner[n], size[n]
        box = (left, top, min(left + width, W), min(top + height, H))
        for c in range(C):
            pillow = Image.fromarray(images[n, :, :, c])
            expected = pillow.resize((W, H), Image.Resampling.BILINEAR, box=box)
            np.testing.assert_allclose(result[n, :, :, c], np.asarray(expected), atol=1e-4)


def test_the_boxes_of_crops() -> None:
    step = Crop(area=(0.25, 0.5), stretch=(0.8, 2.0))
    corner, size = step.draw(np.arange(4000), (20, 30, 1), np.random.default_rng(0), 0)
    assert (corner >= 0).all()
    assert (corner + size <= np.array([20, 30]) + 1e-9).all()
    area, stretch = size.prod(axis=1) / 600, (size[:, 1] / 30) / (size[:, 0] / 20)
    # sqrt(0.5 * 2) = 1: no box is larger than the image, so none was cut
    assert 0.25 <= area.min() < 0.252 < 0.498 < area.max() <= 0.5 + 1e-12
    assert 0.8 - 1e-12 <= stretch.min() < 0.81 < 1.98 < stretch.max() <= 2 + 1e-12
    # its log is uniform: the mean of 4000 has a deviation of log(2 / 0.8) / sqrt(12 * 4000) = 0.004
    assert np.log(stretch).mean() == pytest.approx(math.log(0.8 * 2) / 2, abs=0.02)
    place = corner / (np.array([20, 30]) - size)  # uniform in 0..1, deviation of the mean 0.0046
    np.testing.assert_allclose(place.mean(axis=0), 0.5, atol=0.025)
    largest = Crop(area=(1, 1), stretch=(0.5, 2.0))
    corner, size = largest.draw(np.arange(100), (20, 30, 1), np.random.default_rng(0), 0)
    assert (size.max(axis=0) == [20, 30]).all()


@pytest.mark.parametrize("fill", ["zero", "border"])
@pytest.mark.parametrize("shape", SHAPES)
def test_elastic_distortion_agrees_with_scipy(shape: tuple[int, ...], fill: str) -> None:
    images, step = images_of(shape), Elastic(alpha=20, sigma=2.5, fill=fill)
    (field,) = step.draw(np.arange(4), shape, np.random.default_rng(3), 0)
    result = step.apply(images, field)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for n in range(4):
        smooth = [
            20 * ndimage.gaussian_filter(part.astype(float), 2.5, mode="constant", truncate=10)
            for part in field[n]
        ]
        places = np.stack([rows + smooth[0], columns + smooth[1]])
        for c in range(shape[2]):
            expected = ndimage.map_coordinates(
                images[n, :, :, c], places, order=1, mode=MODES[fill]
            )
            np.testing.assert_allclose(result[n, :, :, c], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("fill", ["zero", "border"])
def test_both_at_once_are_one_after_the_other_where_nothing_is_blurred(fill: str) -> None:
    """Of a plane, interpolation is exact: there, an affine map and then a field give the same."""
    rows, columns = np.mgrid[:40, :44]
    plane = (3 + 0.7 * rows - 0.4 * columns)[None, :, :, None].repeat(4, axis=0)
    step = Distort(degrees=15, scale=0.2, shear=0.2, shift=2, alpha=20, sigma=3, fill=fill)
    *affine, noise = step.draw(np.arange(4), plane.shape[1:], np.random.default_rng(3), 0)
    one = Affine(fill=fill).apply(plane, *affine)
    both = Elastic(alpha=20, sigma=3, fill=fill).apply(one, noise)
    found = step.apply(plane, *affine, noise)
    middle = np.s_[:, 14:-14, 14:-14]  # nothing of the outside comes this far
    np.testing.assert_allclose(found[middle], both[middle], rtol=0, atol=1e-12)
    assert abs(one - both)[middle].max() > 0.5


def test_without_a_part_it_is_the_other() -> None:
    images = images_of((28, 28, 1))
    step = Distort(degrees=15, scale=0.2, shear=0.2, shift=2)
    *affine, noise = step.draw(np.arange(4), images.shape[1:], np.random.default_rng(3), 0)
    alone = Distort(alpha=0).apply(images, *affine, noise)
    np.testing.assert_array_equal(alone, Affine().apply(images, *affine))
    still = Affine().draw(np.arange(4), images.shape[1:], np.random.default_rng(3), 0)
    elastic = Distort().apply(images, *still, noise)
    np.testing.assert_allclose(elastic, Elastic().apply(images, noise), rtol=0, atol=1e-12)


def test_the_field_of_an_elastic_distortion() -> None:
    (field,) = Elastic().draw(np.arange(50), (10, 12, 3), np.random.default_rng(0), 0)
    assert field.shape == (50, 2, 10, 12)
    assert field.dtype == np.float32
    assert -1 <= field.min() < -0.99
    assert 0.99 < field.max() <= 1
    assert field.mean() == pytest.approx(0, abs=0.02)  # its deviation is 0.0053


def test_a_pixel_moves_as_far_as_the_docstring_says() -> None:
    # A slope of 1 in x, read somewhere else, shows how far that is. The middle of a large image:
    # at the edge the field is weaker.
    images = np.broadcast_to(np.arange(90.0)[None, None, :, None], (20, 90, 90, 1)).copy()
    (field,) = Elastic().draw(np.arange(20), (90, 90, 1), np.random.default_rng(0), 0)
    moved = (Elastic().apply(images, field) - images)[:, 20:70, 20:70]
    assert moved.std() == pytest.approx(34 / (2 * 4 * math.sqrt(3 * math.pi)), rel=0.05)
    assert moved.std() == pytest.approx(1.4, abs=0.1)


def test_the_range_of_the_draws_of_an_affine_map() -> None:
    step = Affine(degrees=10, scale=0.1, shear=0.2, shift=2)
    draws = step.draw(np.arange(4000), (8, 8, 1), np.random.default_rng(0), 0)
    assert [array.shape for array in draws] == [(4000,), (4000,), (4000,), (4000, 2)]
    limits = [(-10, 10), (0.9, 1.1), (-0.2, 0.2), (-2, 2)]
    for array, (low, high) in zip(draws, limits, strict=True):
        near = 0.005 * (high - low)
        assert low <= array.min() < low + near
        assert high - near < array.max() <= high
        assert array.mean() == pytest.approx((low + high) / 2, abs=0.03 * (high - low))


def test_between_four_pixels() -> None:
    place = np.full((1, 1, 1), 0.25), np.full((1, 1, 1), 0.5)
    # upper (1 + 2) / 2, lower (4 + 5) / 2, and a quarter of the way down
    assert sampled(NINE[:, :1, :1], *place, "border").item() == 1
    result = sampled(NINE, *place, "zero")
    assert result.shape == (1, 3, 3, 1)
    assert set(result.ravel()) == {1.5 + 0.25 * 3}


@pytest.mark.parametrize(("fill", "expected"), [("zero", 0), ("border", 1)])
def test_far_outside(fill: str, expected: float) -> None:
    far = np.full((2, 3, 3), -1e6)
    images = np.concatenate([NINE, NINE * np.nan])  # what is next in memory must not be read
    assert (sampled(images, far, far, fill)[0] == expected).all()
    assert (sampled(images, far, -far, fill)[0] == (3 if expected else 0)).all()
    assert (sampled(images, -far, -far, fill)[0] == (9 if expected else 0)).all()


def test_float32_is_as_near_as_it_can_be() -> None:
    images = images_of((28, 28, 1), n=80)
    step = Affine(degrees=15, scale=0.1, shear=0.1, shift=2)
    draws = step.draw(np.arange(80), (28, 28, 1), np.random.default_rng(0), 0)
    single = step.apply(images.astype(np.float32), *draws)
    # places near 30 are right to 2e-6 pixels, and the images change by some 3 a pixel
    np.testing.assert_allclose(single, step.apply(images, *draws), rtol=0, atol=5e-5)
