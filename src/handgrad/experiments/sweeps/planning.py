"""What a sweep will try: every trial's recipe, looked at before the first one is trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from handgrad.arrays import Shape
from handgrad.errors import HandgradError, RecipeError
from handgrad.experiments.experiment import Experiment, Progress, loaded
from handgrad.experiments.recipe import Recipe, read_recipe, with_settings
from handgrad.experiments.sweeps.attempt import without_test
from handgrad.experiments.sweeps.grid import Range, combinations
from handgrad.experiments.sweeps.trials import Plan, said
from handgrad.networks import Network

__all__ = ["VALIDATION", "planned"]

VALIDATION = 0.1
"""The part of the training images that a sweep judges by, where a recipe keeps none."""


def planned(
    source: str | os.PathLike[str],
    settings: dict[str, Any],
    random: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Plan:
    """The plan of a sweep, whose first trial has its data, and whose every trial is a recipe.

    Parameters
    ----------
    source, settings, random, seed : as for `sweep`
    progress : told about each stage of the loading

    Raises
    ------
    RecipeError, DataError : a setting or a value that cannot be, with its trial; data that are not
        there
    """
    recipe, notes = read_recipe(source), []
    for path in settings:
        if path.split(".")[0] == "repeats" or path == "training.test_each_epoch":
            raise RecipeError(
                f"{path}: found what a sweep's trials do not have, repeats and a test part; "
                "expected other settings"
            )
    spread = {path: _spread(given) for path, given in settings.items()}
    alone = {p: v[0] for p, v in spread.items() if not isinstance(v, Range) and len(v) == 1}
    recipe = with_settings(recipe, alone)  # one value is a setting of all trials
    tried = {path: values for path, values in spread.items() if path not in alone}
    trials = combinations(tried, random, seed)
    if random is not None and len(trials) < random:
        notes.append(f"{len(trials)} trials: there are no more combinations than these")
    _tables(recipe, trials)  # below, tables are where a recipe has them
    changed: dict[str, Any] = {"training.test_each_epoch": None}
    if "repeats" in recipe:
        changed["repeats"] = None
        notes.append("trials are not repeated with other seeds, as the recipe would have it")
    if "snapshots" not in recipe.get("training", {}):
        changed["training.snapshots"] = 0  # a film for every trial would fill the disk
    recipe = with_settings(recipe, changed)
    tables = _tables(recipe, trials)
    # Loaded here first: what is not there is told once, and a folder is decoded once, for all.
    asked = Recipe.of(tables[0])
    splits = without_test(loaded(asked.data, asked.seed, progress))
    judged = "validation" in splits.others
    if not judged and not asked.data.validation and "data.validation" not in settings:
        recipe = with_settings(recipe, {"data.validation": VALIDATION})
        tables = _tables(recipe, trials)
        notes.append(
            f"the recipe keeps no validation part: {VALIDATION:.0%} of the training images are "
            "taken to judge by (data.validation)"
        )
    for number, table in enumerate(tables, start=1):
        try:
            if not judged and not table["data"].get("validation"):
                raise RecipeError("found data.validation = 0; expected a part to judge by")
            if number == 1:
                first = Experiment(table, splits=splits)
                shape = first.preparation.shape
            elif table["data"] == tables[0]["data"]:
                _check_fits(table, shape, len(splits.train.class_names))
        except HandgradError as error:
            raise RecipeError(_told(number, trials[number - 1], error)) from None
    images = 0 if first.validation_set is None else len(first.validation_set)
    return Plan(recipe["name"], recipe, trials, seed, random, images, notes)


def _tables(recipe: dict[str, Any], trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every trial's recipe, each of which can be read."""
    tables = []
    for number, settings in enumerate(trials, start=1):
        try:
            tables.append(with_settings(recipe, settings))
            Recipe.of(tables[-1])
        except RecipeError as error:
            raise RecipeError(_told(number, settings, error)) from None
    return tables


def _told(number: int, settings: dict[str, Any], error: HandgradError) -> str:
    """What is wrong with a trial; where all have the same settings, with all."""
    return f"trial {number} ({said(settings)}): {error}" if settings else str(error)


def _check_fits(table: dict[str, Any], shape: Shape, classes: int) -> None:
    """Refuse an architecture that these images or classes do not fit, without making it."""
    recipe = Recipe.of(table, classes=classes)
    Network.planned(recipe.architecture, shape)
    outputs = Network.shapes_of(recipe.architecture, shape)[-1]
    if outputs != (recipe.loss.outputs(classes),):
        raise RecipeError(
            f"the network's outputs have shape {outputs}; {classes} classes expect "
            f"({recipe.loss.outputs(classes)},)"
        )


def _spread(given: Any) -> Sequence[Any] | Range:
    """What is to be tried of a setting, as it is given in Python: a list, a range's text, or one
    value."""
    if isinstance(given, Range):
        return given
    if isinstance(given, str):
        return Range.of(given) or [given]
    if isinstance(given, list | tuple | np.ndarray):
        return [_plain(value) for value in given]
    return [_plain(given)]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value
