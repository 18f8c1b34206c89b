"""Where numbers live: one flat vector, and named views into it, here or on a device.

`Layout` says which name stands at which place; `Numbers` holds the views of one layer.
Networks ask for both, optimizers and files see only the vector. `device.py` is the way to a
graphics card and back.
"""

from handgrad.arrays.device import DEVICES, Device, at_once, device_name, on_device, on_host
from handgrad.arrays.layout import Array, Layout, Numbers, Shape, Slot

__all__ = [
    "DEVICES",
    "Array",
    "Device",
    "Layout",
    "Numbers",
    "Shape",
    "Slot",
    "at_once",
    "device_name",
    "on_device",
    "on_host",
]
