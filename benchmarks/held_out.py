"""Trainings judged on training images that were held out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from handgrad.datasets import numbers
from handgrad.experiments.manifest import versions
from handgrad.experiments.sweeps.attempt import untested


def measured(table: dict[str, Any], said: str = "") -> dict[str, Any]:
    """One training with a validation part, and what is kept of it; there is no test part.

    Of a history of more than 100 reports the first and the last are.

    Parameters
    ----------
    table : a recipe's
    said : where there is a name, every look at the validation part is printed after it
    """
    experiment = untested(table)
    history = []
    for report in experiment.train():
        values = {
            "epoch": report.epoch,
            "loss": report.loss,
            "train_accuracy": report.train_accuracy,
            "validation_accuracy": report.validation_accuracy,
        }
        history.append({key: value for key, value in values.items() if value is not None})
        if said and report.validation_accuracy is not None:
            print(said, *history[-1].values(), round(experiment.seconds), flush=True)
    held_out = experiment.validation_set
    assert held_out is not None
    model = experiment.model()
    images = numbers(held_out.images, model.preparation, experiment.recipe.dtype)
    outputs = experiment.outputs(held_out)

    def share(outputs: Any) -> float:
        return float((model.loss.decide(outputs) == held_out.labels).mean())

    return {
        "seed": table["seed"],
        "epochs": table["training"]["epochs"],
        "accuracy": share(outputs),
        "held_out_loss": model.loss(outputs, held_out.labels)[0],
        "without_views": share(experiment.network.outputs(images)),
        "n": len(held_out),
        "loss": report.loss,
        "steps": report.step,
        "seconds": round(experiment.seconds, 1),
        "threads": str(experiment.threads),
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions(),
        "history": history if len(history) <= 100 else [history[0], history[-1]],
    }
