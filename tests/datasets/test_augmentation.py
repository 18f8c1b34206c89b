"""Chains of augmentations: draws for the whole batch, slices, seeds, tables."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from handgrad.datasets.augmentation import (
    Affine,
    AlternatingFlip,
    Augmentation,
    Brightness,
    Contrast,
    Crop,
    Cutout,
    Distort,
    Elastic,
    Flip,
    Translate,
    applied,
    augmented,
    drawn,
)
from handgrad.errors import RecipeError
from handgrad.tables import from_table, members, to_table

BUSY = [
    Flip(),
    AlternatingFlip(),
    Translate(pixels=2),
    Translate(pixels=3, padding="edge"),
    Translate(pixels=9, padding="zero"),
    Cutout(size=3),
    Cutout(size=4, fill="mean"),
    Brightness(),
    Contrast(),
    Affine(degrees=20, scale=0.2, shear=0.1, shift=2),
    Affine(degrees=20, fill="border"),
    Crop(),
    Elastic(),
    Elastic(fill="border"),
    Distort(degrees=20, shift=1),
]
"""Every kind, so set that it changes something."""

STILL = [
    Flip(probability=0),
    Translate(pixels=0),
    Cutout(size=0),
    Brightness(amount=0),
    Contrast(amount=0),
    Affine(),
    Affine(fill="border"),
    Crop(area=(1, 1), stretch=(1, 1)),
    Elastic(alpha=0),
    Distort(alpha=0),
]
"""Every kind that can be, so set that it changes nothing."""

SHAPES = [(8, 8, 3), (7, 5, 1), (5, 9, 2), (3, 4, 3)]


def images_of(shape: tuple[int, ...], n: int = 6, dtype: type = np.float32) -> np.ndarray:
    """Noise about 0, as normalized images are."""
    return np.random.default_rng(7).normal(size=(n, *shape)).astype(dtype)


def run(images: np.ndarray, step: Augmentation, seed: int = 1, epoch: int = 0) -> np.ndarray:
    return augmented(images, [step], np.random.default_rng(seed), epoch)


def test_the_words_of_a_recipe() -> None:
    assert members(Augmentation) == {
        "affine": Affine,
        "alternating flip": AlternatingFlip,
        "brightness": Brightness,
        "contrast": Contrast,
        "crop": Crop,
        "cutout": Cutout,
        "distort": Distort,
        "elastic": Elastic,
        "flip": Flip,
        "translate": Translate,
    }


def test_every_kind_is_tried() -> None:
    kinds = set(members(Augmentation).values())
    assert {type(step) for step in BUSY} == kinds
    assert {type(step) for step in STILL} == kinds - {AlternatingFlip}


@pytest.mark.parametrize("step", BUSY, ids=repr)
def test_it_gives_a_new_array_of_the_same_shape_and_changes_it(step: Augmentation) -> None:
    for dtype in (np.float32, np.float64):
        images = images_of((8, 6, 3), dtype=dtype)
        before = images.copy()
        result = run(images, step)
        assert result.shape == images.shape
        assert result.dtype == dtype
        assert result.flags.c_contiguous
        assert not np.shares_memory(result, images)
        assert not np.array_equal(result, images)
        assert np.isfinite(result).all()
        np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("step", STILL, ids=repr)
def test_a_setting_that_changes_nothing_keeps_the_bits(
    step: Augmentation, shape: tuple[int, ...]
) -> None:
    images = images_of(shape)
    result = run(images, step)
    assert result.tobytes() == images.tobytes()
    assert not np.shares_memory(result, images)


@pytest.mark.parametrize("shape", [(8, 8, 3), (7, 5, 1), (28, 28, 1), (11, 12, 2)])
@pytest.mark.parametrize("step", BUSY, ids=repr)
def test_slices_of_the_draws_give_slices_of_the_result(
    step: Augmentation, shape: tuple[int, ...]
) -> None:
    if isinstance(step, Translate) and step.padding == "reflect":
        step = Translate(pixels=4)
    images = images_of(shape, n=70)  # more than are read at a time
    indices = np.arange(100, 170)
    draws = drawn([step], indices, shape, np.random.default_rng(3), 1)
    whole = applied(images, [step], draws)
    for edges in ([0, 1, 5, 40, 70], [0, 66, 69, 70]):
        for start, stop in itertools.pairwise(edges):
            part = slice(start, stop)
            sliced = [tuple(array[part] for array in arrays) for arrays in draws]
            result = applied(images[part], [step], sliced)
            assert result.tobytes() == whole[part].tobytes(), f"images {start} to {stop}"


@pytest.mark.parametrize("step", BUSY, ids=repr)
def test_the_seed_decides(step: Augmentation) -> None:
    images = images_of((8, 6, 3), n=20)
    assert run(images, step, seed=1).tobytes() == run(images, step, seed=1).tobytes()
    assert run(images, step, seed=1).tobytes() != run(images, step, seed=2).tobytes()


@pytest.mark.parametrize("step", [*BUSY, *STILL], ids=repr)
def test_a_table_says_it(step: Augmentation) -> None:
    table = to_table(step)
    assert table["kind"] == step.name
    assert from_table(Augmentation, table) == step


def test_a_chain_goes_in_its_order() -> None:
    images = images_of((8, 8, 1))
    chain = [Flip(probability=1), Cutout(size=4)]
    generator = np.random.default_rng(5)
    result = augmented(images, chain, generator, epoch=0)
    generator = np.random.default_rng(5)
    (mirrored,) = chain[0].draw(np.arange(6), (8, 8, 1), generator, 0)
    (centres,) = chain[1].draw(np.arange(6), (8, 8, 1), generator, 0)
    assert mirrored.all()
    np.testing.assert_array_equal(result, chain[1].apply(images[:, :, ::-1], centres))


def test_an_empty_chain_leaves_the_images() -> None:
    images = images_of((3, 3, 1))
    assert augmented(images, [], np.random.default_rng(0), epoch=0) is images


def test_as_many_indices_as_images() -> None:
    with pytest.raises(ValueError, match="found 6 images and 2 indices"):
        augmented(images_of((3, 3, 1)), [Flip()], np.random.default_rng(0), 0, np.arange(2))


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        (Flip, {"probability": 1.5}, r"probability = 1.5; expected a number from 0 to 1"),
        (Flip, {"probability": -0.1}, "from 0 to 1"),
        (AlternatingFlip, {"probability": 2}, "from 0 to 1"),
        (Translate, {"pixels": -1}, "pixels = -1; expected a number of 0 or more"),
        (Cutout, {"size": -2}, "size = -2"),
        (Brightness, {"amount": -1.0}, "amount = -1.0"),
        (Brightness, {"amount": np.nan}, "amount = nan"),
        (Brightness, {"amount": np.inf}, "amount = inf"),
        (Contrast, {"amount": 1.1}, "amount = 1.1; expected a number from 0 to 1"),
        (Affine, {"degrees": 181}, "degrees = 181; expected a number from 0 to 180"),
        (Affine, {"degrees": np.nan}, "degrees = nan"),
        (Affine, {"scale": 1.0}, "scale = 1.0; expected less than 1"),
        (Affine, {"scale": -0.1}, "scale = -0.1"),
        (Affine, {"shear": -0.1}, "shear = -0.1"),
        (Affine, {"shift": -1}, "shift = -1"),
        (Crop, {"area": (0.0, 1.0)}, "area"),
        (Crop, {"area": (0.5, 1.1)}, "area"),
        (Crop, {"area": (0.5, 0.4)}, "area"),
        (Crop, {"stretch": (0.0, 1.0)}, "stretch"),
        (Crop, {"stretch": (2.0, 1.0)}, "stretch"),
        (Crop, {"stretch": (1.0, np.inf)}, "stretch"),
        (Elastic, {"alpha": -1}, "alpha = -1"),
        (Elastic, {"sigma": 0}, "sigma = 0; expected a number of 0.01 or more"),
        (Elastic, {"sigma": np.nan}, "sigma = nan"),
        (Distort, {"alpha": -1}, "alpha = -1"),
        (Distort, {"sigma": 0}, "sigma = 0; expected a number of 0.01 or more"),
        (Distort, {"scale": 1}, "scale = 1; expected less than 1"),
    ],
)
def test_what_cannot_be_is_refused(
    kind: type[Augmentation], settings: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        kind(**settings)


def test_a_recipe_is_told_where() -> None:
    with pytest.raises(RecipeError, match=r"augmentation.0: scale = 2.0"):
        from_table(Augmentation, {"kind": "affine", "scale": 2.0}, "augmentation.0")
    with pytest.raises(RecipeError, match="flip"):
        from_table(Augmentation, {"kind": "flop"}, "augmentation.0")
