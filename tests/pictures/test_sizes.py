"""How large images are: every dot at its size, in its class's colour."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from handgrad.errors import HandgradError
from handgrad.pictures.sizes import image_sizes


def dots(figure):
    """(width, height), area and colour of every dot."""
    return [
        ((x, y), area, to_hex(many.get_facecolor()[0]))
        for many in figure.axes[0].collections
        for (x, y), area in zip(many.get_offsets().tolist(), many.get_sizes(), strict=True)
    ]


def test_a_dot_for_each_size_of_each_class(texts_apart):
    """Three cats of 40 by 30 and one of 50 by 50; two dogs of 40 by 30: three dots."""
    figure = image_sizes(
        [40, 40, 50, 40, 40, 40], [30, 30, 50, 30, 30, 30], [0, 0, 0, 1, 0, 1], ["cats", "dogs"]
    )
    found = dots(figure)
    assert sorted((place, colour) for place, _, colour in found) == [
        ((40, 30), "#0072b2"),
        ((40, 30), "#d55e00"),
        ((50, 50), "#0072b2"),
    ]
    areas = {(place, colour): area for place, area, colour in found}
    one, two, three = (
        areas[key] for key in (((50, 50), "#0072b2"), ((40, 30), "#d55e00"), ((40, 30), "#0072b2"))
    )
    assert (one, two, three) == pytest.approx((14, (14 + 180) / 2, 180))
    assert figure.axes[0].get_xscale() == "linear"
    assert [text.get_text() for text in figure.legends[0].texts] == ["cats", "dogs"]
    assert figure.alt == (
        "Sizes of 6 images, 2 different ones: cats 40 to 50 wide and 30 to 50 high; dogs 40 wide "
        "and 30 high."
    )
    assert figure.numbers == [
        ["class", "images", "width", "median", "height", "median"],
        ["cats", "4", "40 to 50", "40", "30 to 50", "30"],
        ["dogs", "2", "40", "40", "30", "30"],
    ]
    texts_apart(figure)


def test_what_differs_much_is_drawn_logarithmically(texts_apart):
    figure = image_sizes([1, 4000], [1, 3000], [0, 1], ["a", "b" * 90])
    axes = figure.axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    labels = [tick.label1.get_text() for tick in axes.xaxis.get_major_ticks()]
    assert {"1", "10", "1000"} <= set(labels)
    texts_apart(figure)


def test_many_classes_have_one_colour():
    figure = image_sizes(range(10, 30), [20] * 20, range(20), [f"class {k}" for k in range(20)])
    assert {colour for *_, colour in dots(figure)} == {"#0072b2"}
    assert not figure.legends
    assert figure.alt.endswith("10 to 29 wide and 20 high.")
    assert len(figure.numbers) == 21


def test_two_classes_of_one_name_are_in_the_legend_once():
    figure = image_sizes([5, 6], [5, 6], [0, 1], ["same", "same"])
    assert [text.get_text() for text in figure.legends[0].texts] == ["same"]


def test_a_hundred_thousand_sizes_are_a_few_thousand_dots():
    generator = np.random.default_rng(0)
    w, h = generator.integers(100, 4000, (2, 100_000))
    assert len(dots(image_sizes(w, h, np.zeros(100_000, int), ["a"]))) == 2000


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (([], [], [], ["a"]), "expected as many of each, at least 1"),
        (([1, 2], [1], [0, 0], ["a"]), r"shapes \(2,\), \(1,\) and \(2,\)"),
        (([0], [1], [0], ["a"]), "found sizes from 0"),
        (([1], [1], [1], ["a"]), r"labels 1\.\.1; expected sizes from 1 and labels 0\.\.0"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(given, sentence):
    with pytest.raises(HandgradError, match=sentence):
        image_sizes(*given)
