"""Faster twins of calculus functions, and the calls that plans are made of.

The readable function in `calculus` stays the definition; a twin here has its name, its signature
and, to rounding, its values, and the tests hold it to that. What plans call works on `Maps`,
buffers of a few samples, and is a list of `Call`s that is made once for a shape. Nothing here knows
of layers.
"""

from handgrad.kernels.calls import PAGES, Call, Workspace, blocks, dot, maximum, run
from handgrad.kernels.convolution import (
    convolve,
    convolve_backward,
    fits_winograd,
    winograd_border,
)
from handgrad.kernels.forward import gathered, largest, pooled_tiles, taps
from handgrad.kernels.gelu import GELU, gelu, gelu_backward
from handgrad.kernels.maps import Maps
from handgrad.kernels.patches import Patches
from handgrad.kernels.pooling import MaxPooling
from handgrad.kernels.winograd import Filters, Winograd, tiles_at_a_time, tiles_of

__all__ = [
    "GELU",
    "PAGES",
    "Call",
    "Filters",
    "Maps",
    "MaxPooling",
    "Patches",
    "Winograd",
    "Workspace",
    "blocks",
    "convolve",
    "convolve_backward",
    "dot",
    "fits_winograd",
    "gathered",
    "gelu",
    "gelu_backward",
    "largest",
    "maximum",
    "pooled_tiles",
    "run",
    "taps",
    "tiles_at_a_time",
    "tiles_of",
    "winograd_border",
]
