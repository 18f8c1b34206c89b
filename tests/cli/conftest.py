"""The command as a user types it, but within this process: its exit code and what it says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from handgrad.cli import main


class Said(NamedTuple):
    """The exit code of a command, its standard output and its standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The value on standard output, which must be JSON, on one line and nothing else."""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1
        return json.loads(self.out)


@pytest.fixture
def handgrad(capsys, monkeypatch) -> Callable[..., Said]:
    """Runs ``handgrad`` with arguments; anything but an exit fails the test.

    Training draws no page, which takes seconds, but for ``report=True``.
    """

    def run(*arguments: object, report: bool = False) -> Said:
        capsys.readouterr()
        if arguments[:1] == ("train",) and not report:
            arguments = (*arguments, "--no-report")
        monkeypatch.setattr(sys, "argv", ["handgrad", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Said(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def refused(handgrad) -> Callable[..., str]:
    """Runs a command that must end with code 2 and a sentence, which it returns."""

    def run(*arguments: object) -> str:
        said = handgrad(*arguments)
        assert said.code == 2
        assert said.out == ""
        assert said.err.startswith("handgrad: ")
        assert "Traceback" not in said.err
        return said.err.removeprefix("handgrad: ")

    return run


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command runs in an empty folder of its own."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
