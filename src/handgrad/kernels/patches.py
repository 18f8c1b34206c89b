"""A convolution of images with few channels: patches, and one matrix product."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from handgrad.arrays import Array
from handgrad.kernels.calls import Call, Workspace

__all__ = ["Patches"]

ROWS = 8
"""How many rows of pixels are multiplied at a time, so that their outputs stay in cache."""


class Patches:
    """A convolution with stride 1 of images with few channels, planned: `calculus.convolve` as it
    is.

    The patches lie as (KH·KW·C + 1, H', W'·n): with few channels a copy of one place of the kernel
    in one channel is a long run of memory, while a patch itself would be gathered from short
    pieces. The last row is ones, which multiply the offset: b is a row of the filters, and db one
    of dW.

    Parameters
    ----------
    kernel : its height and width
    shape : (rows, columns, n, C), of the image with its padding
    work : for what is needed for a moment
    keep : whether the patches still lie there on the way back, or are made a second time then
    """

    def __init__(
        self,
        kernel: tuple[int, int],
        shape: tuple[int, int, int, int],
        work: Workspace,
        keep: bool = False,
    ) -> None:
        self.keep = keep
        rows, columns, n, C = shape
        height, width = rows - kernel[0] + 1, columns - kernel[1] + 1
        taps = C * kernel[0] * kernel[1]
        self.work = work
        self.image = work.array("image", (C, rows, columns, n))
        self.patches = work.array("patches", (taps + 1, height, width * n))
        self.patches[taps] = 1
        windows = sliding_window_view(self.image, kernel, axis=(1, 2))  # C, H', W', n, KH, KW
        self.seen = windows.transpose(4, 5, 0, 1, 2, 3)
        self.places = self.patches[:taps].reshape(*kernel, C, height, width, n)

    def forward(self, x: Array, filters: Array, y: Array) -> list[Call]:
        """The calls from x to y.

        Parameters
        ----------
        x : (rows, columns, n, C), with its padding
        filters : (KH·KW·C + 1, O), W and under it b
        y : (H', W', n, O), overwritten
        """
        height, width, n, O = y.shape
        calls = self._read(x)
        assert y.strides[1] == n * y.strides[2], "a row of pixels lies in one piece"
        outputs = y.reshape(height, width * n, O)
        for i in range(0, height, ROWS):
            rows = slice(i, i + ROWS)
            seen = self.patches[:, rows].transpose(1, 2, 0)
            calls.append((np.matmul, (seen, filters, outputs[rows])))
        return calls

    def backward(self, dy: Array, x: Array, dfilters: Array, part: Array) -> list[Call]:
        """The calls that add to ``dfilters``, of the shape of filters, by way of ``part``.

        Parameters
        ----------
        dy : (H', W', n, O)
        x : what `forward` received
        """
        O = dy.shape[-1]
        given = dy
        calls = [] if self.keep else self._read(x)
        if not dy.flags.c_contiguous:
            given = self.work.array("given", dy.shape)
            calls.append((np.copyto, (given, dy)))
        flat = self.patches.reshape(len(self.patches), -1)
        return [
            *calls,
            (np.matmul, (flat, given.reshape(-1, O), part)),
            (np.add, (dfilters, part, dfilters)),
        ]

    def _read(self, x: Array) -> list[Call]:
        return [
            (np.copyto, (self.image, x.transpose(3, 0, 1, 2))),
            (np.copyto, (self.places, self.seen)),
        ]
