"""The film of a run: what is kept of its training, and what becomes of that."""

from __future__ import annotations

import math
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handgrad.arrays import Array, Slot
from handgrad.datasets import Batches, numbers
from handgrad.errors import DataError, HandgradError
from handgrad.experiments.experiment import Experiment, Progress, loaded
from handgrad.experiments.recipe import Recipe
from handgrad.experiments.run import Run
from handgrad.layers import Dense
from handgrad.networks import Model, Network
from handgrad.training.snapshots import Snapshots, moments, read_snapshots

if TYPE_CHECKING:
    from handgrad.pictures.film import Film

__all__ = ["SNAPSHOTS", "Filming", "film_of", "kept", "save_film"]

SNAPSHOTS = "snapshots.safetensors"

TILES, SAMPLES = 64, 48
"""Neurons or filters that are kept at most, and samples whose activations are shown."""

MOST, SPANNED = 256, 100
"""Snapshots of a training; and of one in coordinates, whose weights are a product each time."""

BYTES = 1_000_000
"""Of one snapshot at most, unless one neuron has more: less neurons, so that there are frames."""

INPUTS, UNITS = 40, 14
"""So many inputs, and neurons in all, has a network whose matrices are all drawn."""


def whole(network: Network) -> bool:
    """Whether a film shows all of a network: up to three dense layers of few neurons.

    >>> whole(Network((Dense(6), Dense(2)), (3, 3, 1))), whole(Network((Dense(6),), (28, 28, 1)))
    (True, False)
    """
    layers = enumerate(network.architecture)
    learning = {i: layer for i, layer in layers if _has_numbers(network, i)}
    dense = [layer.units for layer in learning.values() if isinstance(layer, Dense)]
    flat = 0 in learning and all(len(shape) == 1 for shape in network.shapes[1:])
    few = sum(dense) <= UNITS and math.prod(network.shapes[0]) <= INPUTS
    return flat and len(dense) == len(learning) <= 3 and few


def kept(network: Network) -> dict[str, Array]:
    """What a film needs of a network, by name: views, which change as the network is trained.

    All of a small one, see `whole`; else the first weights, those of `TILES` neurons or filters.
    """
    slots, vector = network.layout.slots, network.vector
    if whole(network):
        return {name: slot.of(vector) for name, slot in slots.items()}
    first = _first(network)
    if first is None:
        return {}
    each = math.prod(first.shape[:-1]) * vector.itemsize
    return {first.name: first.of(vector)[..., : max(1, min(TILES, BYTES // each))]}


class Filming:
    """Called between the steps of a training; keeps what its film needs, and changes nothing.

    Parameters
    ----------
    experiment : about to be trained, or to go on
    path : a file beside the checkpoint: with it, a training that goes on has its film from the
        start
    """

    def __init__(self, experiment: Experiment, path: Path) -> None:
        self.experiment, self.path = experiment, path
        limit = round(1e6 * experiment.recipe.training.snapshots)
        shown = kept(experiment.network) if limit else {}
        at: tuple[int, ...] = ()
        if shown:
            numbers = sum(view.size for view in shown.values())
            itemsize = experiment.network.vector.itemsize
            most = SPANNED if experiment.spanned else MOST
            at = moments(_steps(experiment), numbers, itemsize, limit, most)
        self._any = bool(shown)
        # Asked for, an experiment's network holds the weights that are elsewhere while it trains.
        self.snapshots = Snapshots(lambda: kept(experiment.network), at)
        if experiment.state.steps and path.is_file():
            self.snapshots.take_up(path, experiment.state.steps)

    def __call__(self) -> None:
        """Keep a snapshot if it is time; to be called before a checkpoint of the same step."""
        self.snapshots(self.experiment.state.steps)

    def write(self) -> None:
        """Write what was kept so far, for the checkpoint that is about to be written."""
        if self.snapshots.steps:
            self.snapshots.write(self.path)

    def save(self, path: Path) -> None:
        """Write the film of a training that has ended, the weights that were kept as its last."""
        if self._any:
            self.snapshots.end(self.experiment.state.steps)
            self.snapshots.write(path)


def _steps(experiment: Experiment) -> int:
    """Of the whole training."""
    training, images = experiment.recipe.training, experiment.train_set
    batches = Batches(
        images.images,
        images.labels,
        training.batch_size,
        experiment.recipe.seed,
        drop_last=training.drop_last,
    )
    return training.epochs * batches.steps_per_epoch


def film_of(run: Run, progress: Progress | None = None) -> Film:
    """The film of a run, from what it kept.

    Parameters
    ----------
    progress : told about the loading of images, which only a small network's film needs

    Raises
    ------
    DataError : the run kept no snapshots, or those of another network
    """
    from handgrad.pictures.film import Curves, Film

    model, path = run.model, run.folder / SNAPSHOTS
    if not path.is_file():
        raise DataError(
            path,
            "no such file: this run kept no snapshots",
            "one, which handgrad writes while it trains; train again",
        )
    steps, arrays = read_snapshots(path)
    history, network = run.history, model.network
    for name, view in kept(network).items():
        found = arrays.get(name)
        if found is None or found.shape[1:] != view.shape:
            said = "nothing" if found is None else f"shape {found.shape[1:]} a snapshot"
            raise DataError(path, f"{name}: {said}", f"{view.shape}, by the model beside it")
    accuracies = {
        name: [row.get(f"{name}_accuracy") for row in history]
        for name in ("train", "validation", "test")
        if any(row.get(f"{name}_accuracy") is not None for row in history)
    }
    scene = (
        _matrices(run, model, arrays, progress)
        if whole(network)
        else _tiles(network, arrays, model.preparation.transposed)
    )
    return Film(
        run.recipe.get("name", ""),
        [int(step) for step in steps],
        int(steps[-1]),
        Curves([row["step"] for row in history], [row["loss"] for row in history], accuracies),
        scene,
    )


def save_film(
    film: Film,
    run: Run,
    out: str | os.PathLike[str] | None = None,
    most: int | None = None,
    seconds: float = 0.05,
    progress: Progress | None = None,
) -> tuple[list[dict[str, Any]], str]:
    """Write a film into its run's folder, as GIF and, where ffmpeg is there, as MP4.

    Parameters
    ----------
    out : one file instead, which ends in .gif or .mp4
    most : frames; None for all, or as many as a GIF of 5 MB holds
    seconds : that a frame is shown
    progress : told of each file how many frames are written, of how many

    Returns
    -------
    files, note : each with its frames, and what is missing and why

    Raises
    ------
    HandgradError : another ending; an MP4 alone is asked for, and ffmpeg is not there
    """
    from handgrad.pictures.film_files import save_gif, save_mp4, spread

    files = [run.folder / "film.gif", run.folder / "film.mp4"] if out is None else [Path(out)]
    for file in files:
        if file.suffix.lower() not in (".gif", ".mp4"):
            raise HandgradError(
                f"{file}: found a name that ends in {file.suffix or 'nothing'!r}; "
                "expected .gif or .mp4"
            )
    chosen, told = spread(len(film), most), progress or (lambda *_: None)
    saved: list[dict[str, Any]] = []
    for file in files:
        if file.suffix.lower() == ".gif":
            how: dict[str, Any] = {} if most is None else {"limit_bytes": None}
            frames = save_gif(
                film, file, frames=chosen, seconds=seconds, progress=partial(told, "GIF"), **how
            )
            saved.append({"file": str(file), "frames": frames})
        elif save_mp4(film, file, frames=chosen, seconds=seconds, progress=partial(told, "MP4")):
            saved.append({"file": str(file), "frames": len(chosen)})
        elif out is not None:
            raise HandgradError(
                f"{file}: found no program ffmpeg on the path; expected it, for an MP4 is written "
                "by it (a GIF is not)"
            )
        else:
            return saved, "no MP4, since the program ffmpeg is not on the path"
    return saved, ""


def _matrices(run: Run, model: Model, arrays: dict[str, Array], progress: Progress | None) -> Any:
    """Every matrix of a small network, and what it says of some training images at each step."""
    from handgrad.pictures.film import DenseFrames, Matrices

    recipe = Recipe.of(run.recipe, classes=len(model.class_names))
    images = loaded(recipe.data, recipe.seed, progress).train
    order = np.argsort(images.labels, kind="stable")
    some = order[np.unique(np.linspace(0, len(order) - 1, SAMPLES).round().astype(int))]
    shown = images.take(some)
    x = numbers(shown.images, model.preparation, model.network.dtype)
    # A network of its own, so that the run's model keeps its weights.
    network = Network(model.network.architecture, model.network.shapes[0], dtype=x.dtype)
    dense = [i for i, layer in enumerate(network.architecture) if isinstance(layer, Dense)]
    ends = [*dense[1:], len(network.architecture)]
    said: list[list[Array]] = [[] for _ in dense]
    frames = len(next(iter(arrays.values())))
    for frame in range(frames):
        for name, slot in network.layout.slots.items():
            slot.of(network.vector)[...] = arrays[name][frame]
        y, outputs = x, []
        for layer, params in zip(network.architecture, network.params, strict=True):
            y, _ = layer.frozen().forward(y, params)
            outputs.append(y)
        for place, end in enumerate(ends):
            last = end == len(network.architecture)
            y = outputs[end - 1]
            said[place].append((model.loss.probabilities(y) if last else y).T)
    layers = [
        DenseFrames(
            arrays[f"{i}.W"].swapaxes(1, 2),
            arrays.get(f"{i}.b"),
            np.stack(activations),
        )
        for i, activations in zip(dense, said, strict=True)
    ]
    return Matrices(layers, shown.labels, model.class_names)


def _tiles(network: Network, arrays: dict[str, Array], transposed: bool) -> Any:
    """The first weights as images."""
    from handgrad.pictures.film import Tiles

    first = _first(network)
    assert first is not None
    W, of = arrays[first.name], first.shape[-1]
    shape = network.shapes[0]
    dense = len(first.shape) == 2
    tiles = np.moveaxis(W, -1, 1).reshape(len(W), -1, *(shape if dense else first.shape[:3]))
    if transposed:  # the images were fed column by column
        tiles = tiles.swapaxes(2, 3)
    what = "neuron" if dense else "filter"
    n = tiles.shape[1]
    some = f"{n} of {of} {what}s" if n < of else f"{n} {what}s" if n > 1 else f"the one {what}"
    title = f"Weights of {some} of the first layer"
    if dense and tiles[0].any():
        # The first values are noise on every pixel, under which little could be seen.
        tiles, title = tiles - tiles[0], f"{title}, less their first values"
    return Tiles(tiles, title)


def _first(network: Network) -> Slot | None:
    """The first weights that look at the images: of filters, or of neurons that see all pixels."""
    for slot in network.layout.slots.values():
        if slot.name.rpartition(".")[2] == "W":
            pixels = math.prod(network.shapes[0])
            fits = len(slot.shape) == 4 or (len(slot.shape) == 2 and slot.shape[0] == pixels)
            return slot if fits else None
    return None


def _has_numbers(network: Network, i: int) -> bool:
    return any(name.partition(".")[0] == str(i) for name in network.layout.slots)
