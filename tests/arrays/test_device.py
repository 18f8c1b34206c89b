"""A device from the command line to the file: trained, interrupted, taken up, judged, refused."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from foreign import Foreign
from PIL import Image

from handgrad.arrays import device_name, on_device
from handgrad.bench.contest import contest
from handgrad.bench.floor import floor
from handgrad.bench.ours import ours
from handgrad.bench.rivals import NotMeantError, SkippedError, rival
from handgrad.bench.works import Work, convolutional, descent
from handgrad.cli import main
from handgrad.errors import HandgradError, RecipeError
from handgrad.experiments import Experiment, Recipe, Run, evaluate, read_recipe, resume, train
from handgrad.experiments.recipe import with_settings
from handgrad.experiments.work import work_for
from handgrad.networks import Network
from handgrad.optimizers import SGD
from handgrad.storage import read_tensors
from handgrad.training import by_the_book

SMALL = {
    "training.epochs": 2, "training.batch_size": 300, "training.threads": 1, "data.validation": 0.1,
    "architecture": [
        {"layer": "convolution", "channels": 4, "stride": 2}, {"layer": "batch-norm"},
        {"layer": "relu"}, {"layer": "dropout", "rate": 0.2},
        {"layer": "dense", "units": "classes"},
    ],
    "augmentation": [{"kind": "translate", "pixels": 1}],
    "averaging": {"kind": "moving average", "decay": 0.9},
}  # fmt: skip


@pytest.fixture
def command(capsys, monkeypatch):
    """Runs ``handgrad`` with arguments: its exit code, output and errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["handgrad", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return run


def vector(run):
    return run.model.network.vector


def test_trained_on_a_device_as_by_the_book(foreign, no_pictures, tmp_path):
    """The same numbers to the bit, here, where the stand-in computes with NumPy."""
    here = train("digits", SMALL | {"training.reference": True}, out=tmp_path / "here")
    Foreign.pulled.clear()
    there = train("digits", SMALL | {"training.device": "cuda"}, out=tmp_path / "there")
    assert Foreign.pulled  # it was computed there
    np.testing.assert_array_equal(vector(there), vector(here))
    same = ("loss", "train_accuracy", "validation_accuracy", "test_accuracy")
    assert [there.summary[key] for key in same] == [here.summary[key] for key in same]
    told = [[row | {"update_norms": 0} for row in run.history] for run in (there, here)]
    assert told[0] == told[1]
    assert there.manifest["work"] == "by the book on cuda"
    assert there.manifest["device"] == "a stand-in, CuPy 0, CUDA 12000"
    assert "device" not in here.manifest
    assert there.recipe["training"]["device"] == "cuda"
    assert "device" not in here.recipe["training"]


def test_a_full_batch_travels_once(foreign):
    experiment = Experiment({**read_recipe("lines"), "training": {"device": "cuda", "epochs": 4}})
    assert len(list(experiment.train())) == 4
    assert sorted(Foreign.arrived) == [24, 24, 24, 24, 74, 216]  # labels, the vector, the images


def test_interrupted_and_taken_up(foreign, no_pictures, tmp_path, monkeypatch):
    """To the bits of the one that was not; the checkpoint holds arrays of here."""
    settings = SMALL | {"training.device": "cuda"}
    whole = train("digits", settings, out=tmp_path / "whole")
    steps = []

    def stop(network, *others):
        if len(steps) == 7:
            raise KeyboardInterrupt
        steps.append(network)
        return by_the_book(network, *others)

    with monkeypatch.context() as patch:
        patch.setattr("handgrad.experiments.work.by_the_book", stop)
        with pytest.raises(KeyboardInterrupt):
            train("digits", settings, out=tmp_path / "cut", checkpoint_every="1")
    assert isinstance(steps[0].vector, Foreign)
    tensors, _ = read_tensors(tmp_path / "cut/unfinished/checkpoint.safetensors", "", 1)
    assert {"vector", "average.average", "best"} < tensors.keys()
    again = resume(tmp_path / "cut")
    np.testing.assert_array_equal(vector(again), vector(whole))
    assert len(again.history) == 2


def test_the_command_line(foreign, no_pictures, tmp_path, command):
    out, image = tmp_path / "run", tmp_path / "image.png"
    Image.fromarray(np.full((8, 8), 128, np.uint8)).save(image)
    code, said, _ = command(
        "train", "digits", "--device", "cuda", "--epochs", 1, "--out", out, "--no-report"
    )
    assert code == 0
    assert "on cuda" in said
    answers = []
    for device in ("cuda", "cpu"):
        Foreign.pulled.clear()
        for arguments in (("evaluate", out), ("predict", out, image)):
            code, said, _ = command(*arguments, "--device", device, "--json")
            assert code == 0
            answers.append(json.loads(said))
            assert bool(Foreign.pulled) == (device == "cuda")
            Foreign.pulled.clear()
    judged, asked, judged_here, asked_here = answers
    assert judged["loss"] == pytest.approx(judged_here["loss"], rel=1e-5)
    probabilities = asked[0]["probabilities"]
    assert probabilities == pytest.approx(asked_here[0]["probabilities"], abs=1e-5)


def test_in_python(foreign, no_pictures, tmp_path):
    run = train("lines", {"training.epochs": 5}, out=tmp_path / "run")
    Foreign.pulled.clear()
    assert evaluate(Run(run.folder), device="cuda").n == evaluate(run.folder).n
    assert Foreign.pulled


def test_how_it_is_computed_is_said(foreign):
    table = with_settings(read_recipe("cat-cnn"), {"training.device": "cuda"})
    recipe = Recipe.of(table, classes=2)
    made = Experiment({**read_recipe("lines"), "training": {"device": "cuda"}})
    for device, span in (("cpu", 1500), ("cuda", 0)):  # whose full batch is small beside its images
        table_of_few = with_settings(read_recipe("airplane-bike"), {"training.device": device})
        few = Recipe.of(table_of_few, classes=2)
        assert work_for(few, Network(few.architecture, (64, 64, 3)), 1500, 8).span == span
    assert str(work_for(recipe, made.network, 100, 8)) == "by the book on cuda"
    grouped = with_settings(table, {"training.group": 5, "training.batch_size": 20})
    work = work_for(Recipe.of(grouped, classes=2), made.network, 100, 8)
    assert str(work) == "by the book on cuda, in groups of 5"
    with pytest.raises(
        RecipeError, match=r"training.device: found 'tpu'; expected 'cpu' or 'cuda'"
    ):
        Recipe.of(with_settings(table, {"training.device": "tpu"}))


# The bench


@pytest.fixture
def problem():
    made = descent(convolutional((2, 3), 7, 3), (8, 12, 2), 8, 4, SGD(learning_rate=0.05))
    return replace(made, device="cuda")


def test_our_side_of_the_bench_computes_there(foreign, problem):
    side, here = ours(problem, 1), ours(replace(problem, device="cpu"), 1, reference=True)
    for each in (side, here):
        for _ in range(2):
            each.restart()
            each.run(2)
    assert isinstance(side.network.vector, Foreign)
    np.testing.assert_array_equal(side.numbers(), here.numbers())
    least = floor(problem, 1)
    least.run(1)
    assert {type(array) for call in least.by_batch[4] for array in call[:3]} == {Foreign}


def test_the_rival_with_its_tensors_elsewhere(torch, problem, monkeypatch):
    """But for the card: its own processor in its place."""
    from handgrad.bench.rivals import pytorch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SkippedError, match="no CUDA device"):
        rival("pytorch cuda", problem, 1)
    with pytest.raises(NotMeantError):
        rival("pytorch", problem, 1)
    with pytest.raises(NotMeantError):
        rival("pytorch cuda", replace(problem, device="cpu"), 1)
    places, waited = [], []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(1))
    to = torch.Tensor.to
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, *a, **k: self)
    monkeypatch.setattr(
        torch.Tensor, "to", lambda x, a, *k: places.append(a) or (x if a == "cuda" else to(x, a))
    )
    sides = [pytorch.on_cuda(problem, 1), ours(replace(problem, device="cpu"), 1, reference=True)]
    for side in sides:
        side.restart()
        side.run(1)
    np.testing.assert_allclose(*(side.numbers() for side in sides), atol=1e-5)
    assert places.count("cuda") == 4  # images and labels of two steps
    assert waited


def test_a_contest_on_a_card(foreign, problem):
    work = Work("card", "a step", lambda: problem, "step", device="cuda", tolerance=1e-2)

    def make(name, problem, threads):
        return ours(replace(problem, device="cpu"), 1, reference=True)

    (row,) = contest([work], rounds=1, make=make, weigh=lambda *_: pytest.fail("is weighed"))
    assert (row.rival, row.threads, row.difference) == ("pytorch cuda", 1, 0)
    assert row.table()["device"] == "a stand-in, CuPy 0, CUDA 12000"


# Refusals


def test_without_cupy(monkeypatch, tmp_path, command):
    monkeypatch.setitem(sys.modules, "cupy", None)
    code, said, told = command("train", "lines", "--device", "cuda", "--out", tmp_path / "run")
    assert code == 2
    assert said == ""
    assert told == (
        "handgrad: device cuda: found no CuPy; expected it installed, such as by "
        "`pip install cupy-cuda12x`\n"
    )
    assert not (tmp_path / "run").exists()
    with pytest.raises(HandgradError, match="found no CuPy"):
        on_device(np.zeros(1), "cuda")


def test_without_a_gpu(foreign, monkeypatch, command, tmp_path):
    def none():
        raise RuntimeError("cudaErrorInsufficientDriver: too old")

    runtime = sys.modules["cupy"].cuda.runtime
    for count, why in ((none, r"found no usable GPU \(cudaErrorIns"), (lambda: 0, "found no GPU$")):
        monkeypatch.setattr(runtime, "getDeviceCount", count)
        with pytest.raises(HandgradError, match=f"^device cuda: CuPy 0 {why}"):
            device_name("cuda")
        for name in ("evaluate", "predict"):
            arguments = [tmp_path / "model.safetensors", *(["x.png"] if name == "predict" else [])]
            code, _, told = command(name, *arguments, "--device", "cuda")
            assert code == 2
            assert re.search(why, told.strip())


def test_a_cupy_that_cannot_be_imported(monkeypatch, tmp_path):
    broken = tmp_path / "cupy.py"
    broken.write_text("raise ImportError('libnvrtc.so.12: cannot open\\nand more')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with pytest.raises(HandgradError, match=r"cannot be imported \(libnvrtc.so.12: cannot open\)$"):
        device_name("cuda")


def test_the_processor_needs_no_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert device_name("cpu") == "cpu"
    assert on_device(np.ones(1), "cpu") == 1
