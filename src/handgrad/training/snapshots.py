"""What is kept of a training for its film: the weights, now and then, more often early on."""

from __future__ import annotations

import bisect
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from handgrad.arrays import Array
from handgrad.errors import DataError
from handgrad.storage.tensors import read_tensors, write_tensors

__all__ = ["Snapshots", "moments", "read_snapshots"]

FORMAT = 1
STEPS = "steps"
EXPECTED = "the snapshots of a training"


def moments(
    total_steps: int, numbers: int, itemsize: int, limit_bytes: int = 64_000_000, most: int = 256
) -> tuple[int, ...]:
    """The steps at which a snapshot is kept: all where they fit, else more of them early on.

    With n snapshots of T steps, the k-th is kept at

        s(k) = k + c k²        c = (T - (n - 1)) / (n - 1)²        s(0) = 0, s(n - 1) = T

    rounded: nearly every step at first, then gaps that grow evenly.

    Parameters
    ----------
    total_steps : T, the updates of the whole training
    numbers, itemsize : of one snapshot; itemsize in bytes
    limit_bytes : of all snapshots together; the first and the last are kept whatever it is
    most : snapshots

    >>> moments(4, numbers=1, itemsize=8)
    (0, 1, 2, 3, 4)
    >>> moments(100, numbers=1, itemsize=8, limit_bytes=48)
    (0, 5, 17, 37, 65, 100)
    """
    fitting = limit_bytes // max(1, numbers * itemsize)
    gaps = min(total_steps, max(1, min(most, fitting) - 1))
    if gaps < 1:
        return (0,)
    # k plus what never falls: no two are the same. Halves are rounded up, in whole numbers.
    extra, square = total_steps - gaps, gaps * gaps
    return tuple(k + (2 * k * k * extra + square) // (2 * square) for k in range(gaps + 1))


class Snapshots:
    """Copies of some arrays that a training changes, at some of its steps; it only reads them.

    Parameters
    ----------
    look : gives the arrays by name, as they are now; asked only where they are kept
    at : the steps to keep them at, as `moments` gives them

    Attributes
    ----------
    steps : those that were kept so far

    >>> w = np.zeros(1)
    >>> snapshots = Snapshots(lambda: {"w": w}, at=(0, 2))
    >>> for step in range(4):
    ...     snapshots(step)
    ...     w += 1
    >>> snapshots.end(step=4)
    >>> snapshots.steps, snapshots.arrays()["w"].ravel()
    ([0, 2, 4], array([0., 2., 4.]))
    """

    def __init__(self, look: Callable[[], Mapping[str, Array]], at: Sequence[int]) -> None:
        self._look, self._at = look, tuple(at)
        self.steps: list[int] = []
        self._kept: list[dict[str, Array]] = []
        self._await()

    def __call__(self, step: int) -> None:
        """Keep the arrays if it is time: called before every step, with the updates made so far."""
        if self._next is not None and step >= self._next:
            self._keep(step)

    def end(self, step: int) -> None:
        """Keep the arrays as the training leaves them, in the place of what was kept at this step.

        They may be others than between the steps: the best ones, or an average.
        """
        self._forget(step)
        self._keep(step)

    def arrays(self) -> dict[str, Array]:
        """All that was kept, by name, (F, …)."""
        names = self._kept[0] if self._kept else ()
        return {name: np.stack([arrays[name] for arrays in self._kept]) for name in names}

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write all to one file, whole or not at all; `read_snapshots` reads it."""
        write_tensors(
            path, {STEPS: np.array(self.steps, np.int64), **self.arrays()}, {"format": FORMAT}
        )

    def take_up(self, path: str | os.PathLike[str], step: int) -> None:
        """Go on with what was written, of a training that goes on at ``step``.

        What was kept at or after it is left out, for it comes again.

        Raises
        ------
        DataError : no such file, or snapshots of other arrays
        """
        steps, arrays = read_snapshots(path)
        wanted = self._look()
        for name in sorted(wanted.keys() | arrays.keys()):
            found, right = (
                f"{array.dtype} of shape {array.shape}" if array is not None else "nothing"
                for array in (arrays[name][0] if name in arrays else None, wanted.get(name))
            )
            if found != right:
                raise DataError(path, f"{name} as {found}", f"{right}, by the recipe beside it")
        self.steps = [int(kept) for kept in steps]
        self._kept = [{name: arrays[name][i] for name in wanted} for i in range(len(steps))]
        self._forget(step)

    def _keep(self, step: int) -> None:
        self.steps.append(step)
        self._kept.append({name: array.copy() for name, array in self._look().items()})
        self._await()

    def _forget(self, step: int) -> None:
        """Leave out what was kept at or after a step."""
        before = bisect.bisect_left(self.steps, step)
        del self.steps[before:], self._kept[before:]
        self._await()

    def _await(self) -> None:
        last = self.steps[-1] if self.steps else -1
        place = bisect.bisect_right(self._at, last)
        self._next = self._at[place] if place < len(self._at) else None


def read_snapshots(path: str | os.PathLike[str]) -> tuple[Array, dict[str, Array]]:
    """The steps, (F,) int64, and what was kept at each, by name, (F, …).

    Raises
    ------
    DataError : no such file, another kind of file, a newer format
    """
    arrays, _ = read_tensors(path, EXPECTED, FORMAT)
    steps = arrays.pop(STEPS, np.zeros(0, np.int64))
    if steps.ndim != 1 or steps.dtype != np.int64 or not len(steps) or (np.diff(steps) <= 0).any():
        raise DataError(path, "no steps in order", EXPECTED)
    wrong = [name for name, array in arrays.items() if array.shape[:1] != steps.shape]
    if wrong or not arrays:
        found = f"{wrong[0]} of shape {arrays[wrong[0]].shape}" if wrong else "steps alone"
        raise DataError(path, found, f"{len(steps)} snapshots of each array")
    return steps, arrays
