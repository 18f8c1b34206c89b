"""The others: PyTorch, scikit-learn, JAX, onnxruntime, and the tutorials' own method.

Each takes a problem and becomes a side of it, or says why not. Their packages are imported when a
side is made and are never dependencies; only `bench` calls them.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable

from handgrad.bench.problems import Problem, Side
from handgrad.bench.rivals.refusals import NotMeantError, SkippedError

__all__ = ["RIVALS", "Maker", "NotMeantError", "SkippedError", "rival"]

Maker = Callable[[Problem, int], Side]
"""From a problem and a number of threads to a side."""

RIVALS = {
    "pytorch": ("torch", "pytorch", "eager"),
    "pytorch channels-last": ("torch", "pytorch", "channels_last"),
    "pytorch fused adam": ("torch", "pytorch", "fused"),
    "torch.compile": ("torch", "pytorch", "compiled"),
    "pytorch cuda": ("torch", "pytorch", "on_cuda"),
    "jax": ("jax", "jax_scan", "scanned"),
    "scikit-learn": ("sklearn", "scikit_learn", "perceptron"),
    "onnxruntime": ("onnxruntime", "onnx_runtime", "session"),
    "tutorial": ("numpy", "tutorial", "column_by_column"),
}
"""From a rival's name to the package it needs, and the module and function that make it."""

DEVICES = {"pytorch cuda": "cuda"}
"""Where a rival computes, if not on the processor."""


def rival(name: str, problem: Problem, threads: int) -> Side:
    """Let a rival take a problem.

    Raises
    ------
    SkippedError : it could, but not here: a package or a compiler is missing
    NotMeantError : it does no such thing
    """
    package, module, function = RIVALS[name]
    if importlib.util.find_spec(package) is None:
        raise SkippedError(f"{package} is not installed")
    if getattr(problem, "device", "cpu") != DEVICES.get(name, "cpu"):
        raise NotMeantError
    make: Maker = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    return make(problem, threads)
