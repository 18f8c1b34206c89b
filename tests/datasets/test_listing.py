"""Which files are listed, from folders and from tables. (What is passed over: test_folder.py.)"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from handgrad.datasets import Preparation, load
from handgrad.datasets.listing import listed
from handgrad.errors import DataError


@pytest.fixture
def pets(tmp_path: Path, drawn) -> Path:
    for place, name in enumerate(["cat/1.png", "cat/2.png", "dog/a.png", "dog/b.png"]):
        drawn(tmp_path / name, place)
    return tmp_path


def table(pets: Path, text: str, name: str = "labels.csv") -> Path:
    (pets / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    return pets / name


def told(path: Path) -> list[tuple[str, str, str]]:
    return [(entry.file, entry.part, entry.class_name) for entry in listed(path).entries]


def test_other_files_are_named(pets: Path) -> None:
    (pets / "cat" / "notes.txt").write_text("mine")
    (pets / "dog" / "deep").mkdir()
    (pets / "dog" / "deep" / "b.mp4").write_bytes(b"")
    found = listed(pets)
    assert found.ignored == ("cat/notes.txt", "dog/deep/b.mp4")
    assert [entry.file for entry in found.entries] == [
        "cat/1.png",
        "cat/2.png",
        "dog/a.png",
        "dog/b.png",
    ]
    assert found.parts == {"train": pets}


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table(pets: Path, mark: str) -> None:
    rows = ["file,label", "dog/b.png,dog", "cat/2.png,cat", "dog/a.png,cat"]
    path = table(pets, "\n".join(rows).replace(",", mark))
    assert told(path) == [
        ("cat/2.png", "train", "cat"),
        ("dog/a.png", "train", "cat"),
        ("dog/b.png", "train", "dog"),
    ]


def test_a_table_of_parts_with_other_names_and_columns(pets: Path) -> None:
    text = (
        "\ufeffFilename,Split,Class,ID\r\n"
        "cat/1.png,train,x,1\r\n"
        "dog/a.png,Test,y,2\r\n"
        "dog/b.png,,y,3\r\n"
        "\r\n"
        "cat/2.png,val,x,4\r\n"
    )
    path = table(pets, text)
    assert told(path) == [
        ("cat/1.png", "train", "x"),
        ("dog/b.png", "train", "y"),
        ("dog/a.png", "test", "y"),
        ("cat/2.png", "validation", "x"),
    ]
    splits = load(path, Preparation(2, 2, 1, "nearest"))
    assert splits.test is not None
    assert splits.test.images[:, 0, 0, 0].tolist() == [2]
    assert splits.others["validation"].images[:, 0, 0, 0].tolist() == [1]


def test_names_of_every_kind_in_a_table(pets: Path, drawn) -> None:
    names = ['a "b", c.png', "new\nline.png", "ü 猫.png"]
    if sys.platform == "linux":
        names.append(os.fsdecode(b"\xff.png"))
    for place, name in enumerate(names):
        drawn(pets / "odd" / name, 50 + place)
    rows = [
        '"odd/' + name.replace('"', '""') + f'",{"x" if i % 2 else "y"}'
        for i, name in enumerate(names)
    ]
    path = table(pets, "file,label\n" + "\n".join(rows) + "\n")
    found = load(path, Preparation(2, 2, 1, "nearest"), test=0).train
    assert sorted(found.images[:, 0, 0, 0].tolist()) == [50, 51, 52, 53][: len(names)]
    "".join(found.file_names or ()).encode()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "found the columns of an empty file; expected a header with 'file' and 'label'"),
        ("name,kind\na.png,b\n", "found the columns name, kind; expected a header with"),
        ("file,label\na.png\n", "found no label in row 1; expected a file and its label"),
        ("file,label\na.png,x\n,y\n", "found no file in row 2; expected a file and its label"),
        ("file,label,part\na.png,x,some\n", "found the part 'some' in row 1; expected train, test"),
        ("file,label\na.png,x\n", r"found one class \(x\); expected at least two"),
        ("file,label\n", "found no images"),
        ('file,label\n"a.png,x\n', "found what is no CSV"),
    ],
)
def test_a_table_that_is_none(pets: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence) as refusal:
        listed(table(pets, text))
    assert str(pets / "labels.csv") in str(refusal.value)


def test_a_file_that_the_table_names_and_nobody_has(pets: Path) -> None:
    path = table(pets, "file,label\ncat/1.png,x\ncat/none.png,x\ndog/a.png,y\n")
    with pytest.raises(DataError, match="1 image that cannot be read") as refusal:
        load(path, Preparation(2, 2, 1))
    assert str(refusal.value).splitlines()[-1] == f"  {pets / 'cat' / 'none.png'}: no such file"


def test_a_quarantine_is_left_out(pets: Path) -> None:
    (pets / "cat" / "bad.png").write_bytes(b"none")
    small = Preparation(2, 2, 1)
    with pytest.raises(DataError, match=r"cat/bad\.png"):
        load(pets, small, test=0)
    found = load(pets, small, test=0, quarantine=["cat/bad.png", "dog/b.png", "gone.png"])
    assert found.train.file_names == ("cat/1.png", "cat/2.png", "dog/a.png")
    assert "2 images were left out, being in quarantine" in found.note
    assert f"in quarantine but not in {pets}: 1 (gone.png)" in found.note
    (pets / "dog" / "worse.png").write_bytes(b"none")
    with pytest.raises(DataError, match=r"1 image that cannot be read.*\n.*dog/worse\.png"):
        load(pets, small, test=0, quarantine=["cat/bad.png"])
