"""Muon: momentum whose matrices are made orthogonal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handgrad.arrays import Array, Slot
from handgrad.optimizers.chain import State, Transformation

__all__ = ["FixedNorm", "MuonRule", "as_matrix", "orthogonalized"]

QUINTIC = (3.4445, -4.7750, 2.0315)
"""a, b and c of K. Jordan: as steep at 0 as can be where everything in [0, 1] stays near 1."""


def as_matrix(vector: Array, slot: Slot) -> Array:
    """The numbers of one name as a matrix: a column for each neuron or filter."""
    return slot.of(vector).reshape(-1, slot.shape[-1] if len(slot.shape) > 1 else 1)


def orthogonalized(M: Array, steps: int) -> Array:
    """Bring the singular values of a matrix near 1, and leave its directions: ``U S Vᵀ → U Vᵀ``.

    With ``X = M / ‖M‖``, whose singular values σ lie in [0, 1], repeat

        X ← a X + b (X Xᵀ) X + c (X Xᵀ)² X

    In ``X = U S Vᵀ`` the inner U and V cancel, so that each step is one of numbers,

        σ ← a σ + b σ³ + c σ⁵

    and U and V stay. Five steps bring all of [0.01, 1] between 0.68 and 1.14. It does not converge
    to 1, nor need it: see the source.

    Parameters
    ----------
    M : (m, n) float
    steps : how often

    Returns
    -------
    (m, n) float

    Cost: ``4 m n k + 2 k³`` products and sums a step, with k the smaller of m and n.

    Source: K. Jordan et al., Muon: An optimizer for hidden layers in neural networks (2024); the
    iteration is named for Newton and Schulz. For the step as steepest descent in the spectral norm:
    Bernstein, Newhouse, Old Optimizer, New Norm, arXiv 2409.20325.

    >>> np.round(orthogonalized(np.diag([3.0, 4.0]), 5), 1)
    array([[0.7, 0. ],
           [0. , 1.1]])
    """
    a, b, c = QUINTIC
    X = M / (math.sqrt(float((M * M).sum())) + 1e-7)
    tall = X.shape[0] > X.shape[1]
    if tall:
        X = X.T  # of X Xᵀ and Xᵀ X the smaller
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * (A @ A)) @ X
    return X.T if tall else X


@dataclass(frozen=True)
class MuonRule(Transformation):
    """Muon: ``V ← β V + G``, and the step is ``G + β V`` with all its singular values near 1.

    Of all matrices O that stretch no vector to more than its length, ``U Vᵀ`` goes farthest along
    ``M = U S Vᵀ``: ⟨M, O⟩ ≤ Σ σ, with equality there. So a step changes what the layer gives by no
    more than η for an input of norm 1 (up to the 1.14 of `orthogonalized`), and goes along rare
    directions as far as along common ones.

    Parameters
    ----------
    matrices : the weights that are treated so
    beta : β of these
    steps : of `orthogonalized`
    beta_others : Nesterov's β of everything else

    Source: as `orthogonalized`.
    """

    matrices: Sequence[Slot]
    beta: float = 0.95
    steps: int = 5
    beta_others: float = 0.9

    def start(self, vector: Array) -> State:
        return {"v": np.zeros_like(vector)}

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        v = state["v"]
        first = 0
        for slot in sorted(self.matrices, key=lambda slot: slot.start):
            _nesterov(g[first : slot.start], v[first : slot.start], self.beta_others)
            _nesterov(g[slot.start : slot.stop], v[slot.start : slot.stop], self.beta)
            matrix = as_matrix(g, slot)
            matrix[...] = orthogonalized(matrix, self.steps)
            first = slot.stop
        _nesterov(g[first:], v[first:], self.beta_others)


@dataclass(frozen=True)
class FixedNorm(Transformation):
    """Matrices of which each step begins at a fixed norm: ``g ← g + (1 - √n/‖W‖) W`` for n neurons.

    So that ``W - g`` is the step from ``W √n/‖W‖``. Behind a batch normalization the length of W
    says nothing, and a step is the smaller the longer W has grown; here it stays what it is.

    Parameters
    ----------
    matrices : the weights that are held so

    Source: the CIFAR-10 record with Muon (K. Jordan, airbench94_muon, 2024).
    """

    matrices: Sequence[Slot]

    def apply(self, g: Array, state: State, vector: Array, t: int, total: int) -> None:
        for slot in self.matrices:
            W = vector[slot.start : slot.stop]
            norm = math.sqrt(float(W @ W))
            if norm > 0:
                neurons = as_matrix(vector, slot).shape[1]
                g[slot.start : slot.stop] += (1 - math.sqrt(neurons) / norm) * W


def _nesterov(g: Array, v: Array, beta: float) -> None:
    v *= beta
    v += g
    g += beta * v
