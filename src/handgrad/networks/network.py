"""A network: an architecture that says what is computed, and a vector that holds the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from handgrad.arrays import Array, Device, Layout, Shape, on_device
from handgrad.calculus.normalization import Total
from handgrad.errors import RecipeError
from handgrad.layers import Layer, backward_through, forward_through
from handgrad.networks.memory import check_memory
from handgrad.networks.outputs import InBatches

__all__ = ["Draws", "Gradient", "Network"]

Draws = Sequence[tuple[Array, ...]]


class Gradient(NamedTuple):
    """A vector over a network's learned part, and its named views: ``gradient.views[0].W``."""

    vector: Array
    views: tuple[Any, ...]


class Network:
    """An architecture and its vector.

    Parameters
    ----------
    architecture : the layers, in order
    input_shape : of one sample, (H, W, C) for images
    vector : (P,) float, every number; None for zeros of ``dtype``
    dtype : of a vector that is made here

    Attributes
    ----------
    layout : `Layout`, which name stands where in the vector
    params : a tuple of `Numbers`, the named views of each layer: ``network.params[0].W``
    shapes : the shape of one sample before each layer, and after the last
    how_outputs : how `outputs` is computed: by the book, until somebody hands in another way

    >>> from handgrad.layers import Dense, ReLU
    >>> network = Network((Dense(6), ReLU(), Dense(2)), (3, 3, 1))
    >>> network.vector.size, network.shapes
    (74, ((3, 3, 1), (6,), (6,), (2,)))
    """

    def __init__(
        self,
        architecture: Sequence[Layer],
        input_shape: Shape,
        vector: Array | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.architecture = tuple(architecture)
        self.shapes = self.shapes_of(self.architecture, input_shape)
        self.layout = self.planned(self.architecture, input_shape)
        if vector is None:
            check_memory(self.layout.size, self.shapes, np.dtype(dtype).itemsize)
        self.vector = np.zeros(self.layout.size, dtype) if vector is None else vector
        if self.vector.shape != (self.layout.size,):
            raise RecipeError(
                f"a vector of {self.vector.size} numbers; this architecture has {self.layout.size}"
            )
        self.how_outputs = InBatches()
        self.params = self.layout.views(self.vector, len(self.architecture))
        self._frozen: Network | None = None
        self._first = min(
            (i for i in range(len(self.architecture)) if self.layout.layer(i).stop),
            default=len(self.architecture),
        )

    @staticmethod
    def shapes_of(architecture: Sequence[Layer], input_shape: Shape) -> tuple[Shape, ...]:
        """The shape of one sample before each layer, and after the last."""
        if not architecture:
            raise RecipeError("the architecture has no layer")
        shapes = [tuple(input_shape)]
        for layer in architecture:
            shapes.append(layer.output_shape(shapes[-1]))
        return tuple(shapes)

    @staticmethod
    def planned(architecture: Sequence[Layer], input_shape: Shape) -> Layout:
        """The layout of a network that does not exist yet: no number is allocated."""
        shapes = Network.shapes_of(architecture, input_shape)
        learned: dict[str, Shape] = {}
        gathered: dict[str, Shape] = {}
        for i, layer in enumerate(architecture):
            learned |= {f"{i}.{n}": shape for n, shape in layer.parameters(shapes[i]).items()}
            gathered |= {f"{i}.{n}": shape for n, shape in layer.statistics(shapes[i]).items()}
        return Layout(learned, gathered)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.vector.dtype

    @property
    def learned(self) -> Array:
        """The part of the vector that is learned: a view."""
        return self.vector[: self.layout.learned]

    def gradient(self) -> Gradient:
        """A place for this network's gradient: `backward` overwrites its views."""
        vector = np.empty(self.layout.learned, self.dtype, like=self.vector)
        return Gradient(vector, self.layout.views(vector, len(self.architecture)))

    def initialize(self, generator: np.random.Generator, images: Array | None = None) -> None:
        """Write first values, layer by layer, weights before offsets, all from one generator.

        Parameters
        ----------
        images : (N, H, W, C) float, prepared, for layers that look at some to begin; see `looks`
        """
        for layer, params, shape in zip(self.architecture, self.params, self.shapes, strict=False):
            besides = (images,) if layer.looks else ()
            layer.initialize(params, shape, generator, *besides)

    @property
    def looks(self) -> bool:
        """Whether any layer begins with values made from images."""
        return any(layer.looks for layer in self.architecture)

    @property
    def random(self) -> bool:
        """Whether any layer draws while training."""
        return any(layer.draws for layer in self.architecture)

    def draw(self, n: int, generator: np.random.Generator) -> Draws:
        """The random draws of every layer for one whole batch of ``n`` samples.

        They are made here, wherever the numbers are, so that a seed means the same everywhere.
        """
        return [
            tuple(np.asarray(a, like=self.vector) for a in layer.draw((n, *shape), generator))
            for layer, shape in zip(self.architecture, self.shapes, strict=False)
        ]

    def forward(self, x: Array, draws: Draws | None = None) -> tuple[Array, list[Any]]:
        """From (N, …) images to (N, …) outputs, one layer after another.

        Returns
        -------
        outputs, memories : what each layer left for its way back
        """
        drawn = draws if draws is not None else [()] * len(self.architecture)
        return forward_through(self.architecture, x, self.params, drawn)

    def backward(self, dy: Array, memories: list[Any], grads: tuple[Any, ...]) -> None:
        """Follow the memories home: overwrite ``grads``, from the last layer to the first.

        The first layer that learns is not asked for the gradient at its input, and what stands
        before it is not asked at all: see `backward_to_input` for that.
        """
        i = self._first
        if i < len(self.architecture):
            after = slice(i + 1, None)
            dy = backward_through(
                self.architecture[after], dy, memories[after], self.params[after], grads[after]
            )
            self.architecture[i].backward_parameters(dy, memories[i], self.params[i], grads[i])

    def backward_to_input(self, dy: Array, memories: list[Any], grads: tuple[Any, ...]) -> Array:
        """`backward` all the way: the gradient at the images, (N, H, W, C)."""
        return backward_through(self.architecture, dy, memories, self.params, grads)

    def gather(self, memories: list[Any]) -> None:
        """Let each layer write its statistics of the batch that left these memories."""
        if self.layout.size == self.layout.learned:
            return
        for layer, memory, params in zip(self.architecture, memories, self.params, strict=True):
            layer.gather(memory, params)

    def outputs(self, x: Array) -> Array:
        """What the network says of images, frozen: (N, …), computed as `how_outputs` says."""
        return self.how_outputs(self.frozen(), x)

    def frozen(self) -> Network:
        """The same function as it predicts: layers that only serve training do nothing.

        The vector is shared, so that a network that is being trained can be asked at any time.
        """
        if self._frozen is None:  # making it takes longer than it takes over one small image
            kept = tuple(layer.frozen() for layer in self.architecture)
            same = kept == self.architecture
            self._frozen = self if same else Network(kept, self.shapes[0], self.vector)
        return self._frozen

    def shared(self, total: Total, gathers: bool) -> Network:
        """The same function on one of several parts of a batch; see `Layer.shared`.

        The vector is shared.
        """
        kept = tuple(layer.shared(total, gathers) for layer in self.architecture)
        return Network(kept, self.shapes[0], self.vector)

    def on(self, device: Device) -> Network:
        """The same function where ``device`` says: of a copy of the vector, if it must travel."""
        return Network(self.architecture, self.shapes[0], on_device(self.vector, device))

    def flops(self) -> int:
        """Additions and multiplications of one sample's forward pass."""
        return sum(
            layer.flops(shape) for layer, shape in zip(self.architecture, self.shapes, strict=False)
        )

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle holds: the vector once, and of its views none."""
        return {
            "architecture": self.architecture,
            "input_shape": self.shapes[0],
            "vector": self.vector,
            "how_outputs": self.how_outputs,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build it anew, so that ``params`` are views into the vector again."""
        Network.__init__(self, state["architecture"], state["input_shape"], state["vector"])
        self.how_outputs = state["how_outputs"]

    def __repr__(self) -> str:
        way = " → ".join(str(layer) for layer in self.architecture)
        shape = "x".join(map(str, self.shapes[0]))
        return f"Network({shape} → {way}; {self.layout.size:,} numbers, {self.dtype})"

    def _repr_html_(self) -> str:
        """Its layers in a table, which a notebook asks for under this name."""
        from handgrad.networks.table import network_html

        return network_html(self)
