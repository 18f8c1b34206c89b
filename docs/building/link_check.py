"""What is wrong with the links of a built site: pages and places that are not there.

Reads the pages as a browser would find them on a disk. Also names whatever a page would fetch from
elsewhere: a link that a reader may follow can lead anywhere, a picture, script or style cannot.
"""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["broken_links", "pages_of"]


class _Page(HTMLParser):
    """The places of a page, where it leads, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.leads: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attributes}
        self.places |= {said[name] for name in ("id", "name") if name in said}
        if tag == "a" and "href" in said:
            self.leads.append(said["href"])
        elif tag == "link" and "href" in said and said.get("rel") not in ("canonical", "license"):
            self.loads.append(said["href"])
        elif "src" in said:
            self.loads.append(said["src"])
        if "style" in said:
            self.loads += re.findall(r"url\(['\"]?([^'\")]+)", said["style"])


def pages_of(site: Path) -> list[Path]:
    """Every page of a built site; what lies in _static may be a template of the theme."""
    return sorted(set(site.rglob("*.html")) - set((site / "_static").rglob("*.html")))


def broken_links(site: Path) -> list[str]:
    """A sentence for each link that leads nowhere, and for each thing that is fetched from afar.

    Parameters
    ----------
    site : the folder with index.html
    """
    read = cache(_Page)
    found = []
    for path in pages_of(site := site.resolve()):
        page, name = read(path), path.relative_to(site).as_posix()
        for link in dict.fromkeys([*page.leads, *page.loads]):
            parts = urlsplit(link)
            if parts.scheme == "data":
                continue
            if parts.scheme or parts.netloc:
                if link in page.loads:
                    found.append(f"{name}: loads {link}")
                continue
            target = path.parent / unquote(parts.path) if parts.path else path
            if not target.is_file():
                found.append(f"{name}: leads to {link}, which is not there")
            elif parts.fragment and target.suffix == ".html":
                places = read(target.resolve()).places
                if unquote(parts.fragment) not in places and parts.fragment not in places:
                    found.append(f"{name}: leads to {link}; the page has no such place")
    return found
