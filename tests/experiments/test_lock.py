"""Two trainings in one folder: the second is refused, a dead one's lock is taken over."""

from __future__ import annotations

import json
import os
import platform
import time

import pytest

from handgrad.errors import HandgradError
from handgrad.experiments import lock as locks
from handgrad.experiments import resume, train
from handgrad.experiments.conduct import Viewer
from handgrad.experiments.lock import Lock

pytestmark = pytest.mark.usefixtures("no_pictures")


def left(folder, age=0.0, **who):
    """A lock that nobody holds any more, written so many seconds ago."""
    table = {"pid": 4321, "host": platform.node(), "since": "2026-01-02T03:04:05+00:00"} | who
    path = folder / "lock"
    path.write_text(json.dumps(table))
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_the_second_is_refused_and_told_by_whom(tmp_path):
    with Lock(tmp_path):
        with pytest.raises(HandgradError) as caught, Lock(tmp_path):
            pytest.fail("two at once")
        assert f"process {os.getpid()} on {platform.node()}, begun 20" in str(caught.value)
        assert "expected to be alone" in str(caught.value)
        assert "remove" not in str(caught.value)
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
    assert not tmp_path.exists()  # an empty folder is that of a training that has ended


def test_one_after_the_other(tmp_path):
    (tmp_path / "recipe.toml").touch()
    notes = []
    for _ in range(2):
        with Lock(tmp_path, notes.append):
            pass
    assert notes == []
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]


def test_a_dead_ones_lock_is_noticed_and_taken_over(tmp_path):
    left(tmp_path)
    notes = []
    with Lock(tmp_path, notes.append):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
    [note] = notes
    assert note.endswith(
        f"ended without a word (process 4321 on {platform.node()}, begun "
        "2026-01-02T03:04:05+00:00); this one takes its place"
    )


def test_another_machines_lock_holds_while_it_gives_signs_of_life(tmp_path):
    path = left(tmp_path, host="elsewhere", age=locks.STALE - 60)
    with pytest.raises(HandgradError, match=r"process 4321 on elsewhere.* remove .*lock"):
        Lock(tmp_path).__enter__()
    assert json.loads(path.read_text())["host"] == "elsewhere"
    left(tmp_path, host="elsewhere", age=locks.STALE + 60)
    notes = []
    with Lock(tmp_path, notes.append):
        pass
    assert len(notes) == 1


def test_without_locks_in_the_file_system_signs_of_life_decide(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_locked", lambda handle: None)
    with Lock(tmp_path):
        with pytest.raises(HandgradError, match=rf"process {os.getpid()} .* remove .*lock"):
            Lock(tmp_path).__enter__()
        os.utime(tmp_path / "lock", (time.time() - locks.STALE - 60,) * 2)
        notes = []
        with Lock(tmp_path, notes.append):
            assert len(notes) == 1


@pytest.mark.parametrize("text", ["{", "[]", "{}", "\x00\x1b[2J", '{"pid": "\\u001b[2J"}'])
def test_what_is_no_lock_of_ours(tmp_path, text):
    (tmp_path / "lock").write_text(text)
    os.utime(tmp_path / "lock", (0, 0))
    notes = []
    with Lock(tmp_path, notes.append):
        pass
    assert len(notes) == 1
    assert "\x1b" not in notes[0]


@pytest.mark.skipif(os.name == "nt", reason="pipes and links that this system does not have")
@pytest.mark.parametrize("kind", ["pipe", "link", "dangling", "folder"])
def test_a_strangers_folder(tmp_path, kind):
    """Nothing is waited for, and nothing written elsewhere."""
    path, elsewhere = tmp_path / "r" / "lock", tmp_path / "elsewhere"
    path.parent.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(elsewhere)
    if kind == "link":
        elsewhere.write_text("mine")
    with pytest.raises(HandgradError):
        Lock(path.parent).__enter__()
    assert not elsewhere.exists() or elsewhere.read_text() == "mine"
    assert elsewhere.exists() == (kind == "link")


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed there")
def test_a_lock_that_is_removed_between_opening_and_locking(tmp_path, monkeypatch):
    real, tries = locks._locked, []

    def locked(handle):
        if not tries:
            (tmp_path / "lock").unlink()
        tries.append(handle)
        return real(handle)

    monkeypatch.setattr(locks, "_locked", locked)
    with Lock(tmp_path):
        assert len(tries) == 2
        with pytest.raises(HandgradError, match="expected to be alone"):
            Lock(tmp_path).__enter__()


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed there")
def test_another_ones_lock_is_not_removed(tmp_path):
    with Lock(tmp_path):
        (tmp_path / "lock").unlink()
        other = Lock(tmp_path).__enter__()
    assert (tmp_path / "lock").exists()
    other.__exit__()


def test_signs_of_life(tmp_path, monkeypatch):
    with Lock(tmp_path) as lock:
        os.utime(lock.path, (0, 0))
        lock.beat()
        assert lock.path.stat().st_mtime == 0  # not yet
        monkeypatch.setattr(locks, "BEAT", 0.0)
        lock.beat()
        assert time.time() - lock.path.stat().st_mtime < 60
        lock.path.unlink()
        lock.beat()


def test_a_run_that_goes_on_is_refused_to_everybody_else(tmp_path):
    """`train` with and without force, and `resume`, into the folder of one that is training."""
    out, refused = tmp_path / "r", []

    class Another(Viewer):
        def begins(self, experiment):
            for other in (
                lambda: train("lines", out=out),
                lambda: train("lines", out=out, force=True),
                lambda: resume(out),
            ):
                with pytest.raises(HandgradError) as caught:
                    other()
                refused.append(str(caught.value))

    settings = {"training.epochs": 5}
    train("lines", settings, out=tmp_path / "alone")
    run = train("lines", settings, out=out, viewer=Another())
    assert len(refused) == 3
    for sentence in refused:
        assert sentence.startswith(f"{out}: found a training that goes on there")
        assert f"process {os.getpid()} on {platform.node()}" in sentence
    name = "model.safetensors"
    assert (run.folder / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
