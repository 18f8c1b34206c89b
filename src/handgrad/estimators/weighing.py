"""Samples that count differently: their weights, and the gradient that honours them.

With weights w_n the loss to descend is the weighted mean over all N samples,

    L = Σ_n w_n L_n / Σ_n w_n = 1/N Σ_n v_n L_n        v_n = N w_n / Σ_m w_m

The v_n have the mean 1 over the training set, so that a common factor in w changes nothing, and a
sample of integer weight w counts as w equal rows do: both sides of the fraction are then the sums
over the repeated rows. The gradient of L at the outputs is that of each sample times its v_n,

    ∂L/∂y_n = 1/N v_n ∂L_n/∂y_n

and everything behind it is linear in ∂L/∂y. A mini-batch B descends 1/|B| Σ_{n in B} v_n L_n. As
every sample is as likely in B as any other, the expectation of that is L, and so it is with the
gradients; divided by the batch's own Σ v instead, heavy samples would count for less in a batch
with other heavy ones, and a batch of weight 0 would have no gradient at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import _check_sample_weight

from handgrad.arrays import Array
from handgrad.datasets import Batches, Preparation, measured, numbers
from handgrad.losses import Loss
from handgrad.networks import Draws, Gradient, Network
from handgrad.training import HowGradient

__all__ = ["ClassWeight", "Weighing", "measured_by_weight", "relative_weights"]

ClassWeight = Mapping[Any, float] | Literal["balanced"] | None


def relative_weights(
    sample_weight: ArrayLike | None, class_weight: ClassWeight, labels: Array, classes: Array
) -> tuple[Array | None, float]:
    """What each sample counts for, with the mean 1; None where all count the same.

    The weight of a sample is its own times that of its class. "balanced" lets the classes count
    for the same together: with S_k = Σ w over the samples of class k, their weight is
    Σ_k S_k / (K S_k).

    Parameters
    ----------
    sample_weight : (N,), 0 or more
    class_weight : from a class to its weight (1 if it is not there), "balanced" or None
    labels : (N,) int, places in ``classes``
    classes : (K,)

    Returns
    -------
    weights : (N,) float64, v_n
    total : Σ w, before it was divided by

    Raises
    ------
    ValueError : weights that are negative, infinite, all 0 or of another shape; an unknown class

    >>> relative_weights([1, 3], None, np.array([0, 1]), np.array(["a", "b"]))
    (array([0.5, 1.5]), 4.0)
    """
    if sample_weight is None and class_weight is None:
        return None, float(len(labels))
    weights = np.array(_check_sample_weight(sample_weight, labels, dtype=np.float64))
    if (weights < 0).any():
        raise ValueError(f"sample_weight: found {weights.min():g}; expected 0 or more")
    if class_weight is not None:
        weights *= _of_classes(class_weight, weights, labels, classes)[labels]
    total = float(weights.sum())
    if total <= 0:
        raise ValueError("sample_weight: found all samples with zero weight; expected some of more")
    return weights * (len(labels) / total), total


def _of_classes(class_weight: ClassWeight, weights: Array, labels: Array, classes: Array) -> Array:
    """(K,) weights of the classes."""
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(
                f"class_weight: found {class_weight!r}; expected a dict, 'balanced' or None"
            )
        sums = np.bincount(labels, weights, minlength=len(classes))
        even: Array = np.ones(len(classes))
        np.divide(weights.sum(), len(classes) * sums, out=even, where=sums > 0)
        return even
    known = dict(class_weight or {})
    found = np.array([float(known.pop(name, 1.0)) for name in classes.tolist()])
    if known:
        raise ValueError(
            f"class_weight: found the classes {sorted(known, key=str)}, which are not in y"
        )
    if not (np.isfinite(found).all() and (found >= 0).all()):
        raise ValueError(f"class_weight: found {found.tolist()}; expected finite, 0 or more")
    return found


def measured_by_weight(
    preparation: Preparation, images: Array, weights: Array | None
) -> Preparation:
    """`datasets.measured`, where an image counts v_n times: μ = 1/N Σ_n v_n μ_n, likewise σ².

    Parameters
    ----------
    images : (N, H, W, C) uint8, or float in 0..1
    weights : (N,), of mean 1; None for the same for all
    """
    if weights is None:
        return measured(preparation, images)
    plain = replace(preparation, mean=None, deviation=None)

    def mean_of(power: int, centre: Array | float) -> Array:
        total = np.zeros(preparation.channels)
        for i in range(0, len(images), 1000):  # so that the float64 copy never holds them all
            x = (numbers(images[i : i + 1000], plain, np.float64) - centre) ** power
            total += weights[i : i + 1000] @ x.mean(axis=(1, 2))
        return total / len(images)

    mean = mean_of(1, 0.0)
    deviation = np.sqrt(mean_of(2, mean))
    deviation[deviation < 1e-12] = 1
    return replace(plain, mean=tuple(mean.tolist()), deviation=tuple(deviation.tolist()))


class Weighing:
    """Batches of samples that count differently, as a `BatchSource`; `gradient` honours that.

    Parameters
    ----------
    batches : that hand out places in place of labels
    labels : (N,) int
    weights : (N,) v_n, of mean 1

    Attributes
    ----------
    now : labels and weights of the batch that was handed out last
    """

    def __init__(self, batches: Batches, labels: Array, weights: Array) -> None:
        self.batches, self.labels, self.weights = batches, labels, weights
        self.full, self.steps_per_epoch = batches.full, batches.steps_per_epoch
        self.now = labels, weights

    def __call__(self, epoch: int, first: int = 0) -> Iterator[tuple[Array, Array]]:
        """The batches of an epoch, with their labels."""
        for x, places in self.batches(epoch, first):
            self.now = self.labels[places], self.weights[places]
            yield x, self.now[0]

    def gradient(self, how: HowGradient) -> HowGradient:
        """The gradient of 1/|B| Σ_{n in B} v_n L_n for the batch handed out last, by ``how``.

        ``how`` is given places in the batch for labels, which it may divide as it likes (over
        threads, in groups), and a loss that knows label and weight of each place.
        """

        def weighed(
            network: Network,
            loss: Loss,
            x: Array,
            labels: Array,
            draws: Draws | None,
            gradient: Gradient,
        ) -> tuple[float, Array]:
            weighted = WeightedLoss(loss.over, loss.penalty, of=loss, weighing=self)
            return how(network, weighted, x, np.arange(len(labels)), draws, gradient)

        return weighed


@dataclass(frozen=True)
class WeightedLoss(Loss):
    """A loss whose labels are places in a batch, each with its label and its weight.

    Not a kind that a recipe could name. It holds no number of the batch itself, so that it stays
    equal over a training: a plan is kept for each loss.

    Parameters
    ----------
    of : the loss of one sample
    weighing : knows labels and weights of the batch
    """

    of: Loss | None = None
    weighing: Weighing | None = None

    def each(self, outputs: Array, places: Array) -> tuple[Array, Array]:
        assert self.of is not None
        assert self.weighing is not None
        labels, weights = (known[places] for known in self.weighing.now)
        losses, gradient = self.of.each(outputs, labels)
        if self.of.class_weights:
            weights = weights * np.asarray(self.of.known_weights)[labels]
        weights = weights.astype(outputs.dtype)
        return losses * weights, gradient * weights[:, None]

    def probabilities(self, outputs: Array) -> Array:
        assert self.of is not None
        return self.of.probabilities(outputs)
