"""A sweep's trials on many machines: ``mpiexec -n R handgrad sweep …``; rank 0 drives, others work.

MPI starts the processes; `mpi4py.futures` hands out the trials. The folder of the sweep is one that
all machines see. Nothing here is called unless the command line has seen that `mpiexec` began it.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
from collections.abc import Iterator
from typing import Any

from handgrad.experiments.conduct import Viewer
from handgrad.experiments.interrupts import interruptible
from handgrad.experiments.sweeps.attempt import Event, Job, Tell, attempt
from handgrad.experiments.sweeps.workers import MOMENT, Workers
from handgrad.experiments.threads import CORES, cores

__all__ = ["OverMPI", "ranks"]


class OverMPI(Workers):
    """The other ranks, a trial each at a time; for rank 0.

    Parameters
    ----------
    executor : of `mpi4py.futures`
    wire : a communicator for events, and for the wish to stop
    """

    def __init__(self, executor: Any, wire: Any) -> None:
        self.executor, self.wire = executor, wire
        self.count = wire.size - 1
        self._trials: dict[int, concurrent.futures.Future[Event]] = {}
        self._stopped = False

    def running(self) -> int:
        return len(self._trials)

    def start(self, job: Job) -> None:
        self._trials[job.number] = self.executor.submit(_worked, job)

    def wait(self, tell: Tell) -> None:
        concurrent.futures.wait(
            self._trials.values(), MOMENT, return_when=concurrent.futures.FIRST_COMPLETED
        )
        ended = {number: future for number, future in self._trials.items() if future.done()}
        while self.wire.iprobe():  # what a trial told comes before its end
            tell(Event(*self.wire.recv()))
        for number, future in ended.items():
            del self._trials[number]
            fault = future.exception()
            tell(Event("died", number, {"text": repr(fault)}) if fault else future.result())

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            for rank in range(1, self.wire.size):
                self.wire.send(None, dest=rank)

    def __exit__(self, *_: object) -> None:
        if self._trials:  # the executor waits for them
            self.stop()


class _Wish(Viewer):
    """What a signal tells a rank that works; rank 0 says it for all."""

    training = True


_here: tuple[Any, _Wish] | None = None
"""The wire and the wish of this rank, for `_worked`, which gets nothing but plain data."""


def _worked(job: Job) -> Event:
    """Run a trial in a rank that works."""
    assert _here is not None
    wire, wish = _here

    def stops() -> bool:
        if not wish.interrupted and wire.iprobe(source=0):
            wire.recv(source=0)
            wish.interrupted = True
        return wish.interrupted

    return attempt(job, stops, lambda event: wire.send(tuple(event), dest=0))


@contextlib.contextmanager
def ranks() -> Iterator[OverMPI | None]:
    """In rank 0 the workers for a sweep; None in the others, once there is nothing left to do."""
    from mpi4py import MPI
    from mpi4py.futures import MPICommExecutor

    global _here
    wire, wish = MPI.COMM_WORLD.Dup(), _Wish()
    _here = wire, wish
    _take_share(MPI)
    drives = MPI.COMM_WORLD.rank == 0
    try:
        with (
            contextlib.nullcontext() if drives else interruptible(wish),
            MPICommExecutor(MPI.COMM_WORLD, root=0) as executor,
        ):
            yield None if executor is None else OverMPI(executor, wire)
    finally:
        wire.Barrier()
        while wire.iprobe():  # a wish that came when all was done
            wire.recv()


def _take_share(MPI: Any) -> None:
    """Let this rank use its part of the cores that it has together with other ranks that work."""
    from threadpoolctl import threadpool_limits

    own = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [-1]
    beside = MPI.COMM_WORLD.Split_type(MPI.COMM_TYPE_SHARED)
    every = beside.allgather((MPI.COMM_WORLD.rank, own))
    sharing = sum(rank > 0 and not set(own).isdisjoint(theirs) for rank, theirs in every)
    share = max(1, cores() // max(1, sharing))
    os.environ[CORES] = str(share)
    threadpool_limits(share)
