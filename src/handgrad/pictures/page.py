"""One page with all pictures of a training: a single file that asks nobody for anything."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from handgrad.pictures.figure import Picture

__all__ = ["Panel", "Rows", "Section", "Slider", "Strip", "Strips", "page", "svg"]

_INK = {
    "#000000": "currentColor",
    "#e3e3e3": "var(--grid)",  # the grid of the house style
    "#555555": "var(--faint)",
    "#6e6e6e": "var(--faint)",
}
"""Ink that is meant for white paper, by what the page's own paper asks for."""


_COLUMN = 7.2
"""Inches: a figure that is wider takes both columns of the page."""


@dataclass(frozen=True)
class Panel:
    """A figure on the page.

    Parameters
    ----------
    name : of the picture, unique on the page; `handgrad picture NAME` draws it alone
    title : above it
    figure : its ``alt`` stands for it where it is not seen, its ``numbers`` can be opened under it
    note : how to read it, in a sentence or two
    alone : whether that command draws it
    """

    name: str
    title: str
    figure: Picture
    note: str = ""
    alone: bool = True


@dataclass(frozen=True)
class Slider:
    """The frames of a film, one at a time.

    Parameters
    ----------
    frames : PNG or GIF or WebP files, each with what it shows, such as "step 12"
    alt : what the film shows
    """

    name: str
    title: str
    frames: Sequence[tuple[bytes, str]]
    alt: str
    note: str = ""


@dataclass(frozen=True)
class Rows:
    """A table of words that stands open.

    Parameters
    ----------
    rows : of cells, the first one the header
    """

    name: str
    title: str
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Strip:
    """Small images that belong together.

    Parameters
    ----------
    words : what they have in common
    images : PNG or JPEG files, with width and height to be shown in and what stands under each
    more : what is said after the last one, such as "and 5 more"
    """

    words: str
    images: Sequence[tuple[bytes, tuple[int, int], str]]
    more: str = ""


@dataclass(frozen=True)
class Strips:
    """Strips of small images, one under the other."""

    name: str
    title: str
    strips: Sequence[Strip]
    note: str = ""


@dataclass(frozen=True)
class Section:
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel | Slider | Rows | Strips]


def page(
    title: str,
    words: Sequence[str],
    figures: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    command: str = "",
    missing: Sequence[str] = (),
) -> str:
    """The whole page, as HTML.

    Parameters
    ----------
    title : of the page
    words : paragraphs under it
    figures : what to know first: a name and its value each
    sections : in order; those without panels are left out
    command : what makes the page anew, said at its end
    missing : what is not on the page, and why, to be opened at its end

    Returns
    -------
    html : no script, style, font or picture from elsewhere, and a policy that forbids them

    Cost: that of drawing the figures as SVG.
    """
    made = [section for section in sections if section.panels]
    table = "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in figures
    )
    return Template(_inside("page.html")).substitute(
        title=_text(title),
        style=_inside("page.css"),
        script=_inside("page.js"),
        words="\n".join(f"<p>{_text(word)}</p>" for word in words),
        figures=f"<dl>{table}</dl>" if table else "",
        contents="".join(
            f'<li><a href="#{_anchor(section.title)}">{_text(section.title)}</a></li>'
            for section in made
        ),
        sections="\n".join(map(_section, made)),
        missing=_missing(missing),
        command=f"<p>Made by <code>{_text(command)}</code></p>" if command else "",
    )


def _missing(reasons: Sequence[str]) -> str:
    if not reasons:
        return ""
    items = "".join(f"<li>{_text(reason)}</li>" for reason in reasons)
    return (
        f"<details><summary>what is not on this page, and why</summary><ul>{items}</ul></details>"
    )


def svg(figure: Picture, name: str) -> str:
    """A figure as SVG to stand in a page: its texts are text, and take the page's own colour.

    Parameters
    ----------
    name : goes before every id, so that several figures may stand in one page
    """
    import matplotlib

    from handgrad.pictures.figure import house_style

    text = io.StringIO()
    with house_style(), matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    whole = text.getvalue()
    drawn = re.sub(r"<metadata>.*?</metadata>", "", whole[whole.index("<svg") :], flags=re.S)
    drawn = re.sub(r'\b(id=")|(href="#|url\(#)', lambda m: f"{m[0]}{name}-", drawn)
    drawn = re.sub(r"(?<=: )#[0-9a-f]{6}\b", lambda m: _INK.get(m[0], m[0]), drawn)
    drawn = re.sub(r"(?<=data:image/png;base64,)[\w+/=\s]+", lambda m: _lighter(m[0]), drawn)
    drawn = drawn.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
    wide, high = (round(100 * inches) for inches in figure.get_size_inches())
    alt = html.escape(figure.alt, quote=True)
    head = (
        f'<svg role="img" aria-label="{alt}" viewBox="0 0 {72 * wide / 100:g} {72 * high / 100:g}" '
        f'style="width: {wide}px; min-width: {min(wide, 480)}px" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return head + drawn[drawn.index(">") + 1 :]


def _lighter(png: str) -> str:
    """The same pixels, a byte each, where there are no more than 256 colours among them."""
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        pixels = image.convert("RGBA")
    opaque = pixels.getchannel("A").getextrema() == (255, 255)
    if not opaque or pixels.getcolors(256) is None:
        return png
    few, made = pixels.convert("RGB").quantize(256), io.BytesIO()
    if few.convert("RGB").tobytes() != pixels.convert("RGB").tobytes():
        return png
    few.save(made, "png", optimize=True)
    return min(png, base64.b64encode(made.getvalue()).decode(), key=len)


def _section(section: Section) -> str:
    return (
        f'<section id="{_anchor(section.title)}">\n<h2>{_text(section.title)}</h2>\n'
        + "\n".join(map(_panel, section.panels))
        + "\n</section>"
    )


def _panel(panel: Panel | Slider | Rows | Strips) -> str:
    numbers, command, wide = "", "", True
    if isinstance(panel, Slider):
        drawn, command = _slider(panel), "handgrad film"
    elif isinstance(panel, Rows):
        drawn = f'<div class="rows" tabindex="0">{_table(panel.rows)}</div>'
    elif isinstance(panel, Strips):
        drawn = "".join(map(_strip, panel.strips))
    else:
        drawn, numbers = svg(panel.figure, panel.name), _numbers(panel.figure.numbers)
        command = f"handgrad picture {panel.name}" if panel.alone else ""
        wide = panel.figure.get_figwidth() > _COLUMN
    note = f"<p>{_text(panel.note)}</p>" if panel.note else ""
    made = f"<p><code>{command}</code></p>" if command else ""
    kind = ' class="wide"' if wide else ""
    return (
        f'<figure id="{panel.name}"{kind}>\n'
        f'<h3>{_text(panel.title)}</h3>\n<div class="drawn">{drawn}</div>\n'
        f"<figcaption>{note}{numbers}{made}</figcaption>\n</figure>"
    )


def _numbers(rows: list[list[str]] | None) -> str:
    """A table to be opened and copied."""
    if not rows:
        return ""
    return f"<details><summary>the numbers</summary><div>{_table(rows)}</div></details>"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *others = rows
    header = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in others
    )
    return f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"


def _strip(strip: Strip) -> str:
    items = "".join(
        f'<li><img src="data:{_kind(data)};base64,{base64.b64encode(data).decode()}" '
        f'style="width: {width}px; height: {height}px" alt="{_text(words)}">'
        f"<span>{_text(words)}</span></li>"
        for data, (width, height), words in strip.images
    )
    more = f"<li>{_text(strip.more)}</li>" if strip.more else ""
    return f'<div class="strip"><p>{_text(strip.words)}</p><ul>{items}{more}</ul></div>'


def _slider(film: Slider) -> str:
    """The last frame, and a slider that is there where scripts are."""
    frames = [
        {"src": f"data:{_kind(data)};base64,{base64.b64encode(data).decode()}", "words": words}
        for data, words in film.frames
    ]
    last, alt = frames[-1], html.escape(film.alt, quote=True)
    listed = json.dumps(frames).replace("<", "\\u003c")
    return (
        f'<div class="film"><img src="{last["src"]}" alt="{alt}">'
        f'<label hidden><input type="range" min="0" max="{len(frames) - 1}" '
        f'value="{len(frames) - 1}" aria-label="frame"> <output>{_text(last["words"])}</output>'
        f'</label><script type="application/json">{listed}</script></div>'
    )


def _kind(data: bytes) -> str:
    """The media type, by the first bytes."""
    if data.startswith(b"\x89PNG"):
        return "image/png"
    if data.startswith(b"\xff\xd8"):
        return "image/jpeg"
    return "image/gif" if data.startswith(b"GIF8") else "image/webp"


def _text(text: str) -> str:
    return html.escape(text)


def _anchor(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower()).strip("-")


def _inside(name: str) -> str:
    """A file that lies beside this module."""
    return resources.files("handgrad.pictures").joinpath(name).read_text(encoding="utf-8")
