"""The report of a run: one page with every picture that its training has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from handgrad.errors import HandgradError
from handgrad.experiments.experiment import Progress
from handgrad.experiments.film import film_of
from handgrad.experiments.gallery import GALLERY, SECTIONS
from handgrad.experiments.run import Run
from handgrad.experiments.subject import Subject
from handgrad.storage import written

__all__ = ["REPORT", "page_of", "write_report"]

REPORT = "report.html"

FRAMES, FRAME_BYTES = 24, 1_000_000
"""Of the film's slider, at most."""


def page_of(subject: Subject, run: Run, progress: Progress | None = None) -> str:
    """The page of a run, as HTML; what a training does not have is left out.

    Parameters
    ----------
    progress : told how many pictures are drawn, of how many

    Cost: seconds; most of them for the baselines, and for drawing some twenty figures.
    """
    from handgrad.pictures import Panel, Section, page

    panels: dict[str, list[Any]] = {section: [] for section in SECTIONS}
    listed = [(name, entry) for name, entry in GALLERY.items() if entry.section]
    missing: list[str] = []
    for done, (name, entry) in enumerate(listed):
        if progress:
            progress("pictures", done, len(listed) + 1)
        try:
            figure = entry.draw(subject)
        except HandgradError as reason:
            missing.append(f"{name}: {reason}")
            continue
        panels[entry.section].append(Panel(name, entry.title, figure, entry.note))
    if progress:
        progress("pictures", len(listed), len(listed) + 1)
    film = _film(run, missing)
    text = page(
        subject.name,
        _words(subject, run.summary),
        _figures(run.summary),
        [
            *(Section(title, panels[title]) for title in SECTIONS[:-1]),
            Section("The film", film),
            Section(SECTIONS[-1], panels[SECTIONS[-1]]),
        ],
        f"handgrad report {run.folder.name}",
        missing,
    )
    if progress:
        progress("pictures", len(listed) + 1, len(listed) + 1)
    return text


def write_report(
    run: Run,
    path: Path | None = None,
    subject: Subject | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the page of a run, whole or not at all.

    Parameters
    ----------
    path : None for ``RUN/report.html``
    subject : of this run, where its data is there already
    progress : told about the loading of images and the drawing
    """
    made = subject or Subject.of(run.folder, progress)
    text, place = page_of(made, run, progress), path or run.folder / REPORT
    with written(place) as beside:
        beside.write_text(text, encoding="utf-8")
    return place


def _film(run: Run, missing: list[str]) -> list[Any]:
    """The film as a slider, if the run kept one."""
    from handgrad.pictures import Slider, stills

    try:
        film = film_of(run)
    except HandgradError as reason:
        missing.append(f"film: {reason}")
        return []
    frames = stills(film, FRAMES, FRAME_BYTES)
    return [Slider("film", "The training, step by step", frames, film.alt)]


def _words(subject: Subject, summary: dict[str, Any]) -> list[str]:
    """What there is to say before all pictures."""
    words = [str(subject.table.get("about", ""))]
    if "test_accuracy" in summary:
        words.append(
            f"Of {summary['test_n']:,} images that it was not trained on, the network calls "
            f"{_percent(summary['test_accuracy'])} right; with 95 % confidence it would be right "
            f"about {_percent(summary['test_low'])} to {_percent(summary['test_high'])} of such "
            "images."
        )
    else:
        words.append("No images were kept apart to test it: its accuracy elsewhere is not known.")
    if "scoreboard" in summary:
        words.append(f"It is {summary['scoreboard']['verdict']}.")
    if summary.get("stopped"):
        words.append(f"The training was stopped: {summary['stopped']}.")
    if summary.get("note"):
        words.append(str(summary["note"]))
    return [word for word in words if word]


def _figures(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What to know first."""
    found = [
        (name, _percent(summary[key]))
        for name, key in (
            ("test", "test_accuracy"),
            ("validation", "validation_accuracy"),
            ("training", "train_accuracy"),
        )
        if key in summary
    ]
    return [
        *found,
        ("loss", f"{summary['loss']:.4g}"),
        ("numbers learned", f"{summary['parameters']:,}"),
        ("epochs", f"{summary['epochs']:,g}"),
        ("seconds", f"{summary['seconds']:.1f}"),
        ("date", str(summary["date"])[:10]),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
