"""``docs/sweep.md``: every command in it can be typed, and every range in it is one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from handgrad.cli import handgrad as group
from handgrad.experiments.sweeps.grid import Range, spread

TEXT = (Path(__file__).parents[2] / "docs" / "sweep.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^\$ (?:mpiexec .*)?handgrad (.*)$", TEXT, re.M)


@pytest.mark.parametrize("line", SHOWN)
def test_commands_are_understood(line):
    name, *words = shlex.split(line)
    found = group.commands[name].make_context(name, words).params
    for setting in found["settings"]:
        path, equals, values = setting.partition("=")
        assert path
        assert equals
        assert spread(values)


def test_there_are_some():
    assert len(SHOWN) >= 4
    assert {"sweep"} == {line.split()[0] for line in SHOWN}


def test_options_are_there():
    known = {each for parameter in group.commands["sweep"].params for each in parameter.opts}
    shown = set(re.findall(r"`(--[\w-]+)", TEXT))
    assert len(shown) >= 6
    assert shown <= known


def test_ranges_are_ranges():
    written = re.findall(r"`([\d.]+\.\.[\d.:log]+)`", TEXT)
    assert len(written) >= 4
    assert all(isinstance(spread(text), Range) for text in written)
