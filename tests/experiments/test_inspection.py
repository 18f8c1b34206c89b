"""A hostile folder, inspected: every fault is named by its file, and the page shows it all."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import handgrad
from handgrad.datasets.cache import Seen
from handgrad.datasets.facts import Facts
from handgrad.datasets.listing import Listing
from handgrad.errors import DataError
from handgrad.experiments.inspection import (
    GROUPS,
    KINDS,
    ROWS,
    SHOWN,
    findings,
    inspect,
    look,
    page_of,
    printable,
    write_page,
)


@pytest.fixture(scope="module")
def seen(hostile) -> Seen:
    return look(hostile.folder, cache=False)


@pytest.fixture(scope="module")
def found(seen):
    return findings(seen)


def test_every_file_that_does_not_decode_is_named(found, hostile):
    unreadable = {fault.file: fault.kind for fault in found.unreadable}
    links = {hostile.named[key]: "unreadable" for key in ("dangling", "pipe")}
    locked = {hostile.named["locked"]: "unreadable"} if os.geteuid() else {}
    assert unreadable == hostile.faults | links | locked


def test_what_cannot_be_opened_is_named(hostile, request):
    inspect(hostile.folder, cache=False)
    request.getfixturevalue("not_root")
    found = inspect(hostile.folder, cache=False)
    (fault,) = [fault for fault in found.faults if fault.file == hostile.named["locked"]]
    assert (fault.kind, fault.readable) == ("unreadable", False)
    assert "Permission denied" in fault.found


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("animated", "animated"),
        ("16 bits", "16 bits"),
        ("rotated", "rotated"),
        ("tiny", "one pixel"),
    ],
)
def test_what_is_worth_a_word_is_said(found, hostile, kind, name):
    assert [f.file for f in found.faults if f.kind == kind] == [hostile.named[name]]


@pytest.mark.parametrize(
    "name", ["spaces", "Unicode", "newline", "bytes", "CMYK", "palette", "copy", "conflict"]
)
def test_what_is_only_called_or_stored_oddly_is_sound(found, hostile, name):
    (fact,) = [fact for fact in found.facts if fact.file == hostile.named[name]]
    assert fact.fault == ""
    assert not [fault for fault in found.faults if fault.file == fact.file]


def test_copies_in_one_class_in_two_and_in_two_parts(found, hostile):
    named = hostile.named
    groups = {frozenset(group.files): group.kind for group in found.duplicates}
    assert groups == {
        frozenset({"train/cats/0.jpg", named["copy"]}): "exact",
        frozenset({"train/cats/1.jpg", named["encoded again"]}): "near",
        frozenset({"train/cats/2.jpg", named["conflict"]}): "exact",
        frozenset({"train/dogs/3.jpg", named["leak"]}): "exact",
        frozenset({"train/dogs/4.jpg", named["near leak"]}): "near",
    }
    assert [set(group.files) for group in found.conflicts] == [
        {"train/cats/2.jpg", named["conflict"]}
    ]
    assert {frozenset(group.files) for group in found.leaks} == {
        frozenset({"train/dogs/3.jpg", named["leak"]}),
        frozenset({"train/dogs/4.jpg", named["near leak"]}),
    }


def test_what_is_left_out(found, hostile):
    unreadable = {fault.file for fault in found.unreadable}
    named = hostile.named
    assert set(found.quarantine()) - unreadable == {
        named["copy"],
        named["encoded again"],
        "train/cats/2.jpg",
        named["conflict"],
        "train/dogs/3.jpg",
        "train/dogs/4.jpg",
    }
    assert unreadable < set(found.quarantine())


def test_no_picture_in_a_class_folder_is_passed_over_in_silence(found, hostile):
    """Every file in the class folders is looked at or named as ignored, and no other one is."""
    there = set()
    for part in ("train", "test"):
        for folder in (hostile.folder / part / name for name in ("cats", "dogs")):
            for entry in (entry for entry in folder.iterdir() if not entry.is_dir()):
                name = entry.relative_to(hostile.folder).as_posix()
                there.add(os.fsencode(name).decode("utf-8", "backslashreplace"))
    assert {fact.file for fact in found.facts} | set(found.ignored) == there


def test_every_kind_that_there_is_has_its_words(found):
    import ast

    from handgrad.datasets import decoding

    tree = ast.parse(Path(decoding.__file__).read_text(encoding="utf-8"))
    raised = {
        node.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "ImageError"
        for node in ast.walk(call.args[1])
        if isinstance(node, ast.Constant)
    }
    assert {"empty", "too large", "unreadable", "unsupported"} <= raised <= set(KINDS)
    assert {fault.kind for fault in found.faults} <= set(KINDS)


def test_the_door_and_a_sound_folder(photographs, tmp_path):
    before = [(path, path.stat().st_mtime_ns) for path in sorted(photographs.rglob("*"))]
    told = []
    found = handgrad.inspect(
        photographs, cache=False, threads=1, progress=lambda *a: told.append(a)
    )
    assert found.table()["classes"] == {"blue é": 10, "green": 10, "red": 10}
    assert found.labels == {"blue é": 0, "green": 1, "red": 2}
    assert not found.unreadable
    assert ("decoding", 30, 30) in told
    assert [(path, path.stat().st_mtime_ns) for path in sorted(photographs.rglob("*"))] == before


def test_a_table_of_files_and_labels(tmp_path, scenery):
    rows = ["file,label"]
    for i in range(6):
        scenery(i).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{'cat' if i % 2 else 'dog'}")
    (tmp_path / "empty.png").touch()
    (tmp_path / "labels.csv").write_text("\n".join([*rows, "empty.png,cat", "none.png,dog"]))
    found = inspect(tmp_path / "labels.csv", cache=False)
    assert found.counts() == {"cat": 4, "dog": 4}
    assert [(f.file, f.kind) for f in found.faults] == [
        ("empty.png", "empty"),
        ("none.png", "unreadable"),
    ]


def test_what_is_no_folder_of_images(tmp_path):
    with pytest.raises(DataError, match="expected a folder per class with images in it"):
        inspect(tmp_path, cache=False)


def test_the_pixels_are_those_that_a_training_takes(seen):
    """From the recipe `folder`: 64 x 64, in colour."""
    assert seen.images.shape[1:] == (64, 64, 3)
    assert len(seen.images) == sum(not fact.fault for fact in seen.facts)


class Reader(HTMLParser):
    """What a page holds, by tag, and which tags were left open."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def text(found, seen) -> str:
    return page_of(found, seen)


def test_the_page_begins_with_what_matters_most(text):
    assert re.findall(r"<h2>(.*?)</h2>", text) == [
        "In the training and in the test",
        "In two classes",
        "Files with something to say",
        "More than once",
        "Classes",
    ]
    figures = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))
    assert (figures["files"], figures["leaks"], figures["conflicts"]) == ("37", "2", "1")


def test_the_page_names_every_fault_and_every_copy(text, found):
    words = "".join(Reader(text).words)
    for file in [*(f.file for f in found.faults), *(f for g in found.duplicates for f in g.files)]:
        assert printable(file) in words


def test_the_page_shows_every_copy_and_asks_nobody(text, found):
    images = Reader(text).all("img")
    groups = (*found.leaks, *found.conflicts, *found.copies)
    assert [image["alt"] for image in images] == [file for g in groups for file in g.files]
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in images)
    bare = re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
    assert not re.search(r"https?:|//\w+\.\w|@import|url\((?!#)", bare)


def test_a_thumbnail_has_the_shape_of_its_file(text):
    """64 by 48 pixels: 112 by 84; 72 by 54 too."""
    sizes = {image["style"] for image in Reader(text).all("img")}
    assert sizes == {"width: 112px; height: 84px"}


def crowd(faults: int, groups: int, each: int) -> Iterator[Facts]:
    for i in range(faults):
        name = f"cats/{'a long name ' * 12}{i}.jpg"
        yield Facts(name, "train", "cats", 10, fault="damaged", found="x" * 80, expected="an image")
    for i in range(groups * each):
        yield Facts(f"dogs/<b>{i}\x1b[31m.jpg", "train", "dogs", 900, "JPEG", "RGB", 40 + i % 300,
                    30, content=f"{i // each}")  # fmt: skip


def test_ten_thousand_faults_and_hundreds_of_groups_are_a_small_page(tmp_path):
    facts = tuple(crowd(10_000, 3 * GROUPS, 2 * SHOWN))
    n = 6 * GROUPS * SHOWN
    images = np.random.default_rng(0).integers(0, 256, (n, 64, 64, 3), dtype=np.uint8)
    listing = Listing(Path("<photos>"), (), ("cats", "dogs"), {})
    seen = Seen(listing, facts, images, np.arange(n))
    found = findings(seen)
    path = write_page(found, seen, tmp_path / "page.html")
    assert path.stat().st_size < 5_000_000
    read = Reader(path.read_text(encoding="utf-8"))
    words = "".join(read.words)
    assert f"{10_000 - ROWS:,} more are damaged" in words
    assert f"and {SHOWN} more" in words
    assert f"Shown are the first {GROUPS} groups; --json names all {3 * GROUPS}" in words
    assert len(read.all("img")) == GROUPS * SHOWN
    assert not read.all("b")
    assert "dogs/<b>0\\x1b[31m.jpg" in words
    assert "<photos>" in words


def test_a_grey_folder_without_a_readable_file_has_a_page(tmp_path):
    listing = Listing(Path("photos"), (), ("cats", "dogs"), {})
    facts = tuple(Facts(f"{c}/0.jpg", "train", c, fault="empty") for c in ("cats", "dogs"))
    seen = Seen(listing, facts, np.empty((0, 8, 8, 1), np.uint8), np.empty(0, np.int64))
    text = page_of(findings(seen), seen)
    assert "balance" in text
    assert 'id="sizes"' not in text
    grey = Image.new("L", (8, 8), 77)
    both = tuple(
        Facts(f"{c}/0.png", "train", c, 70, "PNG", "L", 8, 8, content="one")
        for c in ("cats", "dogs")
    )
    seen = Seen(listing, both, np.stack([np.asarray(grey)[..., None]] * 2), np.zeros(2, np.int64))
    assert "In two classes" in page_of(findings(seen), seen)


def test_names_on_one_line():
    assert printable("two\nlines\x1b[0m\u202e naïve 猫") == "two\\nlines\\x1b[0m\\u202e naïve 猫"
    assert html.escape(printable("<b>")) == "&lt;b&gt;"
