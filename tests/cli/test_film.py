"""``handgrad film``: a run's film, and where it is written."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from handgrad.experiments import Experiment, read_recipe
from handgrad.experiments.film import SNAPSHOTS, Filming


@pytest.fixture
def run(lines_run, monkeypatch, tmp_path_factory):
    """A run with its snapshots, under runs/; no ffmpeg on the path."""
    experiment = Experiment(read_recipe("lines"))
    filming = Filming(experiment, Path("unfinished"))
    for _ in experiment.train(between=filming):
        pass
    shutil.copytree(lines_run.folder, "runs/one")
    filming.save(Path("runs/one") / SNAPSHOTS)
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))
    return Path("runs/one")


def test_the_newest_run_gets_its_film(handgrad, run):
    said = handgrad("film", "--frames", 3)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"film     {run / 'film.gif'}: 3 frames, 0.1 MB",
        "note     no MP4, since the program ffmpeg is not on the path",
    ]
    with Image.open(run / "film.gif") as image:
        durations = []
        for i in range(image.n_frames):
            image.seek(i)
            durations.append(image.info["duration"])
    assert durations == [50, 50, 3000]


def test_another_file_and_pace(handgrad, run):
    found = handgrad("film", run, "-o", "a.gif", "--frames", 2, "--fps", 4, "--json").json
    assert found == {"run": str(run), "note": "", "files": [{"file": "a.gif", "frames": 2}]}
    assert not (run / "film.gif").exists()
    with Image.open("a.gif") as image:
        assert (image.n_frames, image.info["duration"]) == (2, 250)


def test_what_it_refuses(handgrad, refused, run):
    assert refused("film", run, "-o", "a.mp4").startswith(
        "a.mp4: found no program ffmpeg on the path; expected it"
    )
    assert refused("film", run, "-o", "a.png") == (
        "a.png: found a name that ends in '.png'; expected .gif or .mp4\n"
    )
    assert refused("film", "nowhere").startswith("nowhere: found no such file; expected a model")
    (run / SNAPSHOTS).unlink()
    assert refused("film") == (
        f"{run / SNAPSHOTS}: found no such file: this run kept no snapshots; "
        "expected one, which handgrad writes while it trains; train again\n"
    )
    said = handgrad("film", run, "--frames", 1)
    assert said.code == 2
    assert "--frames" in said.err
