"""Models with random numbers, and everybody who can run what they were exported to."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from handgrad.datasets import Preparation
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Model, Network


def _model(layers, shape=(6, 5, 3), loss=None, classes=3, dtype="float32", views="none", **said):
    """A model with random numbers in all of its vector, the variances positive."""
    generator = np.random.default_rng(3)
    network = Network(layers, shape, dtype=dtype)
    network.initialize(generator, generator.random((50, *shape)) if network.looks else None)
    network.vector += generator.normal(0, 0.1, network.vector.size).astype(dtype)
    for slot in network.layout.slots.values():
        if slot.name.endswith("variance"):
            slot.of(network.vector)[...] = generator.uniform(0.5, 1.5, slot.shape)
    names = tuple(f"class {k}" for k in range(classes))
    preparation = Preparation(*shape, **said)
    return Model(network, preparation, names, loss or SoftmaxCrossEntropy(), views=views)


@pytest.fixture(scope="session")
def made():
    return _model


@pytest.fixture(scope="session")
def pixels():
    """Some images of a model's size."""

    def some(model, n=5, seed=1):
        generator = np.random.default_rng(seed)
        return generator.integers(0, 256, (n, *model.preparation.shape), dtype=np.uint8)

    return some


@pytest.fixture(params=["onnxruntime", "onnx reference"])
def answers(request, tmp_path):
    """What a model says by its ONNX file: probabilities and labels of images."""
    pytest.importorskip("onnx")
    pytest.importorskip(request.param.partition(" ")[0])
    from handgrad.export import save_onnx
    from handgrad.export.onnx_reading import read_onnx, runner

    def asked(model, images):
        save_onnx(model, tmp_path / "model.onnx")
        name, run = runner(read_onnx(tmp_path / "model.onnx"), request.param)
        assert name.startswith(request.param)
        return run(images)

    return asked


@pytest.fixture
def in_pytorch(torch, tmp_path):
    """The module that a model is written to, as another program would import it."""
    from handgrad.export import save_torch

    def imported(model, name="module"):
        path = tmp_path / f"{name}.py"
        save_torch(model, path)
        return _imported(path)

    return imported


def _imported(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
