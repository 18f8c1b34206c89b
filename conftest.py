"""What every doctest may take for granted: ``np``."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _names(doctest_namespace):
    doctest_namespace["np"] = np
