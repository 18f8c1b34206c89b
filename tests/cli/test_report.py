"""``handgrad report``, and the page at the end of a training."""

from __future__ import annotations

import shutil
from pathlib import Path


def test_a_training_ends_with_its_page(handgrad):
    said = handgrad("train", "lines", "--epochs", 2, "--out", "r", report=True)
    assert said.code == 0
    assert "report   r/report.html\n" in said.out
    assert Path("r/report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_without_it_there_is_none(handgrad):
    said = handgrad("train", "lines", "--epochs", 2, "--out", "r", "--no-report", report=True)
    assert "report" not in said.out
    assert not Path("r/report.html").exists()


def test_of_the_newest_run_or_of_one(handgrad, lines_run):
    shutil.copytree(lines_run.folder, "runs/one")
    said = handgrad("report")
    assert said.code == 0
    assert said.out.startswith("report   runs/one/report.html (")
    found = handgrad("report", "runs/one", "-o", "mine.html", "--json").json
    assert found["file"] == "mine.html"
    assert found["bytes"] == Path("mine.html").stat().st_size


def test_what_it_refuses(refused, lines_run):
    assert refused("report").startswith("runs: found no run in it")
    assert refused("report", "nothing").startswith("nothing: found no such folder; expected a run")
    assert refused("report", lines_run.folder, "-o", "a.txt").startswith("a.txt: found another end")
    assert not Path("a.txt").exists()
