"""Every recipe's network, in ONNX and in PyTorch, with its first values and random variances."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.datasets import Preparation, catalogue
from handgrad.experiments import Recipe, read_recipe, recipe_names
from handgrad.networks import Model, Network


def model_of(name: str) -> Model:
    """As it would be before its training; its data need not be there."""
    table = read_recipe(name)
    source = catalogue().get(table["data"]["source"])
    recipe = Recipe.of(table, classes=source.classes if source else 3)
    data, classes = recipe.data, source.classes if source else 3
    height, width = data.size or (source.shape[:2] if source else (64, 64))
    channels = data.channels or (source.shape[2] if source else 3)
    normal = ((0.4,) * channels, (0.25,) * channels) if data.normalize else (None, None)
    preparation = Preparation(
        height,
        width,
        channels,
        scale=data.scale,
        mean=normal[0],
        deviation=normal[1],
        transposed=data.transposed,
    )
    network = Network(recipe.architecture, preparation.shape, dtype=recipe.dtype)
    generator = np.random.default_rng(0)
    images = generator.random((60, *preparation.shape)) if network.looks else None
    network.initialize(generator, images)
    # Some recipes begin with zeros, behind which nothing would be seen.
    network.vector += generator.normal(0, 0.01, network.vector.size).astype(network.dtype)
    for slot in network.layout.slots.values():
        if slot.name.endswith("variance"):
            slot.of(network.vector)[...] = generator.uniform(0.5, 1.5, slot.shape)
    names = tuple(f"class {k}" for k in range(classes))
    loss = recipe.loss.balanced(np.arange(classes), classes)
    return Model(network, preparation, names, loss, views=recipe.views)


@pytest.mark.parametrize("name", sorted(recipe_names()))
class TestEveryRecipe:
    def test_in_onnx(self, name, pixels, answers):
        model = model_of(name)
        images = pixels(model, 2)
        probabilities, labels = answers(model, images)
        expected = model.probabilities(images)
        assert np.abs(probabilities - expected).max() < 1e-5
        assert labels.tolist() == model.labels(images).tolist()
        assert np.ptp(expected, axis=0).max() > 1e-4

    def test_in_pytorch(self, name, pixels, in_pytorch):
        model = model_of(name)
        images = pixels(model, 2)
        probabilities, labels = in_pytorch(model).load().predict(images)
        expected = model.probabilities(images)
        assert np.abs(probabilities.numpy() - expected).max() < 1e-5
        assert labels.tolist() == model.labels(images).tolist()
