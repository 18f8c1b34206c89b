"""The contact sheet: photographs of many shapes and sizes, each with what is said of it."""

import io

import numpy as np
import pytest
from PIL import Image

from handgrad.errors import HandgradError
from handgrad.pictures.contact import MOST_ON_A_SHEET, contact_sheet, thumbnail


def _photographs():
    """Of all shapes, each of one colour."""
    sizes = [(1, 1), (28, 28), (4000, 20), (20, 4000), (640, 480), (130, 130), (131, 90)]
    return [Image.new("RGB", size, (30 * i, 100, 200)) for i, size in enumerate(sizes)]


def test_each_keeps_its_shape_and_says_what_it_is(texts_apart):
    thumbnails = [thumbnail(image) for image in _photographs()]
    names = [f"photographs/IMG_000{i}_$x_1$_of a long summer.jpg" for i in range(7)]
    figure = contact_sheet(thumbnails, list("abcabca"), [0.5, 1, 0.25, 0.1, 0, 1, 1], names)
    axes = figure.axes[0]
    drawn = axes.get_images()
    extents = [image.get_extent() for image in drawn]
    sizes = [(right - left, bottom - top) for left, right, bottom, top in extents]
    # Within 130 x 130 dots: whole factors of small ones, the others reduced in proportion.
    assert sizes == [(130, 130), (112, 112), (130, 1), (1, 130), (130, 98), (130, 130), (130, 89)]
    for i, image in enumerate(drawn):
        assert (image.get_array() == (30 * i, 100, 200)).all()
    texts = [text.get_text() for text in axes.texts]
    assert texts[::2] == [
        "a 50.0 %", "b 100.0 %", "c 25.0 %", "a 10.0 %", "b 0.0 %", "c 100.0 %", "a 100.0 %",
    ]  # fmt: skip
    assert all(text.startswith("photo") and text.endswith(".jpg") for text in texts[1::2])
    assert figure.alt == "Contact sheet of 7 images: 3 a, 2 b, 2 c."
    assert figure.numbers[:2] == [["image", "label", "probability"], [names[0], "a", "0.500000"]]
    texts_apart(figure)


def test_the_fullest_sheet():
    one = np.zeros((8, 8, 3), np.uint8)
    n = MOST_ON_A_SHEET
    figure = contact_sheet([one] * n, [f"k{i % 7}" for i in range(n)], [1.0] * n, ["x"] * n)
    assert len(figure.axes[0].get_images()) == n
    width, height = figure.get_size_inches()
    assert max(width, height) * 100 < 2**16  # what matplotlib can draw
    assert figure.alt == (
        "Contact sheet of 300 images: 43 k0, 43 k1, 43 k2, 43 k3, 43 k4 and 2 classes more."
    )


@pytest.mark.parametrize(
    ("image", "colour"),
    [
        (Image.fromarray(np.full((40, 30), 120 * 257, np.uint16)), (120, 120, 120)),
        (Image.new("RGBA", (30, 40), (0, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGB", (30, 40), (1, 2, 3)).convert("P", palette=Image.Palette.ADAPTIVE),
         (1, 2, 3)),
        (Image.new("L", (30, 40), 7), (7, 7, 7)),
        (Image.new("1", (30, 40), 1), (255, 255, 255)),
    ],
    ids=["16 bits", "transparent", "palette", "grey", "black and white"],
)  # fmt: skip
def test_a_thumbnail_of_any_mode_is_rgb(image, colour):
    found = thumbnail(image)
    assert (found.shape, found.dtype) == ((40, 30, 3), np.uint8)
    assert (found == colour).all()


def test_a_thumbnail_is_small_upright_and_leaves_the_image_alone():
    image = Image.new("RGB", (1000, 500), "red")
    image.paste("lime", (0, 0, 500, 500))
    exif = Image.Exif()
    exif[0x112] = 6  # to be turned clockwise by a quarter: what is left comes to the top
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif, quality=95)
    found = thumbnail(Image.open(file)).astype(int)
    assert found.shape == (260, 130, 3)
    np.testing.assert_allclose(found[60, 60], (0, 255, 0), atol=5)
    np.testing.assert_allclose(found[200, 60], (255, 0, 0), atol=5)
    before = image.tobytes()
    thumbnail(image)
    assert image.tobytes() == before


@pytest.mark.parametrize(
    ("n", "labels", "sentence"),
    [
        (0, 0, "found 0 images; expected 1 to 300"),
        (301, 301, "found 301"),
        (2, 1, "2 images and 1"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(n, labels, sentence):
    image = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(HandgradError, match=sentence):
        contact_sheet([image] * n, ["a"] * labels, [1.0] * n, ["x"] * n)
