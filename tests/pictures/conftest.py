from collections.abc import Callable
from itertools import combinations

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text


def _texts_apart(figure: Figure) -> None:
    """Every text that is seen lies inside the figure and on no other text."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    beyond = set()  # ticks outside the axes exist but are not drawn
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    beyond |= {tick.label1, tick.label2}
    texts = set(figure.findobj(Text)) - beyond
    seen = [text for text in texts if text.get_visible() and text.get_text()]
    assert seen
    boxes = []
    for text in seen:
        if text.get_rotation() in (0, 90):  # a slanted text's box is mostly empty
            boxes.append((text.get_text(), text.get_window_extent(renderer)))
    width, height = figure.canvas.get_width_height()
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= width, text
        assert box.y1 <= height, text
    for (a, box), (b, other) in combinations(boxes, 2):
        across = min(box.x1, other.x1) - max(box.x0, other.x0)
        along = min(box.y1, other.y1) - max(box.y0, other.y0)
        assert across <= 0.5 or along <= 0.5, f"{a!r} is drawn on {b!r}"


@pytest.fixture
def texts_apart() -> Callable[[Figure], None]:
    return _texts_apart
