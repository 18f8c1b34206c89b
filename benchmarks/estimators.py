"""The scikit-learn face beside scikit-learn's own classifiers: accuracy and time.

    python benchmarks/estimators.py [--rounds N]      measures, and prints a table

Everything with its defaults, but for a `max_iter` that lets logistic regression end. Two problems:
scikit-learn's 8x8 digits as rows, in 0..1, 1,347 to learn from and 450 to be asked about; and
photographs of airplanes and motorbikes at 64x64, 200 to learn from and 200 others to be asked
about, as rows of 12,288 pixels in 0..1, or for `ImageClassifier` as the images that they are. A
round trains each side once, one after another, with the round as the random state; the table has
the medians over the rounds, with the lowest and the highest. One thread, and seconds of the
processor, so that other programs count for less.

Writes ``benchmarks/results/estimators.json``.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

import handgrad as hg

RESULTS = Path(__file__).parent / "results" / "estimators.json"
LEARNED, ASKED = 200, 200

SIDES: dict[str, Callable[[int], Any]] = {
    "MLPClassifier": lambda seed: MLPClassifier(random_state=seed),
    "ImageClassifier": lambda seed: hg.ImageClassifier(random_state=seed),
    "ImageClassifier, images": lambda seed: hg.ImageClassifier(random_state=seed),
    "LogisticRegression": lambda _: LogisticRegression(max_iter=1000),
    "LogisticImageClassifier": lambda _: hg.LogisticImageClassifier(),
}


class Problem(NamedTuple):
    """Rows and labels to learn from, those to be asked about, and the shape of the images."""

    X: NDArray[Any]
    y: NDArray[Any]
    asked: NDArray[Any]
    answers: NDArray[Any]
    shape: tuple[int, int, int] | None = None


def digits() -> Problem:
    """The 8x8 digits."""
    X, y = load_digits(return_X_y=True)
    X, asked, y, answers = train_test_split(X / 16, y, stratify=y, random_state=0)
    return Problem(X, y, asked, answers)


def photographs() -> Problem:
    """Airplanes and motorbikes."""
    train = hg.load("airplane-bike", hg.Preparation(64, 64, 3)).train
    order = np.random.default_rng(0).permutation(len(train))[: LEARNED + ASKED]
    rows, labels = train.images[order].reshape(len(order), -1) / 255, train.labels[order]
    split = LEARNED
    return Problem(rows[:split], labels[:split], rows[split:], labels[split:], (64, 64, 3))


PROBLEMS = {"digits": digits, "airplanes and motorbikes": photographs}


def measure(problem: Problem, side: str, seed: int) -> dict[str, float]:
    """Train once: seconds, accuracy, epochs or steps."""
    X, asked = problem.X, problem.asked
    if side.endswith("images"):
        assert problem.shape is not None
        X, asked = (
            np.round(rows * 255).astype(np.uint8).reshape(-1, *problem.shape) for rows in (X, asked)
        )
    classifier = SIDES[side](seed)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = time.process_time()
        classifier.fit(X, problem.y)
        seconds = time.process_time() - start
        accuracy = classifier.score(asked, problem.answers)
    return {
        "seconds": seconds,
        "accuracy": float(accuracy),
        "n_iter": int(np.max(classifier.n_iter_)),
    }


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for name, problem in ((name, make()) for name, make in PROBLEMS.items()):
        sides = [side for side in SIDES if problem.shape or not side.endswith("images")]
        found[name] = {side: [] for side in sides}
        for seed in range(rounds):
            for side in sides:
                found[name][side].append(measure(problem, side, seed))
    versions = {
        "handgrad": hg.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "scikit-learn": sklearn.__version__,
    }
    told = {"versions": versions, "threads": 1, "rounds": rounds, "found": found}
    RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print("| problem | classifier | accuracy | seconds of one core | epochs or steps |")
    print("|---|---|---|---|---|")
    for name, sides_found in found.items():
        for side, measured in sides_found.items():
            cells = (
                _spread([100 * one["accuracy"] for one in measured], ".1f", " %"),
                _spread([one["seconds"] for one in measured], ".2f", ""),
                f"{statistics.median(one['n_iter'] for one in measured):g}",
            )
            print(f"| {name} | {side} | {' | '.join(cells)} |")
    print(
        ", ".join(f"{what} {version}" for what, version in versions.items()), end="; one thread\n"
    )


def _spread(values: list[float], form: str, unit: str) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):{form}}{unit} ({low:{form}} to {high:{form}})"


if __name__ == "__main__":
    main()
