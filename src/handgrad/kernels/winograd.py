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

dM is made once and serves both; V is what the forward pass left. An offset b is added at a single
place: the column of Aᵀ for the point 1 is all ones, so that adding b to M at the place (1, 1) adds
it to all sixteen outputs, and db = Σ dM there.

In float32 the result is some 2e-6 from exact, where the direct sum has 3e-7; see docs/fast.md.

Source: Lavin, Gray, Fast Algorithms for Convolutional Neural Networks, arXiv 1509.09308 (2015).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import DTypeLike

from handgrad.arrays import Array
from handgrad.kernels.calls import Call, Workspace

__all__ = ["Filters", "Winograd", "tiles_at_a_time", "tiles_of"]

TILE = 4
"""Outputs of a tile, on a side."""
SEEN = 6
"""Inputs that a tile sees, on a side."""
ONES = SEEN + 1
"""The place (1, 1) of a tile, whose column in Aᵀ is all ones."""

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
        self.U, self.dU, self.part = (np.zeros((SEEN**2, C, O), dtype) for _ in range(3))
        self.UT = np.zeros((SEEN**2, O, C), dtype)  # laid out anew: BLAS reads it faster than U.T
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

    Tiles are worked on in strips, so many rows of tiles at a time that the 36 products of a strip
    are large enough for BLAS and its numbers still lie in the processor's cache.

    Parameters
    ----------
    height, width : of the output
    n : samples
    filters : shared by all that convolve with them
    work : for what is needed for a moment
    keep : whether the transformed input is kept for the way back, or made a second time then
    """

    def __init__(
        self, height: int, width: int, n: int, filters: Filters, work: Workspace, keep: bool = False
    ) -> None:
        self.height, self.width, self.filters, self.work = height, width, filters, work
        self.keep = keep
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
        dtype = filters.dtype
        self.BT, self.B, self.AT, self.A = (
            np.ascontiguousarray(m, dtype) for m in (B.T, B, A.T, A)
        )
        shape = (SEEN, SEEN, self.across, self.rows * self.nC)
        if keep:
            self.V = [np.empty(shape, dtype) for _ in self.strips]
        else:
            self.V = [work.array("V", shape)] * len(self.strips)
        self.M = work.array("M", (SEEN, SEEN, self.across, self.rows * self.nO))
        self.Y = work.array("Y", (SEEN, TILE * self.across, self.rows, self.nO))

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
        tiles see beyond y : (height, width, n·O), overwritten
        """
        f, calls = self.filters, list[Call]()
        M, Y = self._products(self.M, f.O), self.Y
        for first, V in zip(self.strips, self.V, strict=True):
            calls += self._transform(x, first, V)
            calls += [
                (np.matmul, (self._products(V, f.C), f.U, M)),
                (np.add, (M[ONES], f.b, M[ONES])),
                (np.matmul, (self.AT, self.M.swapaxes(1, 2), self._tiles(Y))),
            ]
            for rows, tiles, size in self._outputs(y, first):
                calls.append((np.matmul, (self.AT[:size], tiles, rows)))
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
        M, Y = self._products(self.M, f.O), self.Y
        for first, V in zip(self.strips, self.V, strict=True):
            if not self.keep:
                calls += self._transform(x, first, V)
            for rows, tiles, size in self._outputs(dy, first):
                calls.append((np.matmul, (self.A[:, :size], rows, tiles)))
            if self.width % TILE:
                calls.append((np.copyto, (Y[:, self.width :], 0)))
            calls += [
                (np.matmul, (self.A, self._tiles(Y), self.M.swapaxes(1, 2))),
                (np.matmul, (self._products(V, f.C).swapaxes(1, 2), M, f.part)),
                (np.add, (f.dU, f.part, f.dU)),
                (np.add.reduce, (M[ONES], 0, None, f.db_part)),
                (np.add, (f.db, f.db_part, f.db)),
            ]
            if dx is not None:
                calls.append((np.matmul, (M, f.UT, self._products(V, f.C))))
                calls += self._spread(V, first, dx)
        return calls

    @staticmethod
    def _products(V: Array, channels: int) -> Array:
        """(36, tiles·n, channels): what is multiplied for each place of a tile."""
        return V.reshape(SEEN**2, -1, channels)

    def _tiles(self, Y: Array) -> Array:
        """(6, across, 4, rows·n·O): a strip between its two transforms, its columns in tiles."""
        return Y.reshape(SEEN, self.across, TILE, -1)

    def _outputs(self, y: Array, first: int) -> Iterator[tuple[Array, Array, int]]:
        """A strip's rows of y and of Y, tile by tile, and how many rows a tile has: the last may
        have less than four."""
        Y = self.Y.transpose(2, 1, 0, 3)[:, : self.width]  # rows of tiles, columns, 6, n·O
        whole = min(first + self.rows, self.height // TILE) - first
        if whole > 0:
            rows = y[TILE * first : TILE * (first + whole)]
            rows = rows.reshape(whole, TILE, self.width, -1).swapaxes(1, 2)
            yield rows, Y[:whole], TILE
        if whole < self.rows:
            rows = y[TILE * (first + whole) :]
            yield rows[None].swapaxes(1, 2), Y[whole:], len(rows)

    def _transform(self, x: Array, first: int, V: Array) -> list[Call]:
        """V = Bᵀ x B for each tile of a strip: first along its rows, then along its columns."""
        T = self.work.array("T", (SEEN, self.columns, self.rows, self.nC))
        down = sliding_window_view(x, SEEN, axis=0)[::TILE].swapaxes(2, 3)
        along = T.reshape(SEEN, self.columns, -1)
        along = sliding_window_view(along, SEEN, axis=1)[:, ::TILE].swapaxes(2, 3)
        return [
            (np.matmul, (self.BT, down[first : first + self.rows], T.transpose(2, 1, 0, 3))),
            (np.matmul, (self.BT, along, V.swapaxes(1, 2))),
        ]

    def _spread(self, dV: Array, first: int, dx: Array) -> list[Call]:
        """dx = B dV Bᵀ, summed where tiles overlap: the transpose of `_transform`.

        The first four of a tile's six places are its own; the last two are also the first two of
        the next tile, to which they are added.
        """
        rows, columns, across = self.rows, self.columns, self.across
        T = self.work.array("T", (SEEN, columns, rows, self.nC))
        own = T.reshape(SEEN, columns, -1)[:, : TILE * across].reshape(SEEN, across, TILE, -1)
        over = self.work.array("over columns", (SEEN, across, SEEN - TILE, rows * self.nC))
        calls: list[Call] = [
            (np.matmul, (self.B[:TILE], dV.swapaxes(1, 2), own)),
            (np.matmul, (self.B[TILE:], dV.swapaxes(1, 2), over)),
            (np.add, (own[:, 1:, : SEEN - TILE], over[:, :-1], own[:, 1:, : SEEN - TILE])),
            (np.copyto, (T.reshape(SEEN, columns, -1)[:, TILE * across :], over[:, -1])),
        ]
        begin, end = TILE * first, TILE * (first + rows)
        own = dx[begin:end].reshape(rows, TILE, columns, self.nC)
        over = self.work.array("over rows", (rows, SEEN - TILE, columns, self.nC))
        before = self.work.array("over strips", (SEEN - TILE, columns, self.nC))
        down = T.transpose(2, 1, 0, 3)
        calls += [
            (np.matmul, (self.B[:TILE], down, own.swapaxes(1, 2))),
            (np.matmul, (self.B[TILE:], down, over.swapaxes(1, 2))),
            (np.add, (own[1:, : SEEN - TILE], over[:-1], own[1:, : SEEN - TILE])),
        ]
        if first:
            calls.append((np.add, (own[0, : SEEN - TILE], before, own[0, : SEEN - TILE])))
        last = first + rows == self.down
        calls.append((np.copyto, (dx[end:] if last else before, over[-1])))
        return calls
