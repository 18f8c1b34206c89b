"""Writing beside and renaming: a file is there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from handgrad.errors import HandgradError
from handgrad.writing import folder_to_disk, made_folder, umask, written


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["a.txt", "größe 猫.txt", "no suffix", ".hidden"])
def test_a_block_that_ends_well_gives_the_file(tmp_path, name):
    with written(tmp_path / name) as beside:
        assert beside.parent == tmp_path
        beside.write_text("new")
        assert not (tmp_path / name).exists()
    assert (tmp_path / name).read_text() == "new"
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_a_block_that_fails_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "a"

    def failing():
        with written(path) as beside:
            beside.write_text("half")
            raise error

    with pytest.raises(error):
        failing()
    assert names(tmp_path) == []
    path.write_text("old")
    with pytest.raises(error):
        failing()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_full_disk_is_a_sentence(tmp_path):
    (tmp_path / "a").write_text("old")

    def full():
        with written(tmp_path / "a") as beside:
            beside.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(HandgradError, match="a: cannot be written: No space left on device"):
        full()
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path):
    with (
        pytest.raises(HandgradError, match=r"none.a: cannot be written: "),
        written(tmp_path / "none" / "a"),
    ):
        pytest.fail("the block began")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_new_file_gets_the_permissions_of_any_other(tmp_path):
    """mkstemp's own are for nobody else; a folder shared with a group would be useless."""
    with written(tmp_path / "a") as beside:
        beside.touch()
    (tmp_path / "plain").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode
    before = umask()
    assert umask() == before  # reading it changes nothing


def test_folders_are_made_with_their_parents(tmp_path):
    assert made_folder(tmp_path / "a b" / "猫") == tmp_path / "a b" / "猫"
    assert made_folder(str(tmp_path / "a b" / "猫")).is_dir()
    assert names(tmp_path / "a b" / "猫") == []


def test_a_file_in_the_way_of_a_folder(tmp_path):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(HandgradError, match="a: found a file; expected a folder"):
        made_folder(tmp_path / "a")
    with pytest.raises(HandgradError, match="cannot be written"):
        made_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a").read_text() == "mine"


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="permissions do not bind this user",
)
def test_a_folder_without_the_right_to_write(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(HandgradError, match="cannot be written: Permission denied"):
            made_folder(tmp_path)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(os.name != "posix", reason="folders are flushed on POSIX systems only")
def test_the_bytes_reach_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path, monkeypatch
):
    """What a power cut leaves is the old file or the new one."""
    done, flush, rename = [], os.fsync, os.replace

    def fsync(handle):
        is_file = not Path(f"/proc/self/fd/{handle}").is_dir()
        done.append("flush the file" if is_file else "flush the folder")
        flush(handle)

    def replace(*paths):
        done.append("rename")
        rename(*paths)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("what is flushed cannot be seen on this system")
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    with written(tmp_path / "a") as beside:
        beside.write_text("new")
    assert done == ["flush the file", "rename", "flush the folder"]
    done.clear()
    made_folder(tmp_path / "b" / "c")
    assert done == ["flush the folder", "flush the folder"]


@pytest.mark.skipif(os.name != "posix", reason="folders are flushed on POSIX systems only")
@pytest.mark.parametrize(
    ("number", "told"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)]
)
def test_a_file_system_that_flushes_no_folders(tmp_path, monkeypatch, number, told):
    """Two of the numbers mean that there is no such thing; the third that a disk is at its end."""

    def refused(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refused)
    if told:
        with pytest.raises(OSError, match=os.strerror(number)):
            folder_to_disk(tmp_path)
    else:
        folder_to_disk(tmp_path)
