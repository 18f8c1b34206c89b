"""A process that runs one trial of a sweep, as a module: ``python -m`` and the name of this one.

`workers.Processes` starts it. The first line of its standard input is the trial, in JSON; the word
``stop`` asks for a checkpoint and an end; where the input ends, the sweep is gone, and it leaves at
once, so that nothing trains on unseen. Events go to standard output, in JSON, a line each.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import IO

from handgrad.experiments.sweeps.attempt import Event, Job, attempt

__all__ = ["main"]


def main() -> None:
    """Run the trial that standard input names, and tell of it."""
    # Whatever else is printed must not come between the events.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # Unbuffered: Python could not end while a thread waits with a buffer's lock.
    orders = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 - open as long as it lives
    job = Job(*json.loads(orders.readline()))
    wish = threading.Event()
    threading.Thread(target=_listen, args=(orders, wish), daemon=True).start()
    for name in ("SIGTERM", "SIGHUP"):  # as sent to every process of a job on a cluster
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: wish.set())

    def tell(event: Event) -> None:
        out.write(json.dumps(event) + "\n")
        out.flush()

    tell(attempt(job, wish.is_set, tell))


def _listen(orders: IO[bytes], wish: threading.Event) -> None:
    for line in orders:
        if line.strip() == b"stop":
            wish.set()
    os._exit(1)


if __name__ == "__main__":
    main()
