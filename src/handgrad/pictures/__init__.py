"""From plain arrays to a figure: every number of a training, to be looked at.

Functions that take arrays and return a matplotlib figure (or, for `labelled`, an image); `save`
writes one. Experiments and the command line call them; matplotlib is loaded when one is drawn.
"""

from handgrad.pictures.augmented import augmented
from handgrad.pictures.curves import accuracy_curve, cost_curve
from handgrad.pictures.labelled import labelled
from handgrad.pictures.predictions import confusion, predictions
from handgrad.pictures.saving import check_ending, save

__all__ = [
    "accuracy_curve",
    "augmented",
    "check_ending",
    "confusion",
    "cost_curve",
    "labelled",
    "predictions",
    "save",
]
