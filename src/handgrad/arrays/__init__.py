"""Where numbers live: one flat vector, and named views into it.

`Layout` says which name stands at which place; `Numbers` holds the views of one layer.
Networks ask for both, optimizers and files see only the vector.
"""

from handgrad.arrays.layout import Array, Layout, Numbers, Shape, Slot

__all__ = ["Array", "Layout", "Numbers", "Shape", "Slot"]
