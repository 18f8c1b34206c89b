import io

import numpy as np
import pytest
from PIL import Image

from handgrad.errors import HandgradError
from handgrad.pictures import labelled

TEXT = "airplane 98.3 %"


def _noise(width, height):
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def _letters(image):
    """Where the letters are: the only white among what a band darkens to at most 77."""
    return np.asarray(image).min(axis=2) > 200


def _box(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return rows[0], rows[-1], columns[0], columns[-1]


def _luminance(value):
    """Of a grey 0..255, from the definition in WCAG 2.1."""
    c = value / 255
    return c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4


@pytest.mark.parametrize("ground", [0, 90, 128, 255])
def test_letters_stand_out_on_any_ground(ground):
    image = labelled(Image.new("L", (400, 260), ground), TEXT)
    assert (image.mode, image.size) == ("RGB", (400, 260))
    pixels = np.asarray(image)[..., 0]
    assert (pixels[:200] == ground).all()  # above the band nothing is touched
    band = int(pixels[-1, -1])  # the corner: band without a letter
    assert pixels[-30:].max() == 255
    contrast = (_luminance(255) + 0.05) / (_luminance(band) + 0.05)
    assert contrast >= 7  # WCAG's strictest level


def test_letters_are_drawn_whole_and_say_the_text():
    black = Image.new("RGB", (400, 260))
    letters = _letters(labelled(black, TEXT))
    top, bottom, left, right = _box(letters)
    assert left > 0
    assert right < 399
    assert bottom < 259
    assert bottom - top >= 10
    other = _letters(labelled(black, "airplane 98.4 %"))
    assert (letters != other).any()
    # Only the last digit differs: the first half of the columns is the same.
    middle = (left + right) // 2
    assert (letters[:, :middle] == other[:, :middle]).all()


def test_letters_grow_with_the_image():
    heights = []
    for scale in (1, 2, 10):
        image = labelled(Image.new("RGB", (600 * scale, 400 * scale)), TEXT)
        band = image.crop((0, 360 * scale, 300 * scale, 400 * scale))
        top, bottom, _, _ = _box(_letters(band))
        heights.append(bottom - top + 1)
    assert heights[1] / heights[0] == pytest.approx(2, rel=0.1)
    assert heights[2] / heights[0] == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize("side", [8, 28, 64])
def test_a_tiny_image_is_enlarged_in_whole_squares(side):
    image = _noise(side, side)
    large = labelled(image, "7 99.1 %")
    factor = large.width // side
    assert factor > 1
    assert large.size == (factor * side, factor * side)
    expected = np.repeat(np.repeat(np.asarray(image), factor, axis=0), factor, axis=1)
    above = large.height * 2 // 3  # the band takes a third at most
    np.testing.assert_array_equal(np.asarray(large)[:above], expected[:above])
    assert _letters(large)[above:].any()


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (3000, 8), (8, 3000), (64, 64), (300, 200)])
@pytest.mark.parametrize(
    "text", [TEXT, "domestic short-haired cat 98.3 %", "x" * 400, "very " * 200]
)
def test_every_text_fits_every_image(size, text):
    image = labelled(Image.new("RGB", size), text)
    top, bottom, left, right = _box(_letters(image))
    assert top > 0
    assert left > 0
    assert right < image.width - 1
    assert bottom < image.height - 1
    assert max(image.size) <= max(1024, *(side + 120 for side in size))


def test_an_image_that_is_too_flat_is_kept_whole_above_the_band():
    image = _noise(3000, 8)
    out = labelled(image, TEXT)
    assert out.width == 3000
    np.testing.assert_array_equal(np.asarray(out)[:8], np.asarray(image))


def test_the_percent_sign_stays_with_its_number():
    # 8 x 8 pixels: "airplane 98.3" would fit on one line with the sign alone on the next.
    def lines(text):
        rows = _letters(labelled(Image.new("RGB", (8, 8)), text)).any(axis=1)
        return np.count_nonzero(np.diff(rows.astype(int)) == 1)

    black = _letters(labelled(Image.new("RGB", (8, 8)), TEXT))
    top, bottom, _, _ = _box(black)
    if bottom - top > 20:  # two lines
        second = black[(top + bottom) // 2 + 2 :]
        _, _, left, right = _box(second)
        assert right - left > 40
    assert lines("a 5 %") == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_respected(orientation):
    # What the eye should see: red above, blue below, green at the left, in a tall picture.
    seen = Image.new("RGB", (200, 300), "blue")
    seen.paste("red", (0, 0, 200, 100))
    seen.paste("lime", (0, 0, 50, 300))
    # EXIF 2.3, tag 0x112: how the stored rows have to be turned; here the turn is undone.
    stored = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }[orientation]
    image = seen
    for turn in stored:
        image = image.transpose(turn)
    exif = Image.Exif()
    exif[0x112] = orientation
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    out = labelled(Image.open(file), TEXT)
    assert out.size == (200, 300)
    assert out.getpixel((100, 50)) == (255, 0, 0)
    assert out.getpixel((100, 200)) == (0, 0, 255)
    assert out.getpixel((20, 100)) == (0, 255, 0)
    assert not out.getexif()  # or it would be turned a second time


@pytest.mark.filterwarnings("error")
def test_damaged_exif_does_no_harm():
    file = io.BytesIO()
    damaged = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04abc\0"
    Image.new("RGB", (200, 100), "red").save(file, "PNG", exif=damaged)
    assert labelled(Image.open(file), TEXT).size == (200, 100)


MODES = [
    "1",
    "L",
    "P",
    "RGB",
    "RGBA",
    "RGBX",
    "RGBa",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "LA",
    "La",
    "PA",
]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_rgb(mode):
    if mode == "LAB":
        image = Image.new("LAB", (200, 100), (255, 128, 128))  # L, a, b; 128 is no colour
    elif mode in ("La", "RGBa", "PA"):
        image = Image.new(
            {"La": "LA", "RGBa": "RGBA", "PA": "P"}[mode], (200, 100), "white"
        ).convert(mode)
    else:
        image = Image.new("RGB", (200, 100), "white").convert(mode)
    assert image.mode == mode
    out = labelled(image, TEXT)
    assert out.mode == "RGB"
    np.testing.assert_allclose(out.getpixel((100, 20)), (255, 255, 255), atol=1)


@pytest.mark.parametrize(
    ("values", "grey"),
    [
        (np.full((100, 200), 0xC0C0, np.uint16), 192),
        (np.full((100, 200), 0xC0C0, np.int32), 192),
        (np.full((100, 200), 128, np.int32), 128),
        (np.full((100, 200), 128 / 255, np.float32), 128),
        (np.full((100, 200), 128, np.float32), 128),
        (np.full((100, 200), -5, np.float32), 0),
    ],
)
def test_wide_grey_values_become_bytes(values, grey):
    assert labelled(Image.fromarray(values), TEXT).getpixel((100, 20)) == (grey, grey, grey)


def test_what_is_transparent_becomes_white():
    out = labelled(Image.new("RGBA", (200, 100), (255, 0, 0, 0)), TEXT)
    assert out.getpixel((100, 20)) == (255, 255, 255)


def test_the_given_image_is_not_written_into():
    image = _noise(300, 200)
    before = image.tobytes()
    out = labelled(image, TEXT)
    out.paste("black", (0, 0, 300, 200))
    assert image.tobytes() == before


def test_any_text_is_drawn():
    black = Image.new("RGB", (400, 260))
    cat, dog = (_letters(labelled(black, f"{name} 98 %")) for name in "猫狗")
    assert (cat != dog).any()
    assert labelled(black, "a\nb 9 %").tobytes() == labelled(black, "a b 9 %").tobytes()
    assert labelled(black, " ").tobytes() == black.tobytes()


def test_an_image_without_pixels_is_a_sentence():
    with pytest.raises(HandgradError, match=r"size \(0, 5\)"):
        labelled(Image.new("RGB", (0, 5)), TEXT)
