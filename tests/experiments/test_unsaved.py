"""A full disk, a folder without the right to write, a vanished one: nothing old is damaged."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import handgrad.writing
from handgrad.errors import HandgradError
from handgrad.experiments import Run, resume, train
from handgrad.experiments.conduct import Viewer
from handgrad.storage import read_tensors

pytestmark = pytest.mark.usefixtures("no_pictures")

SETTINGS = {"training.epochs": 8}
LATER = "; the training goes on, and tries again with the next checkpoint"


class During(Viewer):
    """Does something before some steps of the training of `lines`, one step an epoch."""

    def __init__(self, **at):
        self.at = {int(step.removeprefix("step")): what for step, what in at.items()}
        self.notes = []

    def note(self, text):
        self.notes.append(text)

    def watch(self, batches):
        viewer = self

        class Watched:
            full, steps_per_epoch = batches.full, batches.steps_per_epoch

            def __call__(self, epoch, first=0):
                viewer.at.get(epoch, lambda: None)()
                yield from batches(epoch, first)

        return Watched()


def open_to_all():
    """A folder that another user can reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="open-"))
    folder.chmod(0o777)
    return folder


@pytest.fixture(scope="module")
def whole():
    """The run of a training that nothing happened to. Read only."""
    home = open_to_all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("handgrad.experiments.drawn.draw_pictures", lambda *_: None)
        yield train("lines", SETTINGS, out=home / "whole").folder
    shutil.rmtree(home)


def same(a, b):
    return all(
        (a / name).read_bytes() == (b / name).read_bytes()
        for name in ("model.safetensors", "history.jsonl", "recipe.toml", "snapshots.safetensors")
    )


def stands(run):
    """The step of the checkpoint that is there."""
    path = run / "unfinished" / "checkpoint.safetensors"
    return read_tensors(path, "a checkpoint", 1)[1]["state"]["steps"]


def test_a_disk_that_is_full_for_a_while(tmp_path, monkeypatch, whole):
    out, stood, full = tmp_path / "r", [], []
    flush = handgrad.writing._to_disk

    def to_disk(path):
        if full:
            raise OSError(28, "No space left on device")
        flush(path)

    monkeypatch.setattr("handgrad.writing._to_disk", to_disk)
    viewer = During(
        step3=lambda: full.append(True),
        step6=lambda: (stood.append(stands(out)), full.clear()),
        step7=lambda: stood.append(stands(out)),
    )
    run = train("lines", SETTINGS, out=out, checkpoint_every="1", viewer=viewer)
    inside = out / "unfinished"
    # Each fault once, though it was met at three steps.
    assert viewer.notes == [
        f"{inside / 'checkpoint.safetensors'}: cannot be written: No space left on device{LATER}",
        f"{inside / 'snapshots.safetensors'}: cannot be written: No space left on device{LATER}",
        f"{inside / 'checkpoint.safetensors'}: is written again, at step 6",
    ]
    assert stood == [2, 6]
    assert same(run.folder, whole)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own, of 400 kB."""
    if os.name != "posix" or not shutil.which("mount"):
        pytest.skip("a small disk: this system has no mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "none", folder], capture_output=True
    )
    if made.returncode:
        pytest.skip("a small disk: this user may not mount one")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(folder):
    """Leave no byte free."""
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_disk_that_is_really_full(small_disk, whole):
    out = small_disk / "r"
    viewer = During(step3=lambda: fill(small_disk), step6=lambda: (small_disk / "filler").unlink())
    run = train("lines", SETTINGS, out=out, checkpoint_every="1", viewer=viewer)
    assert all("No space left on device" in note for note in viewer.notes[:-1])
    assert viewer.notes[-1].endswith("is written again, at step 6")
    assert same(run.folder, whole)


def test_a_disk_that_stays_full(small_disk, whole):
    """The error says where the last checkpoint is; with room again the training goes on there."""
    out = small_disk / "r"
    viewer = During(step5=lambda: fill(small_disk))
    with pytest.raises(HandgradError, match="No space left on device") as caught:
        train("lines", SETTINGS, out=out, checkpoint_every="1", viewer=viewer)
    last = out / "unfinished" / "checkpoint.safetensors"
    assert caught.value.__notes__ == [
        f"{last} is the last checkpoint, of step 4; `handgrad train --resume {out}` goes on from "
        "there"
    ]
    assert stands(out) == 4
    assert {path.name for path in out.iterdir()} == {"unfinished"}
    with pytest.raises(HandgradError, match="No space left on device"):
        resume(out)
    (small_disk / "filler").unlink()
    assert same(resume(out).folder, whole)


def test_an_older_run_on_a_disk_that_is_full_stays(small_disk, whole):
    out = small_disk / "r"
    shutil.copytree(whole, out)
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(HandgradError, match="No space left on device"):
        train(
            "lines", SETTINGS | {"seed": 3}, out=out, force=True,
            viewer=During(step5=lambda: fill(small_disk)),
        )  # fmt: skip
    assert {path: path.read_bytes() for path in out.iterdir()} == before


@pytest.fixture
def open_folder():
    folder = open_to_all()
    yield folder
    shutil.rmtree(folder)


def test_a_right_to_write_that_is_taken_and_given_back(open_folder, whole, request):
    out = open_folder / "r"
    inside = out / "unfinished"
    request.getfixturevalue("not_root")
    viewer = During(step3=lambda: inside.chmod(0o555), step6=lambda: inside.chmod(0o755))
    run = train("lines", SETTINGS, out=out, checkpoint_every="1", viewer=viewer)
    assert viewer.notes == [
        f"{inside / 'checkpoint.safetensors'}: cannot be written: Permission denied{LATER}",
        f"{inside / 'snapshots.safetensors'}: cannot be written: Permission denied{LATER}",
        f"{inside / 'checkpoint.safetensors'}: is written again, at step 6",
    ]
    assert same(run.folder, whole)


def test_a_run_that_may_not_be_written_to_is_refused_before_it_trains(open_folder, whole, request):
    out, steps = open_folder / "r", []
    request.getfixturevalue("not_root")

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("lines", SETTINGS, out=out, checkpoint_every="1", viewer=During(step5=stop))
    (out / "unfinished").chmod(0o555)
    viewer = During(step4=lambda: steps.append(4))
    with pytest.raises(HandgradError, match=f"{out}: cannot be written: Permission denied"):
        resume(out, viewer=viewer)
    assert steps == []
    (out / "unfinished").chmod(0o755)
    assert same(resume(out, viewer=viewer).folder, whole)
    assert steps == [4]


@pytest.mark.skipif(os.name == "nt", reason="a folder with an open file stays there")
def test_a_folder_that_vanishes_and_comes_back(tmp_path, whole):
    out, away = tmp_path / "r", tmp_path / "away"
    viewer = During(step3=lambda: out.rename(away), step6=lambda: away.rename(out))
    run = train("lines", SETTINGS, out=out, checkpoint_every="1", viewer=viewer)
    inside = out / "unfinished"
    missing = "cannot be written: No such file or directory"
    assert viewer.notes == [
        f"{inside / 'checkpoint.safetensors'}: {missing}{LATER}",
        f"{inside / 'snapshots.safetensors'}: {missing}{LATER}",
        f"{inside / 'checkpoint.safetensors'}: is written again, at step 6",
    ]
    assert same(run.folder, whole)


@pytest.mark.skipif(os.name == "nt", reason="a folder with an open file stays there")
def test_a_folder_that_vanishes_for_good(tmp_path, whole):
    """The run is there at the end all the same."""
    out = tmp_path / "r"
    viewer = During(step3=lambda: shutil.rmtree(out))
    run = train("lines", SETTINGS, out=out, checkpoint_every="1", viewer=viewer)
    assert len(viewer.notes) == 2
    assert same(run.folder, whole)
    assert {path.name for path in out.iterdir()} == {path.name for path in whole.iterdir()}
    assert isinstance(run, Run)
