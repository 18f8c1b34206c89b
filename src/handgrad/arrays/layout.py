"""One flat vector for every number of a network, and the names of its parts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from numpy.typing import NDArray

__all__ = ["Array", "Layout", "Numbers", "Shape", "Slot"]

Array = NDArray[Any]
Shape = tuple[int, ...]


class Numbers(SimpleNamespace):
    """The views of one layer: ``params.W``, ``grads.b``. Writing into a view writes the vector."""


@dataclass(frozen=True)
class Slot:
    """A name's place in the vector: ``vector[start:stop].reshape(shape)``."""

    name: str
    shape: Shape
    start: int

    @property
    def stop(self) -> int:
        return self.start + math.prod(self.shape)

    def of(self, vector: Array) -> Array:
        """The view of this slot into a vector."""
        return vector[self.start : self.stop].reshape(self.shape)


class Layout:
    """Which name stands where in a flat vector.

    What is learned comes first, in the order of the layers; what is only gathered (the running
    statistics of a normalization) comes after it, where no optimizer reaches. A gradient is a
    vector over the learned part alone, with the same places.

    Parameters
    ----------
    learned, gathered : from a dotted name (``"0.W"``: layer 0, matrix W) to a shape

    >>> layout = Layout({"0.W": (2, 3), "0.b": (3,)})
    >>> layout.size, layout.slots["0.b"].start
    (9, 6)
    >>> vector = np.arange(9.0)
    >>> layout.views(vector, 1)[0].b
    array([6., 7., 8.])
    """

    def __init__(
        self, learned: Mapping[str, Shape], gathered: Mapping[str, Shape] | None = None
    ) -> None:
        self.slots: dict[str, Slot] = {}
        self.size = 0
        self._place(learned)
        self.learned = self.size
        self._layers: dict[str, slice] = {}
        for slot in self.slots.values():
            layer = slot.name.partition(".")[0]
            start = self._layers.get(layer, slice(slot.start, 0)).start
            self._layers[layer] = slice(start, slot.stop)
        self._place(gathered or {})

    def _place(self, shapes: Mapping[str, Shape]) -> None:
        for name, shape in shapes.items():
            slot = Slot(name, tuple(shape), self.size)
            self.slots[name] = slot
            self.size = slot.stop

    def views(self, vector: Array, layers: int) -> tuple[Numbers, ...]:
        """The named views of each of ``layers`` layers; a vector over the learned part will do."""
        whole = Numbers()
        for slot in self.slots.values():
            if slot.stop <= vector.size:
                *path, last = slot.name.split(".")
                place = whole
                for part in path:
                    if not hasattr(place, part):
                        setattr(place, part, Numbers())
                    place = getattr(place, part)
                setattr(place, last, slot.of(vector))
        return tuple(getattr(whole, str(i), Numbers()) for i in range(layers))

    def weights(self) -> list[slice]:
        """The places of the weights, named W: what a penalty or a decay is meant for.

        Offsets and scales are left out: shrinking them does not make a function smoother.
        """
        return self.places("W")

    def places(self, name: str) -> list[slice]:
        """Where the learned numbers of one name are: of ``"W"`` in all layers, of ``"0.W"`` in one.

        >>> layout = Layout({"0.W": (3,), "0.b": (1,), "1.W": (2,)})
        >>> layout.places("W"), layout.places("1.W")
        ([slice(0, 3, None), slice(4, 6, None)], [slice(4, 6, None)])
        """
        return [slice(slot.start, slot.stop) for slot in self.named(name)]

    def named(self, name: str) -> list[Slot]:
        """The slots of the learned numbers of one name, as in `places`."""
        return [
            slot
            for slot in self.slots.values()
            if name in (slot.name, slot.name.rpartition(".")[2]) and slot.stop <= self.learned
        ]

    def layer(self, index: int) -> slice:
        """The place of all learned numbers of one layer; empty for a layer without any."""
        return self._layers.get(str(index), slice(0, 0))
