"""Ranks: the processes of one training, on one machine or many, and how they add up."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

from handgrad.arrays import Array
from handgrad.errors import HandgradError

__all__ = ["Ranks", "all_or_none", "joined"]

SHORT = 32_000
"""Bytes of a vector up to which each rank sends all of it to every other: one message less."""

STARTED = {
    "PMI_SIZE": "PMI_RANK",
    "OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK",
    "SLURM_NTASKS": "PMIX_RANK",
}
"""What `mpiexec` or `srun` tells the processes that it starts: how many they are, and which is
this; what Slurm says of its tasks counts only where it started this one as a rank."""


class Ranks:
    """The processes that compute one training together, each with its part of every batch.

    All of them must ask for the same sums in the same order. A sum is taken in the order of the
    ranks, whoever came first, so that the same ranks give the same bits.

    Parameters
    ----------
    comm : a communicator of mpi4py

    Attributes
    ----------
    rank, size : which this is, of how many
    name : which this is, for people: "rank 1 of 3 (on node7)"
    first_here : whether it is the first on its machine
    """

    def __init__(self, comm: Any) -> None:
        self.comm, self.rank, self.size = comm, int(comm.rank), int(comm.size)
        self._parts = np.empty((0, 0))  # a large array made anew costs more than what is done in it
        self.machine = socket.gethostname()
        self.name = f"rank {self.rank} of {self.size} (on {self.machine})"
        self.first_here = self.told(self.machine).index(self.machine) == self.rank

    def total(self, part: Array) -> Array:
        """The sum of a few numbers over all ranks: each sends its own to every other."""
        part = np.asarray(part, order="C")  # which leaves a number without dimensions as it is
        every = np.empty((self.size, *part.shape), part.dtype)
        self.comm.Allgather(part, every)
        total: Array = every[0]
        for other in every[1:]:
            total = total + other
        return np.asarray(total)

    def add(self, vector: Array, scale: float = 1.0) -> None:
        """Put ``scale`` times the sum over all ranks in the place of a long vector.

        Rank r receives part r of everybody's vector, adds them up in the order of the ranks, and
        sends the sum to all. So 2 (R - 1)/R of the vector goes out of each of R ranks, as in a
        ring, which is the least that there can be; a ring adds each part in another order.

        Source: Patarasuk and Yuan, Bandwidth optimal all-reduce algorithms for clusters of
        workstations, J. Parallel Distrib. Comput. 69 (2009).
        """
        if vector.nbytes <= SHORT:
            np.multiply(self.total(vector), scale, out=vector)
            return
        ends = np.arange(self.size + 1) * len(vector) // self.size
        counts, starts = np.diff(ends), ends[:-1]
        own = int(counts[self.rank])
        if self._parts.shape != (self.size, own) or self._parts.dtype != vector.dtype:
            self._parts = np.empty((self.size, own), vector.dtype)
        parts = self._parts
        self.comm.Alltoallv(
            [vector, (counts, starts)], [parts, ([own] * self.size, own * np.arange(self.size))]
        )
        total = parts[0]
        for part in parts[1:]:
            total += part
        total *= scale
        self.comm.Allgatherv(total, [vector, (counts, starts)])

    def rows(self, own: Array, counts: Sequence[int]) -> Array:
        """All ranks' rows, one rank's behind the other's.

        Parameters
        ----------
        own : (counts[rank], …)
        counts : how many rows each rank has
        """
        every = np.empty((sum(counts), *own.shape[1:]), own.dtype)
        each = every[:1].size
        numbers = np.array(counts) * each
        starts = np.cumsum(numbers) - numbers
        self.comm.Allgatherv(np.ascontiguousarray(own), [every, (numbers, starts)])
        return every

    def told(self, word: Any) -> list[Any]:
        """What each rank says, in their order: a few plain values."""
        told: list[Any] = self.comm.allgather(word)
        return told

    def from_first(self, word: Any) -> Any:
        """What rank 0 says; the others' words are not asked for."""
        return self.comm.bcast(word)

    @contextmanager
    def all_or_none(self) -> Iterator[None]:
        """If the block fails with an error of handgrad's on one rank, it fails on all.

        Raises
        ------
        HandgradError : the rank's own; on the others one that names the first rank that failed
        """
        error: HandgradError | None = None
        try:
            yield
        except HandgradError as caught:
            if caught.everywhere:
                raise
            error = caught
        said = self.told(None if error is None else (str(error), self.name))
        if failed := [one for one in said if one is not None]:
            text, name = failed[0]
            if error is None or name != self.name:
                error = HandgradError(f"{name}: {text}")
            error.everywhere = True
            raise error

    def same(self, value: Any, what: str) -> None:
        """Refuse what is not the same on all ranks.

        Raises
        ------
        HandgradError : on all of them
        """
        told = self.told((value, self.name))
        first, _ = told[0]
        for other, name in told:
            if other != first:
                error = HandgradError(
                    f"{name}: found {what} {other}; expected {first}, as rank 0 has"
                )
                error.everywhere = True
                raise error

    def share(self, cores: frozenset[int] | set[int]) -> int:
        """How many cores are left for this rank where several may use the same ones."""
        told = self.told((self.machine, sorted(cores)))
        alike = [one == told[self.rank] for one in told].count(True)
        return max(1, len(cores) // alike)

    def abort(self, code: int) -> None:
        """End all ranks at once, wherever they are."""
        self.comm.Abort(code)


def all_or_none(ranks: Ranks | None) -> AbstractContextManager[None]:
    """`Ranks.all_or_none`, where there are ranks."""
    return nullcontext() if ranks is None else ranks.all_or_none()


def joined() -> Ranks | None:
    """The ranks among which `mpiexec` started this process; None where it is alone.

    Raises
    ------
    HandgradError : started as one of several, but mpi4py is missing or of another MPI
    """
    asked = next(
        (
            int(os.environ[size])
            for size, rank in STARTED.items()
            if size in os.environ and rank in os.environ
        ),
        1,
    )
    if asked == 1:
        return None
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise HandgradError(
            f"found {asked} ranks, but no mpi4py that works ({error}); expected "
            "pip install 'handgrad[mpi]' for the Python of every rank"
        ) from None
    comm = MPI.COMM_WORLD
    if comm.size != asked:
        raise HandgradError(
            f"found {asked} ranks started and {comm.size} in mpi4py's MPI "
            f"({MPI.get_vendor()[0]}); expected the mpiexec of the same MPI: that of "
            "pip install mpich lies beside this Python"
        )
    if MPI.Query_thread() < MPI.THREAD_SERIALIZED:
        raise HandgradError("found an MPI without threads; expected MPI_THREAD_SERIALIZED")
    return Ranks(comm)
