"""Whole networks for the certificate: those of the recipes, and a saved model's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from handgrad.datasets import catalogue
from handgrad.experiments.recipe import Recipe, read_recipe, recipe_names
from handgrad.networks import Model, Network
from handgrad.verification import Ledger, check_network

__all__ = ["model_check", "recipe_checks"]

CLASSES = 3
"""For a recipe whose data is not there yet."""


def recipe_checks() -> dict[str, Callable[[], Ledger]]:
    """A check of every recipe's network with its first values, on random images of its size."""
    names = recipe_names()
    return {f"recipe {name}": lambda name=name: _recipe(name) for name in names}  # type: ignore[misc]


def _recipe(name: str) -> Ledger:
    table = read_recipe(name)
    data = table["data"]
    source = catalogue().get(data["source"])
    height, width = data.get("size", source.shape[:2] if source else (64, 64))
    shape = (height, width, data.get("channels", source.shape[2] if source else 3))
    classes = source.classes if source else CLASSES
    recipe = Recipe.of(table, classes)
    loss = recipe.loss.balanced(np.arange(classes), classes)
    network = Network(recipe.architecture, shape, dtype=np.float64)
    images = np.random.default_rng(0).normal(size=(10, *shape))
    network.initialize(np.random.default_rng(recipe.seed), images)
    samples = 4 if network.flops() < 1e8 else 2  # since there are a hundred losses to compute
    return check_network(name, network, loss, classes=classes, samples=samples, kind="recipe")


def model_check(model: Model, name: str) -> Callable[[], Ledger]:
    """A check of a model's network, with its own numbers."""
    return lambda: check_network(
        name, model.network, model.loss, classes=len(model.class_names), kind="model"
    )
