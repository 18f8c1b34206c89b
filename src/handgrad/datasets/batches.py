"""The same images, epoch after epoch, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays import Array
from handgrad.datasets.augmentation import Augmentation, applied, drawn

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
    by_rows : hand out the images of a batch as something to take rows of, which are read and
        augmented when they are taken: whoever has a part of a batch pays for that part

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
    by_rows: bool = False

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
            draws = self._drawn(np.arange(len(self.labels)), epoch, 0)
            if self.by_rows:
                x: Any = _Rows(self.images, None, self.augmentations, draws)
            else:
                x = applied(self.images, self.augmentations, draws)
            yield x, self.labels
            return
        order = self.order(epoch)
        labels = self.labels[order]
        for number in range(first, self.steps_per_epoch):
            own = slice(number * self.batch_size, (number + 1) * self.batch_size)
            draws = self._drawn(order[own], epoch, number)
            rows: Any = _Rows(self.images, order[own], self.augmentations, draws)
            yield rows if self.by_rows else rows[:], labels[own]

    def _drawn(self, chosen: NDArray[np.int64], epoch: int, number: int) -> list[tuple[Array, ...]]:
        if not self.augmentations:
            return []
        sequence = np.random.SeedSequence(self.seed, spawn_key=(AUGMENTATION, epoch, number))
        generator = np.random.default_rng(sequence)
        return drawn(self.augmentations, chosen, self.images.shape[1:], generator, epoch)


class _Rows:
    """The images of a batch, none of which is read before its row is asked for.

    Parameters
    ----------
    images : all of them
    chosen : (n,) the batch's, None for all in their order
    augmentations, draws : those of the whole batch
    """

    def __init__(
        self,
        images: NDArray[Any],
        chosen: NDArray[np.int64] | None,
        augmentations: tuple[Augmentation, ...],
        draws: list[tuple[Array, ...]],
    ) -> None:
        self._images, self._chosen = images, chosen
        self._augmentations, self._draws = augmentations, draws
        self._count = len(images if chosen is None else chosen)
        self.shape = (self._count, *images.shape[1:])
        self.dtype = images.dtype

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, own: slice) -> NDArray[Any]:
        if self._chosen is None:
            x = self._images[own]
        else:
            # The places are right by construction: "clip" saves take a second look at them.
            x = self._images.take(self._chosen[own], axis=0, mode="clip")
        draws = [tuple(array[own] for array in arrays) for arrays in self._draws]
        return applied(x, self._augmentations, draws)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)
