"""handgrad: neural networks by hand, for images.

``import handgrad as hg`` is the only door. It opens lazily: a name is loaded when it is first asked
for, so that the import itself costs nothing.

>>> import handgrad as hg
>>> network = hg.Network((hg.Dense(6), hg.ReLU(), hg.Dense(2)), (3, 3, 1))
>>> network.vector.size
74
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from handgrad import calculus, datasets, layers, losses, optimizers, pictures
    from handgrad.datasets import Batches, Dataset, Preparation, load
    from handgrad.errors import HandgradError
    from handgrad.estimators import ImageClassifier, LogisticImageClassifier
    from handgrad.experiments import (
        Experiment,
        Recipe,
        Run,
        evaluate,
        inspect,
        rerun,
        sweep,
        train,
    )
    from handgrad.export import parity, save_onnx, save_torch
    from handgrad.layers import (
        ELU,
        GELU,
        AveragePool,
        BatchNorm,
        Convolution,
        Dense,
        Dropout,
        Flatten,
        FrozenNorm,
        GlobalAveragePool,
        GroupNorm,
        Identity,
        Layer,
        LeakyReLU,
        MaxPool,
        ReLU,
        Residual,
        Scale,
        Sigmoid,
        SiLU,
        Softmax,
        Tanh,
    )
    from handgrad.losses import (
        BinaryCrossEntropy,
        CrossEntropy,
        SigmoidCrossEntropy,
        SoftmaxCrossEntropy,
        SquaredError,
    )
    from handgrad.networks import Model, Network
    from handgrad.optimizers import SGD, Adam, AdamW, Momentum, Muon, Nesterov, RMSProp
    from handgrad.storage import load_model, save_model
    from handgrad.training import Report, by_the_book, fit

_ROOMS = {
    "calculus": ["calculus"],
    "datasets": ["datasets", "Batches", "Dataset", "Preparation", "load"],
    "errors": ["HandgradError"],
    "estimators": ["ImageClassifier", "LogisticImageClassifier"],
    "experiments": [
        "Experiment",
        "Recipe",
        "Run",
        "evaluate",
        "inspect",
        "rerun",
        "sweep",
        "train",
    ],
    "export": ["parity", "save_onnx", "save_torch"],
    "layers": [
        "layers",
        "AveragePool",
        "BatchNorm",
        "Convolution",
        "Dense",
        "Dropout",
        "ELU",
        "Flatten",
        "FrozenNorm",
        "GELU",
        "GlobalAveragePool",
        "GroupNorm",
        "Identity",
        "Layer",
        "LeakyReLU",
        "MaxPool",
        "ReLU",
        "Residual",
        "Scale",
        "SiLU",
        "Sigmoid",
        "Softmax",
        "Tanh",
    ],
    "losses": [
        "losses",
        "BinaryCrossEntropy",
        "CrossEntropy",
        "SigmoidCrossEntropy",
        "SoftmaxCrossEntropy",
        "SquaredError",
    ],
    "networks": ["Model", "Network"],
    "optimizers": ["optimizers", "SGD", "Adam", "AdamW", "Momentum", "Muon", "Nesterov", "RMSProp"],
    "pictures": ["pictures"],
    "storage": ["load_model", "save_model"],
    "training": ["Report", "by_the_book", "fit"],
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = sorted(_ROOM_OF)


def __getattr__(name: str) -> Any:
    """Load a room when something in it is first asked for (PEP 562)."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'handgrad' has no attribute {name!r}")
    room = importlib.import_module(f"handgrad.{_ROOM_OF[name]}")
    found = room if name == _ROOM_OF[name] else getattr(room, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
