"""The numerical derivatives themselves: right ones pass, wrong ones do not."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.verification.difference import COMPLEX, DIFFERENCES, compare_gradient
from handgrad.verification.finding import Ledger

AT = np.array([[0.3, -1.2], [2.5, 0.7]])


def compared(phi, gradient, at=AT, **settings):
    ledger = Ledger("phi", "function")
    compare_gradient(ledger, "∂/∂x", phi, at, gradient, **settings)
    return ledger.finding()


@pytest.mark.parametrize("elements", [True, False])
def test_a_right_gradient_passes_to_rounding(elements):
    found = compared(lambda x: np.sum(np.exp(x) * x), np.exp(AT) * (1 + AT), elements=elements)
    assert found.passed
    assert found.method == COMPLEX
    assert found.worst_error < 1e-14
    assert found.comparisons == 4


@pytest.mark.parametrize("elements", [True, False])
@pytest.mark.parametrize("factor", [1.0005, 1 + 1e-5, -1, 0, np.nan])
def test_a_wrong_gradient_fails(factor, elements):
    found = compared(lambda x: np.sum(x**3), 3 * factor * AT**2, elements=elements)
    assert not found.passed
    assert "gives" in found.failure


def test_one_wrong_element_is_named():
    gradient = 3 * AT**2
    gradient[1, 0] += 1e-3
    found = compared(lambda x: np.sum(x**3), gradient)
    assert (
        "(2, 2), element (1, 0): found 18.751, but the complex step gives 18.75 " in found.failure
    )


def test_where_the_complex_step_does_not_hold_differences_are_used():
    found = compared(lambda x: np.sum(np.abs(x) * x), 2 * np.abs(AT))
    assert found.passed
    assert found.method == DIFFERENCES
    assert not compared(lambda x: np.sum(np.abs(x) * x), 2.001 * np.abs(AT)).passed


def test_where_complex_numbers_are_refused_differences_are_used():
    found = compared(lambda x: np.sum(x.astype(np.float64) ** 2), 2 * AT)
    assert found.passed
    assert found.method == DIFFERENCES


def test_a_gradient_of_another_shape_fails():
    assert "shape (4,)" in compared(lambda x: np.sum(x), np.ones(4)).failure
