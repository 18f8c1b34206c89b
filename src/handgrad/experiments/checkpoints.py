"""Checkpoints: everything that a training needs to go on, to the bit, in one file."""

from __future__ import annotations

import math
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from handgrad import __version__
from handgrad.arrays import Array, on_host
from handgrad.errors import DataError, HandgradError, RecipeError
from handgrad.experiments.experiment import Experiment
from handgrad.storage import read_tensors, write_tensors
from handgrad.training import Report, State

__all__ = ["Checkpoints", "interval", "restore", "versions"]

FORMAT = 1


def versions() -> dict[str, str]:
    """Of what computes a training."""
    return {
        "handgrad": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


class Checkpoints:
    """Called between the steps of a training; writes a checkpoint when one is due.

    Parameters
    ----------
    experiment : is being trained
    path : of the file, replaced each time
    every : steps, and seconds, after which one is due; see `interval`
    before : called just before one is written, for what lies beside it
    note : is told of what cannot be written, and when it can be again

    Attributes
    ----------
    last : the step of the checkpoint that is there, if one is
    """

    def __init__(
        self,
        experiment: Experiment,
        path: Path,
        every: tuple[float, float],
        before: Callable[[], None] = lambda: None,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.experiment, self.path, self.before, self.note = experiment, path, before, note
        self.steps, self.seconds = every
        self.last = experiment.state.steps
        self._faults: set[str] = set()
        self._mark()

    def __call__(self, now: bool = False) -> None:
        """Write if it is time, or ``now``; what cannot be written is told, and tried next time."""
        due = self.experiment.state.steps - self._steps >= self.steps
        if not (now or due or time.monotonic() - self._time >= self.seconds):
            return
        faults = set()
        for what in (self.before, self.write):
            try:
                what()
            except HandgradError as error:
                faults.add(str(error))
        for fault in sorted(faults - self._faults):
            self.note(f"{fault}; the training goes on, and tries again with the next checkpoint")
        if self._faults and not faults:
            self.note(f"{self.path}: is written again, at step {self.last:,}")
        self._faults = faults
        self._mark()

    def write(self) -> None:
        """Write one now."""
        experiment = self.experiment
        arrays, table = experiment.state.apart()
        arrays["vector"] = experiment.stepped.vector
        write_tensors(
            self.path,
            {name: on_host(array) for name, array in arrays.items()},
            {
                "format": FORMAT,
                "state": table,
                "history": [report.known() for report in experiment.history],
                "seconds": experiment.seconds,
                "recipe": experiment.recipe.table(),
                "data": experiment.train_set.fingerprint(),
                "threads": str(experiment.threads),
                "versions": versions(),
            },
        )
        self.last = experiment.state.steps

    def _mark(self) -> None:
        self._time, self._steps = time.monotonic(), self.experiment.state.steps


def restore(experiment: Experiment, path: Path) -> list[str]:
    """Let a fresh experiment stand where a checkpoint was written.

    Returns
    -------
    differences : what is no longer as it was, in words; the bits may differ then

    Raises
    ------
    DataError : no checkpoint, that of another recipe, or of other training images
    """
    tensors, table = read_tensors(path, "a checkpoint written by handgrad", FORMAT)
    try:
        if table["recipe"] != experiment.recipe.table():
            raise DataError(path, "a checkpoint of another recipe", "one of the recipe beside it")
        if table["data"] != experiment.train_set.fingerprint():
            raise DataError(
                path,
                "a training that began with other images",
                f"those that {experiment.recipe.data.source} has now (train anew)",
            )
        _check_names(experiment, tensors, path)
        here = experiment.stepped.vector
        tensors = {name: np.asarray(array, like=here) for name, array in tensors.items()}
        vector = tensors.pop("vector")
        state = State.together(tensors, table["state"])
        history = [_report(entry) for entry in table["history"]]
        told, seconds = table["threads"], float(table["seconds"])
        differences = [
            f"{name} was {before}, is {versions()[name]}"
            for name, before in table["versions"].items()
            if before != versions()[name]
        ]
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(path, f"what cannot be used ({error!r})", "a checkpoint") from None
    here[...] = vector
    experiment.state, experiment.history, experiment.seconds = state, history, seconds
    if told != str(experiment.threads):
        differences.append(f"there were {told}, there are {experiment.threads}")
    return differences


def _check_names(experiment: Experiment, tensors: dict[str, Array], path: Path) -> None:
    """Refuse arrays that are not those which this training remembers."""
    network, averaging = experiment.stepped, experiment.recipe.averaging
    fresh = State(
        memory=experiment.recipe.optimizer.chain(network.layout).start(network.learned),
        average=averaging.start(network.vector) if averaging else {},
    )
    wanted = {"vector": network.vector, **fresh.apart()[0]}
    if "best" in tensors:
        wanted["best"] = network.vector
    for name in sorted(wanted.keys() | tensors.keys()):
        found, right = (
            f"{array.dtype} of shape {array.shape}" if array is not None else "nothing"
            for array in (tensors.get(name), wanted.get(name))
        )
        if found != right:
            raise DataError(path, f"{name} as {found}", f"{right}, by the recipe beside it")


def _report(entry: dict[str, Any]) -> Report:
    return msgspec.convert(entry, Report)  # of its types, or a ValueError


def interval(every: str) -> tuple[float, float]:
    """Steps and seconds between two checkpoints; the one that is not meant is infinite.

    >>> interval("500"), interval("10m")
    ((500, inf), (inf, 600))
    """
    match = re.fullmatch(r"([1-9]\d*)(s|m|h|)", every.strip())
    if not match:
        raise RecipeError(
            f"--checkpoint-every {every}: expected steps, such as 500, or a time: 30s, 10m, 1h"
        )
    number, unit = int(match[1]), match[2]
    if not unit:
        return number, math.inf
    return math.inf, number * {"s": 1, "m": 60, "h": 3600}[unit]
