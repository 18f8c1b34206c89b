"""Sizes of outputs, by counting and beside PyTorch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from handgrad.calculus.windows import output_size, places, same_padding

SETTINGS = list(itertools.product(range(1, 9), range(1, 5), range(1, 4), range(1, 3)))


@pytest.mark.parametrize("padding", [(0, 0), (2, 1)])
def test_output_size_counts_where_a_window_fits(padding):
    for size, window, stride, dilation in SETTINGS:
        wide = size + sum(padding)
        last = [start + dilation * (window - 1) for start in range(0, wide, stride)]
        expected = sum(place < wide for place in last)
        assert output_size(size, window, stride, padding, dilation) == expected


def test_same_padding_keeps_the_size_with_stride_1_and_divides_it_otherwise():
    for size, window, stride, dilation in SETTINGS:
        before, after = same_padding(size, window, stride, dilation)
        assert after - before in (0, 1)
        found = output_size(size, window, stride, (before, after), dilation)
        assert found == -(-size // stride)
        if before + after:  # and not one zero more than that takes
            assert output_size(size, window, stride, (before, after - 1), dilation) < found


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # with even kernels, it says, a copy
def test_same_padding_is_that_of_pytorch(torch):
    for size, window, dilation in itertools.product(range(1, 9), range(1, 5), range(1, 3)):
        weights = np.random.default_rng(size).normal(size=(1, 1, 1, window))
        x = np.random.default_rng(window).normal(size=(1, 1, 1, size))
        conv = torch.nn.functional.conv2d
        expected = conv(
            torch.tensor(x), torch.tensor(weights), padding="same", dilation=(1, dilation)
        )
        padded = np.pad(x, ((0, 0), (0, 0), (0, 0), same_padding(size, window, 1, dilation)))
        found = conv(torch.tensor(padded), torch.tensor(weights), dilation=(1, dilation))
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_places_are_views_row_by_row():
    x = np.arange(20.0).reshape(1, 4, 5, 1)
    seen = places(x, (2, 2), 2)
    assert [view[0, :, :, 0].tolist() for view in seen] == [
        [[0, 2], [10, 12]],
        [[1, 3], [11, 13]],
        [[5, 7], [15, 17]],
        [[6, 8], [16, 18]],
    ]
    assert all(np.shares_memory(view, x) for view in seen)
