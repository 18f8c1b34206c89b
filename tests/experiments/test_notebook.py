"""A training in a notebook: one display that is told anew, its stop button, and the run's card."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from handgrad.errors import DataError, NotFiniteError
from handgrad.experiments import (
    Experiment,
    Run,
    notebook,
    read_recipe,
    resume,
    train,
    with_settings,
)
from handgrad.experiments.conduct import Viewer
from handgrad.experiments.notebook import Notebook, here, run_html

pytestmark = pytest.mark.usefixtures("no_pictures")


class Display:
    """What a kernel would send to the browser."""

    def __init__(self) -> None:
        self.cells: dict[str, list[dict[str, str]]] = {}

    def display(self, seen, *, raw, display_id, update):
        assert raw
        assert update == (display_id in self.cells)  # the first time it is new, then in its place
        json.dumps(seen).encode()
        self.cells.setdefault(display_id, []).append(seen)

    @property
    def states(self) -> list[str]:
        """The states of the only display, in plain text."""
        (states,) = self.cells.values()
        return [state["text/plain"] for state in states]


@pytest.fixture
def kernel(monkeypatch) -> Display:
    """This process seems to be a notebook's kernel that is never too busy to display."""
    shell, display = SimpleNamespace(kernel=object()), Display()
    ipython, module = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: shell
    module.display = display.display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(notebook, "PAUSE", 0)
    return display


@pytest.fixture(autouse=True)
def _empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def words(html: str) -> str:
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_data = found.append
    parser.feed(html)
    return " ".join(found)


# --- the display


def test_one_display_from_loading_to_the_end(kernel, photographs):
    settings = {"training.epochs": 2, "data.size": [16, 16], "data.cache": False}
    run = train(photographs, settings, out="r")
    states = kernel.states
    assert any("30/30" in state for state in states[:31])
    begun = next(i for i, state in enumerate(states) if "24 training, 6 test images" in state)
    assert "3 classes" in states[begun]
    steps = 2 * 2  # 24 images, 16 at a time
    training = [f"training {n}/{steps}" for n in range(1, steps + 1)]
    seen = "\n".join(states[begun:])
    assert [seen.count(state) > 0 for state in training] == [True] * steps
    first, last = run.history
    row = next(state for state in states if f"loss {first['loss']:.6f}" in state).splitlines()[-1]
    told = row.split("   ")
    assert told[:2] == ["epoch 1 of 2", f"loss {first['loss']:.6f}"]
    assert told[2] == f"train {100 * first['train_accuracy']:.2f} %"
    assert told[3].startswith("learning rate ")
    assert told[4].endswith(" images/s")
    assert told[5].startswith("left 0:")
    assert any(f"loss {last['loss']:.6f}" in state for state in states)
    assert states[-1].splitlines()[-1].startswith("2 epochs in ")
    assert f"test {100 * run.test_accuracy:.2f} % of 6 images; 95 % interval " in states[-1]
    assert states[-1].endswith("; r")
    assert "training 4/4" not in states[-1]
    html = next(iter(kernel.cells.values()))
    assert f'<progress value="3" max="{steps}"' in "".join(state["text/html"] for state in html)
    assert "<progress" not in html[-1]["text/html"]
    assert "2 epochs in" in words(html[-1]["text/html"])


def test_each_training_has_a_display_of_its_own(kernel):
    for folder in ("a", "b"):
        train("lines", {"training.epochs": 2}, out=folder)
    assert len(kernel.cells) == 2
    resume("a")
    assert len(kernel.cells) == 3
    assert (
        "a has ended; nothing is left to do"
        in next(iter([*kernel.cells.values()][-1]))["text/plain"]
    )


def test_the_browser_is_not_flooded(kernel, monkeypatch):
    """2,000 steps within a second: the beginning, the end, and few between."""
    monkeypatch.setattr(notebook, "PAUSE", 1000)
    train("lines", {"training.epochs": 2000}, out="r")
    assert len(kernel.states) <= 4
    assert "2,000 epochs in" in kernel.states[-1]


def test_an_experiment_shows_how_it_loads(kernel, monkeypatch, photographs):
    """The last state is the whole bar, however short ago the one before was shown."""
    monkeypatch.setattr(notebook, "PAUSE", 1000)
    table = with_settings(read_recipe(photographs), {"data.size": [16, 16], "data.cache": False})
    experiment = Experiment(table)
    assert "30/30" in kernel.states[-1]
    shown = len(kernel.states)
    Experiment(table, splits=experiment.splits)
    Experiment(table, progress=lambda *_: None)
    assert (len(kernel.cells), len(kernel.states)) == (1, shown)


def test_repeats_and_notes_are_told(kernel):
    train("lines", {"training.epochs": 3, "repeats.seeds": [1, 2]}, out="r")
    assert "seed 1   train " in kernel.states[-1]
    assert "seed 2   train " in kernel.states[-1]


def test_names_are_text(kernel, paint):
    """Class names, the folder's name and a run's: none becomes a tag."""
    folder = Path("<img src=x onerror=alert(1)> & more")
    paint(folder, 6, names=("<b>a</b>", "green"))
    train(folder, {"training.epochs": 1, "data.size": [16, 16], "data.cache": False}, out="<i>r")
    (states,) = kernel.cells.values()
    for state in states:
        for bad in ("<img", "<b>a", "<i>"):
            assert bad not in state["text/html"]
    assert words(states[-1]["text/html"]).rstrip().endswith("<i>r")


# --- where it shows itself


def test_elsewhere_it_is_silent(capsys, monkeypatch):
    """Neither in a script nor in IPython on a terminal, which has a shell but no kernel."""
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert here() is None
    train("lines", {"training.epochs": 2}, out="a")
    ipython, module = ModuleType("IPython"), ModuleType("IPython.display")
    for shell in (None, SimpleNamespace()):
        ipython.get_ipython = lambda shell=shell: shell
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "IPython.display", module)
        assert here() is None
    assert capsys.readouterr() == ("", "")


def test_a_viewer_of_ones_own_is_asked_instead(kernel):
    class Own(Viewer):
        ended = None

        def ends(self, run):
            self.ended = run

    own = Own()
    run = train("lines", {"training.epochs": 2}, out="r", viewer=own)
    assert own.ended.folder == run.folder
    assert kernel.cells == {}


def test_in_another_thread(kernel):
    """Where no signal can be caught, it trains and shows itself all the same."""
    found = []
    other = threading.Thread(
        target=lambda: found.append(train("lines", {"training.epochs": 2}, out="r"))
    )
    other.start()
    other.join()
    assert found[0].summary["stopped"] is None
    assert "2 epochs in" in kernel.states[-1]


# --- the stop button


def test_the_stop_button_ends_after_the_step_and_keeps_the_run(kernel, monkeypatch):
    """A kernel gets SIGINT; after it all is as before, and the run goes on to the end."""
    before = signal.getsignal(signal.SIGINT)

    def report(self, one):
        told(self, one)
        if one.epoch == 3:
            signal.raise_signal(signal.SIGINT)

    told = Notebook.report
    monkeypatch.setattr(Notebook, "report", report)
    run = train("digits", {"training.epochs": 5}, out="r")
    assert [entry["epoch"] for entry in run.history] == [1, 2, 3]
    assert run.summary["stopped"] == "interrupted"
    assert signal.getsignal(signal.SIGINT) is before
    (states,) = kernel.cells.values()
    assert any("stopping after this step" in state["text/html"] for state in states)
    assert "stopped: interrupted; handgrad train --resume r goes on" in kernel.states[-1]
    assert "stopping" not in states[-1]["text/html"]
    monkeypatch.setattr(Notebook, "report", told)
    assert [entry["epoch"] for entry in resume("r").history] == [1, 2, 3, 4, 5]


def test_before_the_first_step_it_ends_at_once(kernel, monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(
        Notebook, "begins", lambda self, experiment: signal.raise_signal(signal.SIGINT)
    )
    with pytest.raises(KeyboardInterrupt):
        train("lines", {"training.epochs": 3}, out="r")
    assert signal.getsignal(signal.SIGINT) is before
    assert not Path("r").exists()


def test_a_training_that_fails_raises_and_leaves_the_signals_alone(kernel):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(NotFiniteError):
        train("lines", {"training.epochs": 50, "optimizer.learning_rate": 1e308}, out="r")
    assert signal.getsignal(signal.SIGINT) is before
    assert "stopped: " in kernel.states[-1]


# --- the card of a run


@pytest.fixture
def run(tmp_path) -> Run:
    """A folder as a run leaves it, with figures made up."""
    folder = tmp_path / "runs" / "mine"
    (folder / "pictures").mkdir(parents=True)
    (folder / "model.safetensors").touch()
    (folder / "report.html").touch()
    (folder / "pictures" / "accuracy.png").write_bytes(b"\x89PNG")
    summary = {
        "recipe": "folder", "test_accuracy": 0.9, "test_low": 0.8123, "test_high": 0.95,
        "test_n": 1000, "train_accuracy": 0.99, "loss": 0.25, "epochs": 12.0, "seconds": 3.14,
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))
    return Run(folder)


def test_a_run_says_what_it_achieved(run):
    html = run._repr_html_()
    assert (
        words(html).split("report")[0].split()
        == (
            "Run of folder test 90.00 % of 1,000 images; 95 % interval 81.2 to 95.0 % "
            f"train 99.00 %, loss 0.250000 training 12 epochs in 3.1 s folder {run.folder}"
        ).split()
    )
    assert '<a href="runs/mine/report.html" target="_blank">report.html</a>' in html
    assert 'src="data:image/png;base64,iVBORw=="' in html  # RFC 4648 of \x89 P N G
    assert "film" not in html


def test_a_run_that_is_not_whole_is_shown_as_far_as_it_goes(run):
    (run.folder / "pictures" / "accuracy.png").unlink()
    for text in ('{"test_accuracy": "<b>", "epochs": null}', "[1]", "no json", "{}"):
        (run.folder / "summary.json").write_text(text)
        html = run._repr_html_()
        assert words(html).startswith("Run")
        assert "<img" not in html
        assert "test" not in words(html).split()
    (run.folder / "summary.json").unlink()
    assert "folder" in words(run._repr_html_())
    with pytest.raises(DataError):
        assert run.summary


@pytest.mark.skipif(os.name == "nt", reason="names that Windows does not have")
def test_a_run_with_a_hostile_name_is_text(run):
    name = 'javascript:alert(1) "onclick=x <script>\udcff'
    other = Run(run.folder.rename(run.folder.parent.parent / name))
    (other.folder / "summary.json").write_text('{"recipe": "<script>x</script>"}')
    html = run_html(other)
    html.encode()
    assert "<script" not in html
    assert 'href="javascript%3Aalert%281%29%20%22onclick%3Dx%20%3Cscript%3E%FF/report.html"' in html
    assert "<script>x</script>" in words(html)
