"""How much memory a network needs, said before any of it is asked for."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from handgrad.arrays import Shape
from handgrad.errors import RecipeError

__all__ = ["check_memory", "machine_memory", "needed_memory"]

LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says what a container may use."""


@functools.cache
def machine_memory() -> int | None:
    """Bytes of memory that this machine, or the container this runs in, has; None if unknown."""
    known = []
    try:
        known.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows has no such call
        return None
    for path in LIMITS:
        try:
            known.append(int(Path(path).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no container, or one without a limit
            continue
    return min(known)


def needed_memory(numbers: int, shapes: Sequence[Shape], itemsize: int, vectors: int = 1) -> int:
    """Bytes for a network's vectors, and for one image on its way through the layers.

    Parameters
    ----------
    numbers : P, of one vector
    shapes : of one sample before each layer, and after the last
    itemsize : bytes of a number
    vectors : how many there are: the weights; in a training also the gradient, and what the
        optimizer and the averaging remember

    >>> needed_memory(74, [(3, 3, 1), (6,), (2,)], itemsize=4, vectors=3)
    948
    """
    widest = max(math.prod(before) + math.prod(after) for before, after in pairwise(shapes))
    return itemsize * (vectors * numbers + widest)


def check_memory(numbers: int, shapes: Sequence[Shape], itemsize: int, vectors: int = 1) -> None:
    """Refuse a network that does not fit into the memory of this machine.

    Raises
    ------
    RecipeError : says what it needs, and what is there
    """
    needed, there = needed_memory(numbers, shapes, itemsize, vectors), machine_memory()
    if there is not None and needed > there:
        raise RecipeError(
            f"found a network of {numbers:,} numbers, which needs {needed / 1e9:,.1f} GB "
            f"({vectors} times its numbers, and one image on its way); expected at most the "
            f"{there / 1e9:,.1f} GB of memory that are there: fewer units or channels, smaller "
            "images, or an optimizer that remembers less"
        )
