"""A folder of images: what is read, in which order, and what is refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from handgrad.datasets import Preparation, load, read_folder
from handgrad.errors import DataError

Draw = Callable[..., None]
SMALL = Preparation(2, 2, 1, "nearest")


def values(dataset: object) -> list[int]:
    return getattr(dataset, "images")[:, 0, 0, 0].tolist()  # noqa: B009


@pytest.fixture
def pets(tmp_path: Path, drawn: Draw) -> Path:
    """Two classes of three; every picture has its own grey."""
    root = tmp_path / "pets"
    for place, name in enumerate(["dog/b.png", "cat/2.png", "dog/a.png"]):
        drawn(root / name, 10 + place)
    for place, name in enumerate(["cat/1.png", "cat/10.png", "dog/c.png"]):
        drawn(root / name, 20 + place)
    return root


def test_classes_and_files_are_in_the_order_of_their_names(pets: Path) -> None:
    splits = read_folder(pets, SMALL)
    dataset = splits.train
    names = ("cat/1.png", "cat/10.png", "cat/2.png", "dog/a.png", "dog/b.png", "dog/c.png")
    assert dataset.file_names == names
    assert dataset.class_names == ("cat", "dog")
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert values(dataset) == [20, 21, 11, 12, 10, 22]
    assert splits.test is None
    assert splits.note == ""
    assert splits.preparation == SMALL


def test_the_order_in_which_a_directory_is_listed_plays_no_part(
    pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = read_folder(pets, SMALL).train
    listed = Path.iterdir

    def backwards(self: Path) -> list[Path]:
        return sorted(listed(self), reverse=True)

    monkeypatch.setattr(Path, "iterdir", backwards)
    assert read_folder(pets, SMALL).train.file_names == expected.file_names


def test_a_recipe_may_state_the_order_and_choose(pets: Path, drawn: Draw) -> None:
    drawn(pets / "bird" / "a.png")
    dataset = read_folder(pets, SMALL, classes=("dog", "cat")).train
    assert dataset.class_names == ("dog", "cat")
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert values(dataset)[:3] == [12, 10, 22]
    with pytest.raises(DataError, match="the folders bird, cat, dog; expected a folder 'fish'"):
        read_folder(pets, SMALL, classes=("dog", "fish"))


def test_nested_files_are_found_and_others_are_passed_over(pets: Path, drawn: Draw) -> None:
    drawn(pets / "cat" / "more" / "deep" / "a.PNG", 99)
    drawn(pets / "cat" / "more-or-less.png", 98)
    drawn(pets / "cat" / ".hidden.png")
    drawn(pets / "cat" / ".thumbnails" / "a.png")
    drawn(pets / ".git" / "a.png")
    drawn(pets / "__MACOSX" / "cat" / "a.png")
    (pets / "cat" / "notes.txt").write_text("not a picture")
    (pets / "dog" / "Thumbs.db").write_bytes(b"")
    (pets / "README.md").write_text("mine")
    dataset = read_folder(pets, SMALL).train
    assert len(dataset) == 8
    assert dataset.file_names is not None
    # By the characters of the whole name, in which "-" comes before "/".
    assert dataset.file_names[3:5] == ("cat/more-or-less.png", "cat/more/deep/a.PNG")
    assert values(dataset)[3:5] == [98, 99]


def test_names_of_every_kind(tmp_path: Path, drawn: Draw) -> None:
    names = ["a b/ü 猫.png", "a b/'quoted'.png", "ß/1.png", "ß/2.png"]
    if sys.platform != "win32":
        names.append("ß/new\nline.png")
    for name in names:
        drawn(tmp_path / name)
    dataset = read_folder(tmp_path, SMALL).train
    assert dataset.file_names is not None
    assert set(dataset.file_names) == set(names)
    assert dataset.class_names == ("a b", "ß")


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux alone")
def test_a_name_that_is_no_text_is_written_with_escapes(pets: Path) -> None:
    os.rename(pets / "cat" / "1.png", os.fsencode(pets / "cat") + b"/\xff.png")
    dataset = read_folder(pets, SMALL).train
    assert dataset.file_names is not None
    assert "cat/\\xff.png" in dataset.file_names
    assert values(dataset)[2] == 20
    "".join(dataset.file_names).encode()  # can be printed and stored


def test_train_and_test_folders_are_the_parts(tmp_path: Path, drawn: Draw) -> None:
    for part, count in (("train", 3), ("test", 2), ("val", 1)):
        for name in ("cat", "dog"):
            for place in range(count):
                drawn(tmp_path / part / name / f"{place}.png", 10 * count + place)
    splits = read_folder(tmp_path, SMALL)
    assert splits.test is not None
    assert values(splits.train) == [30, 31, 32] * 2
    assert values(splits.test) == [20, 21] * 2
    assert values(splits.others["validation"]) == [10, 10]
    assert splits.test.file_names is not None
    assert splits.test.file_names[0] == "test/cat/0.png"
    assert splits.train.class_names == ("cat", "dog")


def test_without_test_the_validation_folder_is_tested_on(tmp_path: Path, drawn: Draw) -> None:
    for part in ("Training", "validation"):
        for name in ("cat", "dog"):
            drawn(tmp_path / part / name / "a.png", len(part))
    splits = read_folder(tmp_path, SMALL)
    assert splits.test is not None
    assert values(splits.test) == [10, 10]
    assert splits.others == {}
    assert "the validation folder is the test part" in splits.note


def test_train_may_be_a_class(tmp_path: Path, drawn: Draw) -> None:
    for name in ("train", "tram"):
        drawn(tmp_path / name / "a.png")
    assert read_folder(tmp_path, SMALL).train.class_names == ("train", "tram")


def test_a_class_that_only_the_test_part_has_is_refused(tmp_path: Path, drawn: Draw) -> None:
    for name in ("train/cat", "train/dog", "test/cat", "test/fish"):
        drawn(tmp_path / name / "a.png")
    with pytest.raises(DataError, match="a class 'fish' in the test part; expected the classes"):
        read_folder(tmp_path, SMALL)


def test_a_test_part_without_images_is_refused(tmp_path: Path, drawn: Draw) -> None:
    for name in ("train/cat", "train/dog"):
        drawn(tmp_path / name / "a.png")
    (tmp_path / "test" / "cat").mkdir(parents=True)
    with pytest.raises(DataError, match="test: found no readable images"):
        read_folder(tmp_path, SMALL)


def test_folders_without_images_are_named(pets: Path) -> None:
    (pets / "fish").mkdir()
    splits = read_folder(pets, SMALL)
    assert splits.train.class_names == ("cat", "dog")
    assert splits.note == "folders without images were passed over: fish"


def test_what_is_no_folder_of_classes_is_refused(tmp_path: Path, drawn: Draw) -> None:
    with pytest.raises(DataError, match="found no images; expected a folder per class"):
        read_folder(tmp_path, SMALL)
    drawn(tmp_path / "a.png")
    with pytest.raises(DataError, match="found images, but none in a folder of its class"):
        read_folder(tmp_path, SMALL)
    drawn(tmp_path / "cat" / "a.png")
    with pytest.raises(DataError, match=r"found one class \(cat\); expected at least two"):
        read_folder(tmp_path, SMALL)
    with pytest.raises(DataError, match="cannot be listed"):
        read_folder(tmp_path / "none", SMALL)


def test_every_bad_image_is_named(pets: Path) -> None:
    (pets / "cat" / "bad.jpg").write_bytes(b"no picture")
    (pets / "dog" / "empty.png").write_bytes(b"")
    with pytest.raises(DataError) as refusal:
        read_folder(pets, SMALL)
    first, *listed = str(refusal.value).splitlines()
    assert first.startswith(f"{pets}: found 2 images that cannot be read; expected ")
    assert listed[0].startswith(f"  {pets / 'cat' / 'bad.jpg'}: ")
    assert listed[1] == f"  {pets / 'dog' / 'empty.png'}: an empty file"


def test_bad_images_can_be_skipped(pets: Path) -> None:
    whole = read_folder(pets, SMALL).train
    (pets / "cat" / "15.jpg").write_bytes(b"no picture")
    (pets / "dog" / "0.png").write_bytes(b"")
    splits = read_folder(pets, SMALL, skip_bad=True)
    assert splits.train.fingerprint() == whole.fingerprint()
    assert splits.train.file_names == whole.file_names
    assert splits.note == "2 images were skipped, not being readable: cat/15.jpg, dog/0.png"


def test_a_class_of_bad_images_alone_is_refused(pets: Path) -> None:
    (pets / "fish").mkdir()
    (pets / "fish" / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match="no readable training image of class 'fish'"):
        read_folder(pets, SMALL, skip_bad=True)
    for name in ("cat", "dog"):
        for file in (pets / name).iterdir():
            file.write_bytes(b"")
    with pytest.raises(DataError, match="found no readable images"):
        read_folder(pets, SMALL, skip_bad=True)


def test_links_in_a_loop_end(pets: Path) -> None:
    whole = read_folder(pets, SMALL).train
    try:
        (pets / "cat" / "loop").symlink_to(pets, target_is_directory=True)
        (pets / "cat" / "itself").symlink_to(pets / "cat", target_is_directory=True)
        (pets / "again").symlink_to(pets, target_is_directory=True)
        (pets / "above").symlink_to(pets.parent, target_is_directory=True)
        (pets / "kitten").symlink_to(pets / "cat", target_is_directory=True)
        (pets / "round").symlink_to(pets / "round")
    except OSError:
        pytest.skip("no links on this system")
    assert read_folder(pets, SMALL).train.file_names == whole.file_names


def test_a_class_folder_may_be_a_link_to_elsewhere(pets: Path, tmp_path: Path, drawn: Draw) -> None:
    drawn(tmp_path / "elsewhere" / "a.png", 77)
    try:
        (pets / "fish").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    except OSError:
        pytest.skip("no links on this system")
    dataset = read_folder(pets, SMALL).train
    assert dataset.class_names == ("cat", "dog", "fish")
    assert dataset.file_names is not None
    assert dataset.file_names[-1] == "fish/a.png"


def test_the_bar_is_told_of_every_file(pets: Path) -> None:
    told: list[tuple[str, int, int]] = []
    read_folder(pets, SMALL, each=lambda *what: told.append(what))
    assert told == [*(("decoding", place, 6) for place in range(1, 7)), ("comparing", 6, 6)]


def test_the_threads_change_nothing(pets: Path) -> None:
    one, four = (read_folder(pets, SMALL, threads=threads).train for threads in (1, 4))
    assert one.fingerprint() == four.fingerprint()


def test_airplanes_and_motorbikes(data: Path) -> None:
    """The first 750 of each by name are for training, airplanes being class 0."""
    splits = load("airplane-bike", Preparation(8, 8, 3, "nearest"))
    train, test = splits.train, splits.test
    assert test is not None
    assert (len(train), len(test)) == (1500, 98)
    assert train.class_names == ("airplane", "bike")
    assert train.counts().tolist() == [750, 750]
    assert test.counts().tolist() == [50, 48]
    assert train.file_names is not None
    assert test.file_names is not None
    assert train.file_names[749:751] == ("airplanes/image_0750.jpg", "Motorbikes/image_0001.jpg")
    assert test.file_names[49:51] == ("airplanes/image_0800.jpg", "Motorbikes/image_0751.jpg")
    assert np.all(train.labels[:750] == 0)
