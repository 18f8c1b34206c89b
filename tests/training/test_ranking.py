"""The choice of images, by numbers made by hand."""

import numpy as np
import pytest

from handgrad.training.ranking import least_sure, most_typical, most_wrong

# Called:          a                b                 a                c                a
P = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.1, 0.4], [0.0, 0.1, 0.9], [0.6, 0.4, 0.0]])
LABELS = np.array([1, 1, 0, 0, 2])  # wrong, right, right, wrong, wrong


def test_most_wrong_is_the_largest_probability_of_a_wrong_call():
    # Wrong are 0 with 0.6, 3 with 0.9 and 4 with 0.6; of equal ones the first comes first.
    assert most_wrong(P, LABELS, 9).tolist() == [3, 0, 4]
    assert most_wrong(P, LABELS, 2).tolist() == [3, 0]
    assert most_wrong(P, P.argmax(axis=1), 9).tolist() == []


def test_least_sure_is_the_smallest_gap_of_the_first_two():
    # Gaps: 0.3, 0.5, 0.1, 0.8, 0.2.
    assert least_sure(P, LABELS, 9).tolist() == [2, 4, 0, 1, 3]
    assert least_sure(P, LABELS, 1).tolist() == [2]
    assert least_sure(np.ones((3, 1)), np.zeros(3, int), 2).tolist() == [0, 1]
    # 0.5 and 0.5: no gap at all, though another has a smaller first probability.
    p = np.array([[0.4, 0.3, 0.3], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5]])
    assert least_sure(p, LABELS[:3], 3).tolist() == [1, 2, 0]


def test_most_typical_is_class_by_class():
    p = np.array([[0.6, 0.4], [0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.99, 0.01]])
    labels = np.array([0, 0, 0, 1, 1, 1])  # the last, surest one is wrong
    assert most_typical(p, labels, 2).tolist() == [1, 4]
    assert most_typical(p, labels, 5).tolist() == [1, 2, 4, 3]  # 5 // 2 each
    assert most_typical(p, labels, 1).tolist() == [1]
    assert most_typical(p, 1 - p.argmax(axis=1), 4).tolist() == []


@pytest.mark.parametrize("choose", [most_wrong, least_sure, most_typical])
def test_ties_are_in_order_of_place(choose):
    """A thousand called 0 with one of three probabilities, too many for a sort by insertion."""
    p = np.tile([[0.75, 0.25], [0.5, 0.5], [0.9, 0.1]], (400, 1))
    label = 1 if choose is most_wrong else 0
    found = choose(p, np.full(1200, label), 800)
    first = 1 if choose is least_sure else 2  # gaps of 0 come first, or 0.9
    assert found.tolist()[:400] == list(range(first, 1200, 3))
