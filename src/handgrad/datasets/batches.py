"""The same images, epoch after epoch, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Batches"]


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

    >>> batches = Batches(np.arange(5.0)[:, None], np.arange(5), batch_size=2, seed=0)
    >>> [len(labels) for x, labels in batches(epoch=0)]
    [2, 2, 1]
    """

    images: NDArray[Any]
    labels: NDArray[np.int64]
    batch_size: int | None
    seed: int
    shuffle: bool = True

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
        return 1 if self.batch_size is None else -(-len(self.labels) // self.batch_size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The places of the images in the order of an epoch: (N,)."""
        count = len(self.labels)
        if not self.shuffle:
            return np.arange(count)
        sequence = np.random.SeedSequence(self.seed, spawn_key=(1, epoch))
        return np.random.default_rng(sequence).permutation(count)

    def __call__(self, epoch: int) -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
        """Go through the set once: pairs of images (batch, ...) and labels (batch,)."""
        if self.batch_size is None:
            yield self.images, self.labels
            return
        order = self.order(epoch)
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            # The places are right by construction: "clip" saves take a second look at them.
            yield np.take(self.images, chosen, axis=0, mode="clip"), self.labels[chosen]
