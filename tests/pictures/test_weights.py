"""Weights and activations: each number in its cell, each unit in its tile."""

import numpy as np
import pytest

from handgrad.errors import HandgradError
from handgrad.pictures.weights import activations, first_weights, weight_matrices

LONG = ["a class of a very long name, indeed", "é $x_1$", "b"]


def drawn(axes):
    return np.ma.filled(axes.get_images()[0].get_array().astype(float), np.nan)


def words(figure):
    return [text.get_text() for text in figure.texts]


def in_cells(axes, shape):
    found = np.full(shape, "", object)
    for text in axes.texts:
        x, y = text.get_position()
        found[y, x] = text.get_text()
    return found.tolist()


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape)


def test_a_small_network_is_drawn_whole(texts_apart):
    W1, b1, W2 = noise(6, 9), noise(6), noise(2, 6)
    W1[3, 4], W1[0, 0] = -7.126, 0.5
    figure = weight_matrices({"W1": W1, "b1": b1, "W2": W2, "b2": np.zeros(2)})
    first, offsets, second, last, scale = figure.axes
    np.testing.assert_array_equal(drawn(first), W1)
    np.testing.assert_array_equal(drawn(offsets), b1[:, None])
    np.testing.assert_array_equal(drawn(second), W2)
    assert in_cells(first, (6, 9))[3][4] == "-7.13"
    assert in_cells(first, (6, 9))[0][0] == "0.50"
    assert len(first.texts) == 54
    assert in_cells(last, (2, 1)) == [["0"], ["0"]]
    for axes in figure.axes:
        assert axes.get_images()[0].get_clim() == (-7.126, 7.126)
    image = first.get_images()[0]
    red, _, blue, _ = image.to_rgba(np.array([[7.126]]))[0, 0]
    assert red > blue
    assert {"W1 · 6x9", "b1 · 6", "W2 · 2x6", "b2 · 2", "-7.13", "+7.13", "0"} <= set(words(figure))
    assert drawn(scale).shape[0] == 1
    left = [axes.get_position().x0 for axes in (first, offsets, second, last)]
    assert left == sorted(left)
    assert "W1 (6x9) from -7.13 to" in figure.alt
    assert figure.numbers[1][:3] == ["W1", "6x9", "-7.126"]
    texts_apart(figure)


def test_a_large_matrix_is_an_image_without_numbers(texts_apart):
    W, b = noise(128, 784), noise(128) * 100
    figure = weight_matrices({"W1": W, "b1": b, "W2": noise(10, 128)})
    np.testing.assert_array_equal(drawn(figure.axes[0]), W)
    assert not figure.axes[0].texts
    limit = figure.axes[0].get_images()[0].get_clim()[1]
    # The offsets, a hundred times as large, do not make the weights pale; 2.24 is exceeded by 1/40.
    assert limit == pytest.approx(2.24, abs=0.15)
    assert any(text.startswith("≥ +2.") for text in words(figure))
    high = [axes.get_position().height for axes in figure.axes]
    assert high[0] == pytest.approx(high[1])  # the offset of a neuron stands in its row
    texts_apart(figure)


def test_very_many_columns_are_averaged_and_it_is_said(texts_apart):
    W = np.arange(12288.0)[None]
    figure = weight_matrices({"W": W, "b": [1.0]})
    whole = drawn(figure.axes[0])
    assert whole.shape == (1, 1118)  # 12288 / 11, rounded up
    assert whole[0, :2].tolist() == [5, 16]  # the means of 0..10 and 11..21
    assert words(figure)[0] == "W · 1x12288 (a dot is the mean of 11)"
    texts_apart(figure)


def test_filters_are_rows_and_what_is_no_number_is_told(texts_apart):
    W = np.arange(24.0).reshape(2, 2, 3, 2)
    np.testing.assert_array_equal(
        drawn(weight_matrices({"W": W}).axes[0]), [np.arange(0, 24, 2), np.arange(1, 24, 2)]
    )
    figure = weight_matrices({"W": [[1, np.nan], [-0.5, np.inf]]})
    assert figure.axes[0].get_images()[0].get_clim() == (-1, 1)
    assert in_cells(figure.axes[0], (2, 2)) == [["1.00", "nan"], ["-0.50", "inf"]]
    assert "from -0.5 to 1, 2 not finite" in figure.alt
    texts_apart(figure)


def test_a_neuron_of_one_channel_is_a_tile(texts_apart):
    W = noise(12, 4)  # 3x4 pixels
    figure = first_weights(W, (3, 4, 1), ["a", "b", "c", "d"])
    whole = drawn(figure.axes[0])
    assert whole.shape[1] == 4 * 4 + 3
    for o in range(4):
        left = o * 5
        np.testing.assert_array_equal(whole[:3, left : left + 4], W[:, o].reshape(3, 4))
    assert np.isnan(whole[:, 4]).all()
    limit = np.abs(W).max()
    assert figure.axes[0].get_images()[0].get_clim() == (-limit, limit)
    assert {"4 neurons of 3x4x1", "a", "b", "c", "d"} <= set(words(figure))
    strongest = "abcd"[np.abs(W).max(axis=0).argmax()]
    assert figure.alt.endswith(f"The largest is in {strongest}.")
    texts_apart(figure)


def test_of_many_neurons_the_first_are_drawn(texts_apart):
    W = noise(784, 128)
    figure = first_weights(W, (28, 28, 1))
    whole = drawn(figure.axes[0])
    assert np.isfinite(whole).sum() == W.size  # all of them, and none made smaller
    np.testing.assert_array_equal(whole[:28, 29:57], W[:, 1].reshape(28, 28))
    figure = first_weights(W, (28, 28, 1), most=10)
    assert words(figure)[0] == "10 of 128 neurons of 28x28x1"
    assert np.isfinite(drawn(figure.axes[0])).sum() == 7840
    assert len(figure.numbers) == 129
    texts_apart(figure)


def test_one_neuron_in_colour_is_each_channel_and_all_together(texts_apart):
    W = noise(2 * 3 * 3, 1)
    W[0] = 4  # red of the first pixel, the largest
    figure = first_weights(W, (2, 3, 3), ["motorbike"])
    for c in range(3):
        np.testing.assert_array_equal(drawn(figure.axes[c]), W.reshape(2, 3, 3)[..., c])
        assert figure.axes[c].get_images()[0].get_clim() == (-4, 4)
    together = drawn(figure.axes[3])
    np.testing.assert_allclose(together[..., :3], 0.5 + W.reshape(2, 3, 3) / 8)
    assert words(figure)[:5] == ["1 neuron of 2x3x3", "motorbike", "red", "green", "blue"]
    texts_apart(figure)


def test_filters_in_colour_are_each_on_their_own_scale(texts_apart):
    W = np.zeros((1, 1, 3, 3))
    W[0, 0, :, 0] = [2, 0, -1]
    W[0, 0, :, 1] = [0.1, 0.1, 0]
    figure = first_weights(W)  # the third is all 0
    whole = drawn(figure.axes[0])
    np.testing.assert_allclose(whole[0, 0], [1, 0.5, 0.25, 1])
    np.testing.assert_allclose(whole[0, 2], [1, 1, 0.5, 1])
    np.testing.assert_allclose(whole[0, 4], [0.5, 0.5, 0.5, 1])
    assert words(figure)[0] == ("3 filters of 1x1x3, in colour: grey is 0, each on its own scale")
    assert "3 filters of 1x1x3: from -1 to 2. The largest is in filter 0." in figure.alt
    texts_apart(figure)


def test_filters_of_many_channels_are_a_row_each(texts_apart):
    W = noise(3, 3, 4, 2)
    figure = first_weights(W)
    whole = drawn(figure.axes[0])
    assert whole.shape == (7, 15)
    np.testing.assert_array_equal(whole[4:, 8:11], W[:, :, 2, 1])
    texts_apart(figure)


PROBABILITIES = [0.2, 0.7, 0.1]


def test_every_layer_has_its_row(texts_apart):
    image = np.zeros((2, 2, 1))
    image[0, 0] = 1
    maps = noise(3, 3, 2)
    outputs = {"0 convolution": maps, "1 relu": np.maximum(maps, 0), "2 dense 3": [1.0, -2.0, 0.0]}
    figure = activations(image, outputs, PROBABILITIES, LONG, truth=2)
    first, signed, positive, dense, bars = figure.axes
    np.testing.assert_array_equal(drawn(first), [[1, 0], [0, 0]])
    whole = drawn(signed)
    np.testing.assert_array_equal(whole[:, :3], maps[..., 0])
    np.testing.assert_array_equal(whole[:, 4:], maps[..., 1])
    limit = np.abs(maps).max()
    assert signed.get_images()[0].get_clim() == (-limit, limit)
    assert positive.get_images()[0].get_clim() == (0, maps.max())
    assert positive.get_images()[0].get_cmap()(0.5)[:3] == pytest.approx([0.5] * 3, abs=0.02)
    np.testing.assert_array_equal(drawn(dense), [[1, -2, 0]])
    assert in_cells(dense, (1, 3)) == [["1", "-2", "0"]]
    assert [bar.get_width() for bar in bars.patches] == [0.7, 0.2, 0.1]
    said = words(figure)
    assert said[:2] == ["image", "2x2x1"]
    assert "is b" in said
    assert {"0 convolution", "3x3x2", "±2", "70.0 % é $x_1$", "10.0 % b (the truth)"} <= set(said)
    top = [axes.get_position().y1 for axes in figure.axes]
    assert top == sorted(top, reverse=True)
    assert figure.alt == (
        "What 3 layers make of one image, from 2x2 pixels to the answer é $x_1$ with 70.0 %; "
        "it is b."
    )
    assert ["2 dense 3", "3", "-2", "-0.333333", "1"] in figure.numbers
    texts_apart(figure)


def test_many_maps_and_long_rows_are_cut_and_wrapped(texts_apart):
    outputs = {
        "0 wide": np.arange(1000.0),
        "1 maps": np.ones((64, 64, 40)),
        "2": np.ones((1, 1, 3)),
    }
    figure = activations(np.zeros((9, 4, 3)), outputs, np.full(50, 0.02), ["x" * 60] * 50)
    whole = drawn(figure.axes[1])
    assert whole.shape == (7, 160)
    np.testing.assert_array_equal(whole.ravel()[:1000], np.arange(1000))
    assert np.isnan(whole.ravel()[1000:]).all()
    assert "64x64x40, 16 shown" in words(figure)
    assert len(figure.axes[-1].patches) == 10
    texts_apart(figure)


def test_one_number_of_one_class_has_room(texts_apart):
    texts_apart(activations(np.zeros((1, 1, 1)), {"d": [0.0]}, [1.0], ["a"], truth=0))
    texts_apart(activations(np.zeros((1, 1, 1)), {}, [1.0], ["a"]))
    texts_apart(weight_matrices({"W": [[0.0]]}))
    texts_apart(first_weights([[1.0]], (1, 1, 1), ["a unit of a long name"]))


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda: weight_matrices({}), "found no array"),
        (lambda: weight_matrices({"W": np.zeros((0, 2))}), r"found W of shape \(0, 2\)"),
        (lambda: weight_matrices({"W": 1.0}), r"found W of shape \(\)"),
        (lambda: first_weights(np.ones((4, 2))), r"W of shape \(4, 2\) and images of None"),
        (lambda: first_weights(np.ones((4, 2)), (3, 1, 1)), r"expected \(H·W·C, O\)"),
        (lambda: first_weights(np.ones((4, 2)), (2, 2, 1), ["a"]), "found 1 names; expected 2"),
        (
            lambda: activations(np.zeros((2, 2, 1)), {}, [0.5, 0.5], ["a"]),
            r"probabilities of shape \(2,\); expected \(1,\)",
        ),
        (
            lambda: activations(np.zeros((2, 2, 1)), {"a": np.ones((2, 2))}, [1.0], ["a"]),
            r"found 'a' of shape \(2, 2\); expected \(U,\) or \(H, W, C\)",
        ),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(draw, sentence):
    with pytest.raises(HandgradError, match=sentence):
        draw()
