"""A sweep: many trainings of one recipe, the best by validation, and the test set once.

`grid` and `planning` make the trials of what was asked, `trials` reads what came of them, `attempt`
runs one, `workers` and `over_mpi` many at a time; `winner` writes what was found, and `conduct` is
the whole way.
"""

from handgrad.experiments.sweeps.conduct import SweepViewer, resume_sweep, sweep
from handgrad.experiments.sweeps.winner import Sweep

__all__ = ["Sweep", "SweepViewer", "resume_sweep", "sweep"]
