"""Batch normalization in a plan: where it stands, one stream ends and the next begins.

Mean and variance are of the whole batch, of which a stream sees a few samples at a time. While each
few are in the cache, their own mean m_k and their squares around it S_k are taken; of n_k numbers
each, these make the whole's, since Σ_r (z_r - μ)² = Σ_r (z_r - m_k)² + n_k (m_k - μ)² within each
k:

    μ = 1/M Σ_k n_k m_k        v = 1/M Σ_k (S_k + n_k (m_k - μ)²)

which is as exact as taking the mean first, and reads the batch once. On the way back dγ and dβ are
sums over the batch as well, so that it is cut there too; what is left is one affine map of z and
dy,

    dz = γ/σ (dy - dβ/M - ẑ dγ/M) = g dy + p z + q        ẑ = (z - μ)/σ

with g = γ/σ, p = -g dγ/(M σ), q = -g dβ/M - p μ; see `calculus.batch_norm_backward`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from handgrad.arrays import Array, Numbers
from handgrad.kernels import Call, Maps, blocks, dot
from handgrad.layers import BatchNorm
from handgrad.plans.step import Few, Step

__all__ = ["Normalization", "Statistics"]


REPEATED = "gain", "shift", "p", "q"
"""What maps are scaled and shifted by: γ/σ, β - μ γ/σ, and p and q of the way back."""


class _Moments(NamedTuple):
    """Of a few samples: their maps, how many numbers a channel has, m_k and S_k."""

    samples: slice
    z: Maps
    size: int
    mean: Array
    squares: Array


class Statistics(Step):
    """The end of a stream: the moments of what is to be normalized, whose statistics these are.

    Parameters
    ----------
    layer, params : of the network
    """

    in_place = True

    def __init__(self, layer: BatchNorm, params: Numbers) -> None:
        self.layer, self.params, self.C = layer, params, len(params.mean)
        self.parts: list[_Moments] = []
        self.repeated: dict[int, dict[str, Array]] = {}
        self.along, self.straight = (np.zeros(self.C) for _ in range(2))  # dγ and dβ

    def begin(self, draws: tuple[Array, ...]) -> None:
        self.along[...] = 0
        self.straight[...] = 0

    def channelwise(self, name: str, n: int) -> Array:
        """(n·C,): one of `REPEATED`, each channel's number once for each of n samples."""
        if n not in self.repeated:
            self.repeated[n] = {
                name: np.zeros(n * self.C, self.params.mean.dtype) for name in REPEATED
            }
        return self.repeated[n][name]

    def _tell(self, **numbers: Array) -> None:
        for n, arrays in self.repeated.items():
            for name, value in numbers.items():
                arrays[name].reshape(n, self.C)[...] = value

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        z = x.pixels
        count, mean, squares = x.inside[..., 0].size, np.zeros(self.C), np.zeros(self.C)
        self.parts.append(_Moments(few.samples, x, count, mean, squares))
        repeated = np.zeros(z.shape[-1], z.dtype)
        calls, sums = _sums(z)

        def take_mean() -> None:
            repeated.reshape(few.n, -1)[...] = self.over_samples(sums) / count
            mean[...] = repeated[: self.C]  # as it was rounded

        calls.append((take_mean, ()))
        parts = blocks(z.shape)
        dots = np.zeros((len(parts), z.shape[-1]), z.dtype)
        for rows, part in zip(parts, dots, strict=True):
            apart = few.work.array("apart", z[rows].shape)
            calls += [(np.subtract, (z[rows], repeated, apart)), (dot, (apart, apart, part))]

        def take_squares() -> None:
            squares[...] = self.over_samples(dots)

        return [*calls, (take_squares, ())], x

    def after_forward(self) -> None:
        """Mean and variance of the batch, from those of its parts; then scale and shift of z."""
        total, layer = self.layer.total, self.layer
        self.M = int(total(np.array(sum(part.size for part in self.parts))))
        mean = total(np.sum([part.size * part.mean for part in self.parts], axis=0)) / self.M
        squares = [p.squares + p.size * (p.mean - mean) ** 2 for p in self.parts]
        self.mean, self.variance = mean, total(np.sum(squares, axis=0)) / self.M
        beyond = self.variance > np.finfo(self.params.mean.dtype).max
        self.variance[beyond] = np.nan  # as by the book
        self.deviation = np.sqrt(self.variance + layer.epsilon)
        self.gain = (self.params.scale if layer.scale else 1) / self.deviation
        offset = self.params.offset if layer.offset else 0
        self._tell(gain=self.gain, shift=offset - mean * self.gain)

    def over_samples(self, sums: Array) -> Array:
        """(C,): sums (…, n·C) over all but the channels, in float64."""
        total: Array = sums.reshape(-1, self.C).sum(axis=0, dtype=np.float64)
        return total

    def complete_backward(self) -> None:
        """The coefficients of dz, from the sums over the batch."""
        along, straight = self.layer.total(self.along), self.layer.total(self.straight)
        p = -self.gain * along / (self.M * self.deviation)
        self._tell(p=p, q=-self.gain * straight / self.M - p * self.mean)

    def end(self, grads: Numbers) -> None:
        """The gradients of scale and offset; and the running averages."""
        if self.layer.scale:
            grads.scale[...] = self.along
        if self.layer.offset:
            grads.offset[...] = self.straight
        statistics = (a.astype(self.params.mean.dtype) for a in (self.mean, self.variance))
        self.layer.gather((None, *statistics, self.M), self.params)

    def backward(self, dy: Maps, dx: Maps | None, memory: Any, few: Few) -> list[Call]:
        if dx is None:
            return []
        g, p, q = (self.channelwise(name, few.n) for name in ("gain", "p", "q"))
        calls: list[Call] = []
        for rows in blocks(memory.pixels.shape):
            z, given, dz = (maps.pixels[rows] for maps in (memory, dy, dx))
            calls += [
                (np.multiply, (z, p, dz)),
                (np.add, (dz, q, dz)),
                (np.multiply, (given, g, given)),
                (np.add, (dz, given, dz)),
            ]
        return calls


class Normalization(Step):
    """The beginning of the next stream: z, normalized; and on the way back the sums of the
    batch."""

    at_once = True

    def __init__(self, statistics: Statistics) -> None:
        self.statistics = statistics

    def forward(self, x: Maps, y: Maps, few: Few) -> tuple[list[Call], Any]:
        """The calls from z, which may have come in smaller groups, to y; x is not read."""
        calls: list[Call] = []
        for z, own, n in self._groups(few):
            gain, shift = (self.statistics.channelwise(name, n) for name in ("gain", "shift"))
            out = y.few(own).pixels
            for rows in blocks(z.shape):
                calls.append((np.multiply, (z[rows], gain, out[rows])))
                calls.append((np.add, (out[rows], shift, out[rows])))
        return calls, None

    def backward(self, dy: Maps, dx: Maps | None, memory: Any, few: Few) -> list[Call]:
        """The calls that add up dγ and dβ; dx, where it is wanted, takes dy as it came."""
        calls: list[Call] = []
        for z, own, _ in self._groups(few):
            calls += self._sums(z, dy.few(own).pixels)
        if dx is not None and dx is not dy:
            calls.append((np.copyto, (dx.pixels, dy.pixels)))
        return calls

    def after_backward(self) -> None:
        self.statistics.complete_backward()

    def _groups(self, few: Few) -> list[tuple[Array, slice, int]]:
        """z as it came, where its samples stand among these few, and how many they are."""
        start = few.samples.start
        return [
            (part.z.pixels, slice(own.start - start, own.stop - start), own.stop - own.start)
            for part in self.statistics.parts
            if start <= (own := part.samples).start < few.samples.stop
        ]

    def _sums(self, z: Array, dy: Array) -> list[Call]:
        """The calls that add up dγ and dβ over a group."""
        s, parts = self.statistics, blocks(z.shape)
        calls, sums = _sums(dy)
        dots = np.zeros((len(parts), z.shape[-1]), z.dtype)
        calls += [(dot, (z[i], dy[i], part)) for i, part in zip(parts, dots, strict=True)]

        def add_up() -> None:
            """Σ dy ẑ = (Σ dy z - μ Σ dy)/σ: no less exact than z - μ, with z rounded as it is."""
            straight = s.over_samples(sums)
            s.straight += straight
            s.along += (s.over_samples(dots) - s.mean * straight) / s.deviation

        return [*calls, (add_up, ())]


def _sums(x: Array) -> tuple[list[Call], Array]:
    """The calls that sum each row of pixels, as a product with ones, and where they write."""
    height, width, many = x.shape
    sums = np.zeros((height, 1, many), x.dtype)
    return [(np.matmul, (np.ones((1, width), x.dtype), x, sums))], sums
