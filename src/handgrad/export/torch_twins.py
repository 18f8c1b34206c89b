"""Each layer as a line or two of PyTorch, and its numbers as PyTorch keeps them.

Pictures are (N, C, H, W) there; where one becomes a row it is put into this library's order first,
so that a dense layer's weights are those of the model, transposed. What trains is kept: dropout and
batch normalization are themselves, and ``eval()`` makes them predict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from handgrad.arrays import Array, Numbers, Shape
from handgrad.errors import HandgradError
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

__all__ = ["TORCH_TWINS", "Module", "in_torch"]


class Module:
    """The text of a PyTorch module that is being written.

    Attributes
    ----------
    made : lines that make its parts
    run : lines of its forward pass
    tensors : its numbers, by PyTorch's names
    place : of the layer that is being written, ``"3_block_0"``
    """

    def __init__(self) -> None:
        self.made: list[str] = []
        self.run: list[str] = []
        self.tensors: dict[str, Array] = {}
        self.place = ""

    def part(self, kind: str, made: str, **tensors: Array) -> str:
        """A part with numbers of its own: what it is called in the forward pass."""
        name = f"{kind}_{self.place}"
        self.made.append(f"self.{name} = {made}")
        for key, array in tensors.items():
            self.tensors[f"{name}.{key}"] = _lying(array)
        return f"self.{name}"


Twin = Callable[[Module, str, Shape, Any, Numbers], "str | None"]
"""From the name of a variable, and the shape of a sample in it, to the expression that follows it
(None for itself)."""


def in_torch(
    module: Module,
    layers: Sequence[Layer],
    params: Sequence[Any],
    shape: Shape,
    variable: str = "x",
    way: str = "",
) -> None:
    """Layers one after another, each overwriting a variable of the forward pass.

    Raises
    ------
    HandgradError : a layer that has no twin in PyTorch
    """
    for i, (layer, own) in enumerate(zip(layers, params, strict=True)):
        if type(layer) not in TORCH_TWINS:
            raise HandgradError(f"found the layer {layer}; it has no twin in PyTorch yet")
        module.place = f"{way}{i}"
        said = TORCH_TWINS[type(layer)](module, variable, shape, layer, own)
        if said is not None:
            module.run.append(f"{variable} = {said}")
        shape = layer.output_shape(shape)


def _row(x: str, shape: Shape) -> str:
    return x if len(shape) == 1 else f"{x}.permute(0, 2, 3, 1).flatten(1)"


def _dense(module: Module, x: str, shape: Shape, layer: Dense, params: Numbers) -> str:
    I, O = params.W.shape
    b = {"bias": params.b} if layer.offset else {}
    said = "" if layer.offset else ", bias=False"
    part = module.part("dense", f"nn.Linear({I}, {O}{said})", weight=params.W.T, **b)
    return f"{part}({_row(x, shape)})"


def _convolution(module: Module, x: str, shape: Shape, layer: Convolution, params: Numbers) -> str:
    (above, below), (left, right) = layer.around(shape)
    KH, KW = layer.kernel
    even = above == below and left == right
    settings = {
        "stride": (layer.stride, 1),
        "padding": ((above, left) if even else 0, 0),
        "dilation": (layer.dilation, 1),
        "bias": (layer.offset, True),
    }
    said = "".join(
        f", {key}={value!r}"
        for key, (value, usual) in settings.items()
        if value not in (usual, (0, 0))
    )
    made = f"nn.Conv2d({shape[2]}, {layer.channels}, ({KH}, {KW}){said})"
    b = {"bias": params.b} if layer.offset else {}
    part = module.part("convolution", made, weight=params.W.transpose(3, 2, 0, 1), **b)
    return f"{part}({x if even else f'F.pad({x}, ({left}, {right}, {above}, {below}))'})"


def _affine(layer: BatchNorm | FrozenNorm | GroupNorm, channels: int, own: Numbers) -> Any:
    """Scale and offset as PyTorch wants them, both or neither."""
    if not layer.scale and not layer.offset:
        return ", affine=False", {}
    weight = own.scale if layer.scale else np.ones(channels)
    bias = own.offset if layer.offset else np.zeros(channels)
    return "", {"weight": weight, "bias": bias}


def _batch_norm(module: Module, x: str, shape: Shape, layer: BatchNorm, params: Numbers) -> str:
    said, arrays = _affine(layer, shape[-1], params)
    kind = "BatchNorm2d" if len(shape) == 3 else "BatchNorm1d"
    rest = f"eps={float(layer.epsilon)!r}, momentum={round(1 - layer.keep, 12)!r}{said}"
    part = module.part(
        "batch_norm",
        f"nn.{kind}({shape[-1]}, {rest})",
        **arrays,
        running_mean=params.mean,
        running_var=params.variance,
        num_batches_tracked=np.array(0),
    )
    return f"{part}({x})"


def _frozen_norm(module: Module, x: str, shape: Shape, layer: FrozenNorm, params: Numbers) -> str:
    """By its own mean and variance in training, too, which PyTorch's module does not do."""
    said, arrays = _affine(layer, shape[-1], params)
    kind = "BatchNorm2d" if len(shape) == 3 else "BatchNorm1d"
    part = module.part(
        "frozen_norm",
        f"nn.{kind}({shape[-1]}, eps={float(layer.epsilon)!r}{said})",
        **arrays,
        running_mean=params.mean,
        running_var=params.variance,
        num_batches_tracked=np.array(0),
    )
    return f"{part}.eval()({x})"


def _group_norm(module: Module, x: str, shape: Shape, layer: GroupNorm, params: Numbers) -> str:
    channels = shape[-1]
    said, arrays = _affine(layer, channels, params)
    rest = f"{channels}, eps={float(layer.epsilon)!r}{said}"
    part = module.part("group_norm", f"nn.GroupNorm({layer.groups}, {rest})", **arrays)
    if math.prod(shape) > layer.groups:
        return f"{part}({x})"
    # PyTorch's module refuses a single sample with one number a group, the function does not.
    return f"torch.group_norm({x}, {layer.groups}, {part}.weight, {part}.bias, {part}.eps)"


def _residual(module: Module, x: str, shape: Shape, layer: Residual, params: Numbers) -> str:
    place = module.place
    for way, layers in (("block", layer.layers), ("shortcut", layer.shortcut)):
        views = getattr(params, way, Numbers())
        own = [getattr(views, str(i), Numbers()) for i in range(len(layers))]
        if layers:
            module.run.append(f"{way}_{place} = {x}")
            in_torch(module, layers, own, shape, f"{way}_{place}", f"{place}_{way}_")
    return f"block_{place} + {f'shortcut_{place}' if layer.shortcut else x}"


def _global_pool(module: Module, x: str, shape: Shape, layer: Layer, params: Numbers) -> str:
    return f"{x}.mean((2, 3))"


def _flatten(module: Module, x: str, shape: Shape, layer: Flatten, params: Numbers) -> str | None:
    return None if len(shape) == 1 else _row(x, shape)


def _identity(module: Module, x: str, shape: Shape, layer: Identity, params: Numbers) -> None:
    return None


def _dropout(module: Module, x: str, shape: Shape, layer: Dropout, params: Numbers) -> str:
    return f"F.dropout({x}, {float(layer.rate)!r}, self.training)"


def _written(text: str, *settings: str) -> Twin:
    """An expression of ``x`` and some settings of the layer, which are numbers."""

    def twin(module: Module, x: str, shape: Shape, layer: Layer, params: Numbers) -> str:
        told = {key: getattr(layer, key) for key in settings}
        return text.format(x=x, **{key: repr(_plain(value)) for key, value in told.items()})

    return twin


def _plain(value: Any) -> int | float:
    """A number of Python, whose repr is a number and nothing else."""
    return int(value) if isinstance(value, int | np.integer) else float(value)


def _lying(array: Array) -> Array:
    """As it is written: contiguous, in float32 unless it counts."""
    kind = np.int64 if array.dtype.kind == "i" else np.float32
    return np.array(array, kind, order="C")


TORCH_TWINS: dict[type[Layer], Twin] = {
    AveragePool: _written("F.avg_pool2d({x}, {size}, {apart})", "size", "apart"),
    BatchNorm: _batch_norm,
    Convolution: _convolution,
    Dense: _dense,
    Dropout: _dropout,
    ELU: _written("F.elu({x}, {alpha})", "alpha"),
    Flatten: _flatten,
    FrozenNorm: _frozen_norm,
    GELU: _written("F.gelu({x})"),
    GlobalAveragePool: _global_pool,
    GroupNorm: _group_norm,
    Identity: _identity,
    LeakyReLU: _written("F.leaky_relu({x}, {slope})", "slope"),
    MaxPool: _written("F.max_pool2d({x}, {size}, {apart})", "size", "apart"),
    ReLU: _written("F.relu({x})"),
    Residual: _residual,
    Scale: _written("{x} * {factor}", "factor"),
    SiLU: _written("F.silu({x})"),
    Sigmoid: _written("torch.sigmoid({x})"),
    Softmax: _written("torch.softmax({x}, 1)"),
    Tanh: _written("torch.tanh({x})"),
}
"""Every layer, as it trains and, after ``eval()``, as it predicts."""
