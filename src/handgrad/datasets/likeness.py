"""Which images are copies of each other, although no byte of their files agrees.

A copy has been saved again as a JPEG, resized, made lighter, drained of colour or mirrored. Three
steps find it: images are told by their lowest frequencies; signs of these make a hash of 64 bits,
by which images that may be copies find each other without trying all pairs; and every such pair
is then compared in more frequencies than the hash holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["low_frequencies", "near_duplicates", "perceptual_hash"]

FREQUENCIES = 14
"""Frequencies 0..13 of each axis are compared: 64x64 pixels halved twice still have them."""
HASHED = 8
"""Frequencies 0..7 of each axis are in the hash: 64 bits."""
DISTANCE = 7
"""The hashes of copies differ in at most so many bits."""
CORRELATION = 0.965
"""The frequencies of copies are correlated at least so much."""
FLAT = 2.0
"""An image whose low frequencies deviate less from its mean, in grey levels, shows nothing."""
MIRROR = (-1.0) ** np.arange(FREQUENCIES, dtype=np.float32)
"""What mirroring does to the columns of the frequencies: cos(πv(1-x)) = (-1)ᵛ cos(πvx)."""
PIECE = 256
"""So many images are floats at a time, so that a memory-mapped array is never copied whole."""
PAIRS = 1 << 20
"""About so many pairs of hashes are looked at, at a time."""


def near_duplicates(
    images: NDArray[np.uint8], each: Callable[[int, int], None] | None = None
) -> NDArray[np.int64]:
    """Find the groups of images that are copies of each other.

    Two images are copies if their pixels are equal, or if their hashes differ in at most 7 of 64
    bits and their low frequencies are correlated with at least 0.965, as they are or mirrored.
    Copies of a copy belong to the same group. An image that shows nothing (it deviates from its
    mean by less than 2 grey levels) is a copy only of equal pixels.

    A photograph's energy at the frequency f falls as 1/f², so that plain correlation is decided by
    the sky above and the ground below. The frequency (u, v) is therefore weighted by u² + v²,

        r = Σ w² a b / sqrt(Σ w² a² · Σ w² b²),     w = u² + v²,

    which is the correlation of the images' second derivatives: of what is drawn in them. Adding
    light changes only the frequency (0, 0), which has weight 0; contrast is a factor that cancels.

    The numbers were chosen by `benchmarks/likeness.py`. Of 500 photographs at 64x64, every copy was
    found that was saved as a JPEG of quality 40 or more, halved, doubled, quartered, mirrored, made
    grey or darker, or changed in contrast by 30 %; 99 % of those made lighter by 20 %, which clips;
    85 % of those that lost 1 % at each edge, and none that lost 3 %. In 10,000 photographs of 32x32
    pixels 7 pairs were found, all of them copies; among 1,598 motorbikes and airplanes 12 groups of
    28 in all: copies, and models photographed alike in one studio. Strokes of a pen are alike
    without being copies: of 10,000 handwritten digits 55 are in a group, all of them ones.

    Parameters
    ----------
    images : (N, H, W, C) uint8, grey or colour; may be memory-mapped, and is read once
    each : called after every piece with the number of images read and in all

    Returns
    -------
    groups : (N,) for each image the place of the first one of its group: its own where it is alone

    Raises
    ------
    ValueError : images of another shape or dtype

    Cost: 0.7 s for 10,000 images of 64x64x3 on one core, 9 s for 100,000, and some 2 kB an image
    beside the pixels. Where all images are alike all N² pairs are tried: 18 s for 10,000.

    >>> left = np.zeros((8, 8, 1), np.uint8)
    >>> left[:3, :4] = 200
    >>> lighter, mirrored, other = left // 2 + 50, left[:, ::-1], left.swapaxes(0, 1)
    >>> near_duplicates(np.stack([left, other, lighter, mirrored]))
    array([0, 1, 0, 0])
    """
    _check(images)
    count = len(images)
    groups = np.arange(count)
    known: dict[bytes, int] = {}
    frequencies = np.empty((count, FREQUENCIES, FREQUENCIES), np.float32)
    for start in range(0, count, PIECE):
        piece = np.ascontiguousarray(images[start : start + PIECE])
        frequencies[start : start + PIECE] = low_frequencies(piece)
        for place, image in enumerate(piece, start):
            groups[place] = known.setdefault(hashlib.blake2b(image).digest(), place)
        if each is not None:
            each(start + len(piece), count)

    frequencies[:, 0, 0] = 0  # the mean
    deviation = np.sqrt(np.square(frequencies).sum(axis=(1, 2)))
    shown = np.flatnonzero((groups == np.arange(count)) & (deviation >= FLAT))
    frequencies = frequencies[shown]
    hashes = perceptual_hash(frequencies)
    both = np.concatenate([hashes, perceptual_hash(frequencies * MIRROR)])
    u = np.arange(FREQUENCIES)
    frequencies *= (u[:, None] ** 2 + u**2).astype(np.float32)
    frequencies /= np.sqrt(np.square(frequencies).sum(axis=(1, 2), keepdims=True))

    for i, j in _close(hashes, both):
        mirrored, j = np.divmod(j, len(shown))
        apart = groups[shown[i]] != groups[shown[j]]  # spares most of the work where many are alike
        i, j, mirrored = i[apart], j[apart], mirrored[apart]
        alike = _correlation(frequencies, i, j, mirrored) >= CORRELATION
        if alike.any():
            groups = _united(groups, shown[i[alike]], shown[j[alike]])
    return groups


def low_frequencies(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Write images as sums of a few broad waves: the lowest cosines of their brightness.

    The brightness y of a pixel is 0.299 R + 0.587 G + 0.114 B, as in Pillow's "L", so that a grey
    copy has the same. With pixels at h = (i + ½)/H and w = (j + ½)/W in 0..1 and c₀ = 1, cᵤ = √2,

        a_uv = 1/(HW) Σ_ij y_ij · cᵤ cos(πuh) · cᵥ cos(πvw),

    the discrete cosine transform (DCT-II, orthonormal) divided by sqrt(HW): a_00 is the mean, the
    sum of all other squares the variance, and the same picture of twice the size has the same
    low frequencies. An axis of n pixels has n frequencies; those it lacks are 0.

    Parameters
    ----------
    images : (N, H, W, C) uint8

    Returns
    -------
    frequencies : (N, 14, 14) float32, in grey levels; the first index is the vertical one

    Cost: 28·N·W·(C·H + 14) flops.
    """
    _check(images)
    count, height, width, channels = images.shape
    weights = [0.299, 0.587, 0.114] if channels == 3 else [1 / channels] * channels
    down, across = _cosines(height), _cosines(width)
    # (W·C, 14): one matrix product takes colours to brightness and columns to frequencies.
    columns = np.einsum("vw,c->wcv", across, weights).reshape(-1, FREQUENCIES).astype(np.float32)
    rows = images.reshape(-1, width * channels).astype(np.float32) @ columns
    result: NDArray[np.float32] = down.astype(np.float32) @ rows.reshape(count, height, FREQUENCIES)
    return result


def perceptual_hash(frequencies: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Hash images by the signs of their lowest frequencies.

    Bit 8u + v is 1 where a_uv > 0.01 s, for u, v < 8, and s² the sum of the squares of these
    frequencies; a_00, the mean, stays out, and bit 0 is 0. Light and contrast change no bit. What
    an image lacks (a symmetrical one, every odd v) is 0 but for noise: without the margin its bits
    would be drawn by chance.

    Parameters
    ----------
    frequencies : (N, 14, 14) of `low_frequencies`; times (-1)ᵛ they are those of the mirror image

    Returns
    -------
    hashes : (N,) uint64

    Differs from pHash, which first resizes to 32x32 pixels and compares with the median.
    Source: C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions (2010).

    >>> image = np.array([[200, 0], [100, 0]], np.uint8)[None, :, :, None]
    >>> frequencies = low_frequencies(image)
    >>> frequencies[0, :2, :2].tolist()
    [[75.0, 75.0], [25.0, 25.0]]
    >>> perceptual_hash(frequencies) == 2**1 + 2**8 + 2**9
    array([ True])
    """
    low = frequencies[:, :HASHED, :HASHED].reshape(-1, HASHED**2)
    low = np.where(np.arange(HASHED**2) == 0, 0, low)
    size = np.sqrt(np.square(low).sum(axis=1, keepdims=True))
    powers = np.uint64(1) << np.arange(HASHED**2, dtype=np.uint64)
    hashes: NDArray[np.uint64] = (low > 0.01 * size) @ powers
    return hashes


def _cosines(pixels: int) -> NDArray[np.float64]:
    """The averaging cosines cᵤ cos(πuh) / n at the n pixels of an axis: (14, n)."""
    u, h = np.arange(FREQUENCIES)[:, None], (np.arange(pixels) + 0.5) / pixels
    scale = np.where(u == 0, 1, np.sqrt(2)) / pixels * (u < pixels)
    return np.asarray(scale * np.cos(np.pi * u * h))


def _close(
    hashes: NDArray[np.uint64], table: NDArray[np.uint64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Find i < j with hashes[i] and table[j] at most 7 bits apart, some pairs repeatedly.

    Each hash is cut into 4 bands of 16 bits. Were two hashes 2 bits or more apart in every band,
    they would be 8 apart: within a distance of 7 some band agrees but for 1 bit. So j is looked
    for under the 17 values of that band which are i's but for 1 bit, in a list of `table` sorted
    by the band: N·17·4 look-ups, and the distance of what they find, instead of N² distances.

    Source: M. Norouzi, A. Punjani, D. Fleet, Fast Search in Hamming Space with Multi-Index Hashing,
    CVPR 2012.
    """
    flips = [0] + [1 << bit for bit in range(16)]
    bands = (values.view(np.uint16).reshape(-1, 4).T for values in (hashes, table))
    for wanted, keys in zip(*bands, strict=True):
        order = np.argsort(keys, kind="stable")
        bounds = np.searchsorted(keys[order], np.arange((1 << 16) + 1))
        for flip in flips:
            start, stop = bounds[:-1][wanted ^ flip], bounds[1:][wanted ^ flip]
            total = np.cumsum(stop - start)
            steps = np.arange(0, (stop - start).sum(), PAIRS)
            for low, high in pairwise([*np.searchsorted(total, steps), len(total)]):
                lengths = (stop - start)[low:high]
                i = np.repeat(np.arange(low, high), lengths)
                ends = np.cumsum(lengths)
                j = order[np.arange(len(i)) + np.repeat(stop[low:high] - ends, lengths)]
                near = (i < j) & (np.bitwise_count(hashes[i] ^ table[j]) <= DISTANCE)
                if near.any():
                    yield i[near], j[near]


def _correlation(
    frequencies: NDArray[np.float32],
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    mirrored: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Σ a b of each pair: the columns of even v, plus those of odd v, or minus if b is mirrored."""
    result = np.empty(len(i), np.float32)
    for start in range(0, len(i), PIECE):
        part = slice(start, start + PIECE)
        products = frequencies[i[part]] * frequencies[j[part]]
        even, odd = products[:, :, ::2].sum(axis=(1, 2)), products[:, :, 1::2].sum(axis=(1, 2))
        result[part] = even + np.where(mirrored[part], -odd, odd)
    return result


def _united(
    groups: NDArray[np.int64], i: NDArray[np.int64], j: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Join the groups of i and of j; a group is called by its first member."""
    from scipy.sparse import coo_array  # 0.2 s to import, so only where used
    from scipy.sparse.csgraph import connected_components

    count = len(groups)
    starts, ends = np.concatenate([np.arange(count), i]), np.concatenate([groups, j])
    graph = coo_array((np.ones(len(starts)), (starts, ends)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    _, first = np.unique(labels, return_index=True)
    joined: NDArray[np.int64] = first[labels]
    return joined


def _check(images: NDArray[Any]) -> None:
    if images.ndim != 4 or images.dtype != np.uint8 or 0 in images.shape[1:]:
        found = f"images of shape {images.shape} and dtype {images.dtype}"
        raise ValueError(f"found {found}; expected (N, H, W, C) and uint8")
