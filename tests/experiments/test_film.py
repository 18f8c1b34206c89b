"""What a training keeps for its film, and the film that is made of it."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from handgrad.errors import DataError, HandgradError, RecipeError
from handgrad.experiments import Experiment, Run, read_recipe, save_run, train, with_settings
from handgrad.experiments.checkpoints import Checkpoints, restore
from handgrad.experiments.film import SNAPSHOTS, Filming, film_of, kept, save_film, whole
from handgrad.layers import Convolution, Dense, Dropout, Flatten, ReLU
from handgrad.networks import Network
from handgrad.pictures.film import Matrices, Tiles
from handgrad.training.snapshots import read_snapshots


def _filmed(name, folder, settings=None):
    """A run with its snapshots, and the experiment."""
    experiment = Experiment(with_settings(read_recipe(name), settings or {}))
    filming = Filming(experiment, folder / "unfinished")
    for _ in experiment.train(between=filming):
        pass
    save_run(experiment, folder, [])
    filming.save(folder / SNAPSHOTS)
    return Run(folder), experiment


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("handgrad.experiments.drawn.draw_pictures", lambda *_: None)
        return _filmed("lines", tmp_path_factory.mktemp("lines"))[0]


@pytest.fixture(scope="module")
def film(lines):
    return film_of(lines)


def test_the_first_frame_is_the_published_start(film):
    """W1 as the tutorial draws it: its seed 7, a row a neuron, variance 1/9; offsets of 0."""
    generator = np.random.default_rng(7)
    first, second = film.scene.layers
    np.testing.assert_array_equal(first.W[0], generator.normal(size=(6, 9)) / 3)
    np.testing.assert_array_equal(second.W[0], generator.normal(size=(2, 6)) / np.sqrt(6))
    assert not first.b[0].any()
    assert not second.b[0].any()


def test_every_step_of_the_published_training_is_there(film, lines):
    assert isinstance(film.scene, Matrices)
    assert film.steps == list(range(202))
    assert (film.name, film.total) == ("lines", 201)
    layers = film.scene.layers
    assert [layer.W.shape[1:] for layer in layers] == [(6, 9), (2, 6)]
    assert [layer.A.shape[1:] for layer in layers] == [(6, 24), (2, 24)]
    last = lines.model.network.params
    np.testing.assert_array_equal(layers[0].W[-1], last[0].W.T)
    np.testing.assert_array_equal(layers[1].b[-1], last[2].b)


def test_all_are_right_from_iteration_68_on(film):
    """The published one; counted in what the frames show, and in the curve beside it."""
    called = film.scene.layers[1].A.argmax(axis=1)
    share = (called == film.scene.labels).mean(axis=1)
    assert share[0] == 0.25
    assert np.flatnonzero(share == 1)[0] == 68
    accuracies = film.curves.accuracies["train"]
    np.testing.assert_allclose(share[:201], accuracies)
    assert film.curves.loss[0] == pytest.approx(17.3267, abs=1e-4)
    assert film.curves.loss[200] == pytest.approx(1.1803, abs=1e-4)


def test_activations_are_those_of_the_snapshots(film):
    """By hand, for one frame: ReLU and softmax; the images stand column by column."""
    from handgrad.datasets import load

    i, images = 40, load("lines").train
    x = images.images[np.argsort(images.labels, kind="stable"), ..., 0]
    x = x.transpose(0, 2, 1).reshape(24, 9) / (255 if x.dtype == np.uint8 else 1)
    first, second = film.scene.layers
    z1 = first.W[i] @ x.T + first.b[i][:, None]
    np.testing.assert_allclose(first.A[i], np.maximum(z1, 0), atol=1e-12)
    z2 = second.W[i] @ first.A[i] + second.b[i][:, None]
    np.testing.assert_allclose(second.A[i], np.exp(z2) / np.exp(z2).sum(axis=0), atol=1e-12)


def test_filming_changes_nothing(lines):
    experiment = Experiment(read_recipe("lines"))
    for _ in experiment.train():
        pass
    np.testing.assert_array_equal(experiment.network.vector, lines.model.network.vector)


@pytest.mark.usefixtures("no_pictures")
def test_a_resumed_training_has_the_same_film(lines, tmp_path):
    class Interrupted(Exception):
        pass

    first = Experiment(read_recipe("lines"))
    filming = Filming(first, tmp_path / "unfinished")
    checkpoints = Checkpoints(first, tmp_path / "checkpoint", (np.inf, np.inf))

    def between():
        filming()
        if first.state.steps == 90:
            filming.write()
            checkpoints.write()
            raise Interrupted

    with pytest.raises(Interrupted):
        list(first.train(between=between))
    again = Experiment(read_recipe("lines"))
    restore(again, tmp_path / "checkpoint")
    filming = Filming(again, tmp_path / "unfinished")
    list(again.train(between=filming))
    filming.save(tmp_path / SNAPSHOTS)
    assert (tmp_path / SNAPSHOTS).read_bytes() == (lines.folder / SNAPSHOTS).read_bytes()


@pytest.mark.usefixtures("no_pictures")
def test_filters_of_a_convolution(tmp_path):
    run, experiment = _filmed("digits", tmp_path, {"training.epochs": 1})
    film = film_of(run)
    assert isinstance(film.scene, Tiles)
    assert film.scene.title == "Weights of 16 filters of the first layer"
    assert film.scene.weights.shape == (len(film), 16, 3, 3, 1)
    last = experiment.network.params[0].W
    for k in range(16):
        np.testing.assert_array_equal(film.scene.weights[-1, k], last[..., k])
    assert film.steps == list(range(24))  # 1,438 or so images, 64 a step
    assert list(film.curves.accuracies) == ["train"] or "test" in film.curves.accuracies


@pytest.mark.usefixtures("no_pictures")
def test_neurons_as_images_less_their_first_values(tmp_path, photographs):
    network = [{"layer": "dense", "units": 5}, {"layer": "relu"}]
    network.append({"layer": "dense", "units": "classes"})
    settings = {"architecture": network, "data.size": [4, 6], "training.epochs": 2}
    settings |= {"augmentation": [], "views": "none"}
    run, experiment = _filmed(photographs, tmp_path, settings)
    film = film_of(run)
    assert film.scene.weights.shape == (len(film), 5, 4, 6, 3)
    assert film.scene.title == "Weights of 5 neurons of the first layer, less their first values"
    assert not film.scene.weights[0].any()
    _, arrays = read_snapshots(tmp_path / SNAPSHOTS)
    moved = experiment.network.params[0].W[:, 3] - arrays["0.W"][0][:, 3]
    np.testing.assert_array_equal(film.scene.weights[-1, 3], moved.reshape(4, 6, 3))
    assert moved.any()


@pytest.mark.usefixtures("no_pictures")
def test_neurons_that_were_fed_column_by_column_stand_upright(tmp_path):
    run, experiment = _filmed("lines", tmp_path, {"architecture.0.units": 20})
    film = film_of(run)
    _, arrays = read_snapshots(tmp_path / SNAPSHOTS)
    moved = (experiment.network.params[0].W - arrays["0.W"][0])[:, 7].reshape(3, 3)
    np.testing.assert_array_equal(film.scene.weights[-1, 7, ..., 0], moved.T)
    assert np.abs(moved - moved.T).max() > 0.01


@pytest.mark.usefixtures("no_pictures")
def test_one_that_is_trained_in_coordinates_shows_weights(tmp_path):
    """A full batch of fewer images than pixels: 24 images of 900 numbers, and one neuron."""
    from handgrad.datasets import Dataset, Splits

    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, size=(24, 30, 30, 1), dtype=np.uint8)
    labels = np.arange(24) % 2
    train = Dataset(images, labels, ("a", "b"))
    table = {
        "name": "one",
        "dtype": "float64",
        "data": {"source": "lines"},
        "architecture": [
            {"layer": "dense", "units": 1, "weights": {"initial": "zeros"}},
        ],
        "loss": {"kind": "sigmoid cross-entropy"},
        "optimizer": {"kind": "sgd", "learning_rate": 0.01},
        "training": {"epochs": 40},
    }

    def filmed(reference):
        table["training"]["reference"] = reference
        experiment = Experiment(table, splits=Splits(train))
        filming = Filming(experiment, tmp_path / "unfinished")
        list(experiment.train(between=filming))
        filming.save(tmp_path / SNAPSHOTS)
        return experiment, *read_snapshots(tmp_path / SNAPSHOTS)

    spanned, steps, arrays = filmed(False)
    plain, again, others = filmed(True)
    assert (spanned.spanned, plain.spanned) == (True, False)
    np.testing.assert_array_equal(steps, again)
    assert len(steps) == 41
    assert arrays["0.W"].shape == (41, 900, 1)
    np.testing.assert_allclose(arrays["0.W"], others["0.W"], atol=1e-12)
    np.testing.assert_array_equal(arrays["0.W"][-1], spanned.network.params[0].W)


def test_what_is_kept():
    def names(*layers, shape=(28, 28, 1)):
        return {name: view.shape for name, view in kept(Network(layers, shape)).items()}

    small = (Dense(6), ReLU(), Dense(2))
    assert names(*small, shape=(3, 3, 1)) == {
        "0.W": (9, 6),
        "0.b": (6,),
        "2.W": (6, 2),
        "2.b": (2,),
    }
    assert names(Dense(512), ReLU(), Dense(10)) == {"0.W": (784, 64)}
    assert names(Dense(10)) == {"0.W": (784, 10)}
    # 196,608 numbers of four bytes a neuron: one of them, for 1 MB a snapshot.
    assert names(Dense(10), shape=(256, 256, 3)) == {"0.W": (196_608, 1)}
    assert names(Convolution(100, (5, 5)), Flatten(), Dense(2)) == {"0.W": (5, 5, 1, 64)}
    assert names(Convolution(8, stride=2), Flatten(), Dense(2)) == {"0.W": (3, 3, 1, 8)}
    view = kept(network := Network(small, (3, 3, 1)))["0.b"]
    network.params[0].b[...] = 7
    assert view.tolist() == [7] * 6


@pytest.mark.parametrize(
    ("layers", "shape", "is_whole"),
    [
        ((Dense(2),), (3, 3, 1), True),
        ((Dense(6), ReLU(), Dropout(0.5), Dense(4), ReLU(), Dense(4)), (2, 2, 1), True),
        ((Dense(6), Dense(5), Dense(4)), (2, 2, 1), False),  # 15 neurons
        ((Dense(2), Dense(2), Dense(2), Dense(2)), (2, 2, 1), False),
        ((Dense(2),), (7, 7, 1), False),
        ((Convolution(2), Flatten(), Dense(2)), (3, 3, 1), False),
    ],
)
def test_which_networks_are_drawn_whole(layers, shape, is_whole):
    assert whole(Network(layers, shape)) is is_whole


def test_a_run_without_snapshots(lines_run, tmp_path):
    run = Run(lines_run.folder)
    run.folder = tmp_path
    with pytest.raises(DataError, match=r"snapshots\.safetensors: found no such file: this run ke"):
        film_of(run)


def test_snapshots_of_another_network_are_refused(lines, tmp_path):
    from handgrad.storage import write_tensors

    _, arrays = read_snapshots(lines.folder / SNAPSHOTS)
    for file in lines.folder.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    arrays["0.W"] = arrays["0.W"][:, :, :5]
    write_tensors(tmp_path / SNAPSHOTS, {"steps": np.arange(202), **arrays}, {"format": 1})
    with pytest.raises(
        DataError, match=r"found 0\.W: shape \(9, 5\) a snapshot; expected \(9, 6\)"
    ):
        film_of(Run(tmp_path))


def test_the_film_is_saved_in_the_run(film, lines, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    run = Run(lines.folder)
    run.folder = tmp_path
    short = dataclasses.replace(film)
    told = []
    files, note = save_film(short, run, most=3, progress=lambda *now: told.append(now))
    assert files == [{"file": str(tmp_path / "film.gif"), "frames": 3}]
    assert note == "no MP4, since the program ffmpeg is not on the path"
    assert told == [("GIF", 1, 3), ("GIF", 2, 3), ("GIF", 3, 3)]
    with Image.open(tmp_path / "film.gif") as image:
        assert image.n_frames == 3
    with pytest.raises(HandgradError, match="expected it, for an MP4 is written by it"):
        save_film(short, run, tmp_path / "film.mp4")
    with pytest.raises(HandgradError, match=r"ends in '\.png'; expected \.gif or \.mp4"):
        save_film(short, run, tmp_path / "film.png")


def test_a_limit_on_what_is_kept(tmp_path):
    """74 numbers of 8 bytes and their step are 592: of 6 kB ten snapshots; of nothing, none."""
    run = train("lines", {"training.epochs": 60, "training.snapshots": 0.006}, out=tmp_path / "a")
    steps, _ = read_snapshots(run.folder / SNAPSHOTS)
    assert len(steps) == 10
    assert (steps[0], steps[-1]) == (0, 60)
    run = train("lines", {"training.epochs": 60, "training.snapshots": 0}, out=tmp_path / "b")
    assert not (run.folder / SNAPSHOTS).exists()
    with pytest.raises(RecipeError, match=r"snapshots = -1.*; expected 0 or more megabytes"):
        train("lines", {"training.snapshots": -1})
