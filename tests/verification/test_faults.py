"""The test of the tests: planted mistakes are caught, each by the check that is meant to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from handgrad import calculus
from handgrad.errors import HandgradError
from handgrad.verification import FAULTS, Fault, caught, checks, planted, verify

PAGE = Path(__file__).parents[2] / "docs" / "verification.md"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_caught(fault):
    finding = caught(fault)
    assert finding is not None, "it survived: a hole in the checks"
    assert f"{finding.kind} {finding.name}" == fault.check
    assert finding.failure


def test_there_are_enough_and_no_two_are_the_same():
    assert len(FAULTS) >= 40
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert len({(fault.where, fault.right, fault.wrong) for fault in FAULTS}) == len(FAULTS)


def test_a_fault_is_gone_after_its_block():
    fault = next(fault for fault in FAULTS if "mask of ReLU" in fault.name)
    a, da = np.array([2.0, -2.0]), np.ones(2)
    with planted(fault):
        assert calculus.relu_backward(da, a).tolist() == [0, 1]
    assert calculus.relu_backward(da, a).tolist() == [1, 0]
    (finding,) = verify([("function relu", checks()["function relu"])])
    assert finding.passed


def test_a_fault_that_no_longer_fits_the_code_is_an_error():
    fault = Fault("stale", "calculus.affine:affine", "no such text", "", "function affine")
    with pytest.raises(HandgradError, match="found 'no such text' 0 times"), planted(fault):
        pass


def test_the_documentation_lists_them_all():
    page = PAGE.read_text(encoding="utf-8")
    for fault in FAULTS:
        assert f"| {fault.name} | `{fault.where}` | {fault.check} |" in page
