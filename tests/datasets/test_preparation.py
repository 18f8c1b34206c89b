"""The contract: every kind of picture comes in right, whichever file it was in."""

from __future__ import annotations

import json
import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handgrad.datasets import (
    Preparation,
    decode,
    decode_many,
    fitted,
    measured,
    natural,
    numbers,
)
from handgrad.errors import DataError
from handgrad.tables import from_table, to_table

RGB = Preparation(2, 3, 3, resample="nearest")
GREY = Preparation(2, 3, 1, resample="nearest")
ORIENTATION = 0x0112

# Two rows of three pixels, all different.
COLOURS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[9, 9, 9], [200, 100, 50], [1, 2, 3]]], np.uint8
)
GREYS = np.array([[0, 1, 127], [128, 254, 255]], np.uint8)


def saved(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


# --- what a preparation may be


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"height": 0}, "0x3"),
        ({"width": -1}, "2x-1"),
        ({"channels": 4}, "4 channels"),
        ({"mean": (0.5,) * 3}, "both or neither"),
        ({"mean": (0.5,), "deviation": (1.0,)}, "one for each of 3 channels"),
        ({"mean": (0.5,) * 3, "deviation": (1.0, 0.0, 1.0)}, "deviation of 0"),
    ],
)
def test_a_preparation_that_cannot_be_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Preparation(**({"height": 2, "width": 3, "channels": 3} | settings))


def test_a_preparation_goes_to_a_table_and_back() -> None:
    there = Preparation(4, 5, 3, "lanczos", True, "unit", (0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    assert from_table(Preparation, json.loads(json.dumps(to_table(there)))) == there
    assert from_table(Preparation, to_table(GREY)) == GREY


# --- decoding


def test_an_ordinary_picture_is_its_pixels(tmp_path: Path) -> None:
    path = saved(Image.fromarray(COLOURS), tmp_path / "a.png")
    np.testing.assert_array_equal(decode(path, RGB), COLOURS)
    assert decode(path, RGB).dtype == np.uint8


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    path = saved(Image.fromarray(GREYS), tmp_path / "a.png")
    np.testing.assert_array_equal(decode(path, RGB), np.stack([GREYS] * 3, axis=-1))
    np.testing.assert_array_equal(decode(path, GREY), GREYS[..., None])


def test_colour_becomes_grey_by_the_weights_of_601(tmp_path: Path) -> None:
    path = saved(Image.fromarray(COLOURS), tmp_path / "a.png")
    # 0.299 red + 0.587 green + 0.114 blue, rounded: 76.2, 149.7, 29.1 | 9, 124.2, 1.8
    assert decode(path, GREY)[..., 0].tolist() == [[76, 150, 29], [9, 124, 2]]


def test_two_colours_become_black_and_white(tmp_path: Path) -> None:
    path = saved(Image.fromarray(GREYS > 126), tmp_path / "a.png")
    with Image.open(path) as image:
        assert image.mode == "1"
    assert decode(path, GREY)[..., 0].tolist() == [[0, 0, 255], [255, 255, 255]]


def test_a_palette_becomes_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1, 2], [2, 1, 0]], np.uint8))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    path = saved(image, tmp_path / "a.png")
    with Image.open(path) as opened:
        assert opened.mode == "P"
    assert decode(path, RGB)[0].tolist() == [[10, 20, 30], [40, 50, 60], [70, 80, 90]]


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0, 0] = [255, 0, 0, 255]  # seen as it is
    pixels[0, 1] = [255, 0, 0, 0]  # not seen: white
    pixels[0, 2] = [0, 0, 0, 51]  # a fifth of black on white: 204
    path = saved(Image.fromarray(pixels), tmp_path / "a.png")
    assert decode(path, RGB)[0].tolist() == [[255, 0, 0], [255, 255, 255], [204, 204, 204]]
    assert decode(path, GREY)[0, 1:, 0].tolist() == [255, 204]


def test_grey_with_transparency_lies_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((2, 3, 2), np.uint8)
    pixels[0] = [[100, 255], [100, 0], [0, 51]]
    path = saved(Image.fromarray(pixels), tmp_path / "a.png")
    with Image.open(path) as image:
        assert image.mode == "LA"
    assert decode(path, GREY)[0, :, 0].tolist() == [100, 255, 204]
    assert decode(path, RGB)[0, 2].tolist() == [204] * 3


@pytest.mark.parametrize("transparent", [1, bytes([255, 0, 255])], ids=["one colour", "a table"])
def test_a_transparent_colour_of_a_palette_is_white(tmp_path: Path, transparent: Any) -> None:
    image = Image.fromarray(np.array([[0, 1, 2], [2, 1, 0]], np.uint8))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    path = saved(image, tmp_path / "a.png", transparency=transparent)
    assert decode(path, RGB)[0].tolist() == [[10, 20, 30], [255, 255, 255], [70, 80, 90]]
    assert decode(path, GREY)[0, 1, 0] == 255


def test_a_transparent_grey_is_white(tmp_path: Path) -> None:
    path = saved(Image.fromarray(GREYS), tmp_path / "a.png", transparency=1)
    assert decode(path, GREY)[0, :, 0].tolist() == [0, 255, 127]


SIXTEEN = np.array([[0, 1000, 32768], [257, 65534, 65535]], np.uint16)
# divided by 257 = 65535 / 255 and rounded, not clipped and not cut off: 3.9, 127.5
EIGHT = [[0, 4, 128], [1, 255, 255]]


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_are_scaled_to_eight(tmp_path: Path, name: str) -> None:
    path = saved(Image.fromarray(SIXTEEN), tmp_path / name)
    assert decode(path, GREY)[..., 0].tolist() == EIGHT
    assert decode(path, RGB)[..., 2].tolist() == EIGHT


def test_sixteen_bits_in_big_endian_order(tmp_path: Path) -> None:
    header = b"P5 3 2 65535\n"  # a portable grey map: big-endian by its definition
    path = tmp_path / "a.pgm"
    path.write_bytes(header + SIXTEEN.astype(">u2").tobytes())
    assert decode(path, GREY)[..., 0].tolist() == EIGHT


def test_thirty_two_bits_have_no_known_range(tmp_path: Path) -> None:
    path = saved(Image.fromarray(np.ones((2, 3), np.float32)), tmp_path / "a.tif")
    with pytest.raises(DataError, match="32 bits a pixel"):
        decode(path, GREY)


def test_printing_inks_become_light(tmp_path: Path) -> None:
    inks = np.zeros((8, 8, 4), np.uint8)
    inks[..., 0] = 255  # full cyan: no red light
    image = Image.frombytes("CMYK", (8, 8), inks.tobytes())
    path = saved(image, tmp_path / "a.tif")
    assert decode(path, Preparation(8, 8, 3))[4, 4].tolist() == [0, 255, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_a_picture_that_lies_is_stood_up(tmp_path: Path, orientation: int, name: str) -> None:
    upright = np.zeros((16, 24), np.uint8)
    upright[:8, :16] = 255  # the left two thirds of the upper half
    # How a camera stores what it saw, for each value of the tag (first row, first column):
    # 1 top left, 2 top right, 3 bottom right, 4 bottom left, 5 left top, 6 right top,
    # 7 right bottom, 8 left bottom.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright.T[::-1, ::-1],
        8: upright.T[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = saved(Image.fromarray(np.ascontiguousarray(stored)), tmp_path / name, exif=exif)
    seen = decode(path, Preparation(16, 24, 1))
    assert np.abs(seen[..., 0].astype(int) - upright).max() < 8  # JPEG is not exact
    # before resizing, so that an image of another size is stood up too
    small = decode(path, Preparation(2, 3, 1, "box"))
    assert (small[..., 0] > 127).tolist() == [[True, True, False], [False, False, False]]
    quick = decode(path, Preparation(2, 3, 1, "box", draft=True))
    assert (quick[..., 0] > 127).tolist() == [[True, True, False], [False, False, False]]


def test_damaged_exif_leaves_the_picture_as_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(GREYS).save(path, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert decode(path, GREY).shape == (2, 3, 1)


def test_nearest_is_the_plain_loop(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (37, 51, 3), dtype=np.uint8)
    path = saved(Image.fromarray(pixels), tmp_path / "a.png")
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB").resize((20, 10), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(decode(path, Preparation(10, 20, 3, "nearest")), expected)


def test_box_averages(tmp_path: Path) -> None:
    pixels = np.array([[0, 10, 100, 120], [20, 30, 140, 160]], np.uint8)
    path = saved(Image.fromarray(pixels), tmp_path / "a.png")
    assert decode(path, Preparation(1, 2, 1, "box"))[0, :, 0].tolist() == [15, 130]


@pytest.mark.parametrize("resample", ["bilinear", "bicubic", "lanczos", "hamming"])
def test_every_filter_leaves_one_colour_alone(tmp_path: Path, resample: Any) -> None:
    path = saved(Image.fromarray(np.full((9, 7, 3), 200, np.uint8)), tmp_path / "a.png")
    assert np.all(decode(path, Preparation(4, 5, 3, resample)) == 200)


def test_draft_is_about_the_same_picture(tmp_path: Path) -> None:
    row = np.linspace(0, 255, 256)
    pixels = np.add.outer(row, row) / 2
    path = saved(Image.fromarray(pixels.astype(np.uint8)), tmp_path / "a.jpg", quality=95)
    exact = decode(path, Preparation(32, 32, 1)).astype(int)
    draft = decode(path, Preparation(32, 32, 1, draft=True)).astype(int)
    assert np.abs(exact - draft).max() <= 8
    assert np.abs(exact - draft).max() > 0  # it is another computation


def test_draft_keeps_the_detail_of_a_picture_that_lies(tmp_path: Path) -> None:
    # Stored 64 high and 512 wide, seen 512 high and 64 wide: all of the 64 are asked for, so the
    # decoder may skip nothing.
    pixels = np.random.default_rng(0).integers(0, 256, (64, 512), dtype=np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = saved(Image.fromarray(pixels), tmp_path / "a.jpg", exif=exif)
    exact, draft = (decode(path, Preparation(8, 64, 1, draft=draft)) for draft in (False, True))
    np.testing.assert_array_equal(exact, draft)


def test_of_an_animation_the_first_frame(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((2, 3), value, np.uint8)) for value in (40, 200)]
    path = saved(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert np.all(decode(path, GREY) == 40)


# --- what does not decode


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 100)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def whole_png() -> bytes:
    import io

    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


BAD = {
    "empty": (b"", "an empty file"),
    "text": (b"this is no picture", "not an image"),
    "truncated": (whole_png()[:900], "cannot be read"),
    "header only": (whole_png()[:20], "image"),
    "a bomb": (png_claiming(100_000, 100_000), "more than 89,478,485 pixels"),
    "a smaller bomb": (png_claiming(10_000, 10_000), "more than 89,478,485 pixels"),
    "a damaged chunk": (whole_png().replace(b"IHDR", b"IHDX"), "image"),
    "another program's": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_a_sentence(tmp_path: Path, kind: str) -> None:
    content, words = BAD[kind]
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(DataError) as refusal:
        decode(path, RGB)
    assert str(refusal.value).startswith(f"{path}: found ")
    assert words in str(refusal.value)
    assert refusal.value.path == str(path)


def test_a_jpeg_cut_short_is_refused(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = saved(Image.fromarray(pixels), tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match="truncated"):
        decode(path, RGB)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found no such file"):
        decode(tmp_path / "none.png", RGB)
    with pytest.raises(DataError, match="found a folder"):
        decode(tmp_path, RGB)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"found what is no file \(a pipe or a device\)"):
        decode(tmp_path / "a.png", RGB)


def test_any_damage_is_a_sentence(tmp_path: Path) -> None:
    """Bytes are changed at random: a file decodes or is refused, and nothing else happens."""
    generator = np.random.default_rng(0)
    path = tmp_path / "a"
    refused = 0
    for name in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"):
        Image.fromarray(GREYS).resize((24, 24)).save(path, name)
        whole = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(25):
            damaged = whole.copy()
            damaged[generator.integers(len(whole), size=3)] = generator.integers(256, size=3)
            path.write_bytes(damaged.tobytes())
            try:
                decode(path, RGB)
            except DataError:
                refused += 1
    assert refused > 20


def test_no_warning_leaks(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_claiming(10_000, 10_000))  # Pillow only warns of this one
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(DataError):
            decode(path, RGB)
    assert caught == []


# --- many


def test_many_are_the_single_ones_in_order(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    paths = []
    for place in range(12):
        pixels = generator.integers(0, 256, (5 + place, 9, 3), dtype=np.uint8)
        paths.append(saved(Image.fromarray(pixels), tmp_path / f"{place}.png"))
    told: list[tuple[int, int]] = []
    images, faults = decode_many(paths, RGB, 3, lambda done, total: told.append((done, total)))
    assert faults == []
    assert told == [(place, 12) for place in range(1, 13)]
    for image, path in zip(images, paths, strict=True):
        np.testing.assert_array_equal(image, decode(path, RGB))


def test_bad_ones_among_many_are_named_and_left_out(tmp_path: Path) -> None:
    good = saved(Image.fromarray(COLOURS), tmp_path / "good.png")
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no")
    images, faults = decode_many([bad, good, tmp_path / "none.png", good], RGB)
    assert [fault.path for fault in faults] == [str(bad), str(tmp_path / "none.png")]
    assert images.shape == (2, 2, 3, 3)
    np.testing.assert_array_equal(images[0], COLOURS)
    np.testing.assert_array_equal(images[1], COLOURS)


def test_none_of_many(tmp_path: Path) -> None:
    images, faults = decode_many([], RGB)
    assert images.shape == (0, 2, 3, 3)
    assert faults == []


# --- arrays


def test_arrays_that_fit_are_left_alone() -> None:
    images = np.zeros((4, 2, 3, 3), np.uint8)
    assert fitted(images, RGB) is images
    assert fitted(images, natural(images)) is images


def test_arrays_are_resized_as_files_are(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 8, 3), dtype=np.uint8)
    for asked in (Preparation(5, 4, 3), Preparation(5, 4, 1), Preparation(9, 8, 1)):
        for image, result in zip(images, fitted(images, asked), strict=True):
            path = saved(Image.fromarray(image), tmp_path / "a.png")
            np.testing.assert_array_equal(result, decode(path, asked))


def test_grey_arrays_become_colour_by_repetition() -> None:
    images = GREYS[None, :, :, None]
    np.testing.assert_array_equal(fitted(images, RGB)[0], np.stack([GREYS] * 3, axis=-1))


def test_floats_stay_floats_in_0_to_1() -> None:
    images = np.random.default_rng(0).integers(0, 2, (3, 6, 6, 1)).astype(np.float64)
    result = fitted(images, Preparation(4, 4, 3, "lanczos"))  # a filter that overshoots
    assert result.dtype == np.float64
    assert result.shape == (3, 4, 4, 3)
    assert (result.min(), result.max()) == (0, 1)
    halves = fitted(np.array([[[[0.0], [0.5]], [[0.25], [0.25]]]]), Preparation(1, 1, 1, "box"))
    assert halves.item() == pytest.approx(0.25)
    weights = fitted(np.eye(3)[None, None], Preparation(1, 3, 1, "nearest"))
    np.testing.assert_allclose(weights.ravel(), [0.299, 0.587, 0.114])


# --- numbers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bytes_become_0_to_1(dtype: Any) -> None:
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    x = numbers(images, natural(images), dtype)
    assert x.dtype == dtype
    np.testing.assert_array_equal(x.ravel(), (np.arange(256) / 255).astype(dtype))


def test_floats_are_not_scaled_twice() -> None:
    images = np.array([0.0, 0.5, 1.0]).reshape(1, 1, 3, 1)
    x = numbers(images, natural(images), np.float64)
    np.testing.assert_array_equal(x, images)
    x[:] = 7  # a new array: the data set stays as it is
    assert images.max() == 1


def test_without_scaling_white_is_255_whatever_the_dtype() -> None:
    plain = Preparation(1, 1, 1, scale="none")
    assert numbers(np.full((1, 1, 1, 1), 255, np.uint8), plain).item() == 255
    assert numbers(np.ones((1, 1, 1, 1)), plain).item() == 255


def test_normalization_is_subtracted_and_divided_by_after_scaling() -> None:
    asked = Preparation(1, 1, 3, mean=(0.5, 0.0, 1.0), deviation=(0.5, 2.0, 1.0))
    x = numbers(np.array([[[[255, 255, 0]]]], np.uint8), asked)
    assert x.ravel().tolist() == [1.0, 0.5, -1.0]  # (1 - 0.5) / 0.5, (1 - 0) / 2, (0 - 1) / 1


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(DataError, match="found images of 4x3x3; expected 2x3x3"):
        numbers(np.zeros((1, 4, 3, 3), np.uint8), RGB)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_measured_is_mean_and_deviation_per_channel(dtype: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2101, 3, 2, 3)).astype(dtype)
    if dtype != np.uint8:
        images /= 255
    asked = measured(natural(images), images)
    unit = images / 255 if dtype == np.uint8 else images
    np.testing.assert_allclose(asked.mean, unit.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(asked.deviation, unit.std(axis=(0, 1, 2)), rtol=1e-12)
    x = numbers(images, asked, np.float64)
    np.testing.assert_allclose(x.mean(axis=(0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(x.std(axis=(0, 1, 2)), 1)


def test_a_channel_that_never_varies_is_divided_by_1() -> None:
    images = np.full((5, 2, 2, 1), 51, np.uint8)
    asked = measured(natural(images), images)
    assert asked.mean == pytest.approx((0.2,))
    assert asked.deviation == (1.0,)
