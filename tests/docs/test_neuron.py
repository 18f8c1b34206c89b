"""What the chapter on one neuron says in words, held against what its cells compute."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "book" / "neuron.md"
CELL = re.compile(
    r"^```\{code-cell\} python\n(?::tags:[^\n]*\n)?(.*?)^```", re.MULTILINE | re.DOTALL
)


@pytest.fixture(scope="module")
def page():
    """The names of the page after its cells, but for those that draw or need the photographs."""
    names = {}
    for code in CELL.findall(PAGE.read_text(encoding="utf-8")):
        if "pictures" not in code and "photographs" not in code:
            exec(code, names)
    return names


def test_the_first_step_is_the_one_that_is_worked_out_by_hand(page):
    x, t = page["small_x"], page["small_t"]
    loss, dW, db = page["loss_and_gradient"](x, t, np.zeros((2, 1)), np.zeros(1))
    assert loss == pytest.approx(math.log(2))
    np.testing.assert_allclose(dW[:, 0], [-1 / 3, 0], atol=1e-15)
    np.testing.assert_allclose(db, [-1 / 6])


def test_the_second_step_too(page):
    x, t = page["small_x"], page["small_t"]
    loss, dW, db = page["loss_and_gradient"](x, t, np.array([[1.0], [0.0]]), np.array([0.5]))
    a, c = 1 / (1 + math.exp(-1.5)), 1 / (1 + math.exp(-0.5))  # of images 0 and 2, and of 1
    assert loss == pytest.approx(-(2 * math.log(a) + math.log(1 - c)) / 3)
    np.testing.assert_allclose(dW[:, 0], [2 * (a - 1) / 3, (c + a - 1) / 3])
    np.testing.assert_allclose(db, [(2 * (a - 1) + c) / 3])


def test_below_the_bound_the_cost_never_rises_and_far_above_it_does(page):
    bound = 8 / page["largest_eigenvalues"](page["x"])[0]
    _, _, costs = page["trained"](page["x"], page["t"], eta=0.99 * bound, steps=200)
    assert max(np.diff(costs)) < 0
    assert 5.5 * bound < 4 < 6.5 * bound, "the chapter says six times"
    _, _, wild = page["trained"](page["x"], page["t"], eta=4.0, steps=500)
    assert max(wild) > 2 * wild[0]
    assert wild[-1] < page["costs"][-1], "the chapter says that it ends lower"


def test_pixels_255_times_as_large_need_a_rate_255_squared_times_as_small(page):
    ratio = np.divide(*(page["largest_eigenvalues"](s * page["x"])[0] for s in (255, 1)))
    assert ratio == pytest.approx(255**2, rel=0.1), "but for the offset, whose 1 stays a 1"


def test_the_nearest_image_of_the_boundary(page):
    w, b, row, edge = page["w"], page["b"][0], page["row"], page["on_boundary"]
    assert edge @ w + b == pytest.approx(0, abs=1e-12)
    away = np.linalg.norm(edge - row)
    assert away == pytest.approx(abs(row @ w + b) / np.linalg.norm(w))
    # Any other way to the plane is longer.
    for direction in np.random.default_rng(0).normal(size=(20, 64)):
        step = -(row @ w + b) / (direction @ w) * direction
        assert np.linalg.norm(step) > away
    assert page["mirrored"] @ w + b == pytest.approx(-(row @ w + b))


def test_the_guess_is_as_good_on_the_test_images_and_not_on_the_others(page):
    def right(W, b, x, t):
        return int(np.count_nonzero((x @ W + b > 0) == (t == 1)))

    guess = page["w_guess"], page["b_guess"]
    learned = page["W"][:, 0], page["b"][0]
    test, train = (page["x_test"], page["test_t"]), (page["x"], page["t"])
    assert right(*guess, *test) == right(*learned, *test)
    assert right(*guess, *train) < right(*learned, *train)


def test_shuffled_pixels_change_nothing(page):
    order = np.random.default_rng(0).permutation(64)
    _, _, costs = page["trained"](page["x"][:, order], page["t"], eta=0.5, steps=500)
    np.testing.assert_allclose(costs, page["costs"], rtol=1e-10)


photographs = pytest.mark.skipif(
    "HANDGRAD_DATA" not in os.environ, reason="HANDGRAD_DATA is not set"
)


@photographs
def test_a_block_of_the_photographs(page):
    import handgrad as hg

    code = next(c for c in CELL.findall(PAGE.read_text("utf-8")) if "def right_of_block" in c)
    names = dict(page, photographs=hg.load("airplane-bike"), run=None)
    exec(code, names)
    assert sum(names["tested"]) == 1598
    # Another processor may round one photograph to the other side.
    assert abs(names["right_of_block"](2) - names["by_name"][1]) <= 1


@photographs
def test_the_first_costs_of_the_photographs(tmp_path):
    import handgrad as hg

    kept = re.search(r"first_costs = \[[^\n]*\n(.*?)\]", PAGE.read_text("utf-8"), re.DOTALL)
    costs = [float(cost) for cost in kept[1].replace(",", " ").split()]
    run = hg.train("airplane-bike", {"training.epochs": 40, "repeats.seeds": []}, out=tmp_path)
    np.testing.assert_allclose([h["loss"] for h in run.history], costs, atol=0.02)
    assert max(costs) > 10 * costs[0], "the chapter says many times its first value"
