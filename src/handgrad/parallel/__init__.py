"""One gradient by several hands: a batch split over threads, each with its own memory.

Training is handed the result as one function, and knows nothing of threads.
"""

from handgrad.parallel.shards import Shards

__all__ = ["Shards"]
