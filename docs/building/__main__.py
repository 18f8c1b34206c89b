"""Build the pages, check their links, and say where they lie: ``python -m docs.building``.

``--only book/lines`` builds one page by itself, for who is writing it. Other options are handed to
Sphinx. A warning is an error, and so is a link that leads nowhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from docs.building.link_check import broken_links
from docs.building.sources import BUILT, HOME, MARK, SOURCES, fingerprint
from sphinx.cmd.build import main as sphinx

__all__ = ["build", "main"]

KERNEL = "c.IPKernelApp.log_level = 'ERROR'\n"


def main(options: list[str]) -> int:
    began = time.monotonic()
    if options[:1] == ["--only"]:
        return only(options[1], options[2:])
    word = fingerprint(*SOURCES)
    shutil.rmtree(BUILT, ignore_errors=True)  # nothing of an older build is left; what was read is
    failed = build(BUILT, ["-W", "--keep-going", "-j", "auto", *options])
    broken = broken_links(BUILT)
    print(*broken, sep="\n", end="\n" if broken else "", file=sys.stderr)
    if failed or broken:
        print("docs: the pages are not right; see above", file=sys.stderr)
        return 1
    (BUILT / MARK).write_text(word)
    print(f"built in {time.monotonic() - began:.0f} s: {(BUILT / 'index.html').as_uri()}")
    return 0


def only(page: str, options: list[str]) -> int:
    """One page, in a folder of its own; references to other pages lead nowhere there."""
    site = BUILT.parent / "only" / page
    given = ["--keep-going", "-D", f"root_doc={page}", "-D", f"include_patterns={page}.md"]
    given += ["-D", "nb_execution_mode=force", "-D", "suppress_warnings=toc.excluded,ref"]
    failed = build(site, [*given, *options])
    print((site / f"{page}.html").as_uri())
    return failed


def build(site: Path, options: list[str]) -> int:
    """What Sphinx says of its build, 0 for good, with nobody's own settings in the notebooks."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # two pages are made beside each other
    with _kernel_settings():
        trees = site.with_name(f"{site.name}-doctrees")
        given = ["-b", "html", "-q", *options, "-d", str(trees)]
        return sphinx([*given, str(HOME / "docs"), str(site)])


@contextlib.contextmanager
def _kernel_settings() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "profile_default"
        profile.mkdir()
        (profile / "ipython_kernel_config.py").write_text(KERNEL)
        os.environ["IPYTHONDIR"] = folder
        yield


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
