"""The same number of threads for every side, and afterwards the numbers that there were."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from threadpoolctl import threadpool_limits

__all__ = ["VARIABLES", "environment", "held"]

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What a library reads when a process loads it."""


@contextlib.contextmanager
def held(threads: int) -> Iterator[None]:
    """Hold BLAS, OpenMP and, where it is loaded, PyTorch to so many threads.

    >>> from threadpoolctl import threadpool_info
    >>> with held(1):
    ...     {pool["num_threads"] for pool in threadpool_info()}
    {1}
    """
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    with threadpool_limits(limits=threads):
        if torch:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)


def environment(threads: int) -> dict[str, str]:
    """The environment of a process whose libraries shall use so many threads."""
    return {**os.environ, **dict.fromkeys(VARIABLES, str(threads))}
