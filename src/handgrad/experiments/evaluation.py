"""What a model achieves on images that it was not trained on."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from handgrad.arrays import Device
from handgrad.datasets import Dataset, Splits, load
from handgrad.errors import DataError, HandgradError
from handgrad.experiments.experiment import Progress, loaded
from handgrad.experiments.recipe import Recipe
from handgrad.experiments.run import Run
from handgrad.experiments.threads import answering
from handgrad.networks import Model, Views
from handgrad.training import (
    ClassScore,
    baseline,
    class_scores,
    confusion_matrix,
    wilson_interval,
)

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """Figures of a model on one set of images.

    Parameters
    ----------
    accuracy, low, high : the share that is right, and its 95 % Wilson interval
    baseline : the accuracy of always answering the commonest class of these images
    n : how many images
    confusion : row is the truth, column what it was called
    others : the accuracy on further sets that the source has
    views : which views of each image the answers are the mean of
    """

    data: str
    accuracy: float
    low: float
    high: float
    baseline: float
    n: int
    loss: float
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    note: str = ""
    others: dict[str, float] = field(default_factory=dict)
    views: Views = "none"

    def table(self) -> dict[str, Any]:
        """As plain data; a precision or recall that there is none of is None."""
        return asdict(self)


def evaluate(
    model: str | os.PathLike[str] | Run,
    data: str | os.PathLike[str] | None = None,
    *,
    views: Views | None = None,
    device: Device = "cpu",
    progress: Progress | None = None,
) -> Evaluation:
    """Judge a model on the test images recorded with it, or on others.

    Parameters
    ----------
    model : a run, or a model file
    data : the name of a data set, a prepared .h5, or a folder of images. A source with a test part
        is judged by that part, else by all of it.
    views : which views of each image the answers are the mean of; None for the model's own
    device : "cuda" to compute on a graphics card

    Raises
    ------
    HandgradError : the recorded images are not on this machine, or are not what they were; classes
        that the model does not know
    """
    run = model if isinstance(model, Run) else Run(model)
    run.compute_on(device)
    asked = run.model if views is None else dataclasses.replace(run.model, views=views)
    if data is None:
        name, splits = "the recorded test images", _recorded(run, progress)
        test = splits.test
        if test is None:
            raise HandgradError(f"{run.model_file}: no test part is recorded; give --data")
    else:
        name = os.fspath(data)
        splits = load(
            name,
            run.model.preparation,
            generator=np.random.default_rng(0),  # nothing is dealt out: test = 0
            test=0.0,
            each=progress,
        )
        test = splits.test or splits.train
    dataset = _aligned(test, run.model)
    labels, loss, matrix = _judged(asked, dataset)
    correct = int(matrix.trace())
    low, high = wilson_interval(correct, len(dataset))
    return Evaluation(
        data=name,
        accuracy=correct / len(dataset),
        low=low,
        high=high,
        baseline=baseline(labels),
        n=len(dataset),
        loss=loss,
        classes=tuple(class_scores(matrix, run.model.class_names)),
        confusion=tuple(tuple(int(n) for n in row) for row in matrix),
        note=splits.note,
        others={
            key: float(_judged(asked, other)[2].trace() / len(other))
            for key, other in splits.others.items()
            if key != "validation"
        },
        views=asked.views,
    )


def _judged(model: Model, dataset: Dataset) -> tuple[Any, float, Any]:
    with answering(model.network, len(dataset)):
        outputs = model.outputs(dataset.images)
    loss, _ = model.loss(outputs, dataset.labels)
    matrix = confusion_matrix(model.loss.decide(outputs), dataset.labels, len(model.class_names))
    return dataset.labels, loss, matrix


def _recorded(run: Run, progress: Progress | None) -> Splits:
    """The test images that the recipe dealt out, checked against what the model says of them."""
    if not run.recipe:
        raise HandgradError(f"{run.model_file}: no data is recorded with this model; give --data")
    recipe = Recipe.of(run.recipe, classes=len(run.model.class_names))
    try:
        splits = loaded(recipe.data, recipe.seed, progress)
    except HandgradError as error:
        raise HandgradError(
            f"the images recorded with the model: {error} (or give --data)"
        ) from None
    recorded = run.model.about.get("test", {}).get("fingerprint")
    if splits.test is not None and recorded and splits.test.fingerprint() != recorded:
        raise HandgradError(
            f"{recipe.data.source}: its test images are no longer those recorded with the model, "
            "and some of them may have been trained on; give --data to use others"
        )
    return splits


def _aligned(dataset: Dataset, model: Model) -> Dataset:
    """The same images with the model's own order of classes."""
    if dataset.class_names == model.class_names:
        return dataset
    unknown = sorted(set(dataset.class_names) - set(model.class_names))
    if unknown:
        raise DataError(
            dataset.name,
            f"class {unknown[0]!r}",
            f"classes that the model knows ({', '.join(model.class_names)})",
        )
    order = np.array([model.class_names.index(name) for name in dataset.class_names])
    return Dataset(
        dataset.images,
        order[dataset.labels],
        model.class_names,
        dataset.file_names,
        dataset.name,
    )
