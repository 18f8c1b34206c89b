"""Units that no longer learn: dead ones, and saturated outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from handgrad.arrays import Array, Numbers
from handgrad.errors import HandgradError
from handgrad.layers import ELU, GELU, Layer, ReLU, Residual, Sigmoid, SiLU, Tanh
from handgrad.networks import Network

__all__ = ["UnitHealth", "unit_health"]

FLAT = 0.05
"""Below this part of its largest value, a derivative lets next to nothing through."""

_SATURATES = (Sigmoid, Tanh)
_DIES = (ReLU, ELU, GELU, SiLU)
_AT_ONCE = 200  # samples: every layer's memory of them is held


@dataclass(frozen=True)
class UnitHealth:
    """One activation layer on some images.

    Parameters
    ----------
    layer : its place in the architecture and its name, such as "1 relu" or "3.block.2 gelu"
    state : what can befall it
    units : how many it has: numbers of a row, or channels of a map
    share : 0..1, of its units that are dead, or of its outputs that are saturated
    """

    layer: str
    state: Literal["dead", "saturated"]
    units: int
    share: float


def unit_health(network: Network, x: Array) -> list[UnitHealth]:
    """How much of each activation layer lets no gradient through, on given images.

    A gradient passes an activation a = f(z) as dz = f'(z) da. Call an output *flat* where |f'(z)|
    is below 5 % of its largest value:

        relu           z <= 0: there f' is 0
        sigmoid        a < 0.0127 or a > 0.9873, since f' = a (1 - a) is at most 1/4
        tanh           |a| > 0.9747, since f' = 1 - a² is at most 1
        elu, gelu, silu   z well below 0

    - **Saturated** (sigmoid, tanh): the share of flat outputs, over images, units and places.
    - **Dead** (relu, elu, gelu, silu): the share of units that are flat for *all* images, and so
      get next to no gradient from any. That one is flat for half of them is how such a unit works.
      A unit is one number of a row; of a map, one channel, which is then flat at every place.

    A leaky ReLU is never dead, and a softmax is no activation of single units: they have no entry.

    Parameters
    ----------
    network : asked as it predicts (frozen), by the book
    x : (N, H, W, C) float, prepared; enough of them, since a unit may be alive on the others

    Returns
    -------
    one entry an activation layer, in order, those within residual blocks too

    Raises
    ------
    HandgradError : no images

    Cost: a forward pass, and the derivatives of the activations.
    Source: Stanford CS231n, Neural Networks Part 1, which calls a neuron dead that never activates
    across the entire training dataset. The bound of 5 % is ours.

    >>> from handgrad.layers import Dense
    >>> network = Network((Dense(3), ReLU()), (1,))
    >>> network.params[0].W[...], network.params[0].b[...] = [[1, 1, 0]], [0, -9, -1]
    >>> unit_health(network, np.array([[1.0], [2.0]]))[0].share  # z = x, x - 9, -1
    0.6666666666666666
    """
    if not len(x):
        raise HandgradError("unit health: found no images; expected at least one")
    frozen = network.frozen()
    names: dict[str, Layer] = {}
    flat_outputs: dict[str, int] = {}
    outputs: dict[str, int] = {}
    alive: dict[str, Array] = {}
    for i in range(0, len(x), _AT_ONCE):
        _, memories = frozen.forward(x[i : i + _AT_ONCE])
        for name, layer, memory in _activations(frozen.architecture, memories):
            flat = np.abs(_derivative(layer, memory)) < FLAT * _steepest(layer)
            responds = ~flat.all(axis=tuple(range(flat.ndim - 1)))
            names[name] = layer
            flat_outputs[name] = flat_outputs.get(name, 0) + int(np.count_nonzero(flat))
            outputs[name] = outputs.get(name, 0) + flat.size
            alive[name] = alive.get(name, np.zeros_like(responds)) | responds
    found = []
    for name, layer in names.items():
        units = alive[name].size
        if isinstance(layer, _SATURATES):
            share = flat_outputs[name] / outputs[name]
            found.append(UnitHealth(name, "saturated", units, share))
        else:
            dead = units - int(np.count_nonzero(alive[name]))
            found.append(UnitHealth(name, "dead", units, dead / units))
    return found


def _activations(
    layers: Sequence[Layer], memories: Sequence[Any], within: str = ""
) -> Iterator[tuple[str, Layer, Any]]:
    """Every activation that can be flat: its name, itself, and what it remembers."""
    for i, (layer, memory) in enumerate(zip(layers, memories, strict=True)):
        if isinstance(layer, Residual):
            block, shortcut = memory
            yield from _activations(layer.layers, block, f"{within}{i}.block.")
            yield from _activations(layer.shortcut, shortcut, f"{within}{i}.shortcut.")
        elif isinstance(layer, (*_SATURATES, *_DIES)):
            yield f"{within}{i} {layer}", layer, memory


def _derivative(layer: Layer, memory: Array) -> Array:
    """f'(z) at every output: what the layer makes of a gradient of ones."""
    return layer.backward(np.ones_like(memory), memory, Numbers(), Numbers())


def _steepest(layer: Layer) -> float:
    """The largest value of |f'|."""
    if isinstance(layer, ELU):
        return max(1.0, layer.alpha)
    return {"sigmoid": 0.25, "gelu": 1.129, "silu": 1.0998}.get(layer.name, 1.0)
