"""Maps beside their image: what is drawn is what was given, and the sums are right."""

import numpy as np
import pytest

from handgrad.errors import HandgradError
from handgrad.pictures.contributions import contributions, occlusion, saliency

LONG = "a class of a very long name, longer than its image 猫 $x_1$"


def drawn(axes):
    return np.ma.filled(axes.get_images()[0].get_array().astype(float), np.nan)


def words(figure):
    return [text.get_text() for text in figure.texts]


def in_cells(axes):
    return [text.get_text() for text in axes.texts]


IMAGE = np.array([[0.0, 0.5], [1.0, 0.25]]).reshape(2, 2, 1)


def test_contributions_are_drawn_and_summed(texts_apart):
    values = np.array([[0.0, 2.0], [-3.0, 0.25]]).reshape(2, 2, 1)
    figure = contributions(IMAGE, values, "cat", score=-1.25, truth="dog")
    image, added = figure.axes[:2]
    np.testing.assert_array_equal(drawn(image), IMAGE[..., 0])
    assert image.get_images()[0].get_clim() == (0, 1)
    np.testing.assert_array_equal(drawn(added), values[..., 0])
    assert added.get_images()[0].get_clim() == (-3, 3)
    assert in_cells(added) == ["0.00", "2.00", "-3.00", "0.25"]
    red, _, blue, _ = added.get_images()[0].to_rgba(np.array([[3.0]]))[0, 0]
    assert red > blue
    said = "for +2.250, against -3.000: together -0.750; offset b -0.500; score z = -1.250"
    assert words(figure)[:2] == ["cat (is dog)", "weight x pixel"]
    assert said in words(figure)
    assert figure.alt == (
        f"Contribution of each pixel to cat (it is dog): {said}. "
        "The largest is -3, in row 1, column 0."
    )
    assert figure.numbers[2] == ["1", "-3", "0.25"]
    texts_apart(figure)


def test_the_channels_of_a_pixel_are_added_up_and_deep_networks_are_named(texts_apart):
    values = np.arange(12.0).reshape(2, 2, 3)
    figure = contributions(np.zeros((2, 2, 3)), values, "cat", linear=False, score=70.0)
    np.testing.assert_array_equal(drawn(figure.axes[1]), [[3, 12], [21, 30]])
    assert words(figure)[1] == "gradient x pixel"
    assert any("together +66.000; rest +4.000" in text for text in words(figure))
    assert "offset" not in " ".join(words(contributions(IMAGE, IMAGE, "cat")))
    texts_apart(figure)


def test_saliency_is_the_strongest_channel_and_their_sum(texts_apart):
    gradient = np.array([[[1, -4, 2], [0, 0, 0]], [[0.5, 0, 0], [-1, -1, -1]]])
    figure = saliency(np.zeros((2, 2, 3), np.uint8), gradient, "cat")
    _, strength, _, signed, _ = figure.axes
    np.testing.assert_array_equal(drawn(strength), [[4, 0], [0.5, 1]])
    np.testing.assert_array_equal(drawn(signed), [[-1, 0], [0.5, -3]])
    assert strength.get_images()[0].get_clim() == (0, 4)
    assert signed.get_images()[0].get_clim() == (-3, 3)
    assert strength.get_images()[0].get_cmap()(1.0)[:3] == (1, 1, 1)
    assert words(figure)[1] == "strongest channel"
    assert "It is largest, 4, in row 0, column 0; on average 1.38." in figure.alt
    texts_apart(figure)


def test_occlusion_is_in_percentage_points(texts_apart):
    figure = occlusion(IMAGE, [[0.0, 0.5], [-0.125, 0.25]], "cat", truth="cat", patch=1)
    lost = figure.axes[1]
    np.testing.assert_array_equal(drawn(lost), [[0, 50], [-12.5, 25]])
    assert lost.get_images()[0].get_clim() == (-50, 50)
    assert in_cells(lost) == ["0.00", "50.00", "-12.50", "25.00"]
    assert {"covered, 1x1 at a time", "gains 50", "loses 50"} <= set(words(figure))
    assert "at most 50.0 percentage points, around row 0, column 1." in figure.alt
    assert "It gains 12.5 where row 1, column 0 is covered." in figure.alt
    texts_apart(figure)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 3, 1), (28, 28, 1), (40, 10, 3), (10, 300, 3)])
def test_any_shape_and_name_leaves_the_texts_apart(shape, texts_apart):
    generator = np.random.default_rng(0)
    image, values = generator.random(shape), generator.normal(size=shape)
    for figure in (
        contributions(image, values, LONG, score=1.0, truth=LONG),
        saliency(image, values, LONG, truth=LONG),
        occlusion(image, np.tanh(values[..., 0]), LONG, truth=LONG, patch=3),
        contributions(image, 0 * values, "a"),
    ):
        texts_apart(figure)
        wide, high = figure.axes[1].get_window_extent().size
        assert wide / high == pytest.approx(shape[1] / shape[0], rel=1e-6)


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda: contributions(IMAGE, np.ones((3, 2, 1)), "a"), r"expected \(2, 2, 1\)"),
        (lambda: saliency(IMAGE, np.full((2, 2, 1), np.nan), "a"), "4 values that are not finite"),
        (lambda: saliency(IMAGE[..., 0], np.ones((2, 2, 1)), "a"), "expected .N, H, W, 1 or 3."),
        (lambda: occlusion(IMAGE, np.full((2, 2), 2.0), "a"), "found drops from 2 to 2"),
        (lambda: occlusion(IMAGE, np.ones((2, 3)), "a"), "found values of shape"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(draw, sentence):
    with pytest.raises(HandgradError, match=sentence):
        draw()
