"""``docs/folder.md``: every command in it is there, and so is every option that it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from handgrad.cli import handgrad as group
from handgrad.datasets.quarantine import read_quarantine

PAGE = Path(__file__).parents[2] / "docs" / "folder.md"


@pytest.fixture(scope="module")
def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_it_begins_with_two_commands(text):
    first = text.partition("```console\n")[2].partition("```")[0].splitlines()
    assert [line.split()[:3] for line in first] == [
        ["$", "handgrad", "inspect"],
        ["$", "handgrad", "train"],
    ]


def test_commands_and_options_are_there(text):
    shown = re.findall(r"`(?:handgrad )?(\w+) (--[\w-]+)`", text)
    for line in re.findall(r"^\$ handgrad (.*)$", text, re.M):
        name, *words = line.partition("#")[0].split()
        assert name in group.commands, line
        shown += [(name, word) for word in words if word.startswith("--")]
    assert len(shown) >= 8
    for name, option in shown:
        known = {each for parameter in group.commands[name].params for each in parameter.opts}
        assert option in known, (name, option)


def test_its_quarantine_list_is_one(text, tmp_path):
    blocks = re.split(r"^```\w*\n", text, flags=re.M)[1::2]
    (block,) = [block for block in blocks if '"file","reason"' in block]
    (tmp_path / "list.csv").write_text(block, encoding="utf-8")
    files = read_quarantine(tmp_path / "list.csv")
    assert files["Motorbikes/image_0194.jpg"].startswith("a near-duplicate of ")
    assert len(files) == 2
