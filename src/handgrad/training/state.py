"""Where a training stands: all that it needs to go on, besides the network's vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from handgrad.arrays import Array

__all__ = ["Best", "Seen", "State"]


@dataclass
class Seen:
    """Sums over the samples of an epoch, as far as it has gone."""

    samples: int = 0
    correct: int = 0
    total: float = 0.0

    def add(self, value: float, correct: int, samples: int) -> None:
        """Count a batch with its mean loss."""
        self.total += value * samples
        self.correct += correct
        self.samples += samples

    @property
    def loss(self) -> float:
        return self.total / self.samples

    @property
    def accuracy(self) -> float:
        return self.correct / self.samples


@dataclass
class Best:
    """The best weights so far, their validation accuracy and loss, and the reports since."""

    accuracy: float
    loss: float
    since: int
    weights: Array


@dataclass
class State:
    """What a training remembers between two steps; with the vector, enough to go on from there.

    Everything that is drawn is a function of the seed and the step, and needs no place here.

    Parameters
    ----------
    steps : the updates made
    reports : the reports given
    memory : what the optimizer remembers, arrays by name
    average : what the averaging remembers
    seen : the sums over the epoch that is being gone through
    best : of `keep_best`, if it judges
    """

    steps: int = 0
    reports: int = 0
    memory: dict[str, Any] = field(default_factory=dict)
    average: dict[str, Any] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    best: Best | None = None

    def apart(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """The arrays by dotted names, and the rest as a table of plain numbers."""
        arrays = dict(_flat("memory", self.memory)) | dict(_flat("average", self.average))
        table: dict[str, Any] = {
            "steps": self.steps,
            "reports": self.reports,
            "seen": asdict(self.seen),
        }
        if self.best is not None:
            arrays["best"] = self.best.weights
            table["best"] = {
                "accuracy": self.best.accuracy,
                "loss": self.best.loss,
                "since": self.best.since,
            }
        return arrays, table

    @staticmethod
    def together(arrays: Mapping[str, Array], table: Mapping[str, Any]) -> State:
        """The state that `apart` took apart.

        Raises
        ------
        KeyError, TypeError, ValueError : something is missing, or is not what it should be
        """
        counts = {name: table[name] for name in ("steps", "reports")}
        _check(counts, dict.fromkeys(counts, 0))
        _check(table["seen"], asdict(Seen()))
        state = State(**counts, seen=Seen(**table["seen"]))
        if "best" in table:
            _check(table["best"], {"accuracy": 0.0, "loss": 0.0, "since": 0})
            state.best = Best(**table["best"], weights=arrays["best"])
        for name, array in arrays.items():
            first, *path = name.split(".")
            if path:
                place = {"memory": state.memory, "average": state.average}[first]
                for part in path[:-1]:
                    place = place.setdefault(part, {})
                place[path[-1]] = array
        return state


def _check(table: Mapping[str, Any], like: Mapping[str, float]) -> None:
    """Refuse a table of other keys, of other kinds of numbers, or with a negative count."""
    if table.keys() != like.keys():
        raise KeyError(f"{sorted(table)} instead of {sorted(like)}")
    for key, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int | type(like[key])):
            raise TypeError(f"{key} = {value!r}")
        if isinstance(like[key], int) and value < 0:
            raise ValueError(f"{key} = {value}")


def _flat(name: str, nested: Mapping[str, Any]) -> list[tuple[str, Array]]:
    """Arrays within dicts within dicts, by dotted names."""
    found: list[tuple[str, Array]] = []
    for key, value in nested.items():
        own = f"{name}.{key}"
        found += _flat(own, value) if isinstance(value, dict) else [(own, value)]
    return found
