"""Where the numbers of a training went wrong: a batch once more, by the book, with witnesses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from handgrad.arrays import Array, Numbers, Shape, on_host
from handgrad.errors import NotFiniteError
from handgrad.layers import Layer, Residual
from handgrad.losses import Loss
from handgrad.networks import Draws, Network
from handgrad.training.gradient import penalty

__all__ = ["Diagnosis", "HowDiagnosed", "diagnose", "of_step"]

UNSCALED = 16.0
"""Inputs beyond this were neither brought to 0..1 nor normalized."""

GROWN = 100.0
"""Weights beyond this are not those that a training begins with."""


class Diagnosis(NamedTuple):
    """What was not finite first; see `NotFiniteError` for its fields."""

    where: str
    layer: str
    largest: dict[str, float]
    rows: tuple[int, ...]
    hint: str


HowDiagnosed = Callable[[Network, Loss, Array, Array, Draws | None], Diagnosis]


def diagnose(
    network: Network, loss: Loss, x: Array, labels: Array, draws: Draws | None = None
) -> Diagnosis:
    """Go forward and backward with a batch, and say what is the first that is not finite.

    In this order: the images, the weights, the outputs of the layers from the first to the last,
    the loss, its gradient, and the gradients of the layers from the last to the first. Layers
    within a residual block are named by their places in it, "3.block.0 convolution 8". The network
    stays as it is: nothing is gathered.

    Parameters
    ----------
    x, labels, draws : as `by_the_book` takes them

    Returns
    -------
    Diagnosis : ``where`` is "" if all is finite, by the book

    Cost: a step by the book, and a look at every number on the way.

    >>> from handgrad.layers import Dense
    >>> from handgrad.losses import SoftmaxCrossEntropy
    >>> network = Network((Dense(2), Dense(2)), (1,))
    >>> network.params[0].W[...] = network.params[1].W[...] = 1e20
    >>> found = diagnose(network, SoftmaxCrossEntropy(), np.ones((1, 1), "f4"), np.array([0]))
    >>> found.where, found.layer, found.rows, f"{found.largest['its weights']:.0e}"
    ('the output', '1 dense 2', (0,), '1e+20')
    """
    seen = _Seen()
    network, x, labels = network.on("cpu"), on_host(x), on_host(labels)
    draws = draws and [tuple(map(on_host, drawn)) for drawn in draws]
    with np.errstate(all="ignore"):
        seen.images(x)
        for name, slot in network.layout.slots.items():
            place = name.rpartition(".")
            seen.numbers(slot.of(network.vector), place[2], _named(network, place[0]))
        watched = Network(_watched(network.architecture, seen), network.shapes[0], network.vector)
        outputs, memories = watched.forward(x, draws)
        value, dy = loss(outputs, labels)
        seen.found(np.asarray(value), "the loss")
        seen.found(np.asarray(penalty(network, loss)), "the penalty of the weights")
        seen.gradient(dy, "the gradient of the loss")
        watched.backward(dy, memories, watched.gradient().views)
    return Diagnosis(seen.where, seen.layer, seen.largest(), seen.rows, _hint(seen))


def of_step(found: Diagnosis, network: Network, step: Array) -> Diagnosis:
    """Where all is finite but the step that an optimizer makes of it: which layer's part is not.

    Parameters
    ----------
    step : over the learned part of the network's vector
    """
    whole = found._replace(
        where="the squared length of the step",
        largest=found.largest | {"the step": _largest(step)},
        hint=f"The gradient itself is finite. {NotFiniteError.SMALLER}",
    )
    for name, slot in network.layout.slots.items():
        if slot.stop <= step.size and not np.isfinite(slot.of(step)).all():
            place, _, word = name.rpartition(".")
            return whole._replace(where=f"the step of {word}", layer=_named(network, place))
    return whole


@dataclass(eq=False)
class _Seen:
    """What the witnesses saw: the first that was not finite, and largest absolute values."""

    where: str = ""
    layer: str = ""
    rows: tuple[int, ...] = ()
    inputs: float = 0.0
    weights: float = 0.0
    gradients: float = 0.0
    own: dict[str, float] = field(default_factory=dict)
    """Of the layer in which it happened."""

    def found(self, array: Array, where: str, layer: str = "", **own: Any) -> bool:
        """Note an array if it is the first that is not finite, and say so."""
        if self.where or np.isfinite(array).all():
            return False
        self.where, self.layer = where, layer
        if array.ndim > 1:
            rows = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
            self.rows = tuple(rows.tolist()) if where in SAMPLES else ()
        self.own = {name: value for name, value in own.items() if value is not None}
        return True

    def images(self, x: Array) -> None:
        self.inputs = _largest(x)
        self.found(x, "the images")

    def numbers(self, array: Array, name: str, layer: str) -> None:
        """Weights, offsets, statistics."""
        self.weights = max(self.weights, _largest(array))
        self.found(array, name, layer)

    def gradient(self, array: Array, where: str, layer: str = "", weights: Any = None) -> None:
        self.gradients = max(self.gradients, _largest(array))
        self.found(array, where, layer, weights=weights)

    def largest(self) -> dict[str, float]:
        """By name."""
        values = {"the images": self.inputs}
        values |= {f"its {name}": value for name, value in self.own.items()}
        values["all weights"] = self.weights
        if self.gradients:
            values["the gradient"] = self.gradients
        return values


SAMPLES = ("the images", "the output")
"""What has one row a sample, and was computed of that sample alone, or nearly so."""


@dataclass(frozen=True)
class _Unlisted:
    """Has a name of its own where `tables.members` does not look: not for recipes."""

    name: ClassVar[str] = "witness"


@dataclass(frozen=True)
class _Witness(_Unlisted, Layer):
    """A layer, and somebody who looks at what comes out of it, there and back."""

    layer: Layer
    place: str
    seen: _Seen

    @property
    def draws(self) -> int:  # type: ignore[override]
        return self.layer.draws

    def output_shape(self, shape: Shape) -> Shape:
        return self.layer.output_shape(shape)

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return self.layer.parameters(shape)

    def statistics(self, shape: Shape) -> dict[str, Shape]:
        return self.layer.statistics(shape)

    def forward(self, x: Array, params: Numbers, *drawn: Array) -> tuple[Array, Any]:
        y, memory = self.layer.forward(x, params, *drawn)
        self.seen.found(y, "the output", self.place, input=_largest(x), weights=_largest_of(params))
        return y, memory

    def backward(self, dy: Array, memory: Any, params: Numbers, grads: Numbers) -> Array:
        dx = self.layer.backward(dy, memory, params, grads)
        self._look(params, grads)
        self.seen.gradient(dx, "the gradient at the input", self.place, weights=_largest_of(params))
        return dx

    def backward_parameters(self, dy: Array, memory: Any, params: Numbers, grads: Numbers) -> None:
        self.layer.backward_parameters(dy, memory, params, grads)
        self._look(params, grads)

    def _look(self, params: Numbers, grads: Numbers) -> None:
        for name, array in vars(grads).items():
            if isinstance(array, np.ndarray):  # those of a block have looked for themselves
                where = f"the gradient of {name}"
                self.seen.gradient(array, where, self.place, weights=_largest_of(params))


def _watched(layers: Sequence[Layer], seen: _Seen, within: str = "") -> tuple[Layer, ...]:
    """The same layers at the same places, each with a witness."""
    watched = []
    for i, layer in enumerate(layers):
        place = f"{within}{i}"
        inner = layer
        if isinstance(layer, Residual):
            inner = Residual(
                _watched(layer.layers, seen, f"{place}.block."),
                _watched(layer.shortcut, seen, f"{place}.shortcut."),
            )
        watched.append(_Witness(inner, f"{place} {_word(layer)}", seen))
    return tuple(watched)


def _word(layer: Layer) -> str:
    """A layer in few words: of a block, only that it is one."""
    return layer.name if isinstance(layer, Residual) else str(layer)


def _named(network: Network, place: str) -> str:
    """ "3.block.0" as "3.block.0 convolution 8"."""
    first, *path = place.split(".")
    layer = network.architecture[int(first)]
    for way, i in zip(path[::2], path[1::2], strict=True):
        assert isinstance(layer, Residual)
        layer = (layer.layers if way == "block" else layer.shortcut)[int(i)]
    return f"{place} {_word(layer)}"


def _largest(array: Array) -> float:
    """The largest absolute value; what is no number counts as none, unless there is no other."""
    if not array.size:
        return 0.0
    with np.errstate(all="ignore"):
        found = np.fmax.reduce(np.abs(array), axis=None)
    return float(found)


def _largest_of(params: Numbers) -> float | None:
    """Of all numbers of a layer; None where it has none of its own."""
    arrays = [array for array in vars(params).values() if isinstance(array, np.ndarray)]
    return max(map(_largest, arrays)) if arrays else None


def _hint(seen: _Seen) -> str:
    """What usually helps, by what was found."""
    if seen.where == "the images":
        return "These images hold what is no finite number; mend or leave out their files"
    if not seen.where:
        return "By the book all of it is finite: reference = true in [training] computes it so"
    if not seen.inputs <= UNSCALED:
        return (
            f'The images reach {seen.inputs:.3g}: scale = "unit" in [data] brings 0..255 to 0..1, '
            "normalize = true to mean 0 and deviation 1"
        )
    if seen.weights > GROWN:
        return (
            f"The weights have grown to {seen.weights:.3g}. {NotFiniteError.SMALLER}, and a "
            "normalization layer keeps the outputs in bounds"
        )
    return f'{NotFiniteError.SMALLER}; dtype = "float64" reaches further than float32'
