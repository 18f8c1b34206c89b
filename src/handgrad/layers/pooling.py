"""Pooling layers: many pixels become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from handgrad import calculus
from handgrad.arrays import Array, Numbers, Shape
from handgrad.calculus.windows import output_size
from handgrad.errors import RecipeError
from handgrad.layers.layer import Layer

__all__ = ["AveragePool", "GlobalAveragePool", "MaxPool"]


@dataclass(frozen=True)
class _Pool(Layer):
    """Windows of ``size`` pixels, ``stride`` apart.

    Parameters
    ----------
    size : height and width of a window
    stride : how far apart windows are; 0 for ``size``, so that they touch
    """

    size: int = 2
    stride: int = 0

    def __post_init__(self) -> None:
        if self.size < 1 or self.stride < 0:
            raise ValueError(f"size = {self.size}, stride = {self.stride}; expected 1 or more")

    @property
    def apart(self) -> int:
        """The stride in pixels."""
        return self.stride or self.size

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 3 or min(shape[:2]) < self.size:
            raise RecipeError(
                f"{self}: found samples of shape {shape}; expected (H, W, C) with H and W of at "
                f"least {self.size}"
            )
        height, width, channels = shape
        rows = output_size(height, self.size, self.apart)
        return rows, output_size(width, self.size, self.apart), channels

    def flops(self, shape: Shape) -> int:
        rows, columns, channels = self.output_shape(shape)
        return rows * columns * channels * self.size**2

    def __str__(self) -> str:
        return f"{self.name} {self.size}" + (f"/{self.stride}" if self.stride else "")


@dataclass(frozen=True)
class MaxPool(_Pool):
    """The largest number of each window; see `calculus.max_pool`."""

    name: ClassVar[str] = "max-pool"

    def forward(self, x: Array, params: Numbers) -> tuple[Array, tuple[Array, Array]]:
        y = calculus.max_pool(x, self.size, self.apart)
        return y, (x, y)

    def backward(
        self, dy: Array, memory: tuple[Array, Array], params: Numbers, grads: Numbers
    ) -> Array:
        return calculus.max_pool_backward(dy, *memory, self.size, self.apart)


@dataclass(frozen=True)
class AveragePool(_Pool):
    """The mean of each window; see `calculus.average_pool`."""

    name: ClassVar[str] = "average-pool"

    def forward(self, x: Array, params: Numbers) -> tuple[Array, Shape]:
        return calculus.average_pool(x, self.size, self.apart), x.shape

    def backward(self, dy: Array, shape: Shape, params: Numbers, grads: Numbers) -> Array:
        return calculus.average_pool_backward(dy, shape, self.size, self.apart)


@dataclass(frozen=True)
class GlobalAveragePool(Layer):
    """The mean of each channel over the image; see `calculus.global_average_pool`."""

    name: ClassVar[str] = "global-average-pool"

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 3:
            raise RecipeError(f"{self}: found samples of shape {shape}; expected (H, W, C)")
        return (shape[2],)

    def forward(self, x: Array, params: Numbers) -> tuple[Array, Shape]:
        return calculus.global_average_pool(x), x.shape

    def backward(self, dy: Array, shape: Shape, params: Numbers, grads: Numbers) -> Array:
        return calculus.global_average_pool_backward(dy, shape)

    def flops(self, shape: Shape) -> int:
        return shape[0] * shape[1] * shape[2]
