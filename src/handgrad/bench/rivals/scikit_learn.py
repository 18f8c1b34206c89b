"""scikit-learn's MLPClassifier, an epoch by `partial_fit`."""

from __future__ import annotations

import numpy as np

from handgrad.arrays import Array
from handgrad.bench.problems import Descent, Problem, Side
from handgrad.bench.rivals.refusals import NotMeantError
from handgrad.layers import Dense, ReLU, Sigmoid
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.optimizers import SGD

__all__ = ["perceptron"]


def perceptron(problem: Problem, threads: int) -> Side:
    """Its side of a training of dense layers in mini-batches, by plain gradient descent."""
    if (
        not isinstance(problem, Descent)
        or problem.batch_size is None
        or type(problem.optimizer) is not SGD
        or problem.loss != SoftmaxCrossEntropy()
    ):
        raise NotMeantError
    layers = problem.network.architecture
    between = {type(layer) for layer in layers[1::2]}
    if not all(isinstance(layer, Dense) for layer in layers[::2]) or len(between) != 1:
        raise NotMeantError
    if not between <= {Sigmoid, ReLU} or problem.network.shapes[-1][0] < 3:
        raise NotMeantError
    return _Perceptron(problem)


class _Perceptron:
    def __init__(self, problem: Descent) -> None:
        from sklearn.neural_network import MLPClassifier

        self.problem = problem
        layers = problem.network.architecture
        self.model = MLPClassifier(
            hidden_layer_sizes=[layer.units for layer in layers[:-1:2]],  # type: ignore[attr-defined]
            activation="logistic" if isinstance(layers[1], Sigmoid) else "relu",
            solver="sgd",
            momentum=0.0,
            nesterovs_momentum=False,
            learning_rate_init=problem.optimizer.learning_rate,
            alpha=0.0,
            batch_size=problem.batch,
            shuffle=False,
        )
        self.X = problem.images.reshape(len(problem.images), -1)
        classes = np.arange(problem.network.shapes[-1][0])
        few = problem.batch  # it makes its arrays at the first call
        self.model.partial_fit(self.X[:few], problem.labels[:few], classes=classes)

    def restart(self) -> None:
        for i, (W, b) in enumerate(zip(self.model.coefs_, self.model.intercepts_, strict=True)):
            params = self.problem.network.params[2 * i]
            W[...], b[...] = params.W, params.b  # in place: its optimizer holds these arrays

    def run(self, repeats: int) -> None:
        for epoch in range(repeats):
            order = self.problem.batches.order(epoch)
            self.model.partial_fit(self.X[order], self.problem.labels[order])

    def numbers(self) -> Array:
        both = zip(self.model.coefs_, self.model.intercepts_, strict=True)
        return np.concatenate([part.ravel() for pair in both for part in pair])
