"""Plans whose batches are cut into several parts."""

import pytest


@pytest.fixture(autouse=True)
def a_few_at_a_time(monkeypatch):
    """Small batches then are computed in several goes, as large ones are."""
    monkeypatch.setattr("handgrad.plans.step.MAPS", 0)
