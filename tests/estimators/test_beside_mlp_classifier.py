"""The same network as scikit-learn's `MLPClassifier`: its answers and its training."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import handgrad as hg

LAYERS = {"relu": hg.ReLU(), "tanh": hg.Tanh(), "logistic": hg.Sigmoid()}


def with_weights_of(theirs, ours):
    for i, (W, b) in enumerate(zip(theirs.coefs_, theirs.intercepts_, strict=True)):
        ours.model_.network.params[2 * i].W[...] = W
        ours.model_.network.params[2 * i].b[...] = b


@pytest.mark.parametrize("activation", LAYERS)
@pytest.mark.parametrize("classes", [2, 10])
def test_the_same_weights_say_the_same(digits, activation, classes):
    X, y = digits[0][digits[1] < classes], digits[1][digits[1] < classes]
    theirs = MLPClassifier((30,), activation, max_iter=4, random_state=0)
    with pytest.warns(ConvergenceWarning):
        theirs.fit(X, y)
    ours = hg.ImageClassifier((hg.Dense(30), LAYERS[activation]), max_iter=1).fit(X, y)
    with_weights_of(theirs, ours)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-12)
    np.testing.assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), atol=1e-9)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("classes", [2, 10])
def test_the_same_steps_from_the_same_weights(digits, classes, weighted):
    """Full batches by plain descent, where both are defined alike to the last term."""
    X, y = digits[0][digits[1] < classes][:150], digits[1][digits[1] < classes][:150]
    settings = {
        "solver": "sgd",
        "momentum": 0.0,
        "nesterovs_momentum": False,
        "learning_rate_init": 0.3,
        "alpha": 0.0,
        "batch_size": 150,
        "shuffle": False,
        "random_state": 0,
    }
    theirs = MLPClassifier((20,), **settings)
    besides = {"sample_weight": np.random.default_rng(0).uniform(size=150)} if weighted else {}
    if weighted and "sample_weight" not in inspect.signature(theirs.partial_fit).parameters:
        pytest.skip("this MLPClassifier knows no sample_weight")
    theirs.partial_fit(X, y, classes=np.arange(classes), **besides)
    ours = hg.ImageClassifier((hg.Dense(20), hg.ReLU()), optimizer=hg.SGD(0.3), batch_size=150)
    ours.partial_fit(X, y, classes=np.arange(classes))
    with_weights_of(theirs, ours)
    for _ in range(20):
        theirs.partial_fit(X, y, **besides)
        ours.partial_fit(X, y, **besides)
    np.testing.assert_allclose(ours.loss_curve_[1:], theirs.loss_curve_[1:], rtol=1e-10)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-10)
    assert ours.loss_curve_[-1] < 0.8 * ours.loss_curve_[1]
