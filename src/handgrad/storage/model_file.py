"""One safetensors file for a model: the numbers by name, and a table with everything else.

No date, duration, host or path is in it, so that equal trainings give equal bytes. The format has a
version; older ones stay readable.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from handgrad.datasets import Preparation
from handgrad.errors import DataError, HandgradError, RecipeError
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.networks import Model, Network
from handgrad.storage.tensors import read_tensors, write_tensors
from handgrad.tables import MOST, from_table, to_table

__all__ = ["FORMAT", "load_model", "save_model"]

FORMAT = 1
UNUSABLE = (TypeError, ValueError, OverflowError, MemoryError, RecursionError, AttributeError)
"""What values of another kind than was expected lead to."""


def save_model(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model to one file.

    Raises
    ------
    HandgradError : the folder cannot be written to; an older file stays as it was
    """
    network = model.network
    tensors = {slot.name: slot.of(network.vector) for slot in network.layout.slots.values()}
    table = {
        "format": FORMAT,
        "architecture": to_table(network.architecture),
        "input_shape": list(network.shapes[0]),
        "dtype": str(network.dtype),
        "preparation": to_table(model.preparation),
        "class_names": list(model.class_names),
        "loss": to_table(model.loss),
        "views": model.views,
        "about": model.about,
    }
    write_tensors(path, tensors, table)


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model; needs nothing but the file, and runs nothing from it.

    Raises
    ------
    DataError : no such file, another kind of file, a newer format, numbers that do not fit the
        architecture
    """
    expected = "a model written by handgrad"
    tensors, table = read_tensors(path, expected, FORMAT)
    try:
        return _built(table, tensors, path)
    except DataError:
        raise
    except KeyError as error:
        raise DataError(path, f"metadata without {error}", expected) from None
    except (HandgradError, *UNUSABLE) as error:
        raise DataError(path, f"metadata that cannot be used ({error})", expected) from None


def _built(table: dict[str, Any], tensors: dict[str, Any], path: str | os.PathLike[str]) -> Model:
    about = table["about"]
    if not isinstance(about, dict) or not all(
        isinstance(about.get(key, {}), dict) for key in ("recipe", "test")
    ):
        raise RecipeError("an 'about' that is no table of tables")
    if len(table["architecture"]) > MOST:
        raise RecipeError(f"{len(table['architecture']):,} layers; expected at most {MOST:,}")
    architecture = tuple(
        from_table(Layer, layer, f"architecture.{i}")
        for i, layer in enumerate(table["architecture"])
    )
    dtype = table["dtype"]
    if dtype not in ("float32", "float64"):
        raise RecipeError(f"dtype {dtype!r}; expected float32 or float64")
    shape = tuple(int(n) for n in table["input_shape"])
    layout = Network.planned(architecture, shape)
    found = {name: (tensor.shape, str(tensor.dtype)) for name, tensor in tensors.items()}
    wanted = {slot.name: (slot.shape, dtype) for slot in layout.slots.values()}
    if found != wanted:
        name = min(set(found.items()) ^ set(wanted.items()))[0]
        raise DataError(
            path,
            f"{name} as {_said(found.get(name))}",
            f"{_said(wanted.get(name))}, by the file's own architecture",
        )
    network = Network(architecture, shape, dtype=dtype)
    for slot in layout.slots.values():
        slot.of(network.vector)[...] = tensors[slot.name]
    if not np.isfinite(network.vector).all():
        raise DataError(path, "numbers that are infinite or NaN", "finite weights")
    return Model(
        network,
        from_table(Preparation, table["preparation"], "preparation"),
        tuple(str(name) for name in table["class_names"]),
        from_table(Loss, table["loss"], "loss"),
        about,
        table.get("views", "none"),  # older files say nothing of it
    )


def _said(tensor: tuple[Any, str] | None) -> str:
    return "nothing" if tensor is None else f"{tensor[1]} of shape {tuple(tensor[0])}"
