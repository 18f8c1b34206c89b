"""What the functions of calculus are tried with: awkward shapes, and the kinks."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from handgrad import calculus
from handgrad.arrays import Array, Shape
from handgrad.calculus.windows import NO_PADDING, Padding

__all__ = ["Arguments", "examples", "kinks"]

Arguments = dict[str, Any]

SHAPES = [(1,), (1, 1), (5, 1), (1, 7), (3, 4), (2, 3, 5, 1)]
ROWS = [(1, 1), (1, 7), (5, 1), (3, 4)]
CONVOLUTIONS: list[tuple[Shape, Shape, int, Padding, int]] = [
    ((1, 1, 1, 1), (1, 1, 1, 1), 1, NO_PADDING, 1),
    ((2, 4, 5, 2), (4, 5, 2, 1), 1, NO_PADDING, 1),  # a kernel as large as the image
    ((2, 5, 4, 3), (3, 2, 3, 2), 1, ((1, 1), (0, 1)), 1),
    ((1, 4, 5, 1), (2, 3, 1, 2), 1, ((2, 0), (1, 3)), 2),
    ((1, 2, 3, 1), (2, 2, 1, 2), 1, ((3, 0), (0, 2)), 1),  # more zeros than the kernel reaches
    ((1, 7, 6, 1), (3, 3, 1, 2), 2, ((1, 0), (2, 1)), 1),
    ((2, 7, 8, 2), (2, 3, 2, 1), 3, ((1, 1), (0, 0)), 2),
]
"""Shapes of the images and of the kernels, stride, padding, dilation."""
LARGE = (4, 40, 40, 1), (8, 8, 1, 1), 1, NO_PADDING, 1
"""So many patches that the batch is not taken at once."""
POOLS: list[tuple[Shape, int, int]] = [
    ((1, 1, 1, 1), 1, 1),
    ((2, 5, 4, 3), 2, 2),  # the last row does not fit
    ((1, 7, 6, 1), 3, 2),  # overlapping
    ((1, 5, 6, 2), 1, 3),  # with gaps
    ((2, 3, 3, 2), 3, 1),  # a window as large as the image
]
"""Shapes of the images, size and stride of the windows."""


def _normal(*shape: int) -> Array:
    """Random numbers of both signs, none nearer than 0.1 to 0, where some functions have a kink."""
    drawn = np.random.default_rng(sum(shape) + 1).normal(size=shape)
    return drawn + np.copysign(0.1, drawn)


def _apart(shape: Shape) -> Array:
    """In random order, no two nearer than 0.1: between equal ones a maximum has a kink."""
    size = int(np.prod(shape))
    return (np.random.default_rng(size).permutation(size).reshape(shape) - size / 2.3) * 0.1


def _convolutions(name: str) -> Iterator[Arguments]:
    cases = CONVOLUTIONS if name == "patches" else [*CONVOLUTIONS, LARGE]
    for shape, kernel, stride, padding, dilation in cases:
        settings = {"stride": stride, "padding": padding, "dilation": dilation}
        if name == "patches":
            yield {"x": _normal(*shape), "kernel": kernel[:2], **settings}
        else:
            offset = _normal(kernel[-1]) if shape[0] == 1 else None
            yield {"x": _normal(*shape), "W": _normal(*kernel), "b": offset, **settings}


def _normalizations(name: str) -> Iterator[Arguments]:
    for shape, epsilon in [((5, 1), 0.3), ((4, 6), 1e-5), ((1, 1, 1, 4), 0.3), ((2, 3, 2, 4), 0.1)]:
        C = shape[-1]
        for scale, offset in [(_normal(C), _normal(C)), (None, None)]:
            given: Arguments = {"x": 0.5 + _normal(*shape), "scale": scale, "offset": offset}
            if name == "frozen_norm":
                given |= {"mean": _normal(C), "variance": _normal(C) ** 2}
            if name == "group_norm":
                given |= {"groups": 2 if C > 1 else 1}
            yield given | {"epsilon": epsilon}


def examples(name: str) -> Iterator[Arguments]:
    """Arguments to try a function with: awkward shapes; a function of one array needs no entry."""
    if name == "affine":
        for n, i, o in [(1, 1, 1), (3, 5, 2), (1, 4, 3), (5, 1, 4), (4, 3, 1)]:
            yield {"x": _normal(n, i), "W": _normal(i, o), "b": _normal(o)}
    elif name == "dropout":
        for shape in SHAPES:
            kept = np.random.default_rng(3).random(shape) > 0.3
            yield {"x": _normal(*shape), "kept": kept, "rate": 0.3}
    elif name in ("convolve", "patches"):
        yield from _convolutions(name)
    elif name in ("average_pool", "max_pool"):
        for shape, size, stride in POOLS:
            yield {"x": _apart(shape), "size": size, "stride": stride}
    elif name == "global_average_pool":
        for shape in [(1, 1, 1, 1), (2, 3, 5, 1), (1, 4, 3, 2)]:
            yield {"x": _normal(*shape)}
    elif name in ("batch_norm", "frozen_norm", "group_norm"):
        yield from _normalizations(name)
    else:
        first, *others = inspect.signature(getattr(calculus, name)).parameters.values()
        settings = {p.name: p.default for p in others if p.default is not p.empty}
        if len(settings) < len(others):
            return
        for shape in ROWS if name.endswith("softmax") else SHAPES:
            yield {first.name: _normal(*shape), **settings}
            for i, p in enumerate(others):  # a slope or a scale that is not the usual one
                yield {first.name: _normal(*shape), **settings, p.name: p.default + 0.3 + 0.1 * i}


def kinks(name: str) -> Iterator[tuple[Arguments, Array, Array]]:
    """Where there is no derivative: arguments, dy, and the dx that the docstring says is taken."""
    at, dy = np.array([-1.0, 0.0, 1.0]), np.array([2.0, 3.0, 5.0])
    if name == "relu":
        yield {"z": at}, dy, np.array([0.0, 0.0, 5.0])
    elif name == "leaky_relu":
        yield {"z": at, "slope": 0.25}, dy, np.array([0.5, 0.75, 5.0])
    elif name == "elu":
        yield {"z": at, "alpha": 0.5}, dy, np.array([2 * 0.5 * math.exp(-1), 3 * 0.5, 5.0])
    elif name == "max_pool":
        # Windows (7, 7), (7, 1) over (1, 7), (1, 7), the second overlapping the first.
        x = np.array([[7.0, 7.0, 1.0], [1.0, 7.0, 7.0]]).reshape(1, 2, 3, 1)
        dx = np.array([[2.0, 3.0, 0.0], [0.0, 0.0, 0.0]]).reshape(1, 2, 3, 1)
        yield {"x": x, "size": 2, "stride": 1}, dy[:2].reshape(1, 1, 2, 1), dx
