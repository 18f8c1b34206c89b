"""What tests of several rooms need: slopes, PyTorch as an oracle, photographs, trained runs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

COLOURS = {"blue é": (40, 40, 200), "green": (40, 200, 40), "red": (200, 40, 40)}
"""Classes in the order of their names, and what their photographs look like."""


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    """PyTorch; without it a test is skipped, by name."""
    return pytest.importorskip("torch")


@pytest.fixture(scope="session")
def check_gradients() -> Callable[..., None]:
    """Holds the gradients of a function of several arrays to its central differences."""

    def check(f, inputs, dy, gradients, seed=0, h=1e-5):
        """For every input u, <dy, f(u + h v) - f(u - h v)> / 2h = <du, v>, in random directions v.

        ``dy`` is the cotangent. A difference of order h² = 1e-10 and rounding of order 1e-16/h
        leave some nine digits; a wrong factor or sign is off by far more than 1e-7.
        """
        generator = np.random.default_rng(seed)
        assert len(inputs) == len(gradients)
        for i, (u, du) in enumerate(zip(inputs, gradients, strict=True)):
            assert du.shape == u.shape
            assert du.dtype == np.float64
            for _ in range(3):
                v = generator.normal(size=u.shape)
                ahead, behind = (
                    f(*inputs[:i], u + sign * h * v, *inputs[i + 1 :]) for sign in (1, -1)
                )
                slope = np.sum(dy * (ahead - behind)) / (2 * h)
                assert np.sum(du * v) == pytest.approx(slope, rel=1e-7, abs=1e-7), f"input {i}"

    return check


@pytest.fixture(scope="session")
def paint() -> Callable[..., None]:
    """Fills a folder with noisy photographs of one colour each, a folder per class."""

    def painted(folder: Path, each: int, names=tuple(COLOURS), seed=0) -> None:
        generator = np.random.default_rng(seed)
        for name in names:
            (folder / name).mkdir(parents=True)
            for i in range(each):
                noise = generator.integers(-20, 21, size=(10, 12, 3))
                pixels = (np.array(COLOURS.get(name, (90, 90, 90))) + noise).astype(np.uint8)
                Image.fromarray(pixels).save(folder / name / f"{i:02}.png")

    return painted


@pytest.fixture(scope="session")
def photographs(tmp_path_factory, paint) -> Path:
    """Ten photographs of each of three colours. Read only."""
    folder = tmp_path_factory.mktemp("data") / "my photographs"
    paint(folder, 10)
    return folder


@pytest.fixture(scope="session")
def lines_run(tmp_path_factory):
    """The experiment `lines`, trained and kept with its pictures. Read only."""
    from handgrad.experiments import train

    return train("lines", out=tmp_path_factory.mktemp("runs") / "lines")


@pytest.fixture(scope="session")
def colours_run(tmp_path_factory, photographs):
    """A model of the three colours, from a few small epochs; right on all of them. Read only."""
    from handgrad.experiments import train

    settings = {"data.size": [16, 18], "training.epochs": 8, "optimizer.learning_rate": 0.01}
    out = tmp_path_factory.mktemp("runs") / "colours"
    return train(photographs, settings, out=out)


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of a short run's time goes into its pictures, which have tests of their own."""
    monkeypatch.setattr("handgrad.experiments.drawn.draw_pictures", lambda *_: None)


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
