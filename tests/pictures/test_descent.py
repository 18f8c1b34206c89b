"""Himmelblau's function, its gradient, and the ways down."""

import numpy as np
import pytest

from handgrad.errors import HandgradError
from handgrad.optimizers import SGD, Adam, Momentum
from handgrad.pictures.descent import (
    descend,
    himmelblau,
    himmelblau_descent,
    himmelblau_gradient,
)

MINIMA = {
    "A": (3, 2),
    "B": (-2.805118, 3.131312),
    "C": (-3.779310, -3.283186),
    "D": (3.584428, -1.848126),
}


def _part(figure, gid):
    (found,) = figure.findobj(lambda part: part.get_gid() == gid)
    return found


@pytest.mark.parametrize("place", MINIMA.values())
def test_the_four_minima_as_published(place):
    assert himmelblau(*place) == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(himmelblau_gradient(*place), 0, atol=1e-4)


def test_the_maximum_as_published():
    place = np.array([-0.270845, -0.923039])
    assert himmelblau(*place) == pytest.approx(181.617, abs=5e-4)
    np.testing.assert_allclose(himmelblau_gradient(*place), 0, atol=1e-4)
    around = place[:, None] + 0.1 * np.array([[1, -1, 0, 0, 1, -1], [0, 0, 1, -1, 1, -1]])
    assert np.all(himmelblau(*around) < himmelblau(*place))


def test_gradient_against_finite_differences():
    x, y = np.random.default_rng(0).uniform(-5, 5, (2, 50))
    h = 1e-5
    expected = [
        (himmelblau(x + h, y) - himmelblau(x - h, y)) / (2 * h),
        (himmelblau(x, y + h) - himmelblau(x, y - h)) / (2 * h),
    ]
    np.testing.assert_allclose(himmelblau_gradient(x, y), expected, rtol=1e-6, atol=1e-5)


def test_two_steps_by_hand():
    # (0, 0): p = -11, q = -7, gradient (2q, 2p) = (-14, -22); times 0.01.
    # (0.14, 0.22): p = 0.0196 + 0.22 - 11 = -10.7604, q = 0.14 + 0.0484 - 7 = -6.8116;
    # ∂x = 4·0.14·p + 2q = -19.649024, ∂y = 2p + 4·0.22·q = -27.515008.
    way = descend((0, 0), SGD(0.01), 2)
    np.testing.assert_allclose(way, [[0, 0], [0.14, 0.22], [0.33649024, 0.49515008]])
    # Momentum adds 0.5 of the first gradient to the second.
    heavy = descend((0, 0), Momentum(0.01, beta=0.5), 2)
    np.testing.assert_allclose(heavy[2], [0.33649024 + 0.07, 0.49515008 + 0.11])


def test_decay_is_the_optimizers_own():
    decayed = descend((1, 1), SGD(0.01, weight_decay=2.0), 1)
    np.testing.assert_allclose(decayed[1], descend((1, 1), SGD(0.01), 1)[1] - 0.02)


def test_the_ways_are_drawn_and_told(texts_apart):
    starts = [(0, 0), (-0.5, 0), (-0.9, -1.4), (0.2, -2)]
    figure = himmelblau_descent(starts, SGD(0.01), 100)
    for i, (name, place) in enumerate(MINIMA.items(), 1):
        way = _part(figure, f"way-{i}").get_xydata()
        assert way.shape == (101, 2)
        np.testing.assert_array_equal(way[0], starts[i - 1])
        np.testing.assert_allclose(way[-1], place, atol=1e-5)
        np.testing.assert_array_equal(_part(figure, f"minimum-{name}").get_xydata(), [place])
        assert f"start {i} at ({starts[i - 1][0]:g}, {starts[i - 1][1]:g}) reaches {name}" in (
            figure.alt
        )
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {
        "A (3, 2)",
        "B (-2.805118, 3.131312)",
        "C (-3.77931, -3.283186)",
        "D (3.584428, -1.848126)",
        "maximum\n(-0.270845, -0.923039)",
    } <= texts
    assert figure.axes[0].get_title("left") == (
        "Gradient descent by sgd (learning rate 0.01), 100 steps"
    )
    assert figure.numbers[0][0] == "start"
    assert figure.numbers[3][3:5] == ["-3.779310", "-3.283186"]
    texts_apart(figure)


def test_the_starts_that_come_along_reach_all_minima(texts_apart):
    figure = himmelblau_descent()
    assert {row[-1] for row in figure.numbers[1:]} == {f"reaches {name}" for name in MINIMA}
    texts_apart(figure)


def test_the_same_ways_give_the_same_bytes():
    assert himmelblau_descent(steps=5)._repr_png_() == himmelblau_descent(steps=5)._repr_png_()


def test_what_finds_no_minimum_is_said():
    alt = himmelblau_descent([(5, 5), (-0.270845, -0.923039)], SGD(0.03), 3).alt
    assert "start 1 at (5, 5) is lost to infinity after" not in alt  # not within 3 steps
    assert "start 2 at (-0.270845, -0.923039) is at (-0.271, -0.923), at no minimum" in alt
    assert "is lost to infinity after" in himmelblau_descent([(50, 50)], SGD(1.0), 50).alt
    assert (
        "adam (learning rate 0.3, beta1 0.5)"
        in himmelblau_descent([(0, 0)], Adam(0.3, beta1=0.5), 1).alt
    )


def test_level_lines_are_where_the_function_has_their_value():
    figure = himmelblau_descent([(0, 0)], steps=1)
    (levels,) = (c for c in figure.axes[0].collections if hasattr(c, "levels"))
    assert list(levels.levels) == [1, 3, 10, 30, 60, 100, 150, 250, 400, 700]
    for level, path in zip(levels.levels, levels.get_paths(), strict=True):
        if level >= 30:  # where the grid is fine enough
            np.testing.assert_allclose(himmelblau(*path.vertices.T), level, rtol=0.05)


@pytest.mark.parametrize(
    ("starts", "steps", "sentence"),
    [
        ([], 1, "found starts of shape"),
        ([(0, 0, 0)], 1, r"found starts of shape \(1, 3\)"),
        ([(0, float("nan"))], 1, "expected at least one x and y, finite"),
        ([(0, 0)], 0, "found 0 steps"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(starts, steps, sentence):
    with pytest.raises(HandgradError, match=sentence):
        himmelblau_descent(starts, steps=steps)
