"""Normalization layers: over the batch, with running statistics for prediction, or in a sample."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from handgrad import calculus
from handgrad.arrays import Array, Numbers, Shape
from handgrad.calculus.normalization import Total, places_of_channel
from handgrad.errors import RecipeError
from handgrad.layers.layer import Layer

__all__ = ["BatchNorm", "FrozenNorm", "GroupNorm"]

Memory = tuple[Array, Array, Array]


@dataclass(frozen=True)
class _Norm(Layer):
    """What all normalizations have: a scale and an offset for each channel, if wanted.

    Parameters
    ----------
    epsilon : what keeps the deviation from 0
    scale, offset : whether they are learned; else 1 and 0
    """

    epsilon: float = 1e-5
    scale: bool = True
    offset: bool = True

    def __post_init__(self) -> None:
        if not self.epsilon > 0:
            raise ValueError(f"epsilon = {self.epsilon}; expected more than 0")

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        wanted = {"scale": self.scale, "offset": self.offset}
        return {name: shape[-1:] for name, there in wanted.items() if there}

    def initialize(self, params: Numbers, shape: Shape, generator: np.random.Generator) -> None:
        if self.scale:
            params.scale[...] = 1
        if self.offset:
            params.offset[...] = 0

    def flops(self, shape: Shape) -> int:
        return 2 * math.prod(shape)


@dataclass(frozen=True)
class _RunningNorm(_Norm):
    """A normalization with a running mean and variance, gathered in training."""

    def statistics(self, shape: Shape) -> dict[str, Shape]:
        return {"mean": shape[-1:], "variance": shape[-1:]}

    def initialize(self, params: Numbers, shape: Shape, generator: np.random.Generator) -> None:
        super().initialize(params, shape, generator)
        params.mean[...] = 0
        params.variance[...] = 1


@dataclass(frozen=True)
class BatchNorm(_RunningNorm):
    """Mean 0 and variance 1 for each channel over the batch; see `calculus.batch_norm`.

    While it trains it gathers ``running ← keep · running + (1 - keep) · batch`` of the mean and of
    the unbiased variance, and predicts with those (see `FrozenNorm`).

    Parameters
    ----------
    keep : how much of the running statistics a step keeps
    """

    name: ClassVar[str] = "batch-norm"

    keep: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.keep < 1:
            raise ValueError(f"keep = {self.keep}; expected at least 0 and less than 1")

    def total(self, part: Array) -> Array:
        """Completes a sum over the batch, which lies here in one hand; see `shared`."""
        return part

    def forward(self, x: Array, params: Numbers) -> tuple[Array, tuple[Array, Array, Array, int]]:
        scale, offset = _own(self, params)
        y, mean, variance = calculus.batch_norm(x, scale, offset, self.epsilon, self.total)
        return y, (x, mean, variance, places_of_channel(x, self.total))

    def backward(self, dy: Array, memory: Any, params: Numbers, grads: Numbers) -> Array:
        x, mean, variance, _ = memory
        scale, _ = _own(self, params)
        return calculus.batch_norm_backward(
            dy, x, mean, variance, scale, *_own(self, grads), self.epsilon, self.total
        )

    def gather(self, memory: Any, params: Numbers) -> None:
        _, mean, variance, M = memory
        unbiased = variance * (M / max(M - 1, 1))
        for running, batch in ((params.mean, mean), (params.variance, unbiased)):
            running *= self.keep
            running += (1 - self.keep) * batch

    def frozen(self) -> FrozenNorm:
        return FrozenNorm(self.epsilon, self.scale, self.offset)

    def shared(self, total: Total, gathers: bool) -> BatchNorm:
        own = (self.epsilon, self.scale, self.offset, self.keep)
        return _SharedBatchNorm(*own, completed=total, gathers=gathers)


@dataclass(frozen=True)
class _SharedBatchNorm(BatchNorm):
    """Batch normalization of one part of a batch, by the mean and variance of the whole."""

    _: KW_ONLY
    completed: Total
    gathers: bool

    def total(self, part: Array) -> Array:
        return self.completed(part)

    def gather(self, memory: Any, params: Numbers) -> None:
        if self.gathers:
            super().gather(memory, params)


@dataclass(frozen=True)
class FrozenNorm(_RunningNorm):
    """Batch normalization as it predicts, by the gathered mean and variance."""

    name: ClassVar[str] = "frozen-norm"

    def forward(self, x: Array, params: Numbers) -> tuple[Array, Array]:
        own = _own(self, params)
        return calculus.frozen_norm(x, params.mean, params.variance, *own, epsilon=self.epsilon), x

    def backward(self, dy: Array, x: Array, params: Numbers, grads: Numbers) -> Array:
        scale, _ = _own(self, params)
        return calculus.frozen_norm_backward(
            dy, x, params.mean, params.variance, scale, *_own(self, grads), epsilon=self.epsilon
        )


@dataclass(frozen=True)
class GroupNorm(_Norm):
    """Mean 0 and variance 1 within each sample and group of channels; see `calculus.group_norm`.

    Parameters
    ----------
    groups : how many; 1 is layer normalization
    """

    name: ClassVar[str] = "group-norm"

    groups: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.groups < 1:
            raise ValueError(f"groups = {self.groups}; expected at least 1")

    def output_shape(self, shape: Shape) -> Shape:
        if shape[-1] % self.groups:
            raise RecipeError(
                f"{self}: found {shape[-1]} channels; expected a multiple of {self.groups} groups"
            )
        return shape

    def forward(self, x: Array, params: Numbers) -> tuple[Array, Memory]:
        own = _own(self, params)
        y, mean, variance = calculus.group_norm(x, *own, self.groups, self.epsilon)
        return y, (x, mean, variance)

    def backward(self, dy: Array, memory: Memory, params: Numbers, grads: Numbers) -> Array:
        scale, _ = _own(self, params)
        return calculus.group_norm_backward(
            dy, *memory, scale, *_own(self, grads), epsilon=self.epsilon
        )


def _own(layer: _Norm, views: Any) -> tuple[Array | None, Array | None]:
    """The views of scale and offset; None for what is not learned."""
    return views.scale if layer.scale else None, views.offset if layer.offset else None
