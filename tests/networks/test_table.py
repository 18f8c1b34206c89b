"""Networks and models as a notebook shows them: what is in the table, and that it is only text."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest

from handgrad.datasets import Preparation
from handgrad.layers import BatchNorm, Dense, Flatten, ReLU
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Model, Network
from handgrad.networks.table import SHOWN


class Seen(HTMLParser):
    """What a browser makes of HTML: the cells of each row, all words, and what else there is."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.words = ""
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []  # every tag was closed

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.names |= {name for name, _ in attributes}
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.fixture
def network() -> Network:
    layers = (Flatten(), Dense(6), BatchNorm(), ReLU(), Dense(3))
    return Network(layers, (2, 4, 1), dtype=np.float64)


def model(network, names=("a", "b", "c"), **more) -> Model:
    return Model(network, Preparation(2, 4, 1), names, SoftmaxCrossEntropy(), **more)


def test_a_network_layer_by_layer(network):
    """8·6 + 6 = 54, 2·6 = 12 and 6·3 + 3 = 21 are learned; 2·6 running averages are gathered."""
    assert Seen(network._repr_html_()).rows == [
        ["layer", "in", "out", "learned"],
        ["flatten", "2x4x1", "8", "0"],
        ["dense 6", "8", "6", "54"],
        ["batch-norm", "6", "6", "12"],
        ["relu", "6", "6", "0"],
        ["dense 3", "6", "3", "21"],
        ["in all, float64; 12 are gathered besides", "", "", "87"],
    ]
    assert repr(network).endswith("→ dense 3; 99 numbers, float64)")
    plain = Network((Dense(6),), (8,))
    assert Seen(plain._repr_html_()).rows[-1] == ["in all, float32", "", "", "54"]


def test_a_model_says_what_it_is(network):
    rows = Seen(model(network)._repr_html_()).rows
    assert rows[:2] == [["3 classes", "a, b, c"], ["images", "2x4, grey, bilinear, 0..1"]]
    assert rows[2:] == Seen(network._repr_html_()).rows
    about = {"test": {"accuracy": 0.875, "n": 40}}
    rows = Seen(model(network, about=about, views="mirror")._repr_html_()).rows
    assert rows[2:4] == [
        ["views", "mirror; their mean is the answer"],
        ["test", "87.50 % of 40 images"],
    ]
    prepared = Preparation(
        2, 2, 3, "nearest", True, "none", (0.1,) * 3, (0.2,) * 3, transposed=True
    )
    other = Network((Flatten(), Dense(3)), (2, 2, 3))
    html = Model(other, prepared, ("a", "b", "c"), SoftmaxCrossEntropy())._repr_html_()
    expected = "2x2, colour, nearest, JPEG draft, 0..255, normalized, column by column"
    assert Seen(html).rows[1] == ["images", expected]


def test_many_classes_are_not_all_listed():
    names = tuple(f"class {i}" for i in range(SHOWN + 2000))
    network = Network((Flatten(), Dense(len(names))), (2, 4, 1))
    words = Seen(model(network, names)._repr_html_()).words
    assert f"class {SHOWN - 1} and 2,000 more" in words
    assert f"class {SHOWN}" not in words


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)' &amp; </td></table> \udcff",
)


def test_names_are_text_and_nothing_else(network):
    """Whatever a class is called, or a stranger's model file says: no tag and no attribute more."""
    about = {"test": {"accuracy": 0.5, "n": HOSTILE[0]}}
    plain = Seen(model(network, about={"test": {"accuracy": 0.5, "n": 9}})._repr_html_())
    html = model(network, HOSTILE, about=about)._repr_html_()
    found = Seen(html)
    assert (found.tags, found.names) == (plain.tags, plain.names)
    assert found.rows[0][1] == ", ".join(HOSTILE).replace("\udcff", "\\udcff")
    html.encode()  # a kernel sends it
    for wrong in (None, [], {"accuracy": HOSTILE[0]}, {}):
        assert "test" not in Seen(model(network, about={"test": wrong})._repr_html_()).words


def test_it_asks_nobody_for_anything_and_brings_no_colours(network):
    html = model(network)._repr_html_()
    for word in ("http", "url(", "color:", "background", "<link", "<style", "<script"):
        assert word not in html
