"""``handgrad predict`` of folders, patterns and lists, and its answers as rows to go on with."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

RED, GREEN = (200, 40, 40), (40, 200, 40)
POSIX = pytest.mark.skipif(os.name == "nt", reason="names and pipes that Windows does not have")


@pytest.fixture
def photos() -> list[str]:
    """Images in folders, and one that is none; in the order of their names."""
    for name, colour in (("b/2.png", GREEN), ("b/1.jpg", RED), ("a.png", GREEN)):
        Path("photos", name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 10), colour).save(Path("photos", name))
    Path("photos/c.png").write_bytes(b"no image")
    Path("photos/notes.txt").write_text("milk")
    return ["photos/a.png", "photos/b/1.jpg", "photos/b/2.png", "photos/c.png"]


@pytest.fixture
def hear(monkeypatch):
    """Puts bytes on standard input."""

    def given(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return given


def names_of(said) -> list[str]:
    return [Path(answer["file"]).as_posix() for answer in said.json]


# --- what is asked for


def test_a_folder(handgrad, colours_run, photos):
    said = handgrad("predict", colours_run.folder, "photos", "--json")
    assert (said.code, names_of(said)) == (1, photos)
    assert [answer.get("label") for answer in said.json] == ["green", "red", "green", None]
    Path("photos/c.png").unlink()
    assert handgrad("predict", colours_run.folder, "photos").code == 0


def test_a_pattern_that_the_shell_left(handgrad, colours_run, photos):
    said = handgrad("predict", colours_run.folder, "photos/**/?.jpg", "none/*.jpg", "--json")
    wrong = "none/*.jpg: found nothing that matches; expected a pattern of image files"
    assert (said.code, said.json[0]) == (1, {"file": "none/*.jpg", "error": wrong})
    assert names_of(said)[1:] == ["photos/b/1.jpg"]


def test_what_the_first_argument_is(handgrad, colours_run, photos):
    """A run's folder or a model file is the model; any other folder is one of images."""
    Path("runs").mkdir()
    shutil.copytree(colours_run.folder, "runs/mine")
    Path("runs/mine/photo.png").write_bytes(Path("photos/a.png").read_bytes())
    Path("runs/mine/pictures").rename("elsewhere")
    assert names_of(handgrad("predict", "photos", "--json")) == photos
    model = colours_run.model_file
    assert names_of(handgrad("predict", model, "photos", "--json")) == photos
    said = handgrad("predict", "--model", model, "runs/mine", "--json")
    assert names_of(said) == ["runs/mine/photo.png"]
    said = handgrad("predict", "--model", colours_run.folder, model, "photos/a.png", "--json")
    assert said.code == 1  # a model is no image
    assert handgrad("predict", "--model", model).code == 2
    assert handgrad("predict", "none.safetensors", "photos").code == 2


def test_a_folder_without_images(handgrad, colours_run):
    Path("empty/deeper").mkdir(parents=True)
    said = handgrad("predict", "--model", colours_run.folder, "empty")
    expected = "empty: found a folder without images; expected image files in it or below"
    assert (said.code, said.out, said.err) == (2, "", f"handgrad: {expected}\n")


def test_a_list_on_standard_input(handgrad, colours_run, photos, hear):
    hear("\n".join(photos[::-1]).encode() + b"\n")
    said = handgrad("predict", colours_run.folder, "-", "photos/a.png", "--json")
    assert (said.code, names_of(said)) == (1, [*photos[::-1], "photos/a.png"])
    hear(b"photos/a.png\0photos/b/1.jpg\0")
    assert names_of(handgrad("predict", colours_run.folder, "-", "--json")) == photos[:2]
    hear(b"\n")
    said = handgrad("predict", colours_run.folder, "-")
    assert (said.code, said.out) == (2, "")
    assert said.err == "handgrad: standard input: found no name; expected a file a line\n"


class Nobody:
    """Standard input that is never asked."""

    @property
    def buffer(self):
        raise AssertionError("it was read")


def test_a_url_is_refused_before_anything_is_read(refused, colours_run, photos, hear, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Nobody())
    said = refused("predict", "no.safetensors", "-", "photos", "https://a.b/c.jpg", "--out", "o")
    expected = "found a URL; expected a file on this machine, since nothing is fetched"
    assert said == f"https://a.b/c.jpg: {expected}\n"
    hear(b"photos/a.png\nfile:///photos/a.png\n")
    assert refused("predict", colours_run.folder, "-").startswith("file:///photos/a.png: found a U")


# --- how it is told


def test_rows_of_a_table_for_others(handgrad, colours_run, photos):
    """One column a class, in the model's order; what could not be read is named beside them."""
    Path('photos/x, "y"\nz.png' if os.name != "nt" else "photos/x, y.png").write_bytes(
        Path("photos/b/1.jpg").read_bytes()
    )
    said = handgrad("predict", colours_run.folder, "photos", "--format", "csv")
    assert said.code == 1
    assert said.err == (
        "handgrad: photos/c.png: found a file that is not an image that can be read; "
        "expected an image (JPEG, PNG, GIF, BMP, TIFF, WebP …)\n"
    )
    head, *rows = csv.reader(io.StringIO(said.out, newline=""))
    assert head == ["file", "label", "probability", "blue é", "green", "red"]
    told = handgrad("predict", colours_run.folder, "photos", "--json").json
    good = [answer for answer in told if "error" not in answer]
    assert len(rows) == len(good) == 4
    for row, answer in zip(rows, good, strict=True):
        assert row[:2] == [answer["file"], answer["label"]]
        assert float(row[2]) == answer["probability"]
        assert [float(cell) for cell in row[3:]] == list(answer["probabilities"].values())
    if os.name != "nt":
        assert '\n"photos/x, ""y""\nz.png",red,' in said.out


def test_a_line_of_json_an_image(handgrad, colours_run, photos):
    asked = ("predict", colours_run.folder, "photos", "--views", "mirror")
    said = handgrad(*asked, "--format", "jsonl")
    assert said.code == 1
    assert [json.loads(line) for line in said.out.splitlines()] == handgrad(*asked, "--json").json
    assert said.err.count("handgrad: photos/c.png: ") == 1


def test_a_line_is_there_before_the_next_is_computed(handgrad, colours_run, photos, monkeypatch):
    """Whoever reads a pipe has every answer at once, and not when some buffer is full."""
    from handgrad.networks import Model

    heard = io.BytesIO()
    lines = []
    predictions = Model.predictions

    def watched(self, files):
        for prediction in predictions(self, files):
            yield prediction
            lines.append(heard.getvalue().count(b"\n"))

    monkeypatch.setattr(Model, "predictions", watched)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(heard))
    assert handgrad("predict", colours_run.folder, "photos", "--format", "jsonl").code == 1
    assert lines == [1, 2, 3, 4]


def test_two_formats_at_once(handgrad, colours_run, photos):
    said = handgrad("predict", colours_run.folder, "photos", "--json", "--format", "csv")
    assert (said.code, said.out) == (2, "")
    assert "found --json beside --format csv; expected one of them" in said.err


@POSIX
@pytest.mark.parametrize("how", [["--json"], ["--format=jsonl"], ["--format=csv"], []])
def test_names_that_are_no_text(handgrad, colours_run, photos, how):
    """Bytes that are no UTF-8, a line end and a terminal's command: none breaks what is told."""
    os.mkdir(b"odd")
    names = [b"odd/\xff.png", b"odd/\x1b[31mred.png", b"odd/two\nlines.png"]
    for name in names:
        shutil.copy("photos/a.png", name)
    bad = b"odd/z\xfe\n\x1b[2J.png"
    shutil.copy("photos/c.png", bad)
    said = handgrad("predict", colours_run.folder, "odd", *how)
    assert said.code == 1
    if "--json" not in how:
        assert said.err.startswith("handgrad: odd/z\\udcfe\\n\\x1b[2J.png: found ")
        assert said.err.count("\n") == 1
    if "--format=csv" in how:
        rows = list(csv.reader(io.StringIO(said.out, newline="")))[1:]
        assert {row[0] for row in rows} == {
            "odd/\x1b[31mred.png", "odd/two\nlines.png", "odd/\\udcff.png"
        }  # fmt: skip
    elif how:
        told = said.json if how == ["--json"] else map(json.loads, said.out.splitlines())
        assert {os.fsencode(answer["file"]) for answer in told} == {*names, bad}
    else:
        assert "\x1b" not in said.out
        assert [line.split(".png")[0] for line in said.out.splitlines()[1:]] == [
            "odd/\\x1b[31mred", "odd/two\\nlines", "odd/\\udcff"
        ]  # fmt: skip


def test_labels_and_sheets_beside_rows(handgrad, colours_run, photos):
    said = handgrad(
        "predict",
        colours_run.folder,
        "photos",
        "--format",
        "jsonl",
        "--out",
        "o",
        "--grid",
        "s.png",
    )
    assert said.code == 1
    assert all(json.loads(line) for line in said.out.splitlines())
    assert sorted(path.name for path in Path("o").iterdir()) == ["1.png", "2.png", "a.png"]
    assert Path("s.png").is_file()


# --- as processes see it


def started(*words: object, **how) -> subprocess.Popen:
    command = [sys.executable, "-m", "handgrad.cli", "predict", *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", **how
    )


@POSIX
def test_a_reader_who_goes_away(colours_run, photos):
    """`| head`: it ends soon, and says nothing of it."""
    many = ["photos/a.png"] * 20_000
    with started(colours_run.folder, *many, "--format", "jsonl", "--out", "o") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["label"] == "green"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1
    assert not Path("o").exists()  # it did not go on


@POSIX
def test_rows_are_told_while_the_rest_is_read(colours_run, photos):
    """All of them take ten seconds; the first is there long before."""
    with started(colours_run.folder, *["photos/a.png"] * 20_000, "--format", "csv") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "file,label,probability,blue é,green,red\n"
        assert process.stdout.readline().startswith("photos/a.png,green,")
        assert process.poll() is None
        process.kill()


def test_csv_is_utf_8_wherever_it_goes(colours_run, photos):
    Path("photos/赤.png").write_bytes(Path("photos/a.png").read_bytes())
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    with started(
        colours_run.folder, "photos/赤.png", "--format", "csv", env=environment
    ) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[1].startswith("photos/赤.png,green,")
    assert out.splitlines()[0].endswith("blue é,green,red")
