"""Who runs a sweep's trials: this process, processes beside it, or (`over_mpi`) other machines."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import IO, Any

from handgrad.experiments.sweeps.attempt import Event, Job, Tell, attempt
from handgrad.experiments.threads import CORES, cores

__all__ = ["Here", "Processes", "Workers"]

MOMENT = 0.2
"""Seconds that are waited for something to happen."""

POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""How libraries are told of their threads before they are loaded."""


class Workers(ABC):
    """Run trials, as many at once as there are workers. A context manager: at its end all are gone.

    Attributes
    ----------
    count : how many there are
    """

    count: int = 1

    @abstractmethod
    def running(self) -> int:
        """How many trials are being run."""

    @abstractmethod
    def start(self, job: Job) -> None:
        """Give a trial to a free worker."""

    @abstractmethod
    def wait(self, tell: Tell) -> None:
        """Tell what happens, for a moment, or until a trial has ended."""

    @abstractmethod
    def stop(self) -> None:
        """Ask every trial to write a checkpoint and leave."""

    def __enter__(self) -> Workers:
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None:
        """End at once whatever still goes on."""


class Here(Workers):
    """One trial after the other, in this process.

    Parameters
    ----------
    stops : asked before every step, whether to leave
    """

    def __init__(self, stops: Callable[[], bool]) -> None:
        self.stops = stops
        self._job: Job | None = None

    def running(self) -> int:
        return int(self._job is not None)

    def start(self, job: Job) -> None:
        self._job = job

    def wait(self, tell: Tell) -> None:
        if self._job is not None:
            job, self._job = self._job, None
            tell(attempt(job, self.stops, tell))

    def stop(self) -> None:
        """Nothing: who runs is asked before every step."""

    def __exit__(self, *_: object) -> None:
        """Nothing: what ran has ended."""


class Processes(Workers):
    """A process for every trial, ``count`` at once, each with its share of the cores.

    So a trial that dies, by the system's hand or its own, takes no other with it. A process is told
    on its standard input what to do, and by its end that nobody wants it any more; on its standard
    output it tells what happens, in JSON, an event a line: see `trial_process`.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.share = max(1, cores() // count)
        self._processes: dict[int, _Process] = {}
        self._events: queue.Queue[Event] = queue.Queue()

    def running(self) -> int:
        return len(self._processes)

    def start(self, job: Job) -> None:
        self._processes[job.number] = _Process(job, self.share, self._events.put)

    def wait(self, tell: Tell) -> None:
        end = time.monotonic() + MOMENT
        with contextlib.suppress(queue.Empty):
            while True:
                event = self._events.get(timeout=max(0.0, end - time.monotonic()))
                if event.last:
                    self._processes.pop(event.number).close()
                tell(event)
                if event.last:
                    return

    def stop(self) -> None:
        for process in self._processes.values():
            process.stop()

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
        self._processes.clear()


class _Process:
    """A trial in a process of its own.

    Parameters
    ----------
    tell : is called from another thread; the last event is its end
    """

    def __init__(self, job: Job, share: int, tell: Tell) -> None:
        threads = str(job.table.get("training", {}).get("threads") or share)
        environment = os.environ | dict.fromkeys(POOLS, threads) | {CORES: str(share)}
        # A terminal's Ctrl-C is for the sweep, which tells its trials.
        apart: dict[str, Any] = {"start_new_session": True}
        if os.name == "nt":
            apart = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - until `close`
        self._process = subprocess.Popen(
            [sys.executable, "-m", "handgrad.experiments.sweeps.trial_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            encoding="utf-8",
            env=environment,
            **apart,
        )
        self._number, self._tell = job.number, tell
        self._write(json.dumps(job))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _write(self, line: str) -> None:
        with contextlib.suppress(OSError):  # it is gone; the reader tells of it
            assert self._process.stdin is not None
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        self._write("stop")

    def _read(self) -> None:
        last = None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError, TypeError):  # cut by its end
                event = Event(*json.loads(line))
                if event.last:
                    last = event
                else:
                    self._tell(event)
        code = self._process.wait()
        # What it said last counts only if it also ended well.
        if last is None or code:
            last = Event("died", self._number, {"text": _ended(code, self._said)})
        self._tell(last)

    def kill(self) -> None:
        """End it at once: what it writes is whole or not there."""
        self._process.kill()
        self.close()

    def close(self) -> None:
        """Leave nothing open of a process that has ended."""
        self._reader.join()
        for file in (self._process.stdin, self._process.stdout, self._said):
            with contextlib.suppress(OSError):
                assert file is not None
                file.close()


def _ended(code: int, said: IO[bytes]) -> str:
    """How a process ended that did not end well, in words."""
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = "; the system may be out of memory" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{hint}"
    said.seek(0)
    lines = said.read()[-4000:].decode("utf-8", "replace").strip().splitlines()
    return f"its process ended with exit code {code}" + "".join(f": {one}" for one in lines[-1:])
