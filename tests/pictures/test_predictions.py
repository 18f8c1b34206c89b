import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from handgrad.errors import HandgradError
from handgrad.pictures import confusion, predictions

NAMES = ["cat", "not_a_$cat$", "猫\nof the house next door, asleep"]


def _three(dtype=np.uint8):
    images = np.zeros((3, 4, 4, 3), dtype)
    full = 255 if dtype == np.uint8 else 1.0
    images[0, ..., 0] = images[1, ..., 1] = images[2, ..., 2] = full
    return images


PROBABILITIES = [[0.9, 0.05, 0.05], [0.2, 0.125, 0.675], [0.0, 1.0, 0.0]]


def _images(figure):
    return figure.axes[0].get_images()


def _above(figure):
    """The lines of text above each image, from the top down, those of an image by newlines."""
    axes = figure.axes[0]
    return ["\n".join(_lines(axes, image, above=True)) for image in axes.get_images()]


def _below(figure):
    axes = figure.axes[0]
    return ["\n".join(_lines(axes, image, above=False)) for image in axes.get_images()]


def _lines(axes, image, above):
    left, right, bottom, top = image.get_extent()
    found = []
    for text in axes.texts:
        x, y = text.get_position()
        near = top - 40 < y < top if above else bottom < y < bottom + 10
        if near and abs(x - (left + right) / 2) <= 1:
            found.append((y, text.get_text()))
    return [text for _, text in sorted(found)]


def test_titles_say_prediction_probability_and_truth(texts_apart):
    names = ["cat", "dog_$1$", "bird"]
    figure = predictions(_three(), [0, 1, 1], PROBABILITIES, names)
    assert _above(figure) == ["✓ cat 90.0 %", "✗ bird 67.5 %\nis dog_$1$", "✓ dog_$1$ 100.0 %"]
    assert not any(text.get_parse_math() for text in figure.axes[0].texts)
    texts_apart(figure)


def test_right_and_wrong_differ_without_colour():
    figure = predictions(_three(), [0, 1, 1], PROBABILITIES, ["a", "b", "c"])
    (frames,) = figure.axes[0].collections
    assert [to_hex(colour) for colour in frames.get_edgecolor()] == [
        "#009e73",
        "#d55e00",
        "#009e73",
    ]
    assert [dashes is not None for _, dashes in frames.get_linestyle()] == [False, True, False]
    for path, image in zip(frames.get_paths(), _images(figure), strict=True):
        left, right, bottom, top = image.get_extent()
        corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
        assert path.vertices[:4].tolist() == corners


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_images_are_drawn_in_their_colours_row_by_row(dtype):
    figure = predictions(_three(dtype), None, PROBABILITIES, ["a", "b", "c"])
    for drawn, image in zip(_images(figure), _three(dtype), strict=True):
        np.testing.assert_array_equal(drawn.get_array(), image)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    seen = []
    for drawn in _images(figure):
        left, right, bottom, top = drawn.get_extent()  # in dots, from the upper left corner
        seen.append(pixels[int((bottom + top) / 2), int((left + right) / 2)])
    np.testing.assert_array_equal(seen, [[255, 0, 0], [0, 255, 0], [0, 0, 255]])
    left = [drawn.get_extent()[0] for drawn in _images(figure)]
    top = [drawn.get_extent()[3] for drawn in _images(figure)]
    assert left[0] == left[2] < left[1]
    assert top[0] == top[1] < top[2]


def test_each_pixel_is_a_square_of_whole_dots():
    """5 x 5 pixels: 26 dots each fill the 130 of a place; none is wider than another."""
    image = np.random.default_rng(0).integers(0, 256, (1, 5, 5, 3), dtype=np.uint8)
    figure = predictions(image, None, [[1.0]], ["a"])
    figure.canvas.draw()
    left, right, bottom, top = map(int, _images(figure)[0].get_extent())
    assert (right - left, bottom - top) == (130, 130)
    dots = np.asarray(figure.canvas.buffer_rgba())[top:bottom, left:right, :3]
    inner = slice(3, -3)  # within the frame
    expected = image[0].repeat(26, axis=0).repeat(26, axis=1)
    np.testing.assert_array_equal(dots[inner, inner], expected[inner, inner])


def test_large_images_are_reduced_by_their_means():
    """260 x 260 to half of the 130 dots: means of 4 x 4 pixels, each drawn 2 x 2 dots large."""
    image = np.random.default_rng(0).integers(0, 256, (1, 260, 260, 1), dtype=np.uint8)
    (drawn,) = _images(predictions(image, None, [[1.0]], ["a"]))
    means = image[0, ..., 0].reshape(65, 4, 65, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(drawn.get_array(), means, atol=1)  # Pillow rounds twice
    left, right, bottom, top = drawn.get_extent()
    assert (right - left, bottom - top) == (130, 130)
    (floats,) = _images(predictions(image / 255, None, [[1.0]], ["a"]))
    np.testing.assert_array_equal(floats.get_array(), drawn.get_array())
    (medium,) = _images(predictions(image[:, :70, :70], None, [[1.0]], ["a"]))
    assert medium.get_array().shape == (65, 65)


def test_grey_images_are_not_stretched():
    images = np.full((1, 3, 3, 1), 128, np.uint8)
    images[0, 0, 0] = 100
    figure = predictions(images, None, [[1.0]], ["a"])
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    left, right, bottom, top = _images(figure)[0].get_extent()
    middle = pixels[int((bottom + top) / 2), int((left + right) / 2)]
    np.testing.assert_array_equal(middle, [128, 128, 128])


def test_without_truth_nothing_is_judged():
    figure = predictions(_three(), None, PROBABILITIES, ["a", "b", "c"])
    assert _above(figure) == ["a 90.0 %", "c 67.5 %", "b 100.0 %"]
    assert {to_hex(c) for c in figure.axes[0].collections[0].get_edgecolor()} == {"#0072b2"}
    assert figure.alt == "3 images with what the network says of each."
    assert figure.numbers == [
        ["image", "prediction", "probability"],
        ["0", "a", "0.900000"],
        ["1", "c", "0.675000"],
        ["2", "b", "1.000000"],
    ]


def test_the_words_and_the_numbers():
    figure = predictions(_three(), [0, 1, 1], PROBABILITIES, "abc", file_names=["x", "y", "z"])
    assert figure.alt == "3 images, 2 of them called right. Wrong: b called c with 67.5 %."
    assert figure.numbers == [
        ["image", "truth", "prediction", "probability"],
        ["x", "a", "a", "0.900000"],
        ["y", "b", "c", "0.675000"],
        ["z", "b", "b", "1.000000"],
    ]
    figure = predictions(_three().repeat(2, 0), [1] * 6, np.repeat(PROBABILITIES, 2, 0), "abc")
    assert figure.alt == (
        "6 images, 2 of them called right. Wrong: b called a with 90.0 %; b called a with 90.0 %; "
        "b called c with 67.5 % and 1 more."
    )


@pytest.mark.parametrize(("n", "most", "drawn"), [(40, 25, 25), (3, 25, 3), (40, 2, 2)])
def test_the_first_ones_are_drawn(n, most, drawn):
    images = np.zeros((n, 2, 2, 1), np.uint8)
    images[:, 0, 0, 0] = range(n)
    figure = predictions(images, None, np.ones((n, 1)), ["a"], most)
    assert [image.get_array()[0, 0] for image in _images(figure)] == list(range(drawn))
    assert len(figure.numbers) == 1 + drawn


@pytest.mark.parametrize("shape", [(8, 8), (20, 60), (60, 20), (10, 1000), (1000, 10)])
def test_any_names_and_shapes_leave_the_texts_apart(shape, texts_apart):
    images = np.zeros((5, *shape, 1), np.uint8)
    p = np.full((5, 3), 0.25)
    p[:, 2] = 0.5
    files = [f"photographs/of 2024/IMG_$_{i}_with a long name.jpg" for i in range(5)]
    figure = predictions(images, [0, 1, 2, 0, 1], p, NAMES, file_names=files)
    titles = _above(figure)
    assert all(title.startswith(("✓ ", "✗ ")) and "50.0 %" in title for title in titles)
    assert titles[0].endswith("\nis cat")
    for name, file in zip(_below(figure), files, strict=True):
        assert name.startswith("photo")
        assert name.endswith(".jpg")
        assert len(name) < len(file)
    texts_apart(figure)


def _refused(images=None, labels=(0, 1, 1), p=PROBABILITIES, names="abc", **options):
    images = _three() if images is None else images
    return lambda: predictions(images, labels, p, names, **options)


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (_refused(images=np.zeros((3, 4, 4))), r"shape \(3, 4, 4\); expected \(N, H, W, 1 or 3\)"),
        (_refused(images=np.zeros((3, 4, 4, 2))), r"expected \(N, H, W, 1 or 3\)"),
        (_refused(images=np.zeros((3, 4, 0, 1))), r"expected \(N, H, W, 1 or 3\)"),
        (_refused(images=np.full((3, 4, 4, 1), 1.5)), r"from 1.5 to 1.5; expected 0..1"),
        (_refused(images=np.full((3, 4, 4, 1), np.nan)), r"expected 0..1"),
        (_refused(images=np.zeros((3, 4, 4, 1), int)), r"images of int64; expected uint8"),
        (_refused(images=np.zeros((0, 4, 4, 1)), p=np.zeros((0, 3)), labels=None), "0 images"),
        (_refused(most=0), "found 3 images, 0 at most"),
        (_refused(labels=[0, 1]), r"labels: found shape \(2,\); expected \(3,\)"),
        (_refused(labels=[0, 1, 3]), r"found labels 0..3; expected 0..2"),
        (_refused(names="ab"), r"probabilities: found shape \(3, 3\); expected \(3, 2\)"),
        (_refused(file_names=["a"]), r"file_names: found shape \(1,\); expected \(3,\)"),
        (lambda: confusion([[1]], ["a", "b"]), r"found shape \(1, 1\); expected \(2, 2\)"),
        (lambda: confusion([[-1]], ["a"]), "expected counts of 0 or more"),
        (lambda: confusion([[0.5]], ["a"]), "expected counts of 0 or more"),
        (lambda: confusion(np.zeros((0, 0), int), []), "found no classes"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(draw, sentence):
    with pytest.raises(HandgradError, match=sentence):
        draw()


def test_confusion_draws_counts_on_the_share_of_each_row(texts_apart):
    # Rows: 3 + 1 = 4 samples of "a", none of "b", 10 + 5 + 5 = 20 of "c".
    figure = confusion([[3, 0, 1], [0, 0, 0], [10, 5, 5]], ["a", "b", "c"])
    axes = figure.axes[0]
    image = axes.get_images()[0]
    np.testing.assert_array_equal(
        image.get_array(), [[0.75, 0, 0.25], [0, 0, 0], [0.5, 0.25, 0.25]]
    )
    assert image.get_clim() == (0, 1)
    counts = {text.get_position(): text.get_text() for text in axes.texts}
    assert counts[(0, 2)] == "10"  # x is the column (called "a"), y the row (truly "c")
    assert counts[(2, 0)] == "1"
    assert counts[(1, 1)] == "0"
    assert len(counts) == 9
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "truth")
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b", "c"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b", "c"]
    assert axes.get_ylim() == (2.5, -0.5)  # the first class on top
    assert figure.axes[1].get_ylabel() == "share of the row"
    texts_apart(figure)


def test_the_confusion_in_words_and_numbers():
    figure = confusion([[3, 0, 1], [0, 0, 0], [1010, 5, 5]], ["a", "b", "c"])
    assert figure.alt == (
        "Confusion matrix of 3 classes: 8 of 1,024 right. Most often c was called a, 1,010 times."
    )
    assert figure.numbers == [
        ["truth \\ predicted", "a", "b", "c"],
        ["a", "3", "0", "1"],
        ["b", "0", "0", "0"],
        ["c", "1010", "5", "5"],
    ]
    assert confusion([[7]], "a").alt == "Confusion matrix of 1 class: 7 of 7 right."
    assert confusion([[7, 1], [0, 0]], "ab").alt.endswith("Most often a was called b, once.")
    # Beyond 20 classes: what is confused, the most frequent first, equals in order of the matrix.
    matrix = np.eye(21, dtype=int) * 9
    matrix[4, 9], matrix[9, 4], matrix[2, 0] = 3, 5, 3
    many = confusion(matrix, [f"k{i}" for i in range(21)])
    assert many.numbers == [
        ["truth", "predicted", "count"],
        ["k9", "k4", "5"],
        ["k2", "k0", "3"],
        ["k4", "k9", "3"],
    ]


def _luminance(rgb):
    """Relative luminance, from the definition in WCAG 2.1."""
    c = np.asarray(rgb[:3])
    linear = np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_counts_can_be_read_on_every_shade():
    # Row k is called "0" k times out of 40: shares of 0, 1/40, ..., 1.
    matrix = np.zeros((41, 41), int)
    matrix[:, 0] = range(41)
    matrix[:, 1] = 40 - matrix[:, 0]
    axes = confusion(matrix, [""] * 41).axes[0]
    image = axes.get_images()[0]
    assert len(axes.texts) == 80  # the two zeros and the empty columns are left out
    for text in axes.texts:
        column, row = text.get_position()
        ground = image.cmap(image.norm(matrix[row, column] / 40))
        a, b = _luminance(ground), _luminance(to_rgb(text.get_color()))
        assert (max(a, b) + 0.05) / (min(a, b) + 0.05) >= 4.5


@pytest.mark.parametrize(
    "names", [NAMES, ["x" * 500] * 3, [f"class number {i}" for i in range(12)]]
)
def test_long_and_strange_names_leave_the_texts_apart(names, texts_apart):
    K = len(names)
    figure = confusion(np.full((K, K), 12345), names)
    labels = figure.axes[0].get_xticklabels()
    assert all(label.get_rotation() == 45 for label in labels)
    assert not any(label.get_parse_math() for label in labels)
    texts_apart(figure)
    # A count stays inside its cell.
    renderer = figure.canvas.get_renderer()
    cell = figure.axes[0].get_window_extent().width / K
    assert all(text.get_window_extent(renderer).width < cell for text in figure.axes[0].texts)
