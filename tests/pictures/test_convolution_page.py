"""``docs/book/convolution.md``: what its cells compute is so, and the numbers in its picture are.

The cells are read from the page and run in their order, as the book does.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from matplotlib.text import Text

PAGE = Path(__file__).parents[2] / "docs" / "book" / "convolution.md"
CELL = re.compile(
    r"(?:^\((?P<label>[\w-]+)\)=\n)?^```\{code-cell\} python\n(?P<code>.*?)^```$", re.M | re.S
)


@pytest.fixture(scope="module")
def page():
    """The names that the cells leave, what each shows by its last line, and what is printed."""
    names, shown, said = {}, [], io.StringIO()
    with contextlib.chdir(PAGE.parent), contextlib.redirect_stdout(said):
        for cell in CELL.finditer(PAGE.read_text(encoding="utf-8")):
            code = re.sub(r"\A(---\n.*?^---\n|(:[^\n]*\n)+)", "", cell["code"], flags=re.M | re.S)
            body = ast.parse(code).body
            last = body.pop() if isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), str(PAGE), "exec"), names)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), str(PAGE), "eval"), names)
                shown.append((cell["label"], value))
    return SimpleNamespace(**(names | {"shown": shown, "said": said.getvalue()}))


@pytest.fixture(scope="module")
def picture(page):
    """The one of the patches."""
    return dict(page.shown)["fig-patches"]


def test_the_patches_and_sums_of_the_example_by_hand(page):
    """The blue patch, (0, 0), and the orange one, (1, 2): place by place, channel 0 before 1."""
    blue = [0, 1, 1, 0, 2, 0, 1, 0, 3, 2, 2, 1, 2, 3, 1, 1, 0, 0]
    orange = [2, 1, 0, 0, 1, 3, 0, 0, 1, 1, 3, 0, 1, 2, 3, 1, 0, 1]
    np.testing.assert_array_equal(page.rows[[0, 5]], [blue, orange])
    # filter 0: right less left column of channel 0, and the middle of channel 1
    # blue (2 + 2 + 0) - (0 + 1 + 2) + 2 = 3      orange (1 + 3 + 0) - (2 + 0 + 1) + 1 = 2
    # filter 1: lower less upper row of channel 1
    # blue (3 + 1 + 0) - (1 + 0 + 0) = 3          orange (2 + 1 + 1) - (1 + 0 + 3) = 0
    np.testing.assert_array_equal(page.product[0, [0, 1], [0, 2]], [[3, 3], [2, 0]])


def test_the_example_beside_pytorch(torch, page):
    x = torch.tensor(np.array(page.CHANNELS, dtype=float))[None]
    W = torch.tensor(page.W.transpose(3, 2, 0, 1).copy())
    y = torch.nn.functional.conv2d(x, W)
    np.testing.assert_array_equal(page.product[0], y[0].permute(1, 2, 0).numpy())
    columns = torch.nn.functional.unfold(x, 3)[0].T.reshape(9, 2, 9)  # its order is c, i, j
    np.testing.assert_array_equal(page.rows.reshape(9, 9, 2), columns.permute(0, 2, 1).numpy())
    kernel = W.permute(2, 3, 1, 0).reshape(18, 2)
    np.testing.assert_array_equal(page.columns, kernel.numpy())


def test_what_the_page_says_is_equal_is_equal(page):
    """Convolution is the product, both ways; and the way back is a convolution."""
    said = [value for _, value in page.shown if isinstance(value, (bool, tuple))]
    (one, other, transposed) = said.pop(1)
    assert one == other != 0
    assert transposed is True
    assert said == [True, (True, True), True]


def test_the_adjoint_of_the_small_example_by_hand(page):
    """Pixel 4, in the middle of 3x3, is seen by all four patches of 2x2: at places 3, 2, 1, 0."""
    assert page.A.sum(axis=1).tolist() == [1] * 16
    assert np.flatnonzero(page.A[:, 4]).tolist() == [0 + 3, 4 + 2, 8 + 1, 12 + 0]
    once, twice, thrice = [1, 2, 3, 2, 1], [2, 4, 6, 4, 2], [3, 6, 9, 6, 3]
    assert page.seen.tolist() == [once, twice, thrice, twice, once]


def test_the_tied_windows_by_hand(page):
    """7 7 1 over 7 2 7: a gradient of 1 to the left window's first 7, of 10 to the right one's."""
    assert page.gradient[0, :, :, 0].tolist() == [[1, 10, 0], [0, 0, 0]]


def test_the_sizes_that_are_shown(page):
    (sizes,) = (value for _, value in page.shown if isinstance(value, dict))
    assert list(sizes.values()) == [(30, (1, 1)), (31, (0, 1)), (15, (0, 1))]


def test_the_jacobian_and_the_sums_of_the_normalization(page):
    farthest = float(re.search(r"farthest from the differences: (\S+)", page.said)[1])
    assert farthest < 1e-8
    assert abs(page.back.sum()) < 1e-9
    assert abs(np.sum(page.back * page.normalized)) < 1e-6
    assert abs(page.upstream.sum()) > 100


def test_shortcuts_carry_what_else_is_lost(page):
    assert page.plain < 1e-10
    assert page.shortcut > 1


def test_whitened_patches_have_the_covariance_that_is_derived(page):
    np.testing.assert_allclose(page.after, page.expected, atol=1e-12)
    assert page.S[0, 1] > 0.3  # and had not been so before


def test_the_identity_passes_and_chance_does_not(page):
    dirac, he = (
        float(found) for found in re.findall(r"correlation with the input +(\S+)", page.said)
    )
    assert dirac == 1
    assert abs(he) < 0.1


def test_the_cost_is_counted_as_by_hand(page):
    assert page.by_hand in [row.flops for row in page.table]
    assert page.convolutions / page.total > 0.99


def test_the_picture_is_legible_and_complete(page, picture, texts_apart):
    texts_apart(picture)
    numbers = [t.get_text() for t in picture.findobj(Text) if re.fullmatch(r"−?\d", t.get_text())]
    # image, patches, kernel twice, output twice, and two heads of filters
    assert len(numbers) == 50 + 162 + 2 * 36 + 2 * 18 + 4
    colours = {text.get_color() for text in picture.findobj(Text)}
    assert {colour for colour, _ in page.MARKED.values()} <= colours
    sums = [t.get_text() for t in picture.findobj(Text) if t.get_text().startswith("row (")]
    assert sums == [
        "row (0, 0) · column 0  =  − 0 + 2 − 1 + 2 + 2 − 2 + 0  =  3",
        "row (1, 2) · column 0  =  − 2 + 1 − 0 + 1 + 3 − 1 + 0  =  2",
    ]


def test_the_marks_are_around_the_same_patch_everywhere(page, picture):
    """In each channel, as a row, in both columns of the output, and in either map."""
    numbers = [t for t in picture.findobj(Text) if re.fullmatch(r"−?\d", t.get_text())]
    frames = [r for r in picture.findobj(Rectangle) if not r.get_fill() and r.get_linewidth() > 2]
    x, y = np.moveaxis(np.array(page.CHANNELS), 0, -1), page.product[0]
    for (h, w), (colour, _) in page.MARKED.items():
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
        wanted = [
            *(patch[..., c].ravel().tolist() for c in range(2)),
            patch.ravel().tolist(),
            y[h, w].tolist(),
            *([value] for value in y[h, w]),
        ]
        assert sorted(found) == sorted(wanted)


def test_every_picture_says_what_is_seen():
    cells = [cell for cell in CELL.finditer(PAGE.read_text(encoding="utf-8")) if cell["label"]]
    assert len(cells) == 9
    for cell in cells:
        assert re.search(r"^    alt: \w.{30,}\.$", cell["code"], re.M), cell["label"]


@pytest.mark.parametrize("label", ["fig-windows", "fig-norms", "fig-bilinear", "fig-whitening"])
def test_the_other_drawings_are_legible(page, texts_apart, label):
    texts_apart(dict(page.shown)[label])
