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


def _titles(figure):
    return [axes.get_title() for axes in figure.axes]


def test_titles_say_prediction_probability_and_truth(texts_apart):
    names = ["cat", "dog_$1$", "bird"]
    figure = predictions(_three(), [0, 1, 1], PROBABILITIES, names)
    assert _titles(figure) == ["✓ cat 90.0 %", "✗ bird 67.5 %\nis dog_$1$", "✓ dog_$1$ 100.0 %"]
    assert not any(axes.title.get_parse_math() for axes in figure.axes)
    texts_apart(figure)


def test_right_and_wrong_differ_without_colour():
    figure = predictions(_three(), [0, 1, 1], PROBABILITIES, ["a", "b", "c"])
    frames = [axes.spines["left"] for axes in figure.axes]
    assert [to_hex(frame.get_edgecolor()) for frame in frames] == ["#009e73", "#d55e00", "#009e73"]
    assert [frame.get_linestyle() for frame in frames] == ["-", "--", "-"]
    assert all(s.get_visible() for axes in figure.axes for s in axes.spines.values())


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_images_are_drawn_in_their_colours_row_by_row(dtype):
    figure = predictions(_three(dtype), None, PROBABILITIES, ["a", "b", "c"])
    for axes, image in zip(figure.axes, _three(dtype), strict=True):
        np.testing.assert_array_equal(axes.get_images()[0].get_array(), image)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    seen = []
    for axes in figure.axes:
        box = axes.get_window_extent()
        seen.append(pixels[int(len(pixels) - (box.y0 + box.y1) / 2), int((box.x0 + box.x1) / 2)])
    np.testing.assert_array_equal(seen, [[255, 0, 0], [0, 255, 0], [0, 0, 255]])
    left = [axes.get_position().x0 for axes in figure.axes]
    top = [axes.get_position().y1 for axes in figure.axes]
    assert left[0] == left[2] < left[1]
    assert top[0] == top[1] > top[2]


def test_grey_images_are_not_stretched():
    images = np.full((1, 3, 3, 1), 128, np.uint8)
    images[0, 0, 0] = 100
    figure = predictions(images, None, [[1.0]], ["a"])
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    box = figure.axes[0].get_window_extent()
    middle = pixels[int(len(pixels) - (box.y0 + box.y1) / 2), int((box.x0 + box.x1) / 2)]
    np.testing.assert_array_equal(middle, [128, 128, 128])


def test_without_truth_nothing_is_judged():
    figure = predictions(_three(), None, PROBABILITIES, ["a", "b", "c"])
    assert _titles(figure) == ["a 90.0 %", "c 67.5 %", "b 100.0 %"]
    assert {to_hex(axes.spines["left"].get_edgecolor()) for axes in figure.axes} == {"#0072b2"}


@pytest.mark.parametrize(("n", "most", "drawn"), [(40, 25, 25), (3, 25, 3), (40, 2, 2)])
def test_the_first_ones_are_drawn(n, most, drawn):
    images = np.zeros((n, 2, 2, 1), np.uint8)
    images[:, 0, 0, 0] = range(n)
    figure = predictions(images, None, np.ones((n, 1)), ["a"], most)
    assert [axes.get_images()[0].get_array()[0, 0] for axes in figure.axes] == list(range(drawn))


@pytest.mark.parametrize("shape", [(8, 8), (20, 60), (60, 20), (10, 1000), (1000, 10)])
def test_any_names_and_shapes_leave_the_texts_apart(shape, texts_apart):
    images = np.zeros((5, *shape, 1), np.uint8)
    p = np.full((5, 3), 0.25)
    p[:, 2] = 0.5
    files = [f"photographs/of 2024/IMG_$_{i}_with a long name.jpg" for i in range(5)]
    figure = predictions(images, [0, 1, 2, 0, 1], p, NAMES, file_names=files)
    titles = _titles(figure)
    assert all(title.startswith(("✓ ", "✗ ")) and "50.0 %" in title for title in titles)
    assert titles[0].endswith("\nis cat")
    for i, axes in enumerate(figure.axes):
        assert axes.get_xlabel().startswith("photo")
        assert axes.get_xlabel().endswith(".jpg")
        assert len(axes.get_xlabel()) < len(files[i])
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
