"""Where arrays live: in the computer's own memory, or on a graphics card, through CuPy.

NumPy's functions, called with an array on a card, compute there (NEP 13 and 18), so that the
mathematics is written once. Only what is made anew has to be told where: ``like=x``, beside x.
Whoever wants an array from a card asks for it here; nothing comes back by itself.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from handgrad.arrays.layout import Array
from handgrad.errors import HandgradError

__all__ = ["DEVICES", "Device", "at_once", "device_name", "on_device", "on_host"]

Device = Literal["cpu", "cuda"]
DEVICES: tuple[Device, ...] = get_args(Device)

ON_A_CARD = 1 << 28
"""Numbers computed at once on a card, which is slow with little to do: 1 GB in float32."""


def on_host(array: Array) -> Array:
    """An array in the computer's own memory: itself, or a copy of one on a card."""
    if isinstance(array, np.ndarray):
        return array
    copy: Array = array.get()
    return copy


def on_device(array: Array, device: Device) -> Array:
    """An array where ``device`` says: itself if it is there, else a copy.

    Raises
    ------
    HandgradError : no CuPy, or no card that it can use
    """
    if device == "cpu":
        return on_host(array)
    copy: Array = _cupy().asarray(array)
    return copy


def at_once(array: Array, cached: int) -> int:
    """How many numbers to compute at once: those that stay in a cache, or many, on a card.

    Parameters
    ----------
    array : that is computed with
    cached : for a processor

    >>> at_once(np.zeros(3), 1000)
    1000
    """
    return cached if isinstance(array, np.ndarray) else ON_A_CARD


def device_name(device: Device) -> str:
    """What computes, for people and manifests: "cpu", or the card and its software's versions.

    Raises
    ------
    HandgradError : as `on_device`
    """
    if device == "cpu":
        return device
    cupy = _cupy()
    runtime = cupy.cuda.runtime
    card = runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    return f"{card}, CuPy {cupy.__version__}, CUDA {runtime.runtimeGetVersion()}"


def _cupy() -> Any:
    """CuPy, if there is a card for it."""
    try:
        import cupy
    except ImportError as error:
        if error.name == "cupy":
            raise HandgradError(
                "device cuda: found no CuPy; expected it installed, such as by "
                "`pip install cupy-cuda12x`"
            ) from None
        why = str(error).strip().partition("\n")[0]
        raise HandgradError(f"device cuda: CuPy cannot be imported ({why})") from None
    try:
        cards = cupy.cuda.runtime.getDeviceCount()
    except RuntimeError as error:  # CUDA's own, such as a driver that is missing
        raise HandgradError(
            f"device cuda: CuPy {cupy.__version__} found no usable GPU ({error})"
        ) from None
    if not cards:
        raise HandgradError(f"device cuda: CuPy {cupy.__version__} found no GPU")
    return cupy
