"""`LogisticImageClassifier` beside scikit-learn's `LogisticRegression`."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

import handgrad as hg
from handgrad.estimators.descent import Samples
from handgrad.estimators.logistic import curvature


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("C", [0.05, 1.0, np.inf])
def test_the_answer_is_the_one_there_is(classes, C):
    """Probabilities to 1e-6, beside another way down."""
    generator = np.random.default_rng(classes)
    X, y = generator.normal(size=(200, 4)) + 0.5, generator.integers(classes, size=200)
    X[:, 0] += y  # something to learn, and not separable
    ours = hg.LogisticImageClassifier(C, tol=1e-8).fit(X, y)
    theirs = LogisticRegression(C=C, tol=1e-8, solver="newton-cg").fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.coef_.shape == theirs.coef_.shape
    assert ours.intercept_.shape == theirs.intercept_.shape
    np.testing.assert_allclose(
        ours.decision_function(X), X @ ours.coef_.T + ours.intercept_
    ) if classes > 2 else np.testing.assert_allclose(
        ours.decision_function(X), (X @ ours.coef_.T + ours.intercept_)[:, 0]
    )


@pytest.mark.parametrize("scale", [0.001, 1.0, 1000.0])
def test_every_step_goes_down_whatever_the_scale(digits, scale):
    X, y = digits
    classifier = hg.LogisticImageClassifier(np.inf)
    for _ in range(30):
        classifier.partial_fit(scale * X, y, classes=range(10))
    assert (np.diff(classifier.loss_curve_) < 0).all()


def test_the_curvature_is_the_largest_eigenvalue():
    generator = np.random.default_rng(0)
    x, v = generator.normal(size=(30, 4)), generator.uniform(size=30)
    v /= v.mean()
    ones = np.concatenate([x, np.ones((30, 1))], axis=1)
    largest = np.linalg.eigvalsh((ones * v[:, None]).T @ ones / 30)[-1]
    samples = Samples(x, np.zeros(30, int), v, 30.0)
    assert curvature(samples, hg.SoftmaxCrossEntropy()) == pytest.approx(largest / 2, rel=0.02)
    assert curvature(samples, hg.SigmoidCrossEntropy()) == pytest.approx(largest / 4, rel=0.02)


def test_images_and_files(bars, tmp_path):
    images, names = bars
    classifier = hg.LogisticImageClassifier().fit(images, names)
    assert classifier.score(images, names) == 1
    assert classifier.coef_.shape == (1, 768)
    assert classifier.n_iter_ == len(classifier.loss_curve_) < 100
    hg.save_model(classifier.model_, tmp_path / "bars.safetensors")
    model = hg.load_model(tmp_path / "bars.safetensors")
    np.testing.assert_array_equal(classifier.classes_[model.labels(images)], names)


def test_nothing_is_drawn(digits):
    X, y = digits
    with pytest.warns(ConvergenceWarning):
        first = hg.LogisticImageClassifier(max_iter=20).fit(X, y)
    with pytest.warns(ConvergenceWarning):
        second = hg.LogisticImageClassifier(max_iter=20).fit(X, y)
    np.testing.assert_array_equal(first.coef_, second.coef_)


def test_it_says_when_it_has_not_arrived_and_a_warm_start_goes_on(digits):
    X, y = digits
    classifier = hg.LogisticImageClassifier(max_iter=5, warm_start=True)
    with pytest.warns(ConvergenceWarning, match=r"found a gradient of 0\.\d+ after 5 steps"):
        classifier.fit(X, y)
    reached = classifier.loss_curve_[-1]
    classifier.set_params(max_iter=200).fit(X, y)
    assert classifier.loss_curve_[0] < reached
    assert 5 < classifier.n_iter_ < 200
