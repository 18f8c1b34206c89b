"""What is meant by a name: a file, a folder, a pattern."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from handgrad.datasets.named_files import files_of_list, image_files
from handgrad.errors import HandgradError

POSIX = pytest.mark.skipif(os.name == "nt", reason="names and links that Windows does not have")


@pytest.fixture(autouse=True)
def tree(tmp_path, monkeypatch):
    """A folder of files, of which only names matter."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "photos/b.jpg",
        "photos/a.PNG",
        "photos/notes.txt",
        "photos/.hidden.jpg",
        "photos/.cache/old.jpg",
        "photos/__MACOSX/a.png",
        "photos/a/z.webp",
        "photos/a/deep/er/1.gif",
        "photos [1]/c.jpg",
        "photos [1]/d[0].jpg",
        "photos [1]/d0.jpg",
        "1/c.jpg",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("nothing/deeper").mkdir(parents=True)
    return tmp_path


ALL = ["photos/a.PNG", "photos/a/deep/er/1.gif", "photos/a/z.webp", "photos/b.jpg"]


def meant(*names):
    """The files, with forward slashes; there must be no faults."""
    files, faults = image_files(names)
    assert faults == []
    return [Path(file).as_posix() for file in files]


def test_a_folder_means_its_images_in_the_order_of_their_names():
    assert meant("photos") == ALL
    assert meant("photos/a", "photos/b.jpg") == [*ALL[1:3], "photos/b.jpg"]
    assert meant(".")[-1] == "photos/b.jpg"


def test_a_file_is_itself_whatever_it_is_called():
    """The pattern "d[0].jpg" would mean d0.jpg, and "none.jpg" is for whoever opens it."""
    names = ["photos/notes.txt", "photos/.hidden.jpg", "photos [1]/d[0].jpg", "none.jpg"]
    assert meant(*names) == names
    assert image_files(["./photos [1]/d[0].jpg"]) == (["./photos [1]/d[0].jpg"], [])  # as given


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("photos/*.jpg", ["photos/b.jpg"]),
        ("photos/?.*", ["photos/a.PNG", "photos/b.jpg"]),
        ("photos/[!a].jpg", ["photos/b.jpg"]),
        ("*/b.jpg", ["photos/b.jpg"]),
        ("photos/**/*.*[fp]", ["photos/a/deep/er/1.gif", "photos/a/z.webp"]),
        ("**/*.gif", ["photos/a/deep/er/1.gif"]),
        ("photos/**/er/*", ["photos/a/deep/er/1.gif"]),
        ("photos/**/deep/**/*", ["photos/a/deep/er/1.gif"]),
        ("photos/a*", ["photos/a/deep/er/1.gif", "photos/a/z.webp", "photos/a.PNG"]),
        ("photos/.*.jpg", ["photos/.hidden.jpg"]),
        ("photos/*.txt", ["photos/notes.txt"]),  # as a shell: whoever opens it complains
        ("photos [1]/c*", ["photos [1]/c.jpg"]),  # a folder that exists is itself
        ("[1]/*", ["1/c.jpg"]),
    ],
)
def test_a_pattern_means_what_a_shell_makes_of_it(pattern, expected):
    assert meant(pattern) == expected
    assert [Path(f).as_posix() for f in image_files([os.path.abspath(pattern)])[0]] == [
        Path(os.path.abspath(name)).as_posix() for name in expected
    ]


@pytest.mark.parametrize("pattern", ["photos/*.jpg", "photos/?.*", "*/b.jpg", "**/*.gif", "*/*.*"])
def test_patterns_beside_pythons_own(pattern):
    theirs = {Path(name).as_posix() for name in glob.glob(pattern, recursive=True)}
    assert set(meant(pattern)) == theirs


def test_with_double_stars_every_file_comes_once():
    found = meant("photos/**")
    assert sorted(found) == sorted([*ALL, "photos/notes.txt"])


def test_names_that_mean_nothing():
    files, faults = image_files(["nothing", "*.jpg", "photos/b.jpg"])
    assert files == ["photos/b.jpg"]
    assert [str(fault) for fault in faults] == [
        "nothing: found a folder without images; expected image files in it or below",
        "*.jpg: found nothing that matches; expected a pattern of image files",
    ]


@POSIX
def test_links_in_a_loop_are_passed_over(tmp_path):
    """Two loops: whoever follows them has 2^40 ways before the system stops him."""
    for name in ("loop", "a/round"):
        Path("photos", name).symlink_to(tmp_path / "photos")
    Path("itself.jpg").symlink_to("itself.jpg")
    Path("photos/link.jpg").symlink_to("b.jpg")
    expected = sorted([*ALL, "photos/link.jpg"])
    assert meant("photos") == expected
    assert sorted(meant("photos/**/*.*")) == sorted([*expected, "photos/notes.txt"])
    assert meant("photos/loop") == [name.replace("photos", "photos/loop") for name in expected]
    assert meant("itself.jpg") == ["itself.jpg"]  # it exists, though it leads nowhere


@pytest.fixture
def closed():
    """A folder with one below that only root can list; pytest's own are closed to all others."""
    home = Path(tempfile.mkdtemp())
    home.chmod(0o755)
    (home / "shut").mkdir()
    for name in ("a.jpg", "z.jpg", "shut/b.jpg"):
        (home / name).touch()
    (home / "shut").chmod(0)
    yield home
    shutil.rmtree(home)


@POSIX
def test_a_folder_that_cannot_be_listed_is_named(closed, not_root):
    files, faults = image_files([str(closed)])
    assert files == [f"{closed}/a.jpg", f"{closed}/z.jpg"]
    assert [str(fault) for fault in faults] == [
        f"{closed}/shut: found a folder that cannot be listed (Permission denied); "
        "expected a readable folder"
    ]


@pytest.mark.parametrize(
    "url",
    [
        "http://a.b/c.jpg",
        "https://a.b/*.jpg",
        "ftp://a/b.png",
        "file:///a.png",
        "s3://a/b",
        "A+b://c",
    ],
)
def test_nothing_is_fetched(url):
    with pytest.raises(HandgradError, match="found a URL; expected a file on this machine"):
        image_files(["photos", url])
    with pytest.raises(HandgradError, match="found a URL"):
        files_of_list(f"a.jpg\n{url}\n".encode())
    assert files_of_list(b"C:/a.jpg\nC://a.jpg\na://b\n") == ["C:/a.jpg", "C://a.jpg", "a://b"]


@POSIX
def test_a_list_of_names():
    assert files_of_list(b"a.jpg\n\nb c.jpg") == ["a.jpg", "b c.jpg"]
    assert files_of_list(b"\xff.jpg\n") == ["\udcff.jpg"]  # as the system calls it
    assert files_of_list(b"two\nlines\r\n.jpg\0b.jpg") == ["two\nlines\r\n.jpg", "b.jpg"]
    assert files_of_list(b"") == files_of_list(b"\n\n") == files_of_list(b"\0") == []
