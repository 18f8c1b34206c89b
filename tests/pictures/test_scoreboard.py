"""A network beside its baselines: places, intervals, and the verdict in words."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from handgrad.errors import HandgradError
from handgrad.pictures.scoreboard import scoreboard

# Wilson: 90 of 100 gives 82.6 to 94.5, 50 of 100 gives 40.4 to 59.6 (R's prop.test without
# continuity correction, and the closed form in test_metrics).
ROWS = [("net", 90, 100), ("logistic regression", 50, 100), ("majority class", 10, 100)]


def test_accuracies_with_their_intervals(texts_apart):
    figure = scoreboard(ROWS)
    axes = figure.axes[0]
    found = []
    for row in axes.containers:
        point, _, (bar,) = row.lines
        (segment,) = bar.get_segments()
        found.append([point.get_xdata()[0], point.get_ydata()[0], *segment[:, 0]])
    np.testing.assert_allclose(
        found,
        [[0.9, 0, 0.8256, 0.9448], [0.5, 1, 0.4038, 0.5962], [0.1, 2, 0.0552, 0.1744]],
        atol=1e-4,
    )
    assert [label.get_text() for label in axes.get_yticklabels()] == [row[0] for row in ROWS]
    low, high = axes.get_ylim()
    assert low > high  # the network on top
    assert axes.get_xlim() == (0, 1)
    assert [text.get_text() for text in axes.texts] == [
        "90.0 % (82.6 to 94.5)",
        "50.0 % (40.4 to 59.6)",
        "10.0 % (5.5 to 17.4)",
    ]
    # The network's interval is shaded; mark and colour tell it from the others.
    (shade,) = axes.patches
    np.testing.assert_allclose(
        shade.get_extents().transformed(axes.transData.inverted()).intervalx,
        [0.8256, 0.9448],
        atol=1e-4,
    )
    marks = [row.lines[0].get_marker() for row in axes.containers]
    assert marks == ["o", "s", "s"]
    assert to_hex(axes.containers[0].lines[0].get_color()) == "#0072b2"
    assert figure.numbers[:2] == [
        ["name", "right", "of", "accuracy", "low", "high"],
        ["net", "90", "100", "0.9000", "0.8256", "0.9448"],
    ]
    texts_apart(figure)


NET = "net: 90 of 100 right, 90.0 % (95 % interval 82.6 to 94.5 %)."


@pytest.mark.parametrize(
    ("others", "verdict"),
    [
        ([], ""),
        ([("a", 50, 100)], " Its interval lies above the baseline's, a with 50.0 %."),
        (ROWS[1:],
         " Its interval lies above all baselines'; the best is logistic regression with 50.0 %."),
        # 84 of 100: 75.6 to 89.9
        ([("a", 84, 100), ("b", 50, 100)],
         " Its interval overlaps that of a, and lies above that of b."),
        ([("a", 99, 100), ("b", 100, 100), ("c", 90, 100)],
         " Its interval lies below that of a and b, and overlaps that of c."),
    ],
)  # fmt: skip
def test_the_verdict(others, verdict):
    assert scoreboard([("net", 90, 100), *others]).alt == NET + verdict


def test_the_ninety_five_percent_of_one_class():
    words = scoreboard([("net", 95, 100), ("majority class", 95, 100)]).alt
    assert words.endswith("Its interval overlaps that of majority class.")


def test_the_edges_long_names_and_thousands(texts_apart):
    rows = [("x" * 200, 0, 3), ("a $b_1$ 猫", 3, 3), ("c", 12345678, 23456789)]
    figure = scoreboard(rows)
    assert not any(text.get_parse_math() for text in figure.axes[0].get_yticklabels())
    texts_apart(figure)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "found no rows"),
        ([("a", 3, 2)], "found 3 of 2 right for 'a'"),
        ([("a", -1, 2)], "found -1 of 2"),
        ([("a", 0, 0)], "found 0 of 0"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(rows, sentence):
    with pytest.raises(HandgradError, match=sentence):
        scoreboard(rows)
