import numpy as np
import pytest
from matplotlib.colors import to_hex

from handgrad.errors import HandgradError
from handgrad.pictures import accuracy_curve, cost_curve


def _ticks(axis):
    axis.figure.draw_without_rendering()
    low, high = sorted(axis.get_view_interval())
    return [
        tick.label1.get_text() for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high
    ]


def _legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_cost_curve_draws_what_was_measured(texts_apart):
    figure = cost_curve([0, 10, 20, 30], [2.0, 1.0, 0.5, 0.25], [2.5, None, None, 0.75])
    (axes,) = figure.axes
    train, validation = axes.get_lines()
    np.testing.assert_array_equal(train.get_xydata(), [[0, 2], [10, 1], [20, 0.5], [30, 0.25]])
    np.testing.assert_array_equal(validation.get_xydata(), [[0, 2.5], [30, 0.75]])
    assert _legend(figure) == ["train", "validation"]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("step", "loss", "linear")
    texts_apart(figure)


def test_curves_differ_in_colour_line_and_mark():
    axes = accuracy_curve([1, 2], {n: [0.1, 0.2] for n in ("train", "validation", "test", "x")})
    lines = axes.axes[0].get_lines()
    for look in ("get_color", "get_linestyle", "get_marker"):
        assert len({getattr(line, look)() for line in lines}) == 4
    # Okabe and Ito's blue, vermillion and bluish green: RGB 0,114,178; 213,94,0; 0,158,115.
    assert [to_hex(line.get_color()) for line in lines[:3]] == ["#0072b2", "#d55e00", "#009e73"]


def test_a_set_has_one_look_whoever_it_is_drawn_with():
    alone = accuracy_curve([1], {"validation": [0.5]}).axes[0].get_lines()[0]
    both = cost_curve([1], [0.5], [0.5]).axes[0].get_lines()[1]
    assert alone.get_color() == both.get_color()


@pytest.mark.parametrize(
    ("loss", "ticks"),
    [
        ([1.0, 1e-3], ["0.001", "0.01", "0.1", "1"]),
        ([1.0, 0.3], ["0.5", "1"]),
    ],
)
def test_logarithmic_ticks_are_plain_numbers(loss, ticks, texts_apart):
    figure = cost_curve([0, 1], loss, log=True)
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "loss (log scale)"
    assert _ticks(axes.yaxis) == ticks
    texts_apart(figure)


def test_a_loss_of_zero_leaves_a_gap_on_a_logarithmic_axis(texts_apart):
    figure = cost_curve([0, 1, 2], [0.5, 0.0, 0.4], log=True)
    low, high = figure.axes[0].get_ylim()
    assert 0.01 < low < 0.4
    assert 0.5 < high < 50
    assert not np.isfinite(figure.axes[0].transData.transform((1, 0.0))[1])
    texts_apart(figure)


def test_losses_that_are_not_finite_are_counted():
    figure = cost_curve([0, 1, 2, 3], [1.0, np.inf, np.nan, 2.0])
    assert _legend(figure) == ["train (2 not finite)"]
    np.testing.assert_array_equal(figure.axes[0].get_lines()[0].get_xdata(), [0, 3])


def test_epochs_are_whole_numbers():
    figure = cost_curve([1, 2], [1.0, 0.5], unit="epoch")
    assert figure.axes[0].get_xlabel() == "epoch"
    assert _ticks(figure.axes[0].xaxis) == ["1", "2"]


def test_few_points_are_marked_and_many_are_not():
    few = cost_curve([3], [1.0]).axes[0].get_lines()[0]
    many = cost_curve(range(1000), np.ones(1000)).axes[0].get_lines()[0]
    assert few.get_marker() == "o"
    assert many.get_marker() == "None"


def test_accuracy_curve_in_percent_with_the_best_epoch(texts_apart):
    accuracies = {
        "train": [0.5, 0.75, 1.0],
        "validation": [0.5, 0.7, 0.6],
        "test": [None, 0.7, None],
    }
    figure = accuracy_curve([1, 2, 3], accuracies, best=2)
    (axes,) = figure.axes
    train, validation, test, best = axes.get_lines()
    np.testing.assert_array_equal(train.get_ydata(), [0.5, 0.75, 1.0])
    np.testing.assert_array_equal(validation.get_ydata(), [0.5, 0.7, 0.6])
    np.testing.assert_array_equal(test.get_xydata(), [[2, 0.7]])
    assert list(best.get_xdata()) == [2, 2]
    assert _legend(figure) == ["train", "validation", "test", "best: epoch 2"]
    assert _ticks(axes.yaxis)[-1] == "100 %"
    assert axes.get_ylim()[1] < 1.01
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "accuracy")
    texts_apart(figure)


def test_names_are_drawn_as_they_are(texts_apart):
    figure = accuracy_curve([1], {"$a$_b": [0.5], "\ue000\nz": [0.5]}, unit="step")
    assert _legend(figure) == ["$a$_b", "\\ue000 z"]
    assert not any(text.get_parse_math() for text in figure.axes[0].get_legend().get_texts())
    texts_apart(figure)


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda: cost_curve([1, 2], [1.0]), "cost curve: found 1 values of 'train'; expected 2"),
        (lambda: cost_curve([1], [1.0], []), "found 0 values of 'validation'"),
        (lambda: cost_curve([], []), "found no measured value"),
        (lambda: cost_curve([1], [0.0], log=True), "found no loss above 0"),
        (lambda: accuracy_curve([1], {}), "found no measured value"),
        (lambda: accuracy_curve([1], {"test": [None]}), "found no measured value"),
        (lambda: accuracy_curve([1], {"test": [98.0]}), "found 98 in 'test'; expected 0..1"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(draw, sentence):
    with pytest.raises(HandgradError, match=sentence):
        draw()
