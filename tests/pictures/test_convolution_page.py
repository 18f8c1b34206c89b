"""``docs/convolution.md``: what it prints is so, and so are the numbers in its picture."""

from __future__ import annotations

import doctest
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def example():
    """The program that draws the picture."""
    specification = importlib.util.spec_from_file_location("patches_page", DOCS / "patches.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def figure(example):
    return example.drawn()


def test_what_the_page_prints():
    failed, tried = doctest.testfile(
        str(DOCS / "convolution.md"), module_relative=False, encoding="utf-8"
    )
    assert (failed, tried > 15) == (0, True)


def test_the_patches_and_sums_of_the_example_by_hand(example):
    """The blue patch, (0, 0), and the orange one, (1, 2): place by place, channel 0 before 1."""
    blue = [0, 1, 1, 0, 2, 0, 1, 0, 3, 2, 2, 1, 2, 3, 1, 1, 0, 0]
    orange = [2, 1, 0, 0, 1, 3, 0, 0, 1, 1, 3, 0, 1, 2, 3, 1, 0, 1]
    np.testing.assert_array_equal(example.PATCHES[[0, 5]], [blue, orange])
    # filter 0: right less left column of channel 0, and the middle of channel 1
    # blue (2 + 2 + 0) - (0 + 1 + 2) + 2 = 3      orange (1 + 3 + 0) - (2 + 0 + 1) + 1 = 2
    # filter 1: lower less upper row of channel 1
    # blue (3 + 1 + 0) - (1 + 0 + 0) = 3          orange (2 + 1 + 1) - (1 + 0 + 3) = 0
    np.testing.assert_array_equal(example.Y[0, [0, 1], [0, 2]], [[3, 3], [2, 0]])


def test_the_example_beside_pytorch(torch, example):
    x = torch.tensor(np.array(example.CHANNELS, dtype=float))[None]
    W = torch.tensor(np.array(example.FILTERS, dtype=float))
    y = torch.nn.functional.conv2d(x, W)
    np.testing.assert_array_equal(example.Y[0], y[0].permute(1, 2, 0).numpy())
    columns = torch.nn.functional.unfold(x, 3)[0].T.reshape(9, 2, 9)  # its order is c, i, j
    np.testing.assert_array_equal(
        example.PATCHES.reshape(9, 9, 2), columns.permute(0, 2, 1).numpy()
    )
    kernel = W.permute(2, 3, 1, 0).reshape(18, 2)
    np.testing.assert_array_equal(example.KERNEL, kernel.numpy())


def test_the_page_has_the_numbers_of_the_picture(example):
    page = (DOCS / "convolution.md").read_text(encoding="utf-8")
    for channel in example.CHANNELS:
        assert ", ".join(map(str, channel)) in page
    assert "(pictures/patches.png)" in page


def test_the_picture_is_legible_and_complete(example, figure, texts_apart):
    texts_apart(figure)
    numbers = [t.get_text() for t in figure.findobj(Text) if re.fullmatch(r"−?\d", t.get_text())]
    # image, patches, kernel twice, output twice, and two heads of filters
    assert len(numbers) == 50 + 162 + 2 * 36 + 2 * 18 + 4
    colours = {text.get_color() for text in figure.findobj(Text)}
    assert {colour for colour, _ in example.MARKED.values()} <= colours
    sums = [t.get_text() for t in figure.findobj(Text) if t.get_text().startswith("row (")]
    assert sums == [
        "row (0, 0) · column 0  =  − 0 + 2 − 1 + 2 + 2 − 2 + 0  =  3",
        "row (1, 2) · column 0  =  − 2 + 1 − 0 + 1 + 3 − 1 + 0  =  2",
    ]


def test_the_marks_are_around_the_same_patch_everywhere(example, figure):
    """In each channel, as a row, in both columns of the output, and in either map."""
    numbers = [t for t in figure.findobj(Text) if re.fullmatch(r"−?\d", t.get_text())]
    frames = [r for r in figure.findobj(Rectangle) if not r.get_fill() and r.get_linewidth() > 2]
    x, y = example.X[0], example.Y[0]
    for (h, w), (colour, _) in example.MARKED.items():
        found = []
        for frame in frames:
            if to_hex(frame.get_edgecolor()) == colour.lower():
                left, top, wide, high = frame.get_bbox().bounds
                within = [
                    (t.get_position()[1], t.get_position()[0], int(t.get_text().replace("−", "-")))
                    for t in numbers
                    if 0 < t.get_position()[0] - left < wide
                    and 0 < t.get_position()[1] - top < high
                ]
                found.append([number for _, _, number in sorted(within)])
        patch = x[h : h + 3, w : w + 3]
        assert found == [
            *(patch[..., c].ravel().tolist() for c in range(2)),
            patch.ravel().tolist(),
            y[h, w].tolist(),
            *([value] for value in y[h, w]),
        ]


def test_the_picture_that_is_kept_is_the_one_that_is_drawn(example, figure, tmp_path):
    """But for the letters, which another version of matplotlib may draw a little otherwise."""
    example.save(figure, tmp_path / "now.png")
    with Image.open(example.PICTURE) as kept, Image.open(tmp_path / "now.png") as now:
        assert kept.size == now.size
        pixels = [np.asarray(image.convert("L"), dtype=float) for image in (kept, now)]
    assert (np.abs(pixels[0] - pixels[1]) > 64).mean() < 0.01
