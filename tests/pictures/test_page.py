"""The page: whole, alone, and readable by everybody."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from handgrad.pictures import confusion, cost_curve
from handgrad.pictures.page import Panel, Rows, Section, Slider, Strip, Strips, page, svg

SVG = "{http://www.w3.org/2000/svg}"


class Reader(HTMLParser):
    """What a page holds, by tag."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input", "path", "use", "image", "rect", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def curve(alt="The loss falls from 2 to 1."):
    figure = cost_curve([0, 1], [2.0, 1.0])
    figure.alt, figure.numbers = alt, [["step", "loss"], ["0", "2"], ["1", "1"]]
    return figure


def frame(value):
    data = io.BytesIO()
    Image.new("L", (4, 4), value).save(data, "png")
    return data.getvalue()


@pytest.fixture(scope="module")
def whole():
    matrix = confusion(np.array([[5, 1], [0, 6]]), ["a<b", "c&d"])
    film = Slider(
        "film", "Film", [(frame(0), "step 0"), (frame(255), "step </script>9")], "it goes"
    )
    return page(
        "<lines>",
        ["11 of 12 are right & one is not."],
        [("test", "91.7 %")],
        [
            Section("How it went", [Panel("cost", "Cost", curve(), "Lower is better.")]),
            Section("Nothing", []),
            Section("Where it is wrong?", [Panel("confusion", "Confusion", matrix), film]),
        ],
        "handgrad report runs/a",
    )


def test_what_is_given_stands_there_as_text(whole):
    found = Reader(whole)
    words = "".join(found.words)
    for word in ("<lines>", "11 of 12 are right & one is not.", "91.7 %", "Lower is better."):
        assert word in words
    assert "handgrad report runs/a" in words
    assert "handgrad picture cost" in words
    assert not {"lines", "b"} & {tag for tag, _ in found.tags}
    assert found.open == []


def test_the_contents_lead_to_every_section_that_has_panels(whole):
    found = Reader(whole)
    ids = {attrs.get("id") for attrs in found.all("section")}
    assert ids == {"how-it-went", "where-it-is-wrong"}
    assert [a["href"] for a in found.all("a")] == ["#how-it-went", "#where-it-is-wrong"]


def test_every_figure_says_what_is_seen(whole):
    found = Reader(whole)
    assert found.all("svg")[0]["aria-label"] == "The loss falls from 2 to 1."
    assert [attrs["alt"] for attrs in found.all("img")] == ["it goes"]


def test_the_numbers_can_be_opened(whole):
    table = whole[whole.index("<table>") : whole.index("</table>")]
    assert re.findall(r"<t[hd](?: [^>]*)?>([^<]*)<", table) == ["step", "loss", "0", "2", "1", "1"]


def test_nothing_is_asked_from_elsewhere(whole):
    """Names of XML's languages look like addresses, and are none."""
    bare = re.sub(r'xmlns(:\w+)?="[^"]*"', "", whole)
    assert not re.search(r"https?:|//\w+\.\w|@import|url\((?!#)", bare)
    found = Reader(whole)
    assert "default-src 'none'" in str(found.all("meta"))
    for tag, attrs in found.tags:
        for key in ("src", "href", "xlink:href"):
            value = attrs.get(key) or "#"
            assert value.startswith(("#", "data:")), (tag, value[:40])


def test_no_two_parts_have_one_id(whole):
    found = Reader(whole)
    ids = [attrs["id"] for _, attrs in found.tags if attrs.get("id")]
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="|url\()#([\w-]+)', whole)
    assert set(used) <= set(ids)


def test_a_figure_takes_the_ink_of_the_page():
    drawn = svg(curve('a "b" <c>'), "cost")
    root = ElementTree.fromstring(drawn)
    assert root.get("aria-label") == 'a "b" <c>'
    texts = {"".join(text.itertext()).strip() for text in root.iter(f"{SVG}text")}
    assert {"loss", "step", "1.0", "2.0"} <= texts
    assert "#000000" not in drawn
    assert "currentColor" in drawn
    assert "var(--grid)" in drawn
    # Nothing lies behind the axes: the first patch, as large as the figure, has no fill.
    first = next(path for path in root.iter(f"{SVG}path"))
    assert "fill: none" in first.get("style")


def test_a_wide_figure_takes_the_whole_width():
    wide, narrow = curve(), curve()
    wide.set_size_inches(9, 3)
    text = page("t", [], [], [Section("s", [Panel("a", "A", wide), Panel("b", "B", narrow)])])
    figures = Reader(text).all("figure")
    assert [attrs.get("class") for attrs in figures] == ["wide", None]


def test_an_image_of_few_colours_takes_a_byte_a_pixel(monkeypatch):
    """41 colours: the same pixels in fewer bytes; of thousands of colours nothing is changed."""
    generator = np.random.default_rng(0)
    for colours, lighter in ((41, True), (60_000, False)):
        figure = curve()
        values = generator.integers(colours, size=(200, 200))
        rgb = np.stack([values // 256, values % 256, values % 41], axis=-1) / 255
        figure.axes[0].imshow(rgb, extent=(0, 1, 1, 2), interpolation="none")
        found = svg(figure, "a")
        with monkeypatch.context() as patch:
            patch.setattr(sys.modules[svg.__module__], "_lighter", lambda png: png)
            plain = svg(figure, "a")
        assert (len(found) < 0.8 * len(plain)) == lighter
        pixels = []
        for text in (found, plain):
            (png,) = re.findall(r"data:image/png;base64,([\w+/=\s]+)", text)
            with Image.open(io.BytesIO(base64.b64decode(png))) as image:
                pixels.append(image.convert("RGBA").tobytes())
        assert pixels[0] == pixels[1]


def test_the_slider_has_every_frame_and_shows_the_last(whole):
    listed = re.search(r'<script type="application/json">(.*?)</script>', whole, re.S)
    frames = json.loads(listed[1])
    assert [each["words"] for each in frames] == ["step 0", "step </script>9"]
    (image,) = Reader(whole).all("img")
    assert image["src"] == frames[-1]["src"]
    assert image["src"].startswith("data:image/png;base64,")


def test_rows_stand_open_and_strips_show_small_images():
    small = frame(7)
    jpeg = io.BytesIO()
    Image.new("L", (4, 4)).save(jpeg, "jpeg")
    strip = Strip(
        "two <i> & two", [(small, (40, 30), "a<b.png"), (jpeg.getvalue(), (9, 8), "c")], "3 <"
    )
    panels = [
        Rows("r", "Rows", [["file", "found"], ["<x>.jpg", "nothing"]], "a note"),
        Strips("s", "Strips", [strip]),
        Panel("p", "Panel", curve(), alone=False),
    ]
    text = page("t", [], [], [Section("all", panels)])
    found = Reader(text)
    assert found.open == []
    words = "".join(found.words)
    for word in ("<x>.jpg", "a note", "two <i> & two", "a<b.png", "3 <"):
        assert word in words
    assert "handgrad picture" not in words
    images = found.all("img")
    assert [(i["alt"], i["style"]) for i in images] == [
        ("a<b.png", "width: 40px; height: 30px"),
        ("c", "width: 9px; height: 8px"),
    ]
    assert images[0]["src"] == "data:image/png;base64," + base64.b64encode(small).decode()
    assert images[1]["src"].startswith("data:image/jpeg;base64,/9j/")
    assert [f.get("class") for f in found.all("figure")][:2] == ["wide", "wide"]


def test_the_same_page_for_the_same_figures():
    made = [page("t", [], [], [Section("s", [Panel("a", "A", curve())])]) for _ in range(2)]
    assert made[0] == made[1]


@pytest.fixture
def browser():
    for name in ("chromium-headless-shell", "chromium", "google-chrome"):
        if found := shutil.which(name):
            return [found, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    pytest.skip("no Chromium on the path")


def test_a_browser_shows_it_and_asks_nobody(whole, browser, tmp_path):
    """Its own log of the network knows no address but that of the file; scripts have run."""
    path, log = tmp_path / "a page.html", tmp_path / "net.json"
    path.write_text(whole, encoding="utf-8")
    command = [*browser, f"--user-data-dir={tmp_path}", f"--log-net-log={log}", "--dump-dom"]
    done = subprocess.run(
        [*command, path.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    assert not re.search(r"<label hidden", done.stdout)  # the slider was uncovered by the script
    assert "91.7" in done.stdout
    asked = set(re.findall(r'"url":"(https?://[^"]*)"', log.read_text(encoding="utf-8")))
    own = {url for url in asked if re.search(r"google|gstatic|gvt1", url)}  # the browser's own
    assert asked - own == set()
