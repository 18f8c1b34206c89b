"""Every built page in a browser without a window, as wide as a phone: it asks nobody."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docs.building.link_check import pages_of

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}

BEGIN = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""

LOOK = """
(async () => {
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  const found = [];
  const width = document.documentElement.scrollWidth;
  if (width > innerWidth) {
    const wide = [...document.querySelectorAll("main *")].filter(
      e => e.getBoundingClientRect().right > innerWidth + 1
        && !e.closest("div.math, svg, pre, table"));
    found.push(`is ${width} wide on ${innerWidth}: ` +
      wide.slice(0, 3).map(e => `${e.tagName}.${e.className}`).join(", "));
  }
  for (const formula of document.querySelectorAll("main .math")) {
    if (!formula.querySelector("mjx-container"))
      found.push("shows as it is written: " + formula.textContent.slice(0, 80));
    const fault = formula.querySelector("mjx-merror, [data-mjx-error]");
    if (fault) found.push("is no formula: " + (fault.dataset.mjxError || fault.textContent));
  }
  return found;
})()
"""


class Browser:
    """A browser at the other end of two pipes, by its DevTools protocol."""

    def __init__(self, program: str, profile: Path) -> None:
        ours, theirs = os.pipe(), os.pipe()
        # The protocol wants descriptors 3 and 4; above 9 ours are in nobody's way.
        give = fcntl.fcntl(ours[0], fcntl.F_DUPFD, 10)
        take = fcntl.fcntl(theirs[1], fcntl.F_DUPFD, 10)
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        options += ["--no-first-run", f"--user-data-dir={profile}", "--disable-dev-shm-usage"]
        command = [sys.executable, "-c", BEGIN, str(give), str(take), program, *options]
        self.process = subprocess.Popen(
            command, pass_fds=(give, take), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for end in (ours[0], theirs[1], give, take):
            os.close(end)
        self.out, self.back = os.fdopen(ours[1], "wb"), os.fdopen(theirs[0], "rb")
        self.events: list[dict[str, Any]] = []
        self.last, self.rest = 0, b""
        self.session = ""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        asked = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self.session = asked["sessionId"]

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.out.write(json.dumps(message).encode() + b"\0")
        self.out.flush()
        while True:
            answer = self.heard()
            if answer.get("id") == self.last:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def heard(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            more = os.read(self.back.fileno(), 1 << 16)
            assert more, "the browser went away"
            self.rest += more
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def wait_for(self, method: str) -> None:
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.heard())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.out.close()
        self.back.close()


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium on the PATH")
    with contextlib.closing(Browser(program, tmp_path_factory.mktemp("profile"))) as opened:
        for domain in ("Page", "Runtime", "Network", "Log"):
            opened.ask(f"{domain}.enable")
        opened.ask("Emulation.setDeviceMetricsOverride", **PHONE)
        yield opened


def faults(browser: Browser, page: Path) -> list[str]:
    """What is wrong with a page, in sentences without a subject."""
    browser.events.clear()
    browser.ask("Page.navigate", url=page.as_uri())
    browser.wait_for("Page.loadEventFired")
    look = browser.ask("Runtime.evaluate", expression=LOOK, awaitPromise=True, returnByValue=True)
    found = list(look["result"].get("value", [look]))
    for event in browser.events:
        said = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                if not said["request"]["url"].startswith(("file:", "data:")):
                    found.append(f"asks for {said['request']['url']}")
            case "Log.entryAdded" if said["entry"]["level"] == "error":
                found.append(f"has an error: {said['entry']['text']} {said['entry'].get('url')}")
            case "Runtime.consoleAPICalled" if said["type"] == "error":
                found.append(f"has an error: {said['args']}")
            case "Runtime.exceptionThrown":
                found.append(f"has an error: {said['exceptionDetails']}")
    return found


@pytest.mark.parametrize("source", [False, True], ids=["pages", "source code"])
def test_every_page(browser, site, source):
    pages = [page for page in pages_of(site) if (site / "_modules" in page.parents) == source]
    assert len(pages) > 30
    found = {
        page.relative_to(site).as_posix(): wrong
        for page in pages
        if (wrong := faults(browser, page))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<img src="https://example.org/a.png">', "asks for https://example.org/a.png"),
        ('<div style="width: 500px">x</div>', "is 500 wide on 390"),
        ('<span class="math">\\(x\\)</span>', "shows as it is written"),
        ("<script>nowhere()</script>", "has an error"),
        ('<script src="nowhere.js"></script>', "has an error"),
        ('<span class="math"><mjx-container><g data-mjx-error="a"></g></mjx-container></span>',
         "is no formula: a"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_seen(browser, tmp_path, html, fault):
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><body style='margin: 0'><main>{html}</main>")
    found = faults(browser, page)
    assert any(fault in wrong for wrong in found), found


def test_a_good_page_has_no_fault(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><main><p>Good.</p></main>")
    assert faults(browser, page) == []
