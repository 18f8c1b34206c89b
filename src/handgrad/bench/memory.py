"""Peak memory of one side of a work, in a process of its own."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from handgrad.bench.problems import Side
from handgrad.bench.threads import environment

__all__ = ["Memory", "growth_of", "main", "peak", "warm_up", "weigh"]


class Memory(NamedTuple):
    """Bytes of memory that were resident.

    Parameters
    ----------
    above : the peak while the work ran (its first run), above what was held when data, weights and
        programs were loaded; None where a whole process is the work
    process : the peak of the whole process, programs and data included
    """

    above: int | None
    process: int


def weigh(work: str, side: str, threads: int, reference: bool) -> Memory | None:
    """Measure one side of a work in a process of its own; None where that fails."""
    program = "import sys; from handgrad.bench.memory import main; main(*sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", program, work, side, str(threads), *["--reference"] * reference],
        env=environment(threads), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return None
    above, process = json.loads(done.stdout.splitlines()[-1])
    return Memory(above, process)


def peak() -> int:
    """The most bytes that were resident, since `_forget` where the system can forget."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _forget() -> None:
    """Let the peak begin anew at what is resident now; only Linux can."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # the C library of most Linuxes has it:
        ctypes.CDLL(None).malloc_trim(0)  # freed memory that it kept counts as free
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def main(work: str, side: str, threads: str, *flags: str) -> None:
    """Prepare a side, run it once, and print its memory as JSON: what the process is there for."""
    from handgrad.bench.ours import Process, ours
    from handgrad.bench.rivals import rival
    from handgrad.bench.threads import held
    from handgrad.bench.works import WORKS

    problem, limit = WORKS[work].problem(), int(threads)
    reference = "--reference" in flags
    warm_up(side)
    made = ours(problem, limit, reference) if side == "ours" else rival(side, problem, limit)
    if isinstance(made, Process):
        print(json.dumps([None, _of_process(made.command)]))
        return
    with held(limit):
        print(json.dumps(growth_of(made, WORKS[work].timed or WORKS[work].whole)))


def warm_up(side: str) -> None:
    """Do something tiny, so that what a library loads at its first step is no part of a work."""
    from handgrad.bench.ours import ours
    from handgrad.bench.rivals import NotMeantError, SkippedError, rival
    from handgrad.bench.works import convolutional, descent
    from handgrad.optimizers import SGD

    if side == "torch.compile":  # which has run the work itself once, when it was made
        return
    problem = descent(convolutional((2,), 3, 3), (4, 4, 2), 2, 2, SGD())
    with contextlib.suppress(NotMeantError, SkippedError):
        made = ours(problem, 1) if side == "ours" else rival(side, problem, 1)
        made.restart()
        made.run(1)


def growth_of(side: Side, repeats: int) -> Memory:
    """The memory of the first run of a side, in this process: what it keeps for others counts."""
    side.restart()
    before = peak()
    _forget()
    begun = peak()
    side.run(repeats)
    most = peak()
    return Memory(most - begun, max(before, most))


def _of_process(command: list[str]) -> int:
    """The peak of a program that is started by nearly nothing, whose own size is no part of it."""
    starter = (
        "import resource, subprocess, sys; "
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", starter, *command], capture_output=True, text=True, check=True
    )
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
