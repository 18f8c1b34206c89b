"""What a model's accuracy is worth: beside simple answers, with its calibration and its errors."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from handgrad.datasets import Dataset
from handgrad.experiments.baselines import Baseline, baselines
from handgrad.experiments.experiment import Experiment
from handgrad.training import calibration, mcnemar, most_wrong, wilson_interval

__all__ = ["Row", "Scoreboard", "scoreboard"]

SURE = 0.05
"""How seldom chance alone may speak as clearly, for a difference to count."""

NAMED = 5
"""So many of the files that are most wrong are named."""


@dataclass(frozen=True)
class Row:
    """How often an answer is right: ``correct`` of ``n``, with the 95 % Wilson interval."""

    name: str
    correct: int
    n: int
    accuracy: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Wrong:
    """An image about which the model is wrong, and how sure it is of that."""

    file: str
    truth: str
    called: str
    probability: float


@dataclass(frozen=True)
class Scoreboard:
    """A model beside the answers that need no network, on the same test images.

    Parameters
    ----------
    rows : the model, and then `baselines`
    calibration_error : see `calibration`
    most_wrong : the files with the surest wrong answers
    verdict : one sentence, whether the model is better than the best of the others
    p : of `mcnemar`, against the best of the others
    """

    rows: tuple[Row, ...]
    calibration_error: float
    most_wrong: tuple[Wrong, ...]
    verdict: str
    p: float

    def table(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def scoreboard(experiment: Experiment, test: Dataset) -> Scoreboard:
    """Judge a trained experiment on its test images.

    Logistic regression, the nearest class mean and the majority class learn from the same training
    images: see `baselines`. Whether the model is better than the best of them is asked image by
    image, by McNemar's exact test.

    Cost: that of `baselines`, some seconds at most.
    """
    train, names = experiment.train_set, experiment.class_names
    probabilities = experiment.recipe.loss.probabilities(experiment.outputs(test))
    called = experiment.recipe.loss.decide(experiment.outputs(test))
    right = called == test.labels
    others = baselines(train.images, train.labels, test.images, test.labels, len(names))
    best = max(others, key=lambda other: other.correct)
    for_us, for_it = int((right & ~best.right).sum()), int((best.right & ~right).sum())
    p = mcnemar(for_us, for_it)
    files = test.file_names or [f"image {place}" for place in range(len(test))]
    wrong = most_wrong(probabilities, test.labels, NAMED)
    return Scoreboard(
        (_row("this model", int(right.sum()), len(test)), *(_of(other) for other in others)),
        calibration(probabilities, test.labels).error,
        tuple(
            Wrong(
                files[i],
                names[test.labels[i]],
                names[probabilities[i].argmax()],
                float(probabilities[i].max()),
            )
            for i in wrong
        ),
        _verdict(best, for_us, for_it, p),
        p,
    )


def _verdict(best: Baseline, for_us: int, for_it: int, p: float) -> str:
    how = (
        "better than" if for_us > for_it else "worse than" if for_us < for_it else "no better than"
    )
    if p >= SURE and for_us != for_it:
        how = f"not shown to be {how}"
    return (
        f"{how} the best simple answer, {best.name} ({100 * best.accuracy:.2f} %): of the test "
        f"images on which one of the two is wrong, it is right on {for_us:,}, the simple answer on "
        f"{for_it:,} (p = {p:.2g})"
    )


def _of(other: Baseline) -> Row:
    return _row(other.name, other.correct, other.n, other.note)


def _row(name: str, correct: int, n: int, note: str = "") -> Row:
    return Row(name, correct, n, correct / n, *wilson_interval(correct, n), note)
