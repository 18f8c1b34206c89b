"""What a picture is of: a training that was run, or a recipe that was not."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from handgrad.arrays import Array
from handgrad.datasets import Dataset, Preparation, numbers
from handgrad.errors import HandgradError
from handgrad.experiments.experiment import Experiment, Progress
from handgrad.experiments.recipe import read_recipe
from handgrad.experiments.run import Run
from handgrad.experiments.threads import answering
from handgrad.networks import Network
from handgrad.training import least_sure

__all__ = ["NotThereError", "Subject", "pixels_of"]


class NotThereError(HandgradError):
    """A subject has nothing for a picture to show; a page then does without it."""


class Subject:
    """What a picture is of; what it asks for is read or computed once.

    Parameters
    ----------
    table : the recipe's
    folder : where its pictures lie if nobody says otherwise
    run : None for a recipe that was not run
    experiment : with its data, and trained where ``run`` is given; None to load it when asked for
    progress : told about the loading of images

    Attributes
    ----------
    experiment : its network holds the run's weights
    """

    def __init__(
        self,
        table: dict[str, Any],
        folder: Path,
        run: Run | None = None,
        experiment: Experiment | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.table, self.folder, self.run, self.progress = table, folder, run, progress
        if experiment is not None:
            self.experiment = experiment

    @staticmethod
    def of(
        source: str | os.PathLike[str] | None = None, progress: Progress | None = None
    ) -> Subject:
        """A run's folder, a model file, or what `read_recipe` takes; None for the newest run."""
        if source is None:
            run = Run.newest()
            return Subject(run.recipe, run.folder / "pictures", run, progress=progress)
        path = Path(source)
        if path.suffix == ".safetensors":
            run = Run(path)
            return Subject(run.recipe, Path(), run, progress=progress)
        if (path / "model.safetensors").is_file():
            run = Run(path)
            return Subject(run.recipe, path / "pictures", run, progress=progress)
        return Subject(read_recipe(source), Path(), progress=progress)

    @property
    def name(self) -> str:
        """The recipe's."""
        return str(self.table.get("name", ""))

    @cached_property
    def experiment(self) -> Experiment:
        """The recipe with its data, and the weights of the run, if there is one."""
        experiment = Experiment(self.table, progress=self.progress)
        if self.run is not None:
            there, found = experiment.network.vector, self.run.model.network.vector
            if there.shape != found.shape:
                raise HandgradError(
                    f"{self.run.model_file}: found {found.size:,} numbers; expected "
                    f"{there.size:,}, by the recipe beside it"
                )
            there[...] = found
        return experiment

    @property
    def network(self) -> Network:
        """As it predicts: what a picture reads by the book."""
        return self.experiment.network.frozen()

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.experiment.class_names

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """The reports, oldest first."""
        if self.experiment.history:
            return [report.known() for report in self.experiment.history]
        if self.run is None:
            raise NotThereError(f"recipe {self.name!r} was not run; expected a run")
        return self.run.history

    @property
    def unit(self) -> Literal["step", "epoch"]:
        """What reports are counted by."""
        return "step" if self.experiment.recipe.training.batch_size is None else "epoch"

    @property
    def judged(self) -> Dataset:
        """The images that the network is judged by: the test part, else those it was trained on."""
        return self.experiment.splits.test or self.experiment.train_set

    @cached_property
    def probabilities(self) -> Array:
        """(N, K): what the network says of `judged`."""
        if self.run is None and not self.experiment.history:
            raise NotThereError(f"recipe {self.name!r} was not run; expected a run")
        experiment = self.experiment
        with answering(experiment.network, len(self.judged)):
            return experiment.recipe.loss.probabilities(experiment.outputs(self.judged))

    def series(self, key: str) -> tuple[list[int], list[Any]]:
        """Where reports were made, and a figure of each; None where it was not measured."""
        if not self.history:
            raise NotThereError(f"{self.name!r}: no step was reported; expected at least one")
        return [row[self.unit] for row in self.history], [row.get(key) for row in self.history]

    def layerwise(self, key: str) -> dict[str, list[float | None]]:
        """A figure that reports have for each layer that learns, by layer."""
        _, rows = self.series(key)
        if not any(rows):
            raise NotThereError(f"{self.name!r}: norms were not reported (training.norms)")
        layers = enumerate(self.network.architecture)
        learning = [
            f"{i} {layer}" for i, layer in layers if self.experiment.network.layout.layer(i).stop
        ]
        return {
            name: [None if row is None else row[place] for row in rows]
            for place, name in enumerate(learning)
        }

    def seen(self, dataset: Dataset) -> Array:
        """Images as the network is fed with them, (N, …)."""
        return numbers(dataset.images, self.experiment.preparation, self.experiment.recipe.dtype)

    @cached_property
    def doubtful(self) -> int:
        """The place among `judged` of the image that the network is least sure of."""
        return int(least_sure(self.probabilities, self.judged.labels, 1)[0])

    def looked_at(self, place: int) -> Array:
        """One of the images `judged`, as the network is fed with it, (1, …)."""
        return np.asarray(self.seen(self.judged.take(np.array([place]))))

    def by_the_book(self, x: Array) -> Array:
        """(N, K): what the network says of images, one layer after another."""
        outputs, _ = self.network.forward(x)
        return self.experiment.recipe.loss.probabilities(outputs)

    def score(self, place: int) -> tuple[int, str]:
        """Which of the outputs speaks for the answer about an image, and for which class.

        A single output speaks for the second class, whatever the answer.
        """
        if self.network.shapes[-1] == (1,):
            return 0, self.class_names[1]
        k = int(self.by_the_book(self.looked_at(place))[0].argmax())
        return k, self.class_names[k]

    def upright(self, values: Array) -> Array:
        """What was computed for each pixel (H, W, …) as the image is seen."""
        return values.swapaxes(0, 1) if self.experiment.preparation.transposed else values


def pixels_of(x: Array, preparation: Preparation) -> Array:
    """Numbers that a network is fed, (…, H, W, C), as pixels in 0..1: the way back of `numbers`.

    What a change of brightness or contrast made blacker than black or whiter than white is cut off.
    """
    if preparation.transposed:
        x = x.swapaxes(-3, -2)
    if preparation.mean is not None and preparation.deviation is not None:
        x = x * np.asarray(preparation.deviation) + np.asarray(preparation.mean)
    if preparation.scale == "none":
        x = x / 255
    return np.clip(x, 0, 1)
