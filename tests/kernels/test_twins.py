"""Each twin has its original's name and signature, and its values, wherever it is called."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from handgrad import calculus, kernels
from handgrad.calculus.windows import NO_PADDING, output_size

TWINS = ("convolve", "convolve_backward", "gelu", "gelu_backward")
SAME = ((1, 1), (1, 1))


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_has_the_signature_of_its_original(name):
    twin, original = getattr(kernels, name), getattr(calculus, name)
    assert inspect.signature(twin) == inspect.signature(original)


def test_every_function_with_a_calculus_name_is_held_to_it():
    shared = {name for name in kernels.__all__ if name in calculus.__all__}
    assert shared == set(TWINS)


def agree(found, expected, precision):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    scale = np.abs(expected).max(initial=1e-30)
    assert np.abs(found - expected).max(initial=0) <= precision * scale


CONVOLUTIONS = {
    # N, H, W, C, O, kernel, stride, padding, dilation
    "whole tiles, same": (2, 8, 8, 8, 5, (3, 3), 1, SAME, 1),
    "whole tiles, valid": (2, 10, 6, 9, 4, (3, 3), 1, NO_PADDING, 1),
    "7x9, same": (3, 7, 9, 16, 8, (3, 3), 1, SAME, 1),
    "5x13, valid": (3, 5, 13, 8, 11, (3, 3), 1, NO_PADDING, 1),
    "one tile, not filled": (2, 3, 3, 8, 8, (3, 3), 1, SAME, 1),
    "lopsided padding": (2, 8, 15, 12, 8, (3, 3), 1, ((2, 0), (1, 3)), 1),
    "more padding than the kernel reaches": (1, 6, 6, 8, 3, (3, 3), 1, ((4, 3), (3, 5)), 1),
    "several strips": (20, 16, 16, 16, 16, (3, 3), 1, SAME, 1),
    "strips, the last not filled": (30, 15, 14, 8, 8, (3, 3), 1, SAME, 1),
    "no samples": (0, 8, 8, 8, 5, (3, 3), 1, SAME, 1),
    "few channels": (2, 8, 8, 7, 8, (3, 3), 1, SAME, 1),
    "too small": (2, 2, 2, 8, 8, (3, 3), 1, SAME, 1),
    "2x2 kernel": (2, 8, 8, 8, 8, (2, 2), 1, NO_PADDING, 1),
    "5x5 kernel": (2, 8, 8, 8, 8, (5, 5), 1, ((2, 2), (2, 2)), 1),
    "3x1 kernel": (2, 8, 8, 8, 8, (3, 1), 1, NO_PADDING, 1),
    "stride 2": (2, 9, 9, 8, 8, (3, 3), 2, SAME, 1),
    "dilation 2": (2, 9, 9, 8, 8, (3, 3), 1, ((2, 2), (2, 2)), 2),
}


def made(case, dtype, seed=0):
    N, H, W, C, O, kernel, stride, padding, dilation = case
    draw = np.random.default_rng(seed).standard_normal
    height, width = (
        output_size(size, k, stride, pad, dilation)
        for size, k, pad in zip((H, W), kernel, padding, strict=True)
    )
    shapes = (N, H, W, C), (*kernel, C, O), (O,), (N, height, width, O)
    x, w, b, dy = (draw(shape).astype(dtype) for shape in shapes)
    return x, w, b, dy, (stride, padding, dilation)


@pytest.mark.parametrize(("dtype", "precision"), [(np.float64, 1e-13), (np.float32, 1e-5)])
@pytest.mark.parametrize("case", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_a_convolution_by_tiles_is_that_of_the_definition(case, dtype, precision):
    x, w, b, dy, settings = made(case, dtype)
    agree(kernels.convolve(x, w, b, *settings), calculus.convolve(x, w, b, *settings), precision)
    expected, found = ([np.full_like(w, np.nan), np.full_like(b, np.nan)] for _ in range(2))
    expected.append(calculus.convolve_backward(dy, x, w, *expected, *settings))
    found.append(kernels.convolve_backward(dy, x, w, *found, *settings))
    for ours, true in zip(found, expected, strict=True):
        agree(ours, true, precision)


def test_a_convolution_without_offset_and_with_unwanted_gradients():
    x, w, _, dy, settings = made(CONVOLUTIONS["7x9, same"], np.float64)
    expected = calculus.convolve(x, w, None, *settings)
    agree(kernels.convolve(x, w, None, *settings), expected, 1e-13)
    dw, db = np.empty_like(w), np.empty(w.shape[3])
    dx = calculus.convolve_backward(dy, x, w, dw, db, *settings)
    agree(kernels.convolve_backward(dy, x, w, None, None, *settings), dx, 1e-13)
    only = np.empty_like(w)
    kernels.convolve_backward(dy, x, w, only, None, *settings)
    agree(only, dw, 1e-13)


def test_it_reads_arrays_however_they_lie():
    x, w, b, dy, settings = made(CONVOLUTIONS["7x9, same"], np.float64)
    wide, backwards = np.repeat(x, 2, axis=2)[:, :, ::2], np.asfortranarray(dy)
    dw, db, dw2, db2 = np.empty_like(w), np.empty_like(b), np.empty_like(w), np.empty_like(b)
    agree(kernels.convolve(wide, w, b, *settings), calculus.convolve(x, w, b, *settings), 1e-13)
    expected = calculus.convolve_backward(dy, x, w, dw, db, *settings)
    agree(kernels.convolve_backward(backwards, wide, w, dw2, db2, *settings), expected, 1e-13)
    agree(dw2, dw, 1e-13)


def test_it_does_not_write_into_what_it_is_given():
    x, w, b, dy, settings = made(CONVOLUTIONS["whole tiles, same"], np.float64)
    for array in (x, w, b, dy):
        array.flags.writeable = False
    kernels.convolve(x, w, b, *settings)
    kernels.convolve_backward(dy, x, w, None, None, *settings)


@pytest.mark.parametrize(
    ("name", "size", "channels"), [("a", 32, 32), ("b", 16, 64), ("c", 8, 128)]
)
def test_in_float32_the_error_is_of_the_order_of_rounding(name, size, channels):
    """Against float64, relative to the norm: the direct sum has 3e-7 here."""
    x, w, _, dy, settings = made(
        (4, size, size, channels, channels, (3, 3), 1, SAME, 1), np.float32
    )
    wide = [a.astype(np.float64) for a in (x, w, dy)]
    dw, exact = np.empty_like(w), np.empty(w.shape)
    pairs = [
        (kernels.convolve(x, w, None, *settings), calculus.convolve(*wide[:2], None, *settings)),
        (
            kernels.convolve_backward(dy, x, w, dw, None, *settings),
            calculus.convolve_backward(wide[2], *wide[:2], exact, None, *settings),
        ),
        (dw, exact),
    ]
    for found, true in pairs:
        assert np.linalg.norm(found - true) < 4e-6 * np.linalg.norm(true)


@pytest.mark.parametrize("shape", [(100_001,), (3, 5, 7), (70, 40, 30), (0, 4), ()])
def test_gelu_is_that_of_the_definition(shape):
    z = np.linspace(-13, 13, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    da = np.cos(z)
    exact = z.astype(np.float64)
    for found, true in (
        (kernels.gelu(z), calculus.gelu(exact)),
        (kernels.gelu_backward(da, z), calculus.gelu_backward(np.cos(exact), exact)),
    ):
        assert found.dtype == np.float32
        assert found.shape == z.shape
        assert np.abs(found - true).max(initial=0) < 1e-6


def test_in_float64_gelu_is_the_definition_itself():
    z = np.linspace(-5, 5, 11)
    np.testing.assert_array_equal(kernels.gelu(z), calculus.gelu(z))
    np.testing.assert_array_equal(kernels.gelu_backward(z, z), calculus.gelu_backward(z, z))
