"""`LogisticImageClassifier`: one layer, the simplest answer, on all samples at once."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from handgrad.arrays import Array, Shape
from handgrad.estimators.classifier import Classifier
from handgrad.estimators.descent import Samples, allowed, computed, descent
from handgrad.estimators.weighing import ClassWeight
from handgrad.experiments import Recipe, limited
from handgrad.experiments.recipe import Data, Training
from handgrad.layers import Dense, Zeros
from handgrad.losses import Loss, SigmoidCrossEntropy, SoftmaxCrossEntropy
from handgrad.optimizers import SGD
from handgrad.training import State

__all__ = ["LogisticImageClassifier", "curvature"]

FLAT = 64 * float(np.finfo(np.float64).eps)
"""The relative decrease of the loss below which there is nothing left to gain."""

ROUNDS = 30
"""Of the power iteration that finds the curvature."""


class LogisticImageClassifier(Classifier):
    """Logistic regression on pixels or features: one dense layer under a softmax.

    For two classes it is one neuron under a sigmoid. With the weights v_n of `weighing` (all 1, if
    none are given) it descends, over all samples at once,

        L = 1/N Σ_n v_n L_n + ½ λ Σ W²        λ = 1 / (C Σ_n w_n)

    which is C Σ_n w_n L_n + ½ Σ W², what scikit-learn's `LogisticRegression` minimizes, over
    C Σ_n w_n. It is convex: there is one answer, whoever finds it, and nothing is drawn. L and its
    gradient are the network's, in float64; who follows them down is L-BFGS, as in scikit-learn,
    which needs no learning rate and some 50 steps where plain descent needs thousands.

    Parameters
    ----------
    C : the inverse of the penalty's strength, as scikit-learn has it; ``np.inf`` for no penalty
    image_shape : (H, W, C) of the images that rows are, or to which images and files are resized
    max_iter : steps, at most
    tol : stop when no number of the gradient is larger
    class_weight : from a class to what its samples count, "balanced", or None
    warm_start : let `fit` begin with the weights of the last one

    Attributes
    ----------
    classes_ : (K,) in order
    coef_ : (K, F), or (1, F) for two classes, of the numbers that the network sees: features as
        they are; pixels after the preparation of ``model_``, which normalizes each channel
    intercept_ : (K,) or (1,)
    model_ : the trained `Model`
    n_iter_ : steps made
    loss_curve_ : the loss after each step, with the penalty
    n_features_in_, feature_names_in_, pixels_ : as for `ImageClassifier`

    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> classifier = LogisticImageClassifier().fit(X, [0, 0, 1, 1])
    >>> classifier.predict_proba([[1.5]]).round(3)
    array([[0.5, 0.5]])
    """

    def __init__(
        self,
        C: float = 1.0,
        *,
        image_shape: tuple[int, int, int] | None = None,
        max_iter: int = 1000,
        tol: float = 1e-4,
        class_weight: ClassWeight = None,
        warm_start: bool = False,
    ) -> None:
        self.C = C
        self.image_shape = image_shape
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.warm_start = warm_start

    @property
    def coef_(self) -> Array:
        """(K, F) weights, a row a class; (1, F) for two classes."""
        W: Array = self.model_.network.params[0].W
        return W.T

    @property
    def intercept_(self) -> Array:
        """(K,) offsets; (1,) for two classes."""
        b: Array = self.model_.network.params[0].b
        return b

    def decision_function(self, X: Any) -> Array:
        """(N, K) scores, x W + b; (N,) for two classes, above 0 for the second."""
        outputs = self._outputs(X)
        return outputs[:, 0] if len(self.classes_) == 2 else outputs

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from samples and their classes; see `ImageClassifier.fit`.

        Warns
        -----
        ConvergenceWarning : it ended before the gradient was as small as ``tol``
        """
        again = self.warm_start and hasattr(self, "model_")
        samples = self._given(X, y, sample_weight, again=again)
        if again:
            self._renew()
        network = self.model_.network
        recipe = replace(self.recipe_, loss=self._loss(samples))
        batches, how, threads = computed(recipe, network, samples)
        [(x, labels)] = batches(0)
        gradient = network.gradient()

        def value_and_gradient(vector: Array) -> tuple[float, Array]:
            network.learned[...] = vector
            value, _ = how(network, recipe.loss, x, labels, None, gradient)
            return value, gradient.vector

        self._state, self.n_iter_, self.loss_curve_ = State(), 0, []
        with limited(threads.blas):
            found = minimize(
                value_and_gradient,
                network.learned.copy(),
                jac=True,
                method="L-BFGS-B",
                callback=lambda intermediate_result: self.loss_curve_.append(
                    float(intermediate_result.fun)
                ),
                options={"maxiter": self.max_iter, "gtol": self.tol, "ftol": FLAT, "maxls": 50},
            )
        network.learned[...] = found.x
        self.n_iter_ = int(found.nit)
        if not found.success:
            warnings.warn(
                f"LogisticImageClassifier: found a gradient of {abs(found.jac).max():.2g} after "
                f"{found.nit} steps; expected {self.tol:g} (tol) at most. More steps (max_iter) or "
                "scaled features help",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """One step of plain gradient descent on these samples, at their own rate 1/M.

        Parameters
        ----------
        X, y, classes, sample_weight : as for `ImageClassifier.partial_fit`
        """
        samples = self._given_once(X, y, sample_weight, classes)
        loss = self._loss(samples)
        with limited(allowed()):
            rate = 1 / (curvature(samples, loss) + loss.penalty)
        recipe = replace(self.recipe_, loss=loss, optimizer=SGD(rate))
        reports = descent(recipe, self.model_.network, samples, state=self._state, once=True)
        self._count(list(reports), samples)
        return self

    def _loss(self, samples: Samples) -> Loss:
        return replace(self.recipe_.loss, penalty=1 / (self.C * samples.total))

    def _recipe(self, classes: int, pixels: bool, shape: Shape) -> Recipe:
        loss: Loss = SigmoidCrossEntropy() if classes == 2 else SoftmaxCrossEntropy()
        return Recipe(
            name="logistic",
            data=replace(self._data(), normalize=pixels),
            architecture=(Dense(loss.outputs(classes), weights=Zeros()),),
            loss=loss,
            optimizer=SGD(),
            dtype="float64",
            training=Training(epochs=self.max_iter),
        )

    def _data(self) -> Data:
        return Data("X", channels=3)


def curvature(samples: Samples, loss: Loss) -> float:
    """A bound on the curvature of the loss of one layer without its penalty.

    The second derivative of L_n in its scores z = x W + b is a(1 - a) ≤ ¼ for a sigmoid and
    diag(a) - a aᵀ ≤ ½ for a softmax. With that c and a 1 for the offset at the end of each x̃_n, the
    second derivative of L is at most c times the largest eigenvalue of 1/N Σ_n v_n x̃_n x̃_nᵀ, so
    that a step of one over it goes down. The power iteration finds it: of u = Σ_i a_i e_i,
    Aᵏ u = Σ_i a_i λ_iᵏ e_i leaves the direction of the largest λ_i. It comes from below; a step
    goes down up to twice the length.

    Parameters
    ----------
    samples : (N, …) and their weights
    loss : of two classes by one score, or softmax cross-entropy

    >>> samples = Samples(np.array([[3.0], [-3.0]]), np.array([0, 1]), None, 2.0)
    >>> round(curvature(samples, SigmoidCrossEntropy()), 6)  # eigenvalues 9 and 1
    2.25
    """
    x = samples.x.reshape(len(samples.x), -1)
    v = np.full(len(x), 1.0) if samples.weights is None else samples.weights
    v = (v / len(x)).astype(x.dtype)
    u = np.random.default_rng(0).normal(size=x.shape[1] + 1).astype(x.dtype)
    largest = 0.0
    for _ in range(ROUNDS):
        u /= np.linalg.norm(u)
        z = v * (x @ u[:-1] + u[-1])
        u = np.append(z @ x, z.sum())
        largest = float(np.linalg.norm(u))
    return (0.25 if isinstance(loss, SigmoidCrossEntropy) else 0.5) * largest
