"""The same images, epoch after epoch, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.datasets.augmentation import Augmentation, augmented

__all__ = ["Batches"]

AUGMENTATION = 5
"""The branch of the seed from which augmentation draws; branch 1 shuffles."""


@dataclass(frozen=True, eq=False)
class Batches:
    """Batches of one training set; called with an epoch, it goes through the set once.

    The order of an epoch is a function of the seed and the epoch alone, so that a resumed training
    meets the same batches. The last batch of an epoch may be short. Every batch is a new array
    that the receiver may keep; only the full batch is the array itself, in its own order.

    Parameters
    ----------
    images : (N, ...) float
    labels : (N,) integers
    batch_size : None for the full batch
    seed : of the shuffling
    shuffle : False to keep the order of the set
    augmentations : what is done to each batch, drawn from the seed, the epoch and the batch alone
    drop_last : leave out a last batch that is short

    >>> batches = Batches(np.arange(5.0)[:, None], np.arange(5), batch_size=2, seed=0)
    >>> [len(labels) for x, labels in batches(epoch=0)]
    [2, 2, 1]
    """

    images: NDArray[Any]
    labels: NDArray[np.int64]
    batch_size: int | None
    seed: int
    shuffle: bool = True
    augmentations: tuple[Augmentation, ...] = ()
    drop_last: bool = False

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels) or len(self.labels) == 0:
            counts = f"{len(self.images)} images and {len(self.labels)} labels"
            raise ValueError(f"found {counts}; expected as many of each, at least one")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"found a batch size of {self.batch_size}; expected at least 1")

    @property
    def full(self) -> bool:
        """Whether a batch is the whole set."""
        return self.batch_size is None

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches in an epoch."""
        if self.batch_size is None:
            return 1
        whole, rest = divmod(len(self.labels), self.batch_size)
        return whole + bool(rest and not (self.drop_last and whole))

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The places of the images in the order of an epoch: (N,)."""
        count = len(self.labels)
        if not self.shuffle:
            return np.arange(count)
        sequence = np.random.SeedSequence(self.seed, spawn_key=(1, epoch))
        return np.random.default_rng(sequence).permutation(count)

    def __call__(
        self, epoch: int, first: int = 0
    ) -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
        """Go through the set once, from batch ``first`` on: images (batch, …), labels (batch,)."""
        if self.batch_size is None:
            yield self._augmented(self.images, np.arange(len(self.labels)), epoch, 0), self.labels
            return
        order = self.order(epoch)
        labels = self.labels[order]
        for number in range(first, self.steps_per_epoch):
            own = slice(number * self.batch_size, (number + 1) * self.batch_size)
            # The places are right by construction: "clip" saves take a second look at them.
            x = self.images.take(order[own], axis=0, mode="clip")
            yield self._augmented(x, order[own], epoch, number), labels[own]

    def _augmented(
        self, x: NDArray[Any], chosen: NDArray[np.int64], epoch: int, number: int
    ) -> NDArray[Any]:
        if not self.augmentations:
            return x
        sequence = np.random.SeedSequence(self.seed, spawn_key=(AUGMENTATION, epoch, number))
        generator = np.random.default_rng(sequence)
        return augmented(x, self.augmentations, generator, epoch, chosen)
