"""A training as a notebook shows it, in one place that is told anew; and what a run looks like.

IPython is nothing that this needs: what is asked is whether it runs this very process.
"""

from __future__ import annotations

import os
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from handgrad.errors import HandgradError
from handgrad.experiments.viewer import Viewer
from handgrad.networks.table import html_facts, html_text

if TYPE_CHECKING:
    from handgrad.experiments.experiment import Experiment
    from handgrad.experiments.run import Run
    from handgrad.training import BatchSource, Report

__all__ = ["Notebook", "Show", "here", "run_html"]

Show = Callable[[dict[str, str], bool], None]
"""Takes what is seen, by its kind ("text/html", "text/plain"), and whether it replaces the last."""

PAUSE = 0.2
"""Seconds between two displays, at least: a browser has other things to do."""


def here() -> Notebook | None:
    """A display in the notebook that runs this process; None where there is none.

    A terminal's IPython is none: it has a shell, but no kernel.
    """
    ipython, display = sys.modules.get("IPython"), sys.modules.get("IPython.display")
    if ipython is None or display is None:
        return None
    if getattr(ipython.get_ipython(), "kernel", None) is None:
        return None
    place = f"handgrad-{uuid4().hex}"

    def show(seen: dict[str, str], again: bool) -> None:
        display.display(seen, raw=True, display_id=place, update=again)

    return Notebook(show)


class Notebook(Viewer):
    """Bars and figures in one place of a notebook; its stop button ends after the current step.

    Parameters
    ----------
    show : puts it into the notebook
    """

    def __init__(self, show: Show) -> None:
        self.show = show
        self.training = self.interrupted = False
        self._title = self._end = ""
        self._facts: dict[str, str] = {}
        self._stages: dict[str, tuple[int, int]] = {}
        self._figures: list[str] = []
        self._shown = 0.0  # when; 0 for not yet

    def loading(self, stage: str, done: int, total: int) -> None:
        self._stages[stage] = done, total
        self._tell(now=done >= total)
        if done >= total:
            del self._stages[stage]

    def note(self, text: str) -> None:
        self._facts["note"] = f"{self._facts['note']}; {text}" if "note" in self._facts else text
        self._tell()

    def begins(self, experiment: Experiment) -> None:
        recipe, network = experiment.recipe, experiment.network
        parts = {"training": experiment.train_set, "validation": experiment.validation_set}
        parts |= {"test": experiment.splits.test}
        counts = ", ".join(f"{len(d):,} {name}" for name, d in parts.items() if d is not None)
        size = "x".join(map(str, network.shapes[0]))
        self._stages = {}
        self._title = f"{recipe.name}: {recipe.about}"
        self._facts |= {
            "data": f"{counts} images of {size}; {len(experiment.class_names):,} classes",
            "network": f"{len(network.architecture)} layers, {network.layout.learned:,} numbers, "
            f"{recipe.dtype}",
            "work": str(experiment.work),
        }
        self._full = recipe.training.batch_size is None
        self._epochs = recipe.training.epochs
        self._images = len(experiment.train_set)
        self._begun = time.perf_counter() - experiment.seconds
        self._tell()

    def watch(self, batches: BatchSource) -> BatchSource:
        return _Watched(batches, self)

    def report(self, report: Report) -> None:
        done = report.epoch + self._full
        seconds = time.perf_counter() - self._begun
        left = seconds / done * (self._epochs - done)
        minutes, rest = divmod(round(left), 60)
        unit, last = ("step", self._epochs - 1) if self._full else ("epoch", self._epochs)
        words = [f"{unit} {report.epoch:,} of {last:,}", f"loss {report.loss:.6f}"]
        words.append(f"train {100 * report.train_accuracy:.2f} %")
        for name in ("validation", "test"):
            if (found := getattr(report, f"{name}_accuracy")) is not None:
                words.append(f"{name} {100 * found:.2f} %")
        words.append(f"learning rate {report.learning_rate:.3g}")
        words.append(f"{self._images * done / seconds:,.0f} images/s")
        self._figures = [*words, f"left {minutes}:{rest:02}"]
        self._tell(now=done >= self._epochs)

    def repeats(self, seed: int, figures: dict[str, Any]) -> None:
        self._facts[f"seed {seed}"] = f"train {100 * figures['train_accuracy']:.2f} %" + (
            f", test {100 * figures['test_accuracy']:.2f} %" if "test_accuracy" in figures else ""
        )
        self._tell()

    def ends(self, run: Run) -> None:
        self._stages, self._figures = {}, []
        self._end = _sentence(run)
        self._tell()

    def _tell(self, now: bool = True) -> None:
        """Show it; if it need not be now, only where the last time is long enough ago."""
        moment = time.perf_counter()
        if now or moment - self._shown >= PAUSE:
            plain = self._plain().encode("utf-8", "backslashreplace").decode()
            self.show({"text/html": self._html(), "text/plain": plain}, self._shown > 0)
            self._shown = moment

    def _html(self) -> str:
        seen = [html_facts(self._title, self._facts)] if self._title or self._facts else []
        for stage, (done, total) in self._stages.items():
            bar = f'<progress value="{done}" max="{max(total, 1)}" style="width:20em"></progress>'
            seen.append(f"<div>{bar} {html_text(stage)} {done:,} of {total:,}</div>")
        told = [*self._figures, *(["stopping after this step"] * self._stops)]
        seen += [f"<div>{html_text(' · '.join(told))}</div>"] if told else []
        seen += [f"<div><b>{html_text(self._end)}</b></div>"] if self._end else []
        return "".join(seen)

    def _plain(self) -> str:
        lines = [self._title, *(f"{name:9}{said}" for name, said in self._facts.items())]
        lines += [f"{stage} {done:,}/{total:,}" for stage, (done, total) in self._stages.items()]
        lines += ["   ".join(self._figures), self._end]
        return "\n".join(filter(None, lines))

    @property
    def _stops(self) -> bool:
        return self.interrupted and not self._end


class _Watched:
    """Batches that move the bar of the training, and end when the user interrupts."""

    def __init__(self, batches: BatchSource, viewer: Notebook) -> None:
        self.batches, self.viewer = batches, viewer
        self.full, self.steps_per_epoch = batches.full, batches.steps_per_epoch

    def __call__(self, epoch: int, first: int = 0) -> Iterator[Any]:
        viewer, total = self.viewer, self.viewer._epochs * self.steps_per_epoch
        viewer.training = True
        steps = epoch * self.steps_per_epoch + first
        for step, batch in enumerate(self.batches(epoch, first), start=steps + 1):
            if viewer.interrupted:
                viewer._tell()
                return
            yield batch
            viewer._stages["training"] = step, total
            viewer._tell(now=False)


def run_html(run: Run) -> str:
    """A run: what it achieved, where it lies, its page, and the curve of its accuracy.

    Never raises for a file that is missing or is not what it should be: it is left out.
    """
    facts, links = {"folder": os.fspath(run.folder)}, []
    try:
        summary = run.summary
    except HandgradError:
        summary = {}
    if isinstance(summary, dict):
        facts = _figures(summary) | facts
    seen = html_facts(f"Run of {summary['recipe']}" if "recipe" in summary else "Run", facts)
    for name in ("report.html", "film.gif", "film.mp4"):
        if (run.folder / name).is_file():
            links.append(f'<a href="{_address(run.folder / name)}" target="_blank">{name}</a>')
    if links:
        seen += f"<div>{' · '.join(links)}</div>"
    try:
        png = (run.folder / "pictures" / "accuracy.png").read_bytes()
    except OSError:
        return seen
    # A picture keeps its own white ground, on dark, too.
    source = f"data:image/png;base64,{b64encode(png).decode()}"
    return f'{seen}<img src="{source}" alt="accuracy by epoch" style="width:24em;max-width:100%">'


def _figures(summary: dict[str, Any]) -> dict[str, str]:
    """A summary in words, as far as it has figures."""
    told: dict[str, str] = {}
    found = {key: value for key, value in summary.items() if isinstance(value, int | float)}
    if "test_accuracy" in found:
        told["test"] = f"{100 * found['test_accuracy']:.2f} %"
        if {"test_low", "test_high", "test_n"} <= found.keys():
            low, high = (100 * found[key] for key in ("test_low", "test_high"))
            told["test"] += f" of {found['test_n']:,} images; "
            told["test"] += f"95 % interval {low:.1f} to {high:.1f} %"
    for name in ("validation", "train"):
        if f"{name}_accuracy" in found:
            told[name] = f"{100 * found[f'{name}_accuracy']:.2f} %"
    if {"loss", "epochs", "seconds"} <= found.keys():
        told["train"] = f"{told.get('train', '')}, loss {found['loss']:.6f}".lstrip(", ")
        told["training"] = f"{found['epochs']:,g} epochs in {found['seconds']:.1f} s"
    if summary.get("stopped"):
        told["stopped"] = str(summary["stopped"])
    return told


def _sentence(run: Run) -> str:
    """The end of a training, in a line."""
    figures = _figures(run.summary)
    told = [figures.get("training", "")]
    told += [f"{name} {figures[name]}" for name in ("test", "train") if name in figures]
    if "stopped" in figures:
        told.append(f"stopped: {figures['stopped']}")
        told.append(f"handgrad train --resume {run.folder} goes on")
    else:
        told.append(os.fspath(run.folder))
    return "; ".join(filter(None, told))


def _address(path: Path) -> str:
    """As a link from the notebook, which lies where its kernel runs, or else from anywhere."""
    try:
        return quote(os.fsencode(Path(os.path.relpath(path)).as_posix()))
    except ValueError:  # on another drive
        return html_text(path.resolve().as_uri())
