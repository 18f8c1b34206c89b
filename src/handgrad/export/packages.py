"""The package `onnx`, which is not there unless it was asked for."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from handgrad.errors import HandgradError

__all__ = ["needed_onnx"]


def needed_onnx() -> Any:
    """The package `onnx`.

    Raises
    ------
    HandgradError : it is not installed; how to get it
    """
    if importlib.util.find_spec("onnx") is None:
        raise HandgradError(
            "the package onnx, which reads and writes ONNX files, is not installed; "
            "pip install 'handgrad[export]'"
        )
    return importlib.import_module("onnx")
