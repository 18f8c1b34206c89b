"""One gradient by several hands: a batch split over threads, and over processes on many machines.

Training is handed the result as one function, and knows nothing of either.
"""

from handgrad.parallel.answers import AmongRanks
from handgrad.parallel.ranks import Ranks, all_or_none, joined
from handgrad.parallel.shards import Shards

__all__ = ["AmongRanks", "Ranks", "Shards", "all_or_none", "joined"]
