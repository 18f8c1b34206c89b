"""The `mnist` experiment, 200 steps beside PyTorch in float64, to 1e-9."""

from __future__ import annotations

import os

import numpy as np
import pytest

from handgrad.datasets import Batches, Dataset, Splits, load
from handgrad.experiments import Experiment, read_recipe, with_settings

STEPS = 200


def digits() -> Dataset:
    """The first images of MNIST, as many as 200 batches of 64 take."""
    if not os.environ.get("HANDGRAD_DATA"):
        pytest.skip("HANDGRAD_DATA is not set")
    return load("mnist").train.take(np.arange(STEPS * 64))


def noise() -> Dataset:
    """Random images, so that this test has a part that needs no data; the last batch is short."""
    generator = np.random.default_rng(0)
    images = generator.integers(256, size=(1000, 28, 28, 1), dtype=np.uint8)
    names = tuple("0123456789")
    return Dataset(images, generator.integers(10, size=1000), names)


@pytest.mark.parametrize("images", [digits, noise], ids=lambda images: images.__name__)
def test_200_steps_agree(torch, images):
    train = images()
    epochs = -(-STEPS * 64 // len(train))
    settings = {"dtype": "float64", "training.epochs": epochs, "training.threads": 1}
    table = with_settings(read_recipe("mnist"), settings)
    experiment = Experiment(table, splits=Splits(train))
    network = experiment.network
    assert [str(layer) for layer in network.architecture] == ["dense 128", "sigmoid", "dense 10"]

    linear = torch.nn.functional.linear
    leaves = [
        torch.tensor(np.ascontiguousarray(u), requires_grad=True)
        for params in (network.params[0], network.params[2])
        for u in (params.W.T, params.b)
    ]
    start = network.vector.copy()
    optimizer = torch.optim.SGD(leaves, lr=0.01)
    x = train.images.reshape(len(train), -1) / 255
    batches = Batches(x, train.labels, 64, experiment.recipe.seed)

    for report in experiment.train():
        total = 0.0
        for u, labels in batches(report.epoch - 1):
            W1, b1, W2, b2 = leaves
            z = linear(torch.sigmoid(linear(torch.tensor(u), W1, b1)), W2, b2)
            loss = torch.nn.functional.cross_entropy(z, torch.tensor(labels))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        assert report.loss == pytest.approx(total / len(train), rel=1e-9)

    assert experiment.state.steps >= STEPS
    ours = [u for i in (0, 2) for u in (network.params[i].W.T, network.params[i].b)]
    for mine, theirs in zip(ours, leaves, strict=True):
        np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-9, atol=1e-12)
    assert abs(network.vector - start).max() > 1e-3  # it did learn
