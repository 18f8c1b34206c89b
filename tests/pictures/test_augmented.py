import numpy as np
import pytest

from handgrad.errors import HandgradError
from handgrad.pictures import augmented


def drawn(dtype=np.float64, epochs=3):
    """Two images, and epochs that show them paler and paler."""
    images = np.zeros((2, 4, 5, 3), dtype)
    images[0, ..., 0], images[1, ..., 1] = 1, 1
    return images, np.stack([images * (1 - e / 4) for e in range(epochs)], axis=1)


def test_a_row_an_image_a_column_an_epoch(texts_apart):
    images, shown = drawn()
    figure = augmented(images, shown, ["cat_$x$", "猫\nof the house next door, fast asleep"])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["prepared", "epoch 1", "epoch 2", "epoch 3", "", "", "", ""]
    names = [axes.get_ylabel() for axes in figure.axes]
    assert names[0] == "cat_$x$"
    assert names[4].startswith(("猫 o", "\\u732b o"))  # by whether a font has it
    assert names[4].endswith("asleep")
    assert "…" in names[4]
    assert names[1:4] == names[5:] == [""] * 3
    for row in range(2):
        cells = [axes.get_images()[0].get_array() for axes in figure.axes[4 * row : 4 * row + 4]]
        np.testing.assert_allclose(cells[0], images[row])
        np.testing.assert_allclose(cells[1:], shown[row], rtol=1e-6)
    texts_apart(figure)


def test_the_places_are_a_grid_and_the_prepared_ones_stand_apart():
    figure = augmented(*drawn(), ["a", "b"])
    boxes = np.array([axes.get_position().bounds for axes in figure.axes]).reshape(2, 4, 4)
    left, bottom, wide, high = np.moveaxis(boxes, 2, 0)
    assert (bottom[0] > bottom[1] + high[1]).all()
    gaps = left[:, 1:] - left[:, :-1] - wide[:, :-1]
    assert (gaps > 0).all()
    assert (gaps[:, 0] > 2 * gaps[:, 1]).all()
    shape = high * figure.get_figheight() / (wide * figure.get_figwidth())
    np.testing.assert_allclose(shape, 4 / 5)  # four rows, five columns of pixels


def test_an_image_that_an_epoch_left_out_is_said_to_be(texts_apart):
    images, shown = drawn()
    shown[1, 1] = np.nan
    figure = augmented(images, shown, ["a", "b"])
    said = {i: [t.get_text() for t in axes.texts] for i, axes in enumerate(figure.axes)}
    assert {i for i, texts in said.items() if texts} == {6}
    assert said[6] == ["left out"]
    assert not figure.axes[6].get_images()
    texts_apart(figure)


def test_grey_images_are_not_stretched():
    images = np.full((1, 3, 3, 1), 0.5)
    figure = augmented(images, images[:, None], ["a"])
    for axes in figure.axes:
        assert axes.get_images()[0].get_clim() == (0, 1)
        assert axes.get_images()[0].get_array().shape == (3, 3)


@pytest.mark.parametrize(
    ("images", "shown", "names", "sentence"),
    [
        (np.zeros((0, 2, 2, 1)), np.zeros((0, 1, 2, 2, 1)), [], "expected at least one image"),
        (np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2, 1)), ["a"], "draws of (1, 2, 2, 1); expected"),
        (np.zeros((1, 2, 2, 1)), np.zeros((2, 1, 2, 2, 1)), ["a"], "draws of (2, 1, 2, 2, 1)"),
        (np.zeros((1, 2, 2, 1)), np.zeros((1, 1, 2, 3, 1)), ["a"], "draws of (1, 1, 2, 3, 1)"),
        (np.zeros((1, 2, 2, 1)), np.zeros((1, 1, 2, 2, 1)), [], "found 0 names; expected 1"),
        (np.zeros((2, 2, 2)), np.zeros((1, 1, 2, 2, 1)), ["a"], "images of shape (2, 2, 2)"),
        (np.zeros((1, 2, 2, 1)), np.full((1, 1, 2, 2, 1), 1.5), ["a"], "from 1.5 to 1.5"),
    ],
)
def test_what_is_refused(images, shown, names, sentence):
    with pytest.raises(HandgradError) as refused:
        augmented(images, shown, names)
    assert str(refused.value).startswith("augmented: ")
    assert sentence in str(refused.value)
