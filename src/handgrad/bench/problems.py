"""What every side of a work is given: the same first values, the same batches, the same images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from handgrad.arrays import Array, Device
from handgrad.datasets import Batches
from handgrad.losses import Loss
from handgrad.networks import Model, Network
from handgrad.optimizers import Optimizer

__all__ = ["Answers", "Descent", "Passes", "Problem", "Side", "Start"]


class Side(Protocol):
    """Somebody who does a work: ours, the floor, or a rival."""

    def restart(self) -> None:
        """Back to the beginning; never timed."""

    def run(self, repeats: int) -> None:
        """Do the work so many times over (epochs, passes, questions): what is timed."""

    def numbers(self) -> Array:
        """What came out of the last run, in one vector in our order."""


@dataclass(frozen=True, eq=False)
class Descent:
    """Training: from given first values down the same batches. A repeat is an epoch.

    Parameters
    ----------
    network : holds the first values, and is only read
    images, labels : (N, …) float, (N,) int
    batch_size : None for the full batch
    data : where the images are from, in a word
    device : where every side computes; the images lie here, and go there batch by batch
    """

    network: Network
    loss: Loss
    optimizer: Optimizer
    images: Array
    labels: Array
    batch_size: int | None
    data: str = "random"
    device: Device = "cpu"

    @property
    def batches(self) -> Batches:
        """The batches as the product deals them out; a rival takes their `order`."""
        return Batches(self.images, self.labels, self.batch_size, seed=0)

    @property
    def batch(self) -> int:
        """The samples of a step."""
        return self.batch_size or len(self.labels)

    @property
    def origin(self) -> Array:
        """What changes are measured from: the first values."""
        return self.network.vector


@dataclass(frozen=True, eq=False)
class Passes:
    """Forward, and backward to the input and to every weight. A repeat is both once.

    The numbers are those of y, dx and the gradient, in this order.
    """

    network: Network
    x: Array
    dy: Array
    data: str = "random"
    origin: float = 0.0

    @property
    def batch(self) -> int:
        return len(self.x)


@dataclass(frozen=True, eq=False)
class Answers:
    """Prediction: from (N, H, W, C) uint8 images to probabilities. A repeat asks once for all."""

    model: Model
    images: Array
    data: str = "random"
    origin: float = 0.0

    @property
    def network(self) -> Network:
        return self.model.network

    @property
    def batch(self) -> int:
        return len(self.images)


@dataclass(frozen=True, eq=False)
class Start:
    """A whole process that reads a model and an image file and says what is on it."""

    model: Model
    pixels: Array = field(default_factory=lambda: np.zeros((28, 28), np.uint8))
    data: str = "random"
    origin: float = 0.0

    @property
    def network(self) -> Network:
        return self.model.network

    @property
    def batch(self) -> int:
        return 1


Problem = Descent | Passes | Answers | Start
