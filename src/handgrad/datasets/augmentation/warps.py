"""Warps: images read at places between the pixels, by bilinear interpolation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from handgrad.arrays import Array, Shape
from handgrad.datasets.augmentation.augmentation import Augmentation, within

__all__ = ["Affine", "Crop", "Distort", "Elastic", "sampled"]

Fill = Literal["zero", "border"]

BLOCK = 64
"""Images that are read at a time: their places and weights then stay in the cache."""


@dataclass(frozen=True)
class Affine(Augmentation):
    """Shear, turn, scale and shift each image about its centre.

    A point p of the image goes to c + t + s R K (p - c), with the centre c, and in (x, y):

        K = | 1  k |      R = |  cos φ  sin φ |      (y goes down, so φ > 0 turns
            | 0  1 |          | -sin φ  cos φ |       counterclockwise)

    Each pixel q of the result is read where it came from, c + K⁻¹ R⁻¹ (q - c - t) / s.

    Parameters
    ----------
    degrees : φ is uniform from -degrees to degrees
    scale : s is uniform from 1 - scale to 1 + scale
    shear : k is uniform from -shear to shear: the shift in x of a row, in parts of its height
        above or below the centre
    shift : pixels; t is uniform from -shift to shift in y and in x
    fill : what lies outside the image: "zero" (the mean of normalized images), or "border", the
        nearest pixel

    Cost: about 8·N·H·W + 9·N·H·W·C flops, and 4·N·H·W·C numbers read in no order.
    """

    name: ClassVar[str] = "affine"

    degrees: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    fill: Fill = "zero"

    def __post_init__(self) -> None:
        within("degrees", self.degrees, high=180)
        within("scale", self.scale)
        if self.scale >= 1:
            raise ValueError(f"scale = {self.scale}; expected less than 1, which leaves no image")
        within("shear", self.shear)
        within("shift", self.shift)

    def draw(
        self, indices: Array, shape: Shape, generator: np.random.Generator, epoch: int
    ) -> tuple[Array, ...]:
        N = len(indices)
        degrees = generator.uniform(-self.degrees, self.degrees, size=N)
        scale = generator.uniform(1 - self.scale, 1 + self.scale, size=N)
        shear = generator.uniform(-self.shear, self.shear, size=N)
        return degrees, scale, shear, generator.uniform(-self.shift, self.shift, size=(N, 2))

    def apply(self, images: Array, *draws: Array) -> Array:
        return sampled(images, *_origins(images, draws), self.fill)


@dataclass(frozen=True)
class Crop(Augmentation):
    """Cut a part out of each image and enlarge it to the size of the whole.

    A part a of the area and a stretch r (log-uniform: twice as wide is as likely as twice as high)
    give a box of height H sqrt(a/r) and width W sqrt(a r), at most H and W, whose place is uniform
    inside the image. Pixel i of H reads the box at (i + 1/2) height/H - 1/2.

    Differs from torchvision's RandomResizedCrop: the box need not lie on whole pixels, a box that
    is too large is cut to the image and not drawn again, and r is relative to W/H.

    Parameters
    ----------
    area : (least, largest) part of the area, above 0 and up to 1
    stretch : (least, largest) ratio of width to height, relative to that of the image

    Cost: as `Affine`.
    """

    name: ClassVar[str] = "crop"

    area: tuple[float, float] = (0.25, 1.0)
    stretch: tuple[float, float] = (0.75, 4 / 3)

    def __post_init__(self) -> None:
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(
                f"area = {self.area}; expected two parts above 0 and up to 1, in order"
            )
        if not 0 < self.stretch[0] <= self.stretch[1] < math.inf:
            raise ValueError(f"stretch = {self.stretch}; expected two ratios above 0, in order")

    def draw(
        self, indices: Array, shape: Shape, generator: np.random.Generator, epoch: int
    ) -> tuple[Array, ...]:
        N, (H, W, _) = len(indices), shape
        area = generator.uniform(*self.area, size=N)
        least, largest = (math.log(ratio) for ratio in self.stretch)
        stretch = np.exp(generator.uniform(least, largest, size=N))
        size = np.stack([H * np.sqrt(area / stretch), W * np.sqrt(area * stretch)], axis=1)
        size = np.minimum(size, [H, W])
        return generator.random((N, 2)) * ([H, W] - size), size

    def apply(self, images: Array, *draws: Array) -> Array:
        corner, size = draws  # both (N, 2): of y and of x
        _, H, W, _ = images.shape
        y = corner[:, :1] + (np.arange(H) + 0.5) * (size[:, :1] / H) - 0.5
        x = corner[:, 1:] + (np.arange(W) + 0.5) * (size[:, 1:] / W) - 0.5
        return sampled(images, y[:, :, None], x[:, None, :], "border")


@dataclass(frozen=True)
class Elastic(Augmentation):
    """Distort each image by a smooth random field, as hands distort the same digit.

    out(p) = in(p + α (G_σ * u)(p)): both components of u are uniform in -1..1 in every pixel, and
    smoothed by a Gaussian of deviation σ (0 outside the image). What is left of u then has a
    deviation of about 1 / (2 σ sqrt(3π)), so that a pixel moves by about α / (6.1 σ): 1.4 pixels
    for the numbers below.

    Parameters
    ----------
    alpha : pixels, the strength
    sigma : pixels, 0.01 or more: how far the field is smooth
    fill : as for `Affine`

    Cost: as `Affine`, and 4·N·H·W·(H + W) flops for the smoothing: a Gaussian along one axis is a
    product with a small matrix.
    Source: Simard, Steinkraus, Platt, Best Practices for Convolutional Neural Networks Applied to
    Visual Document Analysis (2003), read through programs that carry it out; α = 34 and σ = 4 are
    what they name as its choice for MNIST.
    """

    name: ClassVar[str] = "elastic"

    alpha: float = 34.0
    sigma: float = 4.0
    fill: Fill = "zero"

    def __post_init__(self) -> None:
        within("alpha", self.alpha)
        within("sigma", self.sigma, low=0.01)

    def draw(
        self, indices: Array, shape: Shape, generator: np.random.Generator, epoch: int
    ) -> tuple[Array, ...]:
        return (_noise(len(indices), shape, generator),)

    def apply(self, images: Array, *draws: Array) -> Array:
        _, H, W, _ = images.shape
        dy, dx = _field(images, draws[0], self.alpha, self.sigma)
        rows, columns = (np.arange(side, dtype=images.dtype) for side in (H, W))
        return sampled(images, dy + rows[:, None], dx + columns, self.fill)


@dataclass(frozen=True)
class Distort(Affine):
    """`Affine` and then `Elastic`, of one interpolation.

    With e for the elastic field there, pixel q of the result is read at
    c + K⁻¹ R⁻¹ (q + e - c - t) / s. One after the other the two of them interpolate twice, and each
    time an image becomes a little more blurred than those that the network will be asked about.

    Parameters
    ----------
    degrees, scale, shear, shift, fill : of `Affine`
    alpha, sigma : of `Elastic`

    Cost: as `Affine`, and the smoothing of `Elastic`.
    """

    name: ClassVar[str] = "distort"

    alpha: float = 34.0
    sigma: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        within("alpha", self.alpha)
        within("sigma", self.sigma, low=0.01)

    def draw(
        self, indices: Array, shape: Shape, generator: np.random.Generator, epoch: int
    ) -> tuple[Array, ...]:
        affine = super().draw(indices, shape, generator, epoch)
        return *affine, _noise(len(indices), shape, generator)

    def apply(self, images: Array, *draws: Array) -> Array:
        *affine, noise = draws
        field = _field(images, noise, self.alpha, self.sigma)
        return sampled(images, *_origins(images, affine, *field), self.fill)


def _origins(
    images: Array, draws: Sequence[Array], dy: Array | float = 0.0, dx: Array | float = 0.0
) -> tuple[Array, Array]:
    """Where `Affine` reads each pixel of a result, moved by (dy, dx) before: y and x."""
    degrees, scale, shear, shift = draws
    _, H, W, _ = images.shape
    cos, sin = np.cos(np.radians(degrees)) / scale, np.sin(np.radians(degrees)) / scale
    # K⁻¹ R⁻¹ / s, a row for y and a row for x
    yy, yx, xy, xx = (
        part.astype(images.dtype)[:, None, None]
        for part in (cos, sin, -sin - shear * cos, cos - shear * sin)
    )
    centre_y, centre_x = (H - 1) / 2, (W - 1) / 2
    down = (np.arange(H) - centre_y - shift[:, :1]).astype(images.dtype)[:, :, None] + dy
    across = (np.arange(W) - centre_x - shift[:, 1:]).astype(images.dtype)[:, None, :] + dx
    y = (yy * down + centre_y) + yx * across
    x = xy * down + (xx * across + centre_x)
    return y, x


def _noise(N: int, shape: Shape, generator: np.random.Generator) -> Array:
    """(N, 2, H, W) uniform in -1..1, in y and in x."""
    return 2 * generator.random((N, 2, *shape[:2]), dtype=np.float32) - 1


def _field(images: Array, noise: Array, alpha: float, sigma: float) -> tuple[Array, Array]:
    """How far `Elastic` moves each pixel: dy and dx, (N, H, W) each."""
    _, H, W, _ = images.shape
    noise = noise.astype(images.dtype, copy=False)
    down, across = (_gaussian(side, sigma).astype(images.dtype) for side in (H, W))
    dy, dx = np.moveaxis(alpha * (down @ noise @ across.T), 1, 0)
    return dy, dx


def sampled(images: Array, y: Array, x: Array, fill: Fill) -> Array:
    """Read each image at given places, by bilinear interpolation.

    With Y = floor(y), v = y - Y and X, w of x alike, and a = in(Y, X):

        out = (1-v) ((1-w) in(Y, X) + w in(Y, X+1)) + v ((1-w) in(Y+1, X) + w in(Y+1, X+1))

    Each image stands in a frame of one pixel (0, or the border again), and places farther out are
    moved into the frame: no pixel then needs a special case.

    Parameters
    ----------
    images : (N, H, W, C) float
    y, x : pixels, of shapes that broadcast to (N, H, W), N first
    fill : what lies outside the image

    Returns
    -------
    (N, H, W, C), dtype of images

    Cost: 9·N·H·W·C flops besides the places; 4·N·H·W·C numbers read in no order.
    """
    result = np.empty_like(images)
    for start in range(0, len(images), BLOCK):
        block = slice(start, start + BLOCK)
        _sample(images[block], y[block], x[block], fill, result[block])
    return result


def _sample(images: Array, y: Array, x: Array, fill: Fill, out: Array) -> None:
    N, H, W, C = images.shape
    margin = [(0, 0), (1, 1), (1, 1), (0, 0)]
    framed = np.pad(images, margin) if fill == "zero" else np.pad(images, margin, mode="edge")
    pixels, pixel, row = framed.ravel(), C, (W + 2) * C  # strides of the framed images
    Y, v = _cell(y, H, images.dtype)
    X, w = _cell(x, W, images.dtype)
    first = np.arange(N)[:, None, None] * ((H + 2) * row) + row + pixel
    place = np.broadcast_to(first + Y * row + X * pixel, (N, H, W))
    for channel in range(C):
        # "clip" saves take a second look at places that are right by construction.
        upper, right, lower, lower_right = (
            np.take(pixels[channel + step :], place, mode="clip")
            for step in (0, pixel, row, row + pixel)
        )
        _blend(upper, right, w, upper)
        _blend(lower, lower_right, w, lower)
        _blend(upper, lower, v, out[..., channel])


def _cell(place: Array, size: int, dtype: np.dtype[np.floating]) -> tuple[Array, Array]:
    """The whole pixel before a place, from -1 to size - 1, and the part of a pixel beyond it."""
    place = np.clip(place.astype(dtype, copy=False), -1, size)
    whole = np.minimum(np.floor(place), size - 1)
    return whole.astype(np.intp), place - whole


def _blend(a: Array, b: Array, part: Array, out: Array) -> None:
    """a + part (b - a) into ``out``; overwrites b."""
    b -= a
    b *= part
    np.add(a, b, out=out)


def _gaussian(size: int, sigma: float) -> Array:
    """(size, size): the matrix that smooths a column; what lies beyond its ends counts as 0."""
    reach = math.ceil(10 * sigma)  # the Gaussian is 2e-22 there
    total = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).sum()
    distance = np.arange(size)[:, None] - np.arange(size)
    matrix: Array = np.exp(-0.5 * (distance / sigma) ** 2) / total
    return matrix
