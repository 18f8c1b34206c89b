"""The pictures that every run gets."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from handgrad.experiments.experiment import Experiment
from handgrad.networks import Model
from handgrad.storage import made_folder
from handgrad.training import confusion_matrix

__all__ = ["draw_pictures"]

MOST = 25
"""Images in the grid of predictions."""


def draw_pictures(experiment: Experiment, model: Model, folder: Path) -> None:
    """Cost, accuracy, the confusion matrix and some predictions, as PNG into a folder."""
    from handgrad.pictures import accuracy_curve, confusion, cost_curve, predictions, save

    made_folder(folder)
    history = experiment.history
    full = experiment.recipe.training.batch_size is None
    unit: Literal["step", "epoch"] = "step" if full else "epoch"
    x = [report.step if full else report.epoch for report in history]
    if history:
        validation = [report.validation_loss for report in history]
        save(
            cost_curve(
                x,
                [report.loss for report in history],
                validation if any(v is not None for v in validation) else None,
                unit=unit,
            ),
            folder / "cost.png",
        )
        curves: dict[str, list[float | None]] = {
            "train": [*(report.train_accuracy for report in history)],
            "validation": [report.validation_accuracy for report in history],
            "test": [report.test_accuracy for report in history],
        }
        known = {name: row for name, row in curves.items() if any(v is not None for v in row)}
        save(accuracy_curve(x, known, unit=unit), folder / "accuracy.png")
    shown = experiment.splits.test or experiment.train_set
    probabilities = model.loss.probabilities(experiment.outputs(shown))
    called = probabilities.argmax(axis=1)
    matrix = confusion_matrix(called, shown.labels, len(model.class_names))
    save(confusion(matrix, model.class_names), folder / "confusion.png")
    # Evenly over the set, which is often sorted by class.
    some = np.unique(np.linspace(0, len(shown) - 1, MOST).round().astype(int))
    save(
        predictions(shown.images[some], shown.labels[some], probabilities[some], model.class_names),
        folder / "predictions.png",
    )
