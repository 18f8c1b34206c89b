"""A loss as a recipe names it: which function, and over a batch its mean or its sum."""

from __future__ import annotations

import abc
import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np

from handgrad.arrays import Array
from handgrad.calculus import sigmoid, softmax
from handgrad.errors import RecipeError
from handgrad.losses.cross_entropy import (
    binary_cross_entropy,
    cross_entropy,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
)
from handgrad.losses.squared_error import squared_error
from handgrad.tables import Named

__all__ = [
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Loss",
    "SigmoidCrossEntropy",
    "SoftmaxCrossEntropy",
    "SquaredError",
]


@dataclass(frozen=True)
class Loss(Named, abc.ABC):
    """One number for a batch, and its gradient at the network's outputs.

    Parameters
    ----------
    over : "mean" or "sum" over the samples of a batch
    penalty : λ of a penalty ½ λ Σ W² on all weights (offsets excepted), which is part of the loss
        that is reported and descended. For decay that is no part of the loss, see the optimizers.
    class_weights : how much a sample of each class counts; empty: all the same; "balanced": all
        classes together the same, in numbers once the labels are known: see `balanced`
    """

    tag: ClassVar[str] = "kind"
    single: ClassVar[bool] = False
    """Whether one output can stand for two classes."""
    threshold: ClassVar[float] = 0.5
    """Where that one output begins to mean class 1."""

    over: Literal["mean", "sum"] = "mean"
    penalty: float = 0.0
    class_weights: tuple[float, ...] | Literal["balanced"] = ()

    def __post_init__(self) -> None:
        if self.penalty < 0:
            raise ValueError(f"penalty = {self.penalty}; expected 0 or more")
        weights = self.class_weights
        if not isinstance(weights, str) and not all(0 <= w < math.inf for w in weights):
            raise ValueError(f"class_weights = {list(weights)}; expected finite, 0 or more")

    @property
    def known_weights(self) -> tuple[float, ...]:
        """``class_weights``, which must be numbers by now."""
        if isinstance(self.class_weights, str):
            raise RecipeError(
                f"class_weights = {self.class_weights!r}: found the word, where no labels are "
                "known that could be counted; expected numbers, as `balanced` or an experiment "
                "makes of it"
            )
        return self.class_weights

    def balanced(self, labels: Array, classes: int) -> Self:
        """The same loss with ``class_weights = "balanced"`` in numbers: N / (K · N_k).

        The N_k samples of class k then weigh N / K together, whatever k is, and all of them N as
        before. A loss with other weights is returned as it is.

        Parameters
        ----------
        labels : (N,) int, of the training images
        classes : K

        Raises
        ------
        RecipeError : a class without a sample

        >>> SoftmaxCrossEntropy(class_weights="balanced").balanced(
        ...     np.array([0, 1, 0, 0]), 2).class_weights
        (0.6666666666666666, 2.0)
        """
        if self.class_weights != "balanced":
            return self
        counts = np.bincount(labels, minlength=classes)
        if not counts.all():
            raise RecipeError(
                "class_weights = 'balanced': found no training image of class "
                f"{int(np.argmin(counts))} (from 0); expected at least one of each"
            )
        weights = len(labels) / (classes * counts)
        return dataclasses.replace(self, class_weights=tuple(weights.tolist()))

    @abc.abstractmethod
    def each(self, outputs: Array, labels: Array) -> tuple[Array, Array]:
        """One loss a sample, and the gradient of their sum."""

    @abc.abstractmethod
    def probabilities(self, outputs: Array) -> Array:
        """(N, K) probabilities of the classes, from the outputs that this loss is meant for."""

    def decide(self, outputs: Array) -> Array:
        """(N,) labels: the likeliest class; of equals the first."""
        if outputs.shape[1] == 1:
            labels: Array = (outputs[:, 0] > self.threshold).astype(np.int64)
        else:
            labels = outputs.argmax(axis=1)
        return labels

    def __call__(self, outputs: Array, labels: Array) -> tuple[float, Array]:
        """The loss of a batch without its penalty, and its gradient at ``outputs``."""
        losses, gradient = self.each(outputs, labels)
        if self.class_weights:
            weights = np.asarray(self.known_weights, losses.dtype, like=losses)[labels]
            losses = losses * weights
            gradient *= weights[:, None]
        # In float64, since the error of adding many float32 terms would hide small progress.
        total = float(losses.sum(dtype=np.float64))
        if self.over == "sum":
            return total, gradient
        gradient /= len(labels)
        return total / len(labels), gradient

    def outputs(self, classes: int) -> int:
        """How many outputs a network for so many classes must have."""
        return 1 if self.single and classes == 2 else classes


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    """From scores; see `softmax_cross_entropy`.

    Parameters
    ----------
    smoothing : ε, the part of a label that is spread over all classes
    """

    name: ClassVar[str] = "softmax cross-entropy"

    smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"smoothing = {self.smoothing}; expected at least 0 and less than 1")

    def each(self, outputs: Array, labels: Array) -> tuple[Array, Array]:
        return softmax_cross_entropy(outputs, labels, self.smoothing)

    def probabilities(self, outputs: Array) -> Array:
        return softmax(outputs)


@dataclass(frozen=True)
class SigmoidCrossEntropy(Loss):
    """From one score, for two classes; see `sigmoid_cross_entropy`."""

    name: ClassVar[str] = "sigmoid cross-entropy"
    single: ClassVar[bool] = True
    threshold: ClassVar[float] = 0.0

    def each(self, outputs: Array, labels: Array) -> tuple[Array, Array]:
        return sigmoid_cross_entropy(outputs, labels)

    def probabilities(self, outputs: Array) -> Array:
        return _both(sigmoid(outputs))


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """From probabilities, after a softmax layer; see `cross_entropy`."""

    name: ClassVar[str] = "cross-entropy"

    def each(self, outputs: Array, labels: Array) -> tuple[Array, Array]:
        return cross_entropy(outputs, labels)

    def probabilities(self, outputs: Array) -> Array:
        return outputs


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """From the probability of class 1, after a sigmoid layer; see `binary_cross_entropy`."""

    name: ClassVar[str] = "binary cross-entropy"
    single: ClassVar[bool] = True

    def each(self, outputs: Array, labels: Array) -> tuple[Array, Array]:
        return binary_cross_entropy(outputs, labels)

    def probabilities(self, outputs: Array) -> Array:
        return _both(outputs)


@dataclass(frozen=True)
class SquaredError(Loss):
    """Half the squared distance to the one-hot row; see `squared_error`.

    Its outputs are no probabilities; they are brought to [0, 1] and to sum 1 for those who ask.
    """

    name: ClassVar[str] = "squared error"
    single: ClassVar[bool] = True

    def each(self, outputs: Array, labels: Array) -> tuple[Array, Array]:
        return squared_error(outputs, labels)

    def probabilities(self, outputs: Array) -> Array:
        if outputs.shape[1] == 1:
            return _both(np.clip(outputs, 0, 1))
        # Lifted rather than clipped, so that the largest output stays the likeliest class.
        lifted = outputs - np.minimum(outputs.min(axis=1, keepdims=True), 0)
        total = lifted.sum(axis=1, keepdims=True)
        even: Array = np.full_like(lifted, 1 / lifted.shape[1])
        np.divide(lifted, total, out=even, where=total > 0)
        return even


def _both(a: Array) -> Array:
    both: Array = np.concatenate([1 - a, a], axis=1)
    return both
