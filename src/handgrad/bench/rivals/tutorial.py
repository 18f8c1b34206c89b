"""The tutorials' own method: samples as columns, a loop over layers forth and a loop back.

The method of "Deep Learning with matrices" (whose loops these are), of the airplane tutorial (its
one layer) and of the one on MNIST, written anew and without any thought of speed: every matrix is
a new one. Only dense networks and plain gradient descent, as there.
"""

from __future__ import annotations

import numpy as np

from handgrad.arrays import Array
from handgrad.bench.problems import Descent, Problem, Side
from handgrad.bench.rivals.refusals import NotMeantError
from handgrad.layers import Dense, ReLU, Sigmoid
from handgrad.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy
from handgrad.optimizers import SGD

__all__ = ["column_by_column"]


def column_by_column(problem: Problem, threads: int) -> Side:
    """The tutorials' side of a training, where they have one."""
    if not isinstance(problem, Descent) or type(problem.optimizer) is not SGD:
        raise NotMeantError
    layers = problem.network.architecture
    if not all(isinstance(layer, Dense | ReLU | Sigmoid) for layer in layers):
        raise NotMeantError
    if not isinstance(problem.loss, SigmoidCrossEntropy | SoftmaxCrossEntropy):
        raise NotMeantError
    return _Columns(problem)


def _sigmoid(Z: Array) -> Array:
    a: Array = 1 / (1 + np.exp(-Z))
    return a


def _softmax(Z: Array) -> Array:
    e: Array = np.exp(Z - Z.max(axis=0))
    s: Array = e / e.sum(axis=0)
    return s


class _Columns:
    def __init__(self, problem: Descent) -> None:
        self.problem = problem
        layers = problem.network.architecture
        self.dense = [i for i, layer in enumerate(layers) if isinstance(layer, Dense)]
        self.kinds = [type(layers[i + 1]) for i in self.dense[:-1]]
        self.X = np.ascontiguousarray(problem.images.reshape(len(problem.images), -1).T)
        self.binary = isinstance(problem.loss, SigmoidCrossEntropy)
        y = problem.labels
        self.Y = (y[None] if self.binary else np.eye(problem.network.shapes[-1][0])[y].T).astype(
            self.X.dtype
        )

    def restart(self) -> None:
        params = [self.problem.network.params[i] for i in self.dense]
        self.W = [np.ascontiguousarray(own.W.T) for own in params]
        self.b = [own.b[:, None].copy() for own in params]

    def run(self, repeats: int) -> None:
        p = self.problem
        for epoch in range(repeats):
            order = p.batches.order(epoch)
            for start in range(0, len(order), p.batch):
                if p.batch_size is None:
                    self.descend(self.X, self.Y)
                else:
                    chosen = order[start : start + p.batch]
                    self.descend(self.X[:, chosen], self.Y[:, chosen])

    def descend(self, X: Array, Y: Array) -> None:
        """One step of gradient descent on the columns of X, whose answers are those of Y."""
        A, Z = [X], []
        for i, (W, b) in enumerate(zip(self.W, self.b, strict=True)):
            Z.append(np.dot(W, A[i]) + b)
            if i == len(self.kinds):
                A.append(_sigmoid(Z[i]) if self.binary else _softmax(Z[i]))
            else:
                A.append(np.maximum(Z[i], 0) if self.kinds[i] is ReLU else _sigmoid(Z[i]))
        m = X.shape[1] if self.problem.loss.over == "mean" else 1
        rate = self.problem.optimizer.learning_rate
        dZ = A[-1] - Y
        for i in reversed(range(len(self.W))):
            dW = np.dot(dZ, A[i].T) / m
            db = np.sum(dZ, axis=1, keepdims=True) / m
            if i:
                dA = np.dot(self.W[i].T, dZ)
                dZ = dA * (Z[i - 1] > 0 if self.kinds[i - 1] is ReLU else A[i] * (1 - A[i]))
            self.W[i] = self.W[i] - rate * dW
            self.b[i] = self.b[i] - rate * db

    def numbers(self) -> Array:
        both = zip(self.W, self.b, strict=True)
        return np.concatenate([part for W, b in both for part in (W.T.ravel(), b.ravel())])
