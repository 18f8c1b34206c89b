"""What went in: each tile, cell and bar stands where it belongs."""

import numpy as np
import pytest

from handgrad.errors import HandgradError
from handgrad.pictures.cells import ink, printed
from handgrad.pictures.inputs import batch_matrix, class_balance, images, mean_images
from handgrad.pictures.mosaic import mosaic, shrunk
from handgrad.pictures.page import svg
from handgrad.pictures.saving import save

LONG = ["a class of a very long name, indeed", "猫 $x_1$", "b"]


def drawn(axes):
    return np.ma.filled(axes.get_images()[0].get_array().astype(float), np.nan)


def words(figure):
    return [text.get_text() for text in figure.texts]


def in_cells(axes, shape):
    """The texts of an axes, as a matrix."""
    found = np.full(shape, "", object)
    for text in axes.texts:
        x, y = text.get_position()
        found[y, x] = text.get_text()
    return found


def grey(n, size=4):
    """Image i is all of brightness i/n."""
    return np.arange(n)[:, None, None, None] / n * np.ones((n, size, size, 1))


def test_images_stand_row_by_row_under_their_names(texts_apart):
    given = grey(5)
    figure = images(given, [0, 1, 0, 1, 2], ["cat", "dog", "cow"])
    whole = drawn(figure.axes[0])
    # 4x4 pixels of 0.86/4 inches: two more below for the name, one to the right; 4 in a row.
    assert whole.shape == (4 + 2 + 4, 4 * 5 - 1)
    for i in range(5):
        top, left = i // 4 * 6, i % 4 * 5
        np.testing.assert_allclose(whole[top : top + 4, left : left + 4], i / 5, rtol=1e-6)
    assert np.isnan(whole[4:6]).all()
    assert np.isnan(whole[6:, 5:]).all()
    assert words(figure) == ["cat", "dog", "cat", "dog", "cow"]
    x = [text.get_position()[0] for text in figure.texts]
    assert x[0] == x[4] < x[1] < x[2] < x[3]
    assert figure.texts[4].get_position()[1] < figure.texts[0].get_position()[1]
    assert figure.alt == "5 images of 4x4 in grey, with their labels: cat, dog, cow."
    assert figure.numbers[:3] == [["image", "label"], ["0", "cat"], ["1", "dog"]]
    assert len(figure.axes) == 1
    texts_apart(figure)


def test_of_many_images_some_are_drawn_evenly():
    figure = images(grey(101), [0] * 101, ["a"], most=5)
    assert [row[0] for row in figure.numbers[1:]] == ["0", "25", "50", "75", "100"]
    whole = drawn(figure.axes[0])
    np.testing.assert_allclose(whole[0, 0], 0)
    np.testing.assert_allclose(whole[0, 5], 25 / 101, rtol=1e-6)
    assert figure.alt.startswith("5 of 101 images")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_colours_are_drawn_as_they_are(dtype):
    white = 255 if dtype == np.uint8 else 1
    given = np.zeros((2, 3, 3, 3), dtype)
    given[0, ..., 0] = given[1, ..., 2] = white
    whole = drawn(images(given, [0, 0], ["a"]).axes[0])
    np.testing.assert_array_equal(whole[:3, :3], np.broadcast_to([1, 0, 0, 1], (3, 3, 4)))
    np.testing.assert_array_equal(whole[:3, 4:], np.broadcast_to([0, 0, 1, 1], (3, 3, 4)))
    assert (whole[:, 3, 3] == 0).all()  # nothing between them, whatever the paper


def test_large_images_are_made_smaller():
    figure = images(np.ones((4, 1000, 500, 3)), [0] * 4, ["a"])
    assert drawn(figure.axes[0]).shape[0] < 300
    np.testing.assert_array_equal(shrunk(np.ones((2, 3, 3)), 18), np.ones((2, 3, 3)))
    assert shrunk(np.ones((2, 3, 1000)), 18).size <= 18


def test_a_mosaic_keeps_at_least_the_step():
    whole = mosaic(np.ones((3, 2, 1)), 3, (1, 1), step=4)
    np.testing.assert_array_equal(np.isfinite(whole), [[1, 0, 0, 0, 1, 0, 0, 0, 1]] * 2)


@pytest.mark.parametrize("shape", [(1, 1), (40, 5), (5, 40), (3, 3), (28, 28)])
def test_long_names_leave_the_texts_apart(shape, texts_apart):
    given = np.full((6, *shape, 1), 0.5)
    texts_apart(images(given, [0, 1, 2] * 2, LONG))
    texts_apart(mean_images(given, [0, 1, 2] * 2, LONG))
    texts_apart(images(given[:1], [0], LONG))


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_mean_images_are_the_means(dtype):
    # Two of class 0 with 0 and 100 (of 255), one of class 2 with 51, none of class 1.
    given = np.zeros((3, 3, 3, 1), np.uint8)
    given[1], given[2] = 100, 51
    given = given if dtype == np.uint8 else given / 255
    figure = mean_images(given, [0, 0, 2], ["a", "b", "c"])
    whole = drawn(figure.axes[0])
    np.testing.assert_allclose(whole[:, :3], 50 / 255)
    assert np.isnan(whole[:, 4:7]).all()
    np.testing.assert_allclose(whole[:, 8:11], 0.2)
    assert words(figure) == ["a", "b: none", "c"]
    assert "Lightest is c (20 % of white), darkest a (20 %)." in figure.alt
    assert figure.numbers[1:] == [["a", "2", "0.1961"], ["b", "0", ""], ["c", "1", "0.2000"]]


def test_a_batch_is_a_matrix_of_one_column_a_sample(texts_apart):
    x = np.array([[0, 0.25, 0.5, 1], [1, 0, 0, 0.95], [0.5, 0.5, 0.5, 0.5]]).reshape(3, 2, 2, 1)
    figure = batch_matrix(x, [0, 1, 1], ["no", "yes"])
    X, y, Y = figure.axes[:3]
    np.testing.assert_array_equal(drawn(X), x.reshape(3, 4).T)
    np.testing.assert_array_equal(drawn(y), [[0, 1, 1]])
    np.testing.assert_array_equal(drawn(Y), [[1, 0, 0], [0, 1, 1]])
    assert in_cells(X, (4, 3)).tolist() == [
        ["0.00", "1.00", "0.50"],
        ["0.25", "0.00", "0.50"],
        ["0.50", "0.00", "0.50"],
        ["1.00", "0.95", "0.50"],
    ]
    assert in_cells(y, (1, 3)).tolist() == [["0", "1", "1"]]
    assert in_cells(Y, (2, 3)).tolist() == [["1", "0", "0"], ["0", "1", "1"]]
    assert X.get_images()[0].get_clim() == (0, 1)
    assert X.get_images()[0].get_cmap()(0)[:3] == (0, 0, 0)
    assert "X: 4 pixels, 3 samples; one column a sample" in words(figure)
    assert {"no", "yes"} <= set(words(figure))
    left = [axes.get_position().x0 for axes in (X, y, Y)]
    wide = [axes.get_position().width for axes in (X, y, Y)]
    assert np.ptp(left) == np.ptp(wide) == 0  # a sample's column goes down through all three
    assert [t.get_text() for t in X.get_yticklabels()] == ["0", "1", "2", "3"]
    assert "1 of no, 2 of yes" in figure.alt
    assert figure.numbers[1] == ["pixel 0", "0", "1", "0.5"]
    assert figure.numbers[-1] == ["label", "0", "1", "1"]
    texts_apart(figure)


def test_what_has_a_sign_is_warm_and_cold_around_zero():
    axes = batch_matrix([[-3.0, 1.0]], [0], ["a"]).axes[0]
    image = axes.get_images()[0]
    assert image.get_clim() == (-3, 3)
    red, _, blue, _ = image.to_rgba(np.array([[3.0]]))[0, 0]
    assert red > blue
    red, _, blue, _ = image.to_rgba(np.array([[-3.0]]))[0, 0]
    assert blue > red


def test_of_a_large_batch_it_is_said_how_much_is_drawn(texts_apart):
    x = np.arange(100 * 1000.0).reshape(100, 1000)
    figure = batch_matrix(x, np.arange(100) % 3, LONG)
    whole = drawn(figure.axes[0])
    assert whole.shape == (440, 64)
    np.testing.assert_array_equal(whole[:, 0][[0, -1]], [0, 999])
    np.testing.assert_array_equal(whole[0], 1000.0 * np.arange(64))
    assert "X: 440 of 1,000 pixels, 64 of 100 samples; one column a sample" in words(figure)
    assert not figure.axes[0].texts
    assert figure.numbers is None
    texts_apart(figure)
    colour = batch_matrix(np.ones((2, 2, 2, 3)), [0, 1], LONG)
    assert any(text.startswith("X: 12 numbers") for text in words(colour))
    texts_apart(colour)


def test_a_hundred_classes_and_one_sample_have_room(texts_apart):
    names = [f"a class of a long name {i}" for i in range(100)]
    texts_apart(batch_matrix(np.eye(9), np.arange(9) * 11, names))
    texts_apart(batch_matrix([[0.5]], [0], ["a"]))


def test_bars_are_shares_and_say_counts(texts_apart):
    figure = class_balance({"train": [30, 10], "test": [0, 5]}, ["cat", "dog"])
    train, test = figure.axes
    assert [bar.get_width() for bar in train.patches] == [0.75, 0.25]
    assert [bar.get_width() for bar in test.patches] == [0, 1]
    assert [text.get_text() for text in train.texts] == ["30 · 75.0 %", "10 · 25.0 %"]
    assert [text.get_text() for text in test.texts] == ["0 · 0.0 %", "5 · 100.0 %"]
    assert [axes.get_title() for axes in figure.axes] == ["train: 40", "test: 5"]
    assert train.get_xlim() == test.get_xlim()
    assert train.get_ylim() == (1.5, -0.5)  # the first class on top
    assert [t.get_text() for t in train.get_yticklabels()] == ["cat", "dog"]
    assert "train: from 10 (dog) to 30 (cat) of 40. test: from 0 (cat) to 5 (dog) of 5." in (
        figure.alt
    )
    assert figure.numbers[1] == ["cat", "30", "75.00 %", "0", "0.00 %"]
    texts_apart(figure)


def test_no_text_of_a_bar_leaves_its_panel():
    names = ["a long name of a class"] * 12
    counts = np.arange(12) * 100_000
    figure = class_balance({"train": counts, "validation": counts, "test": counts[::-1]}, names)
    renderer = figure.canvas.get_renderer()
    for axes in figure.axes:
        for text in axes.texts:
            assert text.get_window_extent(renderer).x1 <= axes.get_window_extent().x1


def test_hundreds_of_classes_are_one_outline():
    figure = class_balance({"train": np.arange(300)}, ["a"] * 300)
    assert len(figure.axes[0].patches) == 1
    assert not figure.axes[0].texts
    assert len(figure.numbers) == 301


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda: images(grey(2), [0], ["a"]), r"labels of shape \(1,\); expected \(2,\)"),
        (lambda: images(grey(2), [0, 1], ["a"]), r"found labels 0..1; expected 0..0"),
        (lambda: images(grey(0), [], ["a"]), "found 0 images"),
        (lambda: images(grey(2), [0, 0], ["a"], most=0), "0 at most"),
        (lambda: images(grey(2)[..., 0], [0, 0], ["a"]), "expected .N, H, W, 1 or 3."),
        (lambda: mean_images(grey(0), [], []), "found no class"),
        (lambda: batch_matrix([1, 2], [0, 0], ["a"]), r"expected numbers \(N, …\)"),
        (lambda: batch_matrix(np.ones((2, 2)), [0, -1], ["a"]), "found labels -1..0"),
        (lambda: class_balance({}, ["a"]), "found 0 parts of 1 classes"),
        (lambda: class_balance({"train": [1]}, ["a", "b"]), "expected 2 counts"),
        (lambda: class_balance({"train": [-1]}, ["a"]), "expected 1 counts of 0 or more"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(draw, sentence):
    with pytest.raises(HandgradError, match=sentence):
        draw()


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    for suffix in ("png", "svg"):
        files = [tmp_path / f"{i}.{suffix}" for i in range(2)]
        for file in files:
            save(batch_matrix(grey(3), [0, 1, 1], LONG), file)
        assert files[0].read_bytes() == files[1].read_bytes()


def test_letters_in_cells_keep_their_ink_on_a_page():
    drawn_in_page = svg(batch_matrix([[0.0, 1.0]], [0], ["a"]), "batch")
    assert "fill: #ffffff" in drawn_in_page  # on black
    assert "fill: #111111" in drawn_in_page  # on white


def test_numbers_are_printed_only_where_they_fit():
    assert printed(np.array([-0.001, 12.5]), 0.5) == ["0.00", "12.50"]
    assert printed(np.array([-0.001, 12.5]), 0.32) == ["0.0", "12.5"]
    assert printed(np.array([0.5]), 0.1) is None
    assert printed(np.array([np.nan, 1]), 0.5) == ["nan", "1.00"]


@pytest.mark.parametrize("value", np.linspace(0, 1, 11))
def test_letters_can_be_read_on_every_grey(value):
    def luminance(c):
        return c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4

    ground = luminance(value)
    letters = luminance(1.0 if ink([value] * 3) == "#FFFFFF" else 17 / 255)
    high, low = max(ground, letters), min(ground, letters)
    assert (high + 0.05) / (low + 0.05) >= 4
