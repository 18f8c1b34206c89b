"""``handgrad prepare``: a folder of images into one HDF5 file, and what can be done with it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.usefixtures("no_pictures")


def test_anyone_reads_the_file(handgrad, photographs):
    said = handgrad("prepare", photographs, "p.h5", "--size", "10x12", "--json")
    assert (said.code, said.err) == (0, "")
    found = said.json
    assert (found["file"], found["images"]) == ("p.h5", {"train": 30})
    assert found["classes"] == ["blue é", "green", "red"]
    with h5py.File("p.h5") as file:
        images, labels = file["images"][()], file["labels"][()]
        names = file["file_names"].asstr()[()]
        assert list(file["class_names"].asstr()[()]) == ["blue é", "green", "red"]
    assert (images.shape, images.dtype) == ((30, 10, 12, 3), np.uint8)
    assert labels.tolist() == [0] * 10 + [1] * 10 + [2] * 10
    for i in (0, 13, 29):  # the size is that of the files: the pixels are theirs
        with Image.open(photographs / names[i]) as image:
            np.testing.assert_array_equal(images[i], np.asarray(image))


def test_nearest_takes_single_pixels(handgrad, photographs):
    """Halving 10 x 12 by nearest neighbour takes the pixels at 1, 3, 5 …: the centres' places."""
    handgrad("prepare", photographs, "p.h5", "--size", "5x6", "--resample", "nearest")
    with h5py.File("p.h5") as file:
        first = file["images"][0]
        name = file["file_names"].asstr()[0]
    with Image.open(photographs / name) as image:
        np.testing.assert_array_equal(first, np.asarray(image)[1::2, 1::2])


def test_grey_is_one_channel(handgrad, photographs):
    handgrad("prepare", photographs, "p.h5", "--grey")
    with h5py.File("p.h5") as file:
        assert file["images"].shape == (30, 64, 64, 1)


def test_parts_stay_apart(handgrad, paint):
    paint(Path("photos/train"), 4)
    paint(Path("photos/test"), 2, seed=1)
    found = handgrad("prepare", "photos", "p.h5", "--size", "4x4", "--json").json
    assert found["images"] == {"train": 12, "test": 6}


@pytest.mark.parametrize("resample", ["nearest", "lanczos"])
def test_from_a_folder_to_a_judged_model(handgrad, photographs, resample):
    """The model asks of a new photograph what was done to those in the file, size and filter."""
    handgrad("prepare", photographs, "my file.h5", "--size", "16x18", "--resample", resample)
    words = ("--epochs", 6, "--learning-rate", "0.01", "--out", "r", "--json")
    found = handgrad("train", "my file.h5", *words).json
    assert (found["recipe"], found["test_n"]) == ("my file", 6)
    judged = handgrad("evaluate", "r", "--json").json
    assert judged["accuracy"] == found["test_accuracy"]
    everything = handgrad("evaluate", "r", "--data", "my file.h5", "--json").json
    assert everything["n"] == 30
    prepared = handgrad("summary", "r").out
    assert f"images   16x18x3 by {resample}" in prepared
    # The same images once more, from their folder and from the file: the same answers.
    again = handgrad("evaluate", "r", "--data", photographs, "--json").json
    assert again["confusion"] == everything["confusion"]
    assert again["loss"] == pytest.approx(everything["loss"], rel=1e-6)


@pytest.mark.parametrize(
    "size", ["64", "0x4", "4x0", "-1x4", "axb", "4x4x4", "", "²x2", "٣x٤", "1.5x2"]
)
def test_a_size_that_is_none(refused, photographs, size):
    said = refused("prepare", photographs, "p.h5", f"--size={size}")
    assert said == f"--size {size}: found no HEIGHTxWIDTH; expected such as 64x64\n"
    assert not Path("p.h5").exists()


def test_a_file_is_replaced_only_by_force(handgrad, refused, photographs):
    Path("p.h5").write_text("mine")
    assert refused("prepare", photographs, "p.h5").startswith("p.h5: the file is there already")
    assert Path("p.h5").read_text() == "mine"
    assert handgrad("prepare", photographs, "p.h5", "--force").code == 0
    assert h5py.is_hdf5("p.h5")


def test_places_that_cannot_be_written(refused, photographs):
    Path("folder").mkdir()
    Path("file").write_text("mine")
    for words in (["folder"], ["folder", "--force"]):
        assert refused("prepare", photographs, *words).startswith("folder: found a folder")
    assert refused("prepare", photographs, "file/p.h5") == (
        "file: found a file; expected a folder, or none yet\n"
    )


def test_folders_that_are_none(refused, paint):
    paint(Path("one"), 2, ("red",))
    Path("void").mkdir()
    Path("file.png").touch()
    for folder, found in (
        ("none", "found no such folder"),
        ("file.png", "found no such folder"),
        ("void", "found no images"),
        ("one", "found one class (red)"),
    ):
        assert refused("prepare", folder, "p.h5").startswith(f"{folder}: {found}")
        assert not Path("p.h5").exists()


def test_bad_images_are_named_or_skipped(handgrad, refused, paint):
    paint(Path("photos"), 2)
    Path("photos/red/bad one.jpg").write_bytes(b"no image")
    assert "bad one.jpg" in refused("prepare", "photos", "p.h5")
    assert not Path("p.h5").exists()
    said = handgrad("prepare", "photos", "p.h5", "--skip-bad", "--json")
    assert "red/bad one.jpg" in said.json["note"]
    assert said.json["images"] == {"train": 6}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda f: f.__delitem__("labels"), "expected a dataset 'labels'"),
        (lambda f: f["labels"].__setitem__(0, 9), "found label 9 at image 0"),
        (lambda f: f.__delitem__("images"), "expected a dataset 'images'"),
    ],
)
def test_a_file_that_was_damaged(handgrad, refused, photographs, colours_run, change, found):
    handgrad("prepare", photographs, "p.h5", "--size", "4x4")
    with h5py.File("p.h5", "a") as file:
        change(file)
    assert found in refused("train", "p.h5")
    assert found in refused("evaluate", colours_run.folder, "--data", "p.h5")
