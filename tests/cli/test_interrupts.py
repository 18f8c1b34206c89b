"""Ctrl-C, before, during and after the first step, as the process sees it."""

from __future__ import annotations

import signal

import pytest

from handgrad.cli.viewer import LINES, Terminal, interruptible, spacing
from handgrad.experiments import Run, train

pytestmark = pytest.mark.usefixtures("no_pictures")


class At(Terminal):
    """Presses Ctrl-C while a report is made, or while another seed is trained."""

    def __init__(self, stream, epoch, seed=None):
        super().__init__(stream, quiet=True)
        self.epoch, self.seed = epoch, seed

    def report(self, report):
        super().report(report)
        if self.seed is None and report.epoch == self.epoch:
            signal.raise_signal(signal.SIGINT)

    def repeats(self, seed, figures):
        super().repeats(seed, figures)
        if seed == self.seed:
            signal.raise_signal(signal.SIGINT)


def test_before_the_first_step_it_ends_at_once(tmp_path):
    with (tmp_path / "log").open("w") as log, Terminal(log) as viewer, interruptible(viewer):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert not viewer.interrupted


def test_the_first_ends_after_the_step_and_the_second_at_once(tmp_path, capsys):
    before = signal.getsignal(signal.SIGINT)
    with (tmp_path / "log").open("w") as log, At(log, epoch=3) as viewer, interruptible(viewer):
        run = train("digits", {"training.epochs": 50}, out="r", viewer=viewer)
        assert viewer.interrupted
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert [entry["epoch"] for entry in run.history] == [1, 2, 3]
    assert run.summary["stopped"] == "interrupted"
    assert capsys.readouterr().err == "stopping after this step; once more to stop at once\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_within_the_repeats_what_is_done_is_kept(tmp_path):
    settings = {"training.epochs": 3, "repeats.seeds": [1, 2, 3]}
    with (tmp_path / "log").open("w") as log:
        viewer = At(log, epoch=0, seed=1)
        with viewer, interruptible(viewer):
            train("lines", settings, out="r", viewer=viewer)
    summary = Run("r").summary
    assert [figures["seed"] for figures in summary["repeats"]["runs"]] == [1]
    assert (summary["steps"], summary["stopped"]) == (3, "interrupted")


@pytest.mark.parametrize("total", [1, 45, 46, 201, 2000, 2500, 99_999])
def test_lines_are_few_and_round(total):
    step = spacing(total)
    assert total / step <= LINES
    assert str(step).rstrip("0") in ("1", "2", "5")
    assert step == 1 or total / step > LINES / 5
