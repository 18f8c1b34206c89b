"""The figure that every drawing starts from: its colours, its settings, and how it shows itself.

Imports matplotlib at its top, so the drawing functions import this module when they are called.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from handgrad.pictures.saving import said

__all__ = ["BLUE", "GREEN", "ORANGE", "PALETTE", "Picture", "house_style", "roomy"]

# Okabe and Ito's palette: any two differ for every common kind of colour-blindness. Its yellow is
# left out, being too pale for a line on white.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
PALETTE = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#000000")

_SETTINGS = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same letters on every machine
    "text.parse_math": False,  # class names may hold "$" and "_"
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "svg.hashsalt": "handgrad",  # otherwise every SVG names its parts at random
}


def house_style() -> contextlib.AbstractContextManager[Any]:
    """The settings of every picture, whatever the user's own settings of matplotlib are.

    matplotlib reads some of them when a figure is made and others when it is drawn, so both happen
    inside; afterwards the user's settings are back.
    """
    return matplotlib.style.context(["default", _SETTINGS])


def roomy() -> ConstrainedLayoutEngine:
    """A layout that gives every text the room it needs, with a margin around the figure."""
    return ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)


class Picture(Figure):
    """A matplotlib figure that needs no pyplot: a notebook shows it by itself.

    Parameters
    ----------
    width, height : inches, 100 dots each
    options : what `matplotlib.figure.Figure` takes besides

    Attributes
    ----------
    alt : what is seen, in a sentence or two, for who cannot see it
    numbers : rows of text, the first one the header: what a reader may want to copy; None for none
    """

    def __init__(self, width: float, height: float, **options: Any) -> None:
        super().__init__(figsize=(width, height), dpi=100, **options)
        self.alt = ""
        self.numbers: list[list[str]] | None = None
        FigureCanvasAgg(self)

    def settle(self) -> None:
        """Lay the parts out once for all.

        matplotlib would move them a little at every drawing, and a figure saved twice would differ.
        """
        self.draw_without_rendering()
        self.set_layout_engine("none")

    def _repr_png_(self) -> bytes:
        """Its PNG, which a notebook asks for under this name."""
        png = io.BytesIO()
        with house_style():
            self.savefig(png, format="png", metadata=said(self, ".png"))
        return png.getvalue()
