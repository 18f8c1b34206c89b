"""Exercises with answers that are checked: a gap to fill, and a mistake named where it is known.

An exercise is one file of ``book/``, or a teacher's own; both are read the same way. The room
stands above `verification`, by whose means an answer is judged; only the command line calls it.
"""

from handgrad.exercises.exercise import CHAPTERS, Exercise, exercise, exercises, read_exercise
from handgrad.exercises.verdict import Verdict, check, judged, proved

__all__ = [
    "CHAPTERS",
    "Exercise",
    "Verdict",
    "check",
    "exercise",
    "exercises",
    "judged",
    "proved",
    "read_exercise",
]
