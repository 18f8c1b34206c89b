"""A model as a short PyTorch module, with its numbers in a safetensors file beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from handgrad.datasets import Preparation
from handgrad.errors import DataError, HandgradError
from handgrad.export.torch_twins import Module, in_torch
from handgrad.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Loss,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
)
from handgrad.networks import Model, Views
from handgrad.storage import written
from handgrad.storage.tensors import KEY
from handgrad.tables import to_table

__all__ = ["TORCH_PROBABILITIES", "save_torch"]


def save_torch(model: Model, path: str | os.PathLike[str]) -> Path:
    """Write a model as a Python file that needs PyTorch and safetensors, and nothing of handgrad.

    The file has a class ``Network``, which can be trained further, ``preprocess`` from decoded and
    resized (N, H, W, C) uint8 images to what it is fed, and ``load()``, which reads the numbers
    from the file of the same name that ends with .safetensors. Computed in float32.

    Parameters
    ----------
    path : ends with .py

    Returns
    -------
    weights : the file beside it

    Raises
    ------
    HandgradError : another ending; a layer or a loss of one's own that has no twin; a path that
        cannot be written
    DataError : there is a model of handgrad where the weights would go
    """
    from safetensors.numpy import save_file

    path = Path(path)
    if path.suffix != ".py":
        raise HandgradError(f"{path}: found another ending; expected .py")
    weights = path.with_suffix(".safetensors")
    if _is_model(weights):
        expected = f"another name than {path.name}, whose weights would replace it"
        raise DataError(weights, "a model of handgrad", expected)
    module = Module()
    network = model.network
    in_torch(module, network.architecture, network.params, network.shapes[0])
    text = _text(model, module)
    with written(weights) as beside:
        save_file(module.tensors, beside, metadata={"format": "pt"})
    with written(path) as beside:
        beside.write_text(text, encoding="utf-8")
    return weights


def _is_model(path: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return False
    try:
        with safe_open(path, framework="numpy") as opened:
            return KEY in (opened.metadata() or {})
    except (SafetensorError, OSError):
        return False


def _text(model: Model, module: Module) -> str:
    from handgrad import __version__

    H, W, C = model.preparation.shape
    if type(model.loss) not in TORCH_PROBABILITIES:
        raise HandgradError(f"found the loss {model.loss.name!r}; it has no twin in PyTorch yet")
    told = TORCH_PROBABILITIES[type(model.loss)]
    if isinstance(model.loss, SquaredError) and model.network.shapes[-1] == (1,):
        told = ONE_SQUARED
    label = "outputs.argmax(1)"
    if model.network.shapes[-1] == (1,):
        label = f"(outputs[:, 0] > {float(model.loss.threshold)!r}).long()"
    lines = [
        f'"""A network of handgrad {__version__}, written out in PyTorch: from images of',
        f"{H}x{W} pixels and {C} channel{'s' * (C > 1)} to {len(model.class_names)} classes.",
        "",
        "    network = load()",
        "    probabilities, labels = network.predict(images)",
        "",
        f"images is (N, {H}, {W}, {C}) uint8, decoded and resized as PREPARATION says. A label is",
        "a place in CLASS_NAMES. The weights are in the .safetensors file of the same name.",
        '"""',
        "",
        "from pathlib import Path",
        "",
        "import torch",
        "from safetensors.torch import load_file",
        "from torch import nn",
        "from torch.nn import functional as F",
        "",
        *_named("CLASS_NAMES", list(model.class_names)),
        *_named("PREPARATION", to_table(model.preparation)),
        "",
        "",
        *_preprocess(model.preparation),
        "",
        "",
        *_views(model.views, model.preparation.transposed),
        "",
        "",
        "class Network(nn.Module):",
        "    def __init__(self):",
        "        super().__init__()",
        *_indented(module.made, 8),
        "",
        "    def forward(self, x):",
        '        """From preprocessed images to the outputs of the last layer."""',
        *_indented(module.run, 8),
        "        return x",
        "",
        "    @torch.no_grad()",
        "    def predict(self, images):",
        f'        """Probabilities (N, {len(model.class_names)}) and labels (N,) of images."""',
        "        x = preprocess(images)",
        "        outputs = sum(weight * self(view) for weight, view in views(x))",
        *_indented(told, 8),
        f"        return probabilities, {label}",
        "",
        "",
        'def load(path=Path(__file__).with_suffix(".safetensors")):',
        '    """The network with its weights, as it predicts."""',
        "    network = Network()",
        "    network.load_state_dict(load_file(path))",
        "    return network.eval()",
        "",
    ]
    return "\n".join(lines)


def _preprocess(preparation: Preparation) -> list[str]:
    lines = [
        "def preprocess(images):",
        '    """From (N, H, W, C) uint8 images to (N, C, H, W) numbers."""',
        "    x = torch.as_tensor(images).permute(0, 3, 1, 2).float()",
    ]
    if preparation.scale == "unit":
        lines.append("    x = x / 255")
    if preparation.mean is not None and preparation.deviation is not None:
        mean, deviation = ([float(v) for v in m] for m in (preparation.mean, preparation.deviation))
        lines += [
            f"    mean, deviation = torch.tensor([{mean}, {deviation}])[:, :, None, None]",
            "    x = (x - mean) / deviation",
        ]
    if preparation.transposed:
        lines.append("    x = x.transpose(2, 3)  # the network reads pictures column by column")
    return [*lines, "    return x"]


def _views(views: Views, transposed: bool) -> list[str]:
    mirrored = f"x.flip({2 if transposed else 3})"
    lines = [
        "def views(x):",
        '    """What the network looks at, with weights; it says the mean."""',
    ]
    if views == "none":
        return [*lines, "    return [(1.0, x)]"]
    if views == "mirror":
        return [*lines, f"    return [(0.5, x), (0.5, {mirrored})]"]
    return [
        *lines,
        '    around = F.pad(x, (1, 1, 1, 1), mode="reflect")',
        "    shifted = (around[:, :, :-2, :-2], around[:, :, 2:, 2:])",
        "    seen = [(0.5, x), (0.25, shifted[0]), (0.25, shifted[1])]",
        f"    return [(w / 2, v) for w, x in seen for v in (x, {mirrored})]",
    ]


_BOTH = "probabilities = torch.cat([1 - a, a], 1)"
ONE_SQUARED = ["a = outputs.clamp(0, 1)", _BOTH]
TORCH_PROBABILITIES: dict[type[Loss], list[str]] = {
    BinaryCrossEntropy: ["a = outputs", _BOTH],
    CrossEntropy: ["probabilities = outputs"],
    SigmoidCrossEntropy: ["a = torch.sigmoid(outputs)", _BOTH],
    SoftmaxCrossEntropy: ["probabilities = torch.softmax(outputs, 1)"],
    SquaredError: [
        "lifted = outputs - outputs.amin(1, keepdim=True).clamp(max=0)",
        "total = lifted.sum(1, keepdim=True)",
        "even = torch.full_like(lifted, 1 / lifted.shape[1])",
        "probabilities = torch.where(total > 0, lifted / total, even)",
    ],
}
"""`Loss.probabilities` of every loss, in PyTorch."""


def _named(name: str, value: list[Any] | dict[str, Any]) -> list[str]:
    """``NAME = literal``, an entry a line, each by its repr: a class name is a text, whatever it
    holds."""
    plain = json.loads(json.dumps(value))  # nothing but Python's own texts, numbers and lists
    if isinstance(plain, list):
        return [f"{name} = [", *(f"    {entry!r}," for entry in plain), "]"]
    return [f"{name} = {{", *(f"    {key!r}: {entry!r}," for key, entry in plain.items()), "}"]


def _indented(lines: list[str], by: int) -> list[str]:
    return [" " * by + line for line in lines]
