"""The bench: every work beside every rival that is installed, round by round, in one process.

Works are timed through the product's own entrances, after the numbers of all sides were found
equal; floors are their bare matrix products. The command line and `benchmarks/` call it.
"""

from handgrad.bench.contest import Refused, Row, Skipped, Unmeasured, contest
from handgrad.bench.environment import measured_where
from handgrad.bench.memory import weigh
from handgrad.bench.rivals import RIVALS
from handgrad.bench.works import WORKS, chosen

__all__ = [
    "RIVALS",
    "WORKS",
    "Refused",
    "Row",
    "Skipped",
    "Unmeasured",
    "chosen",
    "contest",
    "measured_where",
    "weigh",
]
