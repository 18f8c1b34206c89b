"""What an accuracy is worth: the table at the end of a training on one's own folder."""

from __future__ import annotations

import json

import numpy as np
import pytest

from handgrad.datasets import Dataset, Splits
from handgrad.experiments import Experiment, train
from handgrad.experiments.scoreboard import scoreboard

RECIPE = {
    "name": "tiny",
    "data": {"source": "FOLDER"},
    "architecture": [{"layer": "dense", "units": "classes"}],
    "loss": {"kind": "softmax cross-entropy"},
    "optimizer": {"kind": "sgd"},
}


def judged(weights: list[list[float]], train_pixels: list[int], test: list[tuple[int, int]]):
    """An experiment on images of one pixel, of two classes, with these weights."""
    labels = np.array([0, 1] * (len(train_pixels) // 2))
    train_set = Dataset(np.array(train_pixels, np.uint8).reshape(-1, 1, 1, 1), labels, ("a", "b"))
    pixels, truth = (np.array(column) for column in zip(*test, strict=True))
    names = tuple(f"{i}.png" for i in range(len(test)))
    images = pixels.astype(np.uint8).reshape(-1, 1, 1, 1)
    test_set = Dataset(images, truth, ("a", "b"), names)
    experiment = Experiment(RECIPE, splits=Splits(train_set, test_set))
    experiment.network.vector[...] = np.array(weights).ravel()
    return scoreboard(experiment, test_set)


def test_a_model_that_is_better():
    """Classes that no simple answer tells apart: 0 and 255 are a, 128 is b. The model says b
    always; the majority class is a (the first of equals); the means are 127.5 and 128."""
    test = [(128, 1)] * 12 + [(0, 0)]
    found = judged([[0, 0], [0, 9]], [0, 128, 255, 128], test)
    first, *others = found.rows
    assert (first.name, first.correct, first.n) == ("this model", 12, 13)
    assert first.low == pytest.approx(0.6669, abs=1e-4)  # Wilson for 12 of 13, by hand
    assert [row.name for row in others] == [
        "logistic regression",
        "nearest class mean",
        "majority class",
    ]
    majority = others[2]
    assert majority.correct == 1


def test_the_verdict_is_mcnemars():
    """Weights that call a pixel above one half b, on images that the mean tells apart, too."""
    easy = judged([[0, 8], [4, 0]], [0, 255, 10, 250], [(5, 0), (250, 1), (250, 1)])
    assert easy.p == 1
    assert easy.verdict.startswith("no better than the best simple answer")
    assert easy.most_wrong == ()
    always_wrong = judged([[8, 0], [0, 4]], [0, 255, 10, 250], [(5, 0), (250, 1)] * 6)
    assert always_wrong.rows[0].correct == 0
    assert always_wrong.p == pytest.approx(2 / 2**12)
    assert always_wrong.verdict.startswith("worse than the best simple answer")
    assert "it is right on 0, the simple answer on 12 (p = 0.00049)" in always_wrong.verdict
    few = judged([[8, 0], [0, 4]], [0, 255, 10, 250], [(5, 0), (250, 1)])
    assert few.p == 0.5
    assert few.verdict.startswith("not shown to be worse than the best simple answer")


def test_the_surest_errors_are_named():
    """The score for b against a is 8 x - 4 for a pixel x in 0..1: surest where x is farthest."""
    board = judged(
        [[0, 8], [4, 0]], [0, 255, 10, 250], [(250, 0), (5, 1), (255, 0), (0, 0), (200, 0)]
    )
    assert [wrong.file for wrong in board.most_wrong] == ["2.png", "0.png", "1.png", "4.png"]
    first = board.most_wrong[0]
    assert (first.truth, first.called) == ("a", "b")
    assert first.probability == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-5)


def test_it_stands_at_the_end_of_a_run_on_ones_own_folder(photographs, tmp_path):
    run = train(photographs, {"training.epochs": 2}, out=tmp_path / "run", report=True)
    board = run.summary["scoreboard"]
    assert [row["n"] for row in board["rows"]] == [6] * 4
    assert board["rows"][0]["accuracy"] == run.summary["test_accuracy"]
    assert json.dumps(board)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert board["verdict"].partition(" (")[0] in page


def test_published_data_do_without(tmp_path):
    run = train("lines", {"training.epochs": 3}, out=tmp_path / "run")
    assert "scoreboard" not in run.summary
