"""Settings and accuracies: a dot a trial for one setting, a line a trial for several."""

from __future__ import annotations

import math

import pytest
from matplotlib.colors import to_hex

from handgrad.errors import HandgradError
from handgrad.pictures import sweep_picture


def test_one_setting_that_is_a_number(texts_apart):
    """0.001 to 0.1 is a hundredfold: logarithmic, 0.01 in the middle; means of two at 0.1."""
    figure = sweep_picture({"rate": [0.001, 0.01, 0.1, 0.1]}, [0.5, 0.9, 0.6, 0.8], winner=1)
    (axes,) = figure.axes
    (line,) = axes.get_lines()
    assert line.get_xdata() == pytest.approx([0, 0.5, 1])
    assert line.get_ydata() == pytest.approx([0.5, 0.9, 0.7])
    every, own = (dots.get_offsets().tolist() for dots in axes.collections)
    assert every == [pytest.approx(p) for p in ((0, 0.5), (0.5, 0.9), (1, 0.6), (1, 0.8))]
    assert own == [pytest.approx((0.5, 0.9))]
    assert axes.get_xlabel() == "rate (logarithmic)"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.001", "0.01", "0.1"]
    assert figure.alt == (
        "Validation accuracy of 4 trials, from 50.00% to 90.00%; the winner, with 90.00%, has "
        "rate 0.01."
    )
    assert figure.numbers[:2] == [
        ["trial", "rate", "validation accuracy"],
        ["1", "0.001", "0.5000"],
    ]
    texts_apart(figure)


def test_one_setting_that_is_a_word_has_no_line(texts_apart):
    figure = sweep_picture({"kind": ["sgd", "adam", "sgd"]}, [0.5, 0.9, 0.6], winner=1)
    (axes,) = figure.axes
    assert list(axes.get_lines()) == []
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["sgd", "adam"]
    texts_apart(figure)


def test_several_settings_are_parallel_coordinates(texts_apart):
    """From 1 to 100, 10 stands half way; between 2 and 6, 3 at a quarter; words in their order."""
    figure = sweep_picture(
        {
            "optimizer.learning_rate": [1, 10, 100],
            "seed": [2, 3, 6],
            "data.size": [[8, 8], [8, 8], [16, 16]],
            "same": [1, 1, 1],
        },
        [0.5, 1.0, 0.75],
        winner=1,
    )
    (axes,) = figure.axes
    lines = {
        tuple(round(y, 9) for y in line.get_ydata()): line
        for line in axes.get_lines()
        if len(line.get_xdata()) == 4
    }
    assert set(lines) == {(0, 0, 0, 0), (0.5, 0.25, 0, 1), (1, 1, 1, 0.5)}
    own = lines[0.5, 0.25, 0, 1]
    assert to_hex(own.get_color()) == "#d55e00"
    assert own.get_linewidth() > lines[0, 0, 0, 0].get_linewidth()
    assert axes.get_lines()[2] is own  # the winner lies above the others
    said = {text.get_text() for text in axes.texts}
    assert {"optimizer", "learning_rate", "data", "size", "[16, 16]", "100.00 %"} <= said
    assert "same" not in said
    assert "logarithmic" in said
    texts_apart(figure)


def test_many_settings_and_values(texts_apart):
    N = 30
    settings = {f"table.setting number {i}": [j * (i + 1) for j in range(N)] for i in range(9)}
    settings["words"] = [f"a word that is far too long for its place, {j}" for j in range(N)]
    figure = sweep_picture(settings, [j / N for j in range(N)], winner=N - 1)
    lines = [line for line in figure.axes[0].get_lines() if len(line.get_xdata()) == 9]
    assert len(lines) == N
    texts_apart(figure)
    texts_apart(sweep_picture({"w": settings["words"][:8]}, [0.5] * 8, winner=0))


def test_equal_accuracies_and_no_setting_that_changes():
    figure = sweep_picture({"a": [1, 1], "b": [2, 2]}, [0.5, 0.5], winner=0)
    (dots, _) = figure.axes[0].collections
    assert dots.get_offsets().tolist() == [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("settings", "accuracies", "winner"),
    [
        ({"a": [1]}, [0.5], 0),
        ({"a": [1, 2]}, [0.5, 0.5, 0.5], 0),
        ({"a": [1, 2]}, [0.5, 1.5], 0),
        ({"a": [1, 2]}, [0.5, math.nan], 0),
        ({"a": [1, 2]}, [0.5, 0.6], 2),
        ({}, [0.5, 0.6], 0),
    ],
)
def test_what_cannot_be_drawn(settings, accuracies, winner):
    with pytest.raises(HandgradError, match="sweep: found"):
        sweep_picture(settings, accuracies, winner)
