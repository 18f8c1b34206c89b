"""The PyTorch module as a file: it stands alone, and nothing in a model becomes code."""

from __future__ import annotations

import ast
import dataclasses

import numpy as np
import pytest

from handgrad.errors import DataError, HandgradError
from handgrad.export import save_torch
from handgrad.layers import BatchNorm, Convolution, Dense, Dropout, FrozenNorm, ReLU, Scale, Tanh
from handgrad.storage import save_model

LAYERS = (Convolution(4, offset=False), BatchNorm(keep=0.7), ReLU(), Dropout(0.5), Dense(3))


def test_it_needs_nothing_of_handgrad(made, tmp_path):
    assert save_torch(made(LAYERS), tmp_path / "net.py") == tmp_path / "net.safetensors"
    tree = ast.parse((tmp_path / "net.py").read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert imported == {"pathlib", "torch", "torch.nn", "safetensors.torch"}


HOSTILE = (
    '"""\nimport os; os.abort()\n"""',
    "']\nraise SystemExit\n[' \\",
    "{x} %s \\N{BULLET} \0 \u202e \udc80 赤 😀",
)


def test_a_class_name_is_a_text_whatever_it_holds(made, in_pytorch, pixels):
    model = dataclasses.replace(made(LAYERS), class_names=HOSTILE)
    module = in_pytorch(model)
    assert tuple(module.CLASS_NAMES) == HOSTILE
    _, labels = module.load().predict(pixels(model))
    assert labels.tolist() == model.labels(pixels(model)).tolist()


def test_what_is_said_of_the_preparation(made, in_pytorch):
    model = made(LAYERS, resample="box", mean=(0.1, 0.2, 0.3), deviation=(0.5, 0.5, 0.5))
    assert in_pytorch(model).PREPARATION == {
        "height": 6, "width": 5, "channels": 3, "resample": "box", "draft": False, "scale": "unit",
        "mean": [0.1, 0.2, 0.3], "deviation": [0.5, 0.5, 0.5], "transposed": False,
    }  # fmt: skip


def test_it_trains_as_it_does_here(made, in_pytorch, torch, pixels):
    """Batch normalization in training: by the batch, and gathering what `BatchNorm` gathers."""
    model = made((Convolution(4), BatchNorm(keep=0.7), Tanh(), FrozenNorm(), Dense(3)))
    images = pixels(model, 7)
    module = in_pytorch(model)
    network = module.load().train()
    x = np.divide(images, 255, dtype=np.float32)
    outputs, memories = model.network.forward(x)
    found = network(module.preprocess(images))
    assert np.abs(found.detach().numpy() - outputs).max() < 1e-5
    model.network.gather(memories)
    own = model.network.params[1]
    assert network.batch_norm_1.running_mean.numpy() == pytest.approx(own.mean, rel=1e-4)
    assert network.batch_norm_1.running_var.numpy() == pytest.approx(own.variance, rel=1e-4)
    found.sum().backward()
    assert network.convolution_0.weight.grad.abs().max() > 0


def test_numbers_of_numpy_are_written_as_numbers(made, tmp_path):
    layers = (Dense(np.int64(3)), Scale(np.float64(0.5)), Dropout(np.float32(0.25)), Dense(3))
    save_torch(made(layers), tmp_path / "a.py")
    text = (tmp_path / "a.py").read_text(encoding="utf-8")
    assert "x * 0.5\n" in text
    assert "F.dropout(x, 0.25, self.training)" in text
    assert "np." not in text
    ast.parse(text)


def test_a_model_is_never_replaced_by_its_weights(made, tmp_path):
    model = made(LAYERS)
    save_model(model, tmp_path / "net.safetensors")
    kept = (tmp_path / "net.safetensors").read_bytes()
    with pytest.raises(DataError, match="found a model of handgrad; expected another name than n"):
        save_torch(model, tmp_path / "net.py")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [kept]
    # Weights of an earlier export are, and what is no safetensors at all.
    save_torch(model, tmp_path / "other.py")
    first = (tmp_path / "other.safetensors").read_bytes()
    save_torch(model, tmp_path / "other.py")
    assert (tmp_path / "other.safetensors").read_bytes() == first
    (tmp_path / "third.safetensors").write_text("no such thing")
    save_torch(model, tmp_path / "third.py")
    assert (tmp_path / "third.safetensors").read_bytes() == first


def test_another_ending(made, tmp_path):
    with pytest.raises(HandgradError, match=r"a\.txt: found another ending; expected \.py"):
        save_torch(made(LAYERS), tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []
