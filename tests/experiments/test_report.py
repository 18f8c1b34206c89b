"""The report: a page with every picture that a run has."""

from __future__ import annotations

import re
import shutil

import pytest

from handgrad.experiments import GALLERY, Run, Subject, train, write_report
from handgrad.experiments.film import SNAPSHOTS
from handgrad.experiments.gallery import SECTIONS
from handgrad.experiments.report import page_of


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train("lines", {"training.epochs": 80}, out=tmp_path_factory.mktemp("lines") / "run")


@pytest.fixture(scope="module")
def text(run):
    return page_of(Subject.of(run.folder), run)


def drawn(text):
    return re.findall(r'<figure id="([\w-]+)"', text)


def test_everything_that_lines_has_is_there_in_order(text):
    """No augmentation, no mini-batches whose norms are reported; all else."""
    wanted = [name for name, entry in GALLERY.items() if entry.section]
    for absent in ("augmented", "norms", "updates"):
        wanted.remove(absent)
    found = drawn(text)
    assert "film" in found
    assert [name for name in found if name != "film"] == wanted
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings == [*SECTIONS[:-1], "The film", SECTIONS[-1]]


def test_what_is_left_out_is_said(text):
    left = text[text.index("what is not on this page") :]
    for name in ("augmented: recipe &#x27;lines&#x27;: found no augmentation", "norms: "):
        assert name in left


def test_its_figures_are_those_of_the_summary(text, run):
    found = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))
    assert found["training"] == "100.00 %"
    assert found["numbers learned"] == "74"
    assert found["epochs"] == "80"
    assert found["loss"] == f"{run.summary['loss']:.4g}"


def test_it_is_small_and_every_picture_says_what_is_seen(text):
    assert len(text) < 5_000_000
    labels = re.findall(r'<svg role="img" aria-label="([^"]*)"', text)
    assert len(labels) == len(drawn(text)) - 1  # the film's is an image
    assert all(len(label) > 20 for label in labels)


def test_drawing_changes_nothing(run):
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    place = write_report(run)
    assert place == run.folder / "report.html"
    first = place.read_text(encoding="utf-8")
    assert write_report(Run(run.folder)).read_text(encoding="utf-8") == first
    place.unlink()
    after = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    assert after == before


def test_at_the_end_of_a_training_it_is_the_same_page(tmp_path):
    """Drawn with the data that is there, and later with the data loaded anew."""
    made = train("lines", {"training.epochs": 3}, out=tmp_path / "run", report=True)
    there = (made.folder / "report.html").read_text(encoding="utf-8")
    assert page_of(Subject.of(made.folder), made) == there


def test_a_run_without_its_film_has_a_page(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    (folder / SNAPSHOTS).unlink()
    text = page_of(Subject.of(folder), Run(folder))
    assert "film" not in drawn(text)
    assert "this run kept no snapshots" in text


def test_progress_is_told(run):
    told = []
    page_of(Subject.of(run.folder), run, lambda *each: told.append(each))
    pictures = [(done, total) for stage, done, total in told if stage == "pictures"]
    assert [done for done, _ in pictures] == list(range(len(pictures)))
    assert pictures[-1][0] == pictures[-1][1]
