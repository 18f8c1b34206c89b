"""How a network answers when all ranks ask it the same: each has its part of the batches."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

from handgrad.arrays import Array
from handgrad.networks import InBatches, Network
from handgrad.parallel.ranks import Ranks

__all__ = ["AmongRanks"]


@dataclass(frozen=True)
class AmongRanks(InBatches):
    """Batches of the sizes that one process with as many threads would choose, shared out.

    Parameters
    ----------
    ranks : which all ask the same at the same time, and have all the answers
    """

    ranks: Ranks = field(kw_only=True)

    def __call__(self, network: Network, x: Array) -> Array:
        """The outputs of a frozen network for any number of images, in their order."""
        count, rank = self.ranks.size, self.ranks.rank
        size = replace(self, threads=count * self.threads).size(network, x)
        number = -(-len(x) // size)
        ends = [min(size * (number * r // count), len(x)) for r in range(count + 1)]
        own = self.some(network, x, range(ends[rank], ends[rank + 1], size), size)
        return self.ranks.rows(own, [b - a for a, b in itertools.pairwise(ends)])
