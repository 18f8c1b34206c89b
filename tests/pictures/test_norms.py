"""Learning rate, norms, the ratio of update to weight, and units that fell silent."""

import numpy as np
import pytest

from handgrad.errors import HandgradError
from handgrad.pictures.norms import dead_units, learning_rate_curve, norm_curves, update_ratio


def _part(figure, gid):
    (found,) = figure.findobj(lambda part: part.get_gid() == gid)
    return found


def _legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_learning_rate_as_it_was(texts_apart):
    figure = learning_rate_curve([0, 1, 2, 3, 4], [0.1, 0.4, None, 0.2, 0.0])
    line = _part(figure, "learning-rate")
    np.testing.assert_array_equal(line.get_xydata(), [[0, 0.1], [1, 0.4], [3, 0.2], [4, 0]])
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "learning rate")
    assert axes.get_ylim()[0] == 0
    assert figure.alt == (
        "The learning rate goes from 0.1 at step 0 to 0 at step 4; its largest is 0.4, at step 1."
    )
    assert figure.numbers == [
        ["step", "learning rate"],
        ["0", "0.1"],
        ["1", "0.4"],
        ["3", "0.2"],
        ["4", "0"],
    ]
    texts_apart(figure)


def test_the_learning_rate_on_a_logarithmic_axis(texts_apart):
    figure = learning_rate_curve([1, 2, 3], [1.0, 0.001, 0.0], unit="epoch", log=True)
    (axes,) = figure.axes
    assert (axes.get_yscale(), axes.get_ylabel()) == ("log", "learning rate (log scale)")
    np.testing.assert_array_equal(_part(figure, "learning-rate").get_xdata(), [1, 2])
    texts_apart(figure)


NORMS = {
    "weights": {"0 dense 6": [2.0, 3.0, 4.0], "2 dense 2": [1.0, None, 1.5]},
    "gradient": {"0 dense 6": [0.5, float("nan"), 0.1], "2 dense 2": [0.2, 0.0, 0.3]},
}


def test_norms_of_every_layer(texts_apart):
    figure = norm_curves([1, 2, 3], NORMS)
    upper, lower = figure.axes
    assert upper.get_ylabel() == "‖weights‖ (log scale)"
    assert lower.get_ylabel() == "‖gradient‖ (log scale)"
    assert upper.get_yscale() == lower.get_yscale() == "log"
    assert lower.get_xlabel() == "epoch"
    first = _part(figure, "weights-1")
    assert first in upper.get_lines()
    np.testing.assert_array_equal(first.get_xydata(), [[1, 2], [2, 3], [3, 4]])
    np.testing.assert_array_equal(_part(figure, "weights-2").get_xydata(), [[1, 1], [3, 1.5]])
    # Neither the one that is no number nor the one of 0 has a place on the axis.
    np.testing.assert_array_equal(_part(figure, "gradient-1").get_xydata(), [[1, 0.5], [3, 0.1]])
    np.testing.assert_array_equal(_part(figure, "gradient-2").get_xydata(), [[1, 0.2], [3, 0.3]])
    assert _legend(figure) == ["0 dense 6", "2 dense 2"]
    assert figure.alt == (
        "Norms of 2 layers on a log scale: weights end between 1.5 (2 dense 2) and 4 (0 dense 6); "
        "gradient end between 0.1 (0 dense 6) and 0.3 (2 dense 2)."
    )
    assert ["gradient", "2 dense 2", "1", "0.2", "3", "0.3"] in figure.numbers
    texts_apart(figure)


def test_a_layer_looks_alike_in_every_axes_and_unlike_the_others():
    figure = norm_curves([1, 2, 3], NORMS)
    for i in (1, 2):
        upper, lower = _part(figure, f"weights-{i}"), _part(figure, f"gradient-{i}")
        assert upper.get_color() == lower.get_color()
        assert upper.get_linestyle() == lower.get_linestyle()
    assert _part(figure, "weights-1").get_color() != _part(figure, "weights-2").get_color()
    assert _part(figure, "weights-1").get_linestyle() != _part(figure, "weights-2").get_linestyle()


@pytest.mark.parametrize("n", [1, 6, 7, 60])
def test_any_number_of_layers_can_be_read(n, texts_apart):
    layers = {f"{i} convolution 64 3x3": [1.0 + i, 2.0 + i] for i in range(n)}
    figure = norm_curves([1, 2], {"update": layers})
    colours = [_part(figure, f"update-{i + 1}").get_color() for i in range(n)]
    assert len(set(colours)) == n
    assert not {"#000000", "#ffffff"} & set(colours)  # lost on dark or on light paper
    assert _legend(figure)[0] == "0 convolution 64 3x3"
    texts_apart(figure)


def test_the_same_arrays_give_the_same_bytes():
    assert norm_curves([1, 2, 3], NORMS)._repr_png_() == norm_curves([1, 2, 3], NORMS)._repr_png_()


def test_the_ratio_of_update_to_weight(texts_apart):
    figure = update_ratio(
        [1, 2],
        {"a": [0.02, 0.004], "b": [0.5, 0.8], "c": [1e-5, 1e-5], "d": [0.1, 0.1]},
        {"a": [2.0, 4.0], "b": [5.0, 4.0], "c": [1.0, 2.0], "d": [0.0, 10.0]},
    )
    expected = {1: [0.01, 0.001], 2: [0.1, 0.2], 3: [1e-5, 5e-6], 4: [0.01]}
    for i, ratios in expected.items():
        np.testing.assert_allclose(_part(figure, f"ratio-{i}").get_ydata(), ratios)
    assert list(_part(figure, "ratio-4").get_xdata()) == [2]  # weights of 0 have no ratio
    (axes,) = figure.axes
    band = _part(figure, "healthy").get_extents().transformed(axes.transData.inverted())
    np.testing.assert_allclose([band.y0, band.y1], [1e-4, 1e-2])
    assert "healthy: around 0.001" in [text.get_text() for text in axes.texts]
    low, high = axes.get_ylim()
    assert low < 5e-6
    assert high > 0.2
    assert "within: a (0.0055), d (0.01); below: c (7.5e-06); above: b (0.15)." in figure.alt
    assert figure.numbers[2] == ["b", "0.15", "0.2", "above"]
    texts_apart(figure)


def test_the_whole_band_is_seen_however_narrow_the_values(texts_apart):
    figure = update_ratio([3], {"a": [1.0]}, {"a": [1000.0]})
    low, high = figure.axes[0].get_ylim()
    assert low < 1e-4
    assert high > 1e-2
    texts_apart(figure)


def test_shares_at_one_place_are_bars(texts_apart):
    figure = dead_units([9], {"1 relu: dead": [0.25], "$3$ tanh: saturated": [1.0], "x": [None]})
    (axes,) = figure.axes
    first, second = _part(figure, "share-1"), _part(figure, "share-2")
    assert (first.get_width(), second.get_width()) == (0.25, 1.0)
    assert [text.get_text() for text in axes.texts] == ["25 %", "100 %"]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["1 relu: dead", "$3$ tanh: saturated", "x"]
    top = axes.transData.transform((0, first.get_y()))[1]
    assert top > axes.transData.transform((0, second.get_y()))[1]
    assert axes.get_xlim() == (0, 1)
    assert figure.alt.endswith("at the end: 1 relu: dead 25 %, $3$ tanh: saturated 100 %.")
    assert figure.numbers[1:] == [
        ["1 relu: dead", "9", "0.25"],
        ["$3$ tanh: saturated", "9", "1"],
    ]
    texts_apart(figure)


def test_shares_over_time_are_lines(texts_apart):
    figure = dead_units([1, 2, 3], {"1 relu": [0.0, 0.125, 0.5], "3 tanh": [None, 0.1, 0.2]})
    np.testing.assert_array_equal(
        _part(figure, "share-1").get_xydata(), [[1, 0], [2, 0.125], [3, 0.5]]
    )
    np.testing.assert_array_equal(_part(figure, "share-2").get_xydata(), [[2, 0.1], [3, 0.2]])
    low, high = figure.axes[0].get_ylim()
    assert low < 0 < 1 < high < 1.05
    assert "1 relu 50 %, 3 tanh 20 %" in figure.alt
    texts_apart(figure)


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda: learning_rate_curve([1], [None]), "learning rate curve: found no finite value"),
        (lambda: learning_rate_curve([1], [0.0], log=True), "no finite value above 0"),
        (lambda: learning_rate_curve([1, 2], [0.1]), "found 1 values of 'learning rate'; expect"),
        (lambda: norm_curves([1], {}), "norm curves: found nothing measured"),
        (lambda: norm_curves([1], {"update": {"a": [0.0]}}), "norm curves, update: found no"),
        (lambda: norm_curves([1], {"update": {"a": []}}), "found 0 values of 'a'; expected 1"),
        (lambda: update_ratio([1], {"a": [1.0]}, {"b": [1.0]}), "expected the same layers"),
        (lambda: update_ratio([1], {"a": [1.0]}, {"a": []}), "weight norms: found 0 values"),
        (lambda: update_ratio([1], {"a": [1.0]}, {"a": [0.0]}), "found no finite value above 0"),
        (lambda: dead_units([1], {}), "dead units: found no finite value"),
        (lambda: dead_units([1], {"a": [12.0]}), "dead units: found 12 in 'a'; expected 0..1"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(draw, sentence):
    with pytest.raises(HandgradError, match=sentence):
        draw()
