"""scikit-learn's own checks of an estimator, all of them."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import handgrad as hg


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([hg.ImageClassifier(random_state=0), hg.LogisticImageClassifier()])
def test_check(estimator, check):
    check(estimator)
