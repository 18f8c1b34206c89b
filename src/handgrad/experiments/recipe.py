"""A recipe: data, architecture, loss, optimizer and training in one TOML file."""

from __future__ import annotations

import copy
import math
import os
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from handgrad.arrays import Device
from handgrad.datasets import MOST_PIXELS, Augmentation, catalogue
from handgrad.errors import DataError, RecipeError, nearest
from handgrad.experiments.toml_files import read_toml
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.networks import Views
from handgrad.optimizers import Averaging, Optimizer
from handgrad.tables import from_table, to_table

__all__ = [
    "Data",
    "Recipe",
    "Repeats",
    "Training",
    "read_recipe",
    "recipe_names",
    "with_settings",
]

CLASSES = "classes"
"""Stands in a recipe for the number of outputs that its data and loss ask for."""


@dataclass(frozen=True)
class Data:
    """What is learned from, and how a file becomes numbers.

    Parameters
    ----------
    source : the name of a data set, a prepared .h5, or a folder of images
    size : height and width; None for that of the data (64 x 64 for photographs)
    channels : 1 grey, 3 colour; None for that of the data
    resample : the filter when an image is resized; None for that of the data, or bilinear
    draft : let JPEG be decoded small; quicker, and changes pixels a little
    scale : "unit" brings 0..255 to 0..1
    normalize : subtract each channel's mean and divide by its deviation, measured on the training
        part and stored in the model
    transposed : feed the network each picture column by column
    classes : the order of the class folders; by name if empty
    skip_bad : go on without the images of a folder that do not decode
    quarantine : a list of files of the folder to leave out, as `handgrad inspect` writes it
    cache : decode a folder once, into the user's cache, and go on from there the next time
    test : the part of a folder that is kept for the test, if it has no test folder
    validation : the part of the training data that is kept for validation
    """

    source: str
    size: tuple[int, ...] | None = None
    channels: Literal[1, 3] | None = None
    resample: Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"] | None = None
    draft: bool = False
    scale: Literal["unit", "none"] = "unit"
    normalize: bool = False
    transposed: bool = False
    classes: tuple[str, ...] = ()
    skip_bad: bool = False
    quarantine: str | None = None
    cache: bool = True
    test: float = 0.2
    validation: float = 0.0

    def __post_init__(self) -> None:
        if not self.source.strip():
            raise ValueError("source is empty; expected the name of a data set, or a path")
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise ValueError(f"size = {list(self.size)}; expected [height, width], each above 0")
        if self.size is not None and math.prod(self.size) > MOST_PIXELS:
            raise ValueError(f"size = {list(self.size)}; expected at most {MOST_PIXELS:,} pixels")
        if self.size is not None and self.transposed and self.size[0] != self.size[1]:
            raise ValueError(f"size = {list(self.size)}; expected a square, to transpose it")
        if "\0" in self.source + (self.quarantine or ""):
            raise ValueError("a path with a NUL in it, which no file has")
        for name in ("test", "validation"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}; expected a part in [0, 1)")


@dataclass(frozen=True)
class Training:
    """How long, in which batches, and when to stop.

    Parameters
    ----------
    epochs : passes through the data; with the full batch, one update each
    batch_size : None for the full batch
    threads : how many; None for what suits the shapes (see `threads_for`)
    reference : compute all by the book, one layer after another, and nothing by a plan
    device : where it is computed: "cpu", or "cuda" for a graphics card, by the book, through CuPy.
        Its bits differ. None for the processor.
    drop_last : leave out a last batch that is short
    group : compute each batch's gradient a group of at most so many samples after the other, which
        takes less memory; batch normalization then normalizes over a group. None for the whole
        batch. See `in_groups`.
    test_each_epoch : report the test accuracy with every report, as some of the tutorials do;
        nothing is chosen by it
    every : measure validation and test with every so many reports
    until : stop once a figure is reached, such as "train_accuracy=1.0"
    patience : stop after so many reports without a better validation accuracy
    norms : report the norms of weights, gradients and updates; None: for mini-batches
    snapshots : megabytes that may be kept for the film; 0 for no film
    """

    epochs: int = 10
    batch_size: int | None = None
    threads: int | None = None
    reference: bool = False
    device: Device | None = None
    drop_last: bool = False
    group: int | None = None
    test_each_epoch: bool = False
    every: int = 1
    until: str | None = None
    patience: int | None = None
    norms: bool | None = None
    snapshots: float = 64.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "threads", "group", "every", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} = {value}; expected at least 1")
        if not 0 <= self.snapshots < math.inf:
            raise ValueError(f"snapshots = {self.snapshots}; expected 0 or more megabytes")
        if self.until is not None:
            self.goal()

    def goal(self) -> tuple[str, float] | None:
        """``until`` as the name of a figure and its value."""
        if self.until is None:
            return None
        known = ("loss", "train_accuracy", "validation_accuracy", "validation_loss")
        what, _, value = (part.strip() for part in self.until.partition("="))
        if what not in known:
            raise ValueError(
                f"until = {self.until!r}: unknown figure {what!r}{nearest(what, known)}"
            )
        try:
            goal = float(value)
        except ValueError:
            goal = math.nan
        if not math.isfinite(goal):
            raise ValueError(f"until = {self.until!r}: {value!r} is no finite number")
        return what, goal


@dataclass(frozen=True)
class Repeats:
    """The same training again, for the range of its figures; only the figures are kept.

    Parameters
    ----------
    seeds : one training each
    split : "same", or "random": train and test images are pooled and dealt anew
    """

    seeds: tuple[int, ...] = ()
    split: Literal["same", "random"] = "same"

    def __post_init__(self) -> None:
        if min(self.seeds, default=0) < 0:
            raise ValueError(f"seeds = {list(self.seeds)}; expected 0 or more")


@dataclass(frozen=True)
class Recipe:
    """An experiment, whole: what `train` runs and a run's folder keeps.

    Parameters
    ----------
    about : one line
    note : what a reader of the result should know
    seed : of first values, splits, order of batches and the layers' draws
    dtype : of the numbers that are learned
    views : which views of an image the trained model's answers are the mean of: "none" is the image
        alone, "mirror" costs twice as much, "mirror-shift" six times; see `weighted_views`
    averaging : of the weights over the training
    augmentation : what is done to each batch of training images
    """

    name: str
    data: Data
    architecture: tuple[Layer, ...]
    loss: Loss
    optimizer: Optimizer
    averaging: Averaging | None = None
    augmentation: tuple[Augmentation, ...] = ()
    about: str = ""
    note: str = ""
    seed: int = 0
    dtype: Literal["float32", "float64"] = "float32"
    views: Views = "none"
    training: Training = Training()
    repeats: Repeats = Repeats()

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed = {self.seed}; expected 0 or more")

    @staticmethod
    def of(table: dict[str, Any], classes: int | None = None) -> Recipe:
        """Build a recipe from its table; ``units = "classes"`` becomes what the loss asks for.

        Parameters
        ----------
        classes : how many classes the data has; None where that is not known yet

        Raises
        ------
        RecipeError : an unknown key (with the nearest known one), a value that cannot be used
        """
        table = _copied(table)
        loss = from_table(Loss, table.get("loss", {}), "loss")
        outputs = loss.outputs(classes or 2)
        architecture = table.get("architecture")
        for layer in architecture if isinstance(architecture, list) else []:
            if isinstance(layer, dict) and layer.get("units") == CLASSES:
                layer["units"] = outputs
        return from_table(Recipe, table)

    def table(self) -> dict[str, Any]:
        """The recipe as plain data, in the order in which it is read."""
        table: dict[str, Any] = to_table(self)
        order = ("name", "about", "note", "seed", "dtype", "views", "data", "architecture", "loss")
        return {key: table[key] for key in (*order, *table) if key in table}


def recipe_names() -> dict[str, str]:
    """Every recipe that comes along, by name, with its line."""
    return {name: str(read_recipe(name)["about"]) for name in sorted(_inside())}


def _inside() -> dict[str, Traversable]:
    """The recipes that come along, by name."""
    folder = resources.files("handgrad.experiments") / "recipes"
    files = (entry for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return {entry.name.removesuffix(".toml"): entry for entry in files}


def read_recipe(source: str | os.PathLike[str]) -> dict[str, Any]:
    """The table of a recipe: one that comes along, a TOML file, or for data its default recipe.

    Parameters
    ----------
    source : a recipe's name; a .toml; a folder of images, a table of them (.csv) or a prepared
        .h5, which get the recipe ``folder``. What begins with ``./`` is a path even if it is also
        a name.

    Raises
    ------
    DataError : no such file, or not TOML
    RecipeError : neither a recipe's name nor a path
    """
    word, path = os.fspath(source), Path(source)
    if not word:
        raise RecipeError("an empty name; expected a recipe, a .toml, a .h5 or a folder of images")
    inside = _inside()
    if word in inside:
        return tomllib.loads(inside[word].read_text(encoding="utf-8"))
    if path.suffix == ".toml":
        return _toml(path)
    prepared = path.suffix in (".h5", ".hdf5")
    if path.is_dir() or prepared or path.suffix in (".csv", ".tsv"):
        if not path.exists():
            expected = "a prepared .h5 file" if prepared else "a table of files and labels"
            raise DataError(path, "no such file", expected)
        table = read_recipe("folder")
        table["name"] = path.resolve().stem
        table["data"]["source"] = str(path.resolve())
        if prepared and path.is_file():  # its images have their size already
            for key in ("size", "channels", "resample"):
                table["data"].pop(key, None)
        return table
    if path.exists():
        raise DataError(
            path, "a file of another kind", "a recipe (.toml), a .h5, a .csv, or a folder"
        )
    raise RecipeError(f"{word}: neither a path nor a recipe{nearest(word, inside)}")


def _toml(path: Path) -> dict[str, Any]:
    table = read_toml(path)
    try:
        source = table["data"]["source"]
        if source not in catalogue() and (path.parent / source).exists():
            table["data"]["source"] = str((path.parent / source).resolve())
    except OSError as error:
        raise DataError(path, f"a source with {error.strerror}", "the name of a file") from None
    except (KeyError, TypeError, ValueError):
        pass  # what is missing is said where the recipe is built
    return table


def _copied(table: dict[str, Any]) -> dict[str, Any]:
    try:
        return copy.deepcopy(table)
    except RecursionError:
        raise RecipeError("the recipe: found tables or lists nested too deeply") from None


def with_settings(table: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """A copy of a recipe's table with values set by path: ``{"optimizer.learning_rate": 0.1}``.

    Numbers in a path count list entries from 0. Keys that no recipe knows are refused later, by
    `Recipe.of`, with the nearest known one.

    >>> with_settings({"architecture": [{"units": 6}]}, {"architecture.0.units": 8})
    {'architecture': [{'units': 8}]}
    """
    table = _copied(table)
    for path, value in settings.items():
        *parents, last = path.split(".")
        place: Any = table
        for i, key in enumerate(parents):
            if isinstance(place, list):
                place = place[_index(place, key, path)]
            else:
                place = place.setdefault(key, {})
            if not isinstance(place, dict | list):
                raise RecipeError(f"{path}: {'.'.join(parents[: i + 1])} is a value, not a table")
        if isinstance(place, list):
            place[_index(place, last, path)] = value
        elif value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return table


def _index(entries: list[Any], key: str, path: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", key) or int(key) >= len(entries):
        raise RecipeError(f"{path}: found {key!r}; expected a number from 0 to {len(entries) - 1}")
    return int(key)


def parsed(text: str) -> Any:
    """A value as TOML reads it; what TOML does not read is a word. ``none`` takes a key away.

    >>> parsed("0.1"), parsed("[64, 64]"), parsed("adam"), parsed("none")
    (0.1, [64, 64], 'adam', None)
    """
    if text.strip().lower() == "none":
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # a number of thousands of digits, too
        return text
