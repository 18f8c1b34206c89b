"""What every layer answers to."""

from __future__ import annotations

import abc
import math
from typing import Any, ClassVar

import numpy as np

from handgrad.arrays import Array, Numbers, Shape
from handgrad.calculus.normalization import Total
from handgrad.tables import Named

__all__ = ["Layer"]


class Layer(Named, abc.ABC):
    """One step of a network: forward leaves a memory, backward follows it home.

    A layer is a frozen dataclass without numbers. It must give `forward` and `backward`; the rest
    has an answer that fits a layer without parameters that changes no shape. Shapes are those of
    one sample, without N.
    """

    tag: ClassVar[str] = "layer"
    draws: ClassVar[int] = 0
    """How many arrays `draw` gives."""
    looks: ClassVar[bool] = False
    """Whether first values are made from images, which `initialize` is then given besides."""

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of one output sample; refuses a shape it cannot take with a `RecipeError`."""
        return shape

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        """What is learned: from a name to a shape."""
        return {}

    def statistics(self, shape: Shape) -> dict[str, Shape]:
        """What is gathered while training, but not learned: from a name to a shape."""
        return {}

    def gather(self, memory: Any, params: Numbers) -> None:
        """After a training step, write what this batch adds into the views of the statistics."""

    def initialize(self, params: Numbers, shape: Shape, generator: np.random.Generator) -> None:
        """Write the first values into the views."""

    def draw(self, shape: Shape, generator: np.random.Generator) -> tuple[Array, ...]:
        """This batch's random draws, handed to `forward` besides; ``shape`` begins with N here."""
        return ()

    @abc.abstractmethod
    def forward(self, x: Array, params: Numbers, *besides: Any) -> tuple[Array, Any]:
        """From (N, …) to (N, …): the output, and the memory that `backward` needs."""

    @abc.abstractmethod
    def backward(self, dy: Array, memory: Any, params: Numbers, grads: Numbers) -> Array:
        """From the gradient at the output to that at the input; overwrites ``grads``."""

    def backward_parameters(self, dy: Array, memory: Any, params: Numbers, grads: Numbers) -> None:
        """`backward` for the first layer that learns, whose dx nobody asks for."""
        self.backward(dy, memory, params, grads)

    def frozen(self) -> Layer:
        """This layer as it predicts, with the same numbers in the same places."""
        return self

    def shared(self, total: Total, gathers: bool) -> Layer:
        """This layer as it computes one of several parts of a batch, in the same places.

        Parameters
        ----------
        total : completes a sum over the batch; every part calls it equally often
        gathers : whether this part writes the statistics; one of them does
        """
        return self

    def flops(self, shape: Shape) -> int:
        """Additions and multiplications of one sample's forward pass."""
        return math.prod(self.output_shape(shape))

    def largest_product(self, shape: Shape, n: int) -> int:
        """Flops of the largest matrix product that n samples ask for at once.

        0 where there is none, and for convolutions, whose products are kept small on purpose.
        """
        return 0

    def __str__(self) -> str:
        return self.name
