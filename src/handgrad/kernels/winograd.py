"""Winograd's convolution F(4x4, 3x3): 36 products where the definition needs 144.

One dimension first. Four outputs of a filter g of three numbers, y_t = Σ_k x_(t+k) g_k for t in
0..3, need six inputs x and, as written, twelve products. Its transpose is the product of two
polynomials: coefficients (y_0 … y_3) times (g_0, g_1, g_2) gives one of degree 5, which is known by
its values at six points, each of them the product of two values. With the points 0, 1, -1, 2, -2
and ∞ (the leading coefficient), A holds the powers at which y is evaluated and G those of g, G's
rows divided by what Lagrange's interpolation divides by,

        1   0   0   0          1/4     0     0
        1   1   1   1         -1/6  -1/6  -1/6
    A = 1  -1   1  -1     G = -1/6   1/6  -1/6
        1   2   4   8         1/24  1/12   1/6
        1  -2   4  -8         1/24 -1/12   1/6
        0   0   0   1            0     0     1

and B the polynomials of the interpolation, without their divisors. Its columns are Π (z - point)
over the other points: (z²-1)(z²-4) = z⁴ - 5z² + 4 for the point 0, and so on. The polynomial
product is B [(G g) ⊙ (A y)]; it is linear in y, and the transpose of that map is the filter:

    y = Aᵀ [(G g) ⊙ (Bᵀ x)]

six products for four outputs. In two dimensions the same is done to rows and to columns: a tile of
4x4 outputs sees 6x6 inputs, and with U = G g Gᵀ and V = Bᵀ x B

    Y = Aᵀ [U ⊙ V] A        for each pair of channels; over input channels the brackets are summed

That sum, M_po = Σ_c V_pc U_pco for each of the 36 places p of a tile, is a matrix product over all
tiles and samples: 36 products of (tiles·n, C) by (C, O), a quarter of the work of the direct sum.

Way back, the adjoint. Every step is linear in what came before it, so its gradient is the
transpose:

    dM = A dY Aᵀ           dU_pco = Σ V_pc dM_po      dg = Gᵀ dU G
    dV_pc = Σ_o dM_po U_pco      dx = Σ over the tiles that saw the pixel of B dV Bᵀ

dM is made once and serves both; V is made again, which is sooner done than reading it back from
memory. An offset b is added at a single place: the column of Aᵀ for the point 1 is all ones, so
that adding b to M at the place (1, 1) adds it to all sixteen outputs, and db = Σ dM there.

In float32 the result is some 2e-6 from exact, where the direct sum has 3e-7; see docs/book/fast.md.

Source: Lavin, Gray, Fast Algorithms for Convolutional Neural Networks, arXiv 1509.09308 (2015).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import DTypeLike

from handgrad.arrays import Array
from handgrad.kernels.calls import PAGES, Call, Workspace

__all__ = ["Filters", "Winograd", "tiles_at_a_time", "tiles_of"]

TILE = 4
"""Outputs of a tile, on a side."""
SEEN = 6
"""Inputs that a tile sees, on a side."""
GAP = 80
"""Numbers between what belongs to one row of a tile, and to the next."""
ONES = 1
"""The row and the column of a tile's place (1, 1), whose columns in Aᵀ are all ones."""

A = np.array(
    [[1, 0, 0, 0], [1, 1, 1, 1], [1, -1, 1, -1], [1, 2, 4, 8], [1, -2, 4, -8], [0, 0, 0, 1]], float
)
B = np.array(
    [
        [4, 0, 0, 0, 0, 0],
        [0, -4, 4, -2, 2, 4],
        [-5, -4, -4, -1, -1, 0],
        [0, 1, -1, 2, -2, -5],
        [1, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ],
    float,
)
G = (
    np.array(
        [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]],
        float,
    )
    / 24
)


def tiles_of(size: int) -> int:
    """How many tiles cover so many outputs.

    >>> tiles_of(32), tiles_of(31), tiles_of(3)
    (8, 8, 1)
    """
    return -(-size // TILE)


def tiles_at_a_time(C: int, O: int) -> int:
    """How many tiles, of all samples together, are multiplied at a time.

    As many as there are channels, so that the filters of a place, C·O numbers, are used often
    enough for the time that it takes to fetch them; with few channels a little more.
    """
    return max(128, C, O)


class Filters:
    """The filters of one convolution as Winograd multiplies them, and their gradient.

    Parameters
    ----------
    C, O : channels in and out
    dtype : of all numbers
    """

    def __init__(self, C: int, O: int, dtype: DTypeLike) -> None:
        self.C, self.O, self.dtype = C, O, np.dtype(dtype)
        work = Workspace(dtype, PAGES)
        self.U, self.dU = (work.fresh((SEEN**2, C, O)) for _ in range(2))
        self.part = work.fresh((SEEN, C, O))
        self.UT = work.fresh((SEEN**2, O, C))  # laid out anew: BLAS reads it faster than U.T
        self.b, self.db, self.db_part = (np.zeros(O, dtype) for _ in range(3))
        self.GG = np.kron(G, G).astype(dtype)

    def read(self, W: Array, b: Array | None) -> None:
        """Take over W (3, 3, C, O), as U = G W Gᵀ, and b (O,); forget the gradient."""
        np.matmul(self.GG, W.reshape(9, -1), out=self.U.reshape(SEEN**2, -1))
        self.UT[...] = self.U.swapaxes(1, 2)
        self.b[...] = 0 if b is None else b
        self.dU[...] = 0
        self.db[...] = 0

    def write(self, dW: Array, db: Array | None) -> None:
        """Write the gradient since `read` into dW = Gᵀ dU G and db."""
        np.matmul(self.GG.T, self.dU.reshape(SEEN**2, -1), out=dW.reshape(9, -1))
        if db is not None:
            db[...] = self.db


class Winograd:
    """A 3x3 convolution with stride 1 of a few samples, planned; the derivation is above.

    Tiles are worked on in strips, so many rows of tiles at a time that the products of a strip are
    large enough for BLAS; and in a strip one row of places after the other, the first of all its
    tiles, then the second. V and M of six places still lie in the processor's cache when they are
    read. To keep V of all places for the way back takes longer than to make it again.

    Parameters
    ----------
    height, width : of the output
    n : samples
    filters : shared by all that convolve with them
    work : for what is needed for a moment
    """

    def __init__(self, height: int, width: int, n: int, filters: Filters, work: Workspace) -> None:
        self.height, self.width, self.filters, self.work = height, width, filters, work
        self.down, self.across = tiles_of(height), tiles_of(width)
        self.columns = TILE * self.across + SEEN - TILE
        self.nC, self.nO = n * filters.C, n * filters.O
        enough = tiles_at_a_time(filters.C, filters.O)
        self.rows = max(
            rows
            for rows in range(1, self.down + 1)
            if self.down % rows == 0 and (rows == 1 or rows * self.across * n <= enough)
        )
        self.strips = range(0, self.down, self.rows)
        self.places = [slice(i, i + SEEN) for i in range(0, SEEN**2, SEEN)]  # row by row of a tile
        dtype = filters.dtype
        self.BT, self.B, self.AT, self.A = (
            np.ascontiguousarray(m, dtype) for m in (B.T, B, A.T, A)
        )
        self.T = self._array("T", self.columns, self.rows * self.nC)
        self.V = self._array("V", self.across, self.rows * self.nC)
        self.M = self._array("M", self.across, self.rows * self.nO)
        self.Y = self._array("Y", TILE * self.across, self.rows * self.nO)

    @property
    def seen(self) -> tuple[int, int]:
        """Rows and columns of the input that the tiles see; more than the kernel's 2 besides the
        output where that does not divide into tiles."""
        return TILE * self.down + SEEN - TILE, self.columns

    def forward(self, x: Array, y: Array) -> list[Call]:
        """The calls from x to y.

        Parameters
        ----------
        x : (rows, columns, n·C) with those of `seen`, the image with its padding, and zeros where
            tiles see beyond
        y : (height, width, n·O), overwritten
        """
        f, calls = self.filters, list[Call]()
        V, M = self.V.reshape(SEEN, -1, f.C), self.M.reshape(SEEN, -1, f.O)  # what is multiplied
        tiles, Y = self.M.swapaxes(0, 1), self.Y.reshape(SEEN, self.across, TILE, -1)
        for first in self.strips:
            calls.append(self._read(x, first))
            for i, places in enumerate(self.places):
                calls += [
                    self._along(i),
                    (np.matmul, (V, f.U[places], M)),
                    *([(np.add, (M[ONES], f.b, M[ONES]))] if i == ONES else []),
                    (np.matmul, (self.AT, tiles, Y[i])),
                ]
            for rows, seen, size in self._outputs(y, first):
                calls.append((np.matmul, (self.AT[:size], seen, rows)))
        return calls

    def backward(self, dy: Array, x: Array, dx: Array | None) -> list[Call]:
        """The calls from dy to dx, which also add to the gradient of the filters.

        Parameters
        ----------
        dy : (height, width, n·O)
        x : what `forward` received
        dx : shape of x, overwritten; None where it is not wanted
        """
        f, calls = self.filters, list[Call]()
        V, M = self.V.reshape(SEEN, -1, f.C), self.M.reshape(SEEN, -1, f.O)  # what is multiplied
        tiles, Y = self.M.swapaxes(0, 1), self.Y.reshape(SEEN, self.across, TILE, -1)
        for first in self.strips:
            calls.append(self._read(x, first))
            for rows, seen, size in self._outputs(dy, first):
                calls.append((np.matmul, (self.A[:, :size], rows, seen)))
            if self.width % TILE:
                calls.append((np.copyto, (self.Y[:, self.width :], 0)))
            for i, places in enumerate(self.places):
                calls += [
                    self._along(i),
                    (np.matmul, (self.A, Y[i], tiles)),
                    (np.matmul, (V.swapaxes(1, 2), M, f.part)),
                    (np.add, (f.dU[places], f.part, f.dU[places])),
                ]
                if i == ONES:
                    calls.append((np.add.reduce, (M[ONES], 0, None, f.db_part)))
                    calls.append((np.add, (f.db, f.db_part, f.db)))
                if dx is not None:
                    calls.append((np.matmul, (M, f.UT[places], V)))
                    calls += self._spread_along(i)
            if dx is not None:
                calls += self._spread_down(first, dx)
        return calls

    def _array(self, role: str, *shape: int) -> Array:
        """(6, …), for each row or column of a tile one, with a gap in between.

        Six runs a multiple of 4096 bytes apart would take each other's place in the cache.
        """
        size = math.prod(shape)
        return self.work.array(role, (SEEN, size + GAP))[:, :size].reshape(SEEN, *shape)

    def _outputs(self, y: Array, first: int) -> Iterator[tuple[Array, Array, int]]:
        """A strip's rows of y and of Y, tile by tile, and how many rows a tile has: the last may
        have less than four."""
        Y = self._down(self.Y)[:, : self.width]  # rows of tiles, columns, 6, n·O
        whole = min(first + self.rows, self.height // TILE) - first
        if whole > 0:
            rows = y[TILE * first : TILE * (first + whole)]
            rows = rows.reshape(whole, TILE, self.width, -1).swapaxes(1, 2)
            yield rows, Y[:whole], TILE
        if whole < self.rows:
            rows = y[TILE * (first + whole) :]
            yield rows[None].swapaxes(1, 2), Y[whole:], len(rows)

    def _down(self, T: Array) -> Array:
        """(rows, columns, 6, n·C): a strip between its two transforms, each column of a tile."""
        return T.reshape(*T.shape[:2], self.rows, -1).transpose(2, 1, 0, 3)

    def _read(self, x: Array, first: int) -> Call:
        """T = Bᵀ x for each tile of a strip, down its columns."""
        down = sliding_window_view(x, SEEN, axis=0)[::TILE].swapaxes(2, 3)
        return np.matmul, (self.BT, down[first : first + self.rows], self._down(self.T))

    def _along(self, i: int) -> Call:
        """Row i of V = T B for each tile of a strip, along its rows."""
        along = sliding_window_view(self.T[i], SEEN, axis=0)[::TILE].swapaxes(1, 2)
        return np.matmul, (self.BT, along, self.V.swapaxes(0, 1))

    def _spread_along(self, i: int) -> list[Call]:
        """Row i of dT = dV Bᵀ, summed where tiles overlap: the transpose of `_along`.

        The first four of a tile's six places are its own; the last two are also the first two of
        the next tile, to which they are added.
        """
        dT, dV, end = self.T[i], self.V.swapaxes(0, 1), TILE * self.across
        own = dT[:end].reshape(self.across, TILE, -1)
        over = self.work.array("over columns", (self.across, SEEN - TILE, dT.shape[1]))
        return [
            (np.matmul, (self.B[:TILE], dV, own)),
            (np.matmul, (self.B[TILE:], dV, over)),
            (np.add, (own[1:, : SEEN - TILE], over[:-1], own[1:, : SEEN - TILE])),
            (np.copyto, (dT[end:], over[-1])),
        ]

    def _spread_down(self, first: int, dx: Array) -> list[Call]:
        """dx = B dT, summed likewise, and from a strip to the next: the transpose of `_read`."""
        rows, columns = self.rows, self.columns
        begin, end = TILE * first, TILE * (first + rows)
        own = dx[begin:end].reshape(rows, TILE, columns, self.nC)
        over = self.work.array("over rows", (rows, SEEN - TILE, columns, self.nC))
        before = self.work.array("over strips", (SEEN - TILE, columns, self.nC))
        down = self._down(self.T)
        calls: list[Call] = [
            (np.matmul, (self.B[:TILE], down, own.swapaxes(1, 2))),
            (np.matmul, (self.B[TILE:], down, over.swapaxes(1, 2))),
            (np.add, (own[1:, : SEEN - TILE], over[:-1], own[1:, : SEEN - TILE])),
        ]
        if first:
            calls.append((np.add, (own[0, : SEEN - TILE], before, own[0, : SEEN - TILE])))
        last = first + rows == self.down
        calls.append((np.copyto, (dx[end:] if last else before, over[-1])))
        return calls
