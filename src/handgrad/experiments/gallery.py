"""The pictures that can be asked for by name, of a run, a recipe or a folder of images."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handgrad.arrays import Array
from handgrad.datasets import Batches, Preparation
from handgrad.errors import HandgradError, RecipeError, nearest
from handgrad.experiments.experiment import Experiment, Progress
from handgrad.experiments.recipe import read_recipe
from handgrad.experiments.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["GALLERY", "Entry", "Subject", "entry"]

IMAGES, EPOCHS = 6, 8
"""Rows and draws of the picture ``augmented``."""


@dataclass(frozen=True)
class Subject:
    """What a picture is of.

    Parameters
    ----------
    table : the recipe's
    folder : where its pictures lie if nobody says otherwise
    run : None for a recipe that was not run
    """

    table: dict[str, Any]
    folder: Path
    run: Run | None = None

    @staticmethod
    def of(source: str | os.PathLike[str] | None = None) -> Subject:
        """A run's folder, a model file, or what `read_recipe` takes; None for the newest run."""
        if source is None:
            run = Run.newest()
            return Subject(run.recipe, run.folder / "pictures", run)
        path = Path(source)
        if path.suffix == ".safetensors":
            run = Run(path)
            return Subject(run.recipe, Path(), run)
        if (path / "model.safetensors").is_file():
            run = Run(path)
            return Subject(run.recipe, path / "pictures", run)
        return Subject(read_recipe(source), Path())


@dataclass(frozen=True)
class Entry:
    """A picture of the gallery.

    Parameters
    ----------
    about : what it shows, in a line
    draw : from a subject, and who is told about the loading of images, to a figure
    """

    about: str
    draw: Callable[[Subject, Progress | None], Figure]


def entry(what: str) -> Entry:
    """A picture of the gallery by its name; a sentence with the nearest name if there is none."""
    if what not in GALLERY:
        raise HandgradError(f"picture {what!r} is unknown{nearest(what, GALLERY)}")
    return GALLERY[what]


def _augmented(subject: Subject, progress: Progress | None) -> Figure:
    from handgrad.pictures import augmented

    name = subject.table.get("name", "")
    if not subject.table.get("augmentation"):
        raise RecipeError(
            f"recipe {name!r}: found no augmentation; expected at least one [[augmentation]], "
            "without which the network saw its images as they are"
        )
    experiment = Experiment(subject.table, progress=progress)
    labels, preparation = experiment.train_set.labels, experiment.preparation
    # Evenly over the images, sorted by class.
    chosen = np.argsort(labels, kind="stable")
    chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, IMAGES).round().astype(int))]
    batches = experiment.batches()
    shown = np.stack([_shown(batches, chosen, epoch) for epoch in range(EPOCHS)], axis=1)
    return augmented(
        _pixels(batches.images[chosen], preparation),
        _pixels(shown, preparation),
        [experiment.class_names[label] for label in labels[chosen]],
    )


def _shown(batches: Batches, chosen: Array, epoch: int) -> Array:
    """The chosen images as an epoch shows them; NaN for one that its last, short batch dropped."""
    found = np.full((len(chosen), *batches.images.shape[1:]), np.nan, batches.images.dtype)
    order = np.arange(len(batches.labels)) if batches.full else batches.order(epoch)
    where = np.argsort(order)[chosen]
    number, place = np.divmod(where, batches.batch_size or len(order))
    for n in np.unique(number[number < batches.steps_per_epoch]):
        images, _ = next(batches(epoch, first=int(n)))
        found[number == n] = images[place[number == n]]
    return found


def _pixels(x: Array, preparation: Preparation) -> Array:
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


GALLERY = {
    "augmented": Entry("training images as the first epochs show them to the network", _augmented),
}
"""Every picture by its name: a new one is a new line."""
