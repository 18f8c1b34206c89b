"""Averages of the weights: their published rules, number by number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from handgrad.errors import RecipeError
from handgrad.optimizers import Averaging, Lookahead, MovingAverage
from handgrad.tables import from_table, members, to_table

CASES = [MovingAverage(0.9), MovingAverage(0.0), Lookahead(2, 0.5), Lookahead(1, 0.0)]


def followed(averaging, path, total=None):
    """The running weights and those to judge after each of ``path``, steps from a start of 0."""
    vector = np.zeros(1)
    state, found = averaging.start(vector), []
    for t, step in enumerate(path, start=1):
        vector += step
        averaging.after(vector, state, t, total or len(path))
        found.append((float(vector[0]), float(averaging.kept(vector, state)[0])))
    return found


def test_every_averaging_of_the_package_has_a_case():
    assert {type(averaging) for averaging in CASES} == set(members(Averaging).values())


def test_a_moving_average_by_hand():
    """Weights 11, 22, 33 from 0; d is at most 2/11, 3/12, 4/13 in the first steps.

    a = 9/11 · 11 = 9; then ¼ · 9 + ¾ · 22 = 18.75; then, with d = 0.3 alone,
    0.3 · 18.75 + 0.7 · 33 = 28.725.
    """
    expected = [(11, 9), (22, 18.75), (33, 28.725)]
    np.testing.assert_allclose(followed(MovingAverage(0.3), [11] * 3), expected, rtol=1e-12)
    # A d of its own from the first step on: 0.1 · 0 + 0.9 · 11, 0.1 · 9.9 + 0.9 · 22.
    expected = [(11, 9.9), (22, 20.79)]
    np.testing.assert_allclose(followed(MovingAverage(0.1), [11] * 2), expected, rtol=1e-12)
    # From step 8 on, 9/18, a decay of 0.5 is its own: what is missing to 1 halves with every step.
    missing = [1 - average for _, average in followed(MovingAverage(0.5), [1.0] + [0.0] * 19)]
    np.testing.assert_allclose(missing[8:], 0.5 * np.array(missing[7:-1]), rtol=1e-9)
    assert missing[6] / missing[5] == pytest.approx(8 / 17, rel=1e-9)
    assert MovingAverage().decay == 0.999


def test_lookahead_by_hand():
    """k = 2, decay 0.5, T = 5, steps of 8, so that d = 0.5 · (2/5)³ = 0.032, then 0.256.

    After step 2, at 16: s = 0.032 · 0 + 0.968 · 16 = 15.488, and on from there.
    After step 4, at 31.488: s = 0.256 · 15.488 + 0.744 · 31.488 = 27.392.
    After step 5, at 35.392: the training is over, and s it is.
    """
    found = followed(Lookahead(2, 0.5), [8.0] * 5)
    expected = [8, 15.488, 23.488, 27.392, 27.392]
    assert [running for running, _ in found] == pytest.approx(expected, rel=1e-12)
    assert all(running == kept for running, kept in found)  # what it judges is where it stands


def test_lookahead_at_a_multiple_of_its_steps_ends_with_a_last_average():
    """T = 4: d = 0.5 · (2/4)³ = 0.0625 and 0.5: 0.9375 · 16 = 15, ½ · 15 + ½ · 31 = 23."""
    found = followed(Lookahead(2, 0.5), [8.0] * 4)
    assert [running for running, _ in found] == pytest.approx([8, 15, 23, 23], rel=1e-12)


def test_the_numbers_are_those_of_airbench94():
    """Every 5 steps, 0.95^5 (t/T)³: 0.7738 at the end."""
    assert Lookahead().every == 5
    assert Lookahead().decay == pytest.approx(0.7737809375, rel=1e-12)


@pytest.mark.parametrize("averaging", CASES, ids=str)
def test_its_memory_is_its_own_and_of_the_type_of_the_weights(averaging):
    vector = np.array([1.0, 2.0], np.float32)
    state = averaging.start(vector)
    assert not np.shares_memory(state["average"], vector)
    np.testing.assert_array_equal(averaging.kept(vector, state), vector)
    vector += 1
    averaging.after(vector, state, 1, 9)
    assert {array.dtype for array in (vector, state["average"])} == {np.dtype(np.float32)}
    assert not np.shares_memory(state["average"], vector)


@pytest.mark.parametrize("averaging", CASES, ids=str)
def test_an_averaging_is_a_table_and_back(averaging):
    assert from_table(Averaging, to_table(averaging)) == averaging


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"kind": "lookahaed"}, "did you mean 'lookahead'"),
        ({"decay": 0.9}, "no 'kind'"),
        ({"kind": "lookahead", "every": 0}, "every = 0; expected at least 1"),
        ({"kind": "lookahead", "every": 2.5}, "every: found 2.5; expected a whole number"),
        ({"kind": "lookahead", "decay": 1}, "decay = 1.0; expected at least 0 and less than 1"),
        ({"kind": "lookahead", "decay": -0.1}, "decay = -0.1"),
        ({"kind": "moving average", "decay": 1}, "decay = 1.0; expected at least 0 and less"),
        ({"kind": "moving average", "decay": -0.1}, "decay = -0.1"),
        ({"kind": "moving average", "decay": math.nan}, "found nan; expected a finite number"),
        ({"kind": "moving average", "every": 5}, "unknown key 'every'"),
    ],
)
def test_what_an_averaging_refuses(table, sentence):
    with pytest.raises(RecipeError, match=sentence):
        from_table(Averaging, table, "averaging")
