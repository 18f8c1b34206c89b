"""``handgrad inspect``: what it says, what it writes, and how it ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handgrad.cli.inspect import LINES
from handgrad.datasets.quarantine import read_quarantine


@pytest.fixture
def pets(tmp_path, scenery) -> Path:
    """Six sound photographs of cats and six of dogs, in two folders."""
    folder = tmp_path / "pets"
    for k, name in enumerate(("cats", "dogs")):
        (folder / name).mkdir(parents=True)
        for i in range(6):
            scenery(50 + 10 * k + i).save(folder / name / f"{i}.jpg")
    return folder


def tree(folder):
    return {
        path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in sorted(folder.rglob("*"))
    }


def test_a_sound_folder(handgrad, pets):
    said = handgrad("inspect", pets)
    assert (said.code, said.err) == (0, "")
    size = sum(path.stat().st_size for path in pets.rglob("*.jpg")) / 1e6
    assert said.out.splitlines() == [
        f"{pets}: 12 image files, {size:,.1f} MB",
        "label  class  files",
        "    0  cats       6",
        "    1  dogs       6",
        "",
        f"nothing to look at; next: handgrad train {pets}",
    ]


def test_every_file_with_a_fault_is_named_and_nothing_is_changed(handgrad, hostile):
    before = tree(hostile.folder)
    said = handgrad("inspect", hostile.folder, "--page", "p.html", "--quarantine", "q.csv")
    assert said.code == 1
    assert tree(hostile.folder) == before
    lines = said.out.splitlines()
    for file, kind in hostile.faults.items():
        head = next(line for line in lines if line.startswith(f"{kind}: "))
        assert f"  {file}" in lines[lines.index(head) :]
    for name in ("dangling", "pipe", "animated", "16 bits", "rotated", "one pixel"):
        assert f"  {hostile.named[name]}" in lines
    for name in ("copy", "encoded again", "conflict", "leak", "near leak"):
        assert any(hostile.named[name] in line for line in lines)
    assert "    0  cats      24     23     1" in lines
    assert lines[-1].startswith("next: look through it, then handgrad train '/")
    assert lines[-1].endswith("my photographs' --quarantine q.csv")


def test_the_worst_comes_first(handgrad, hostile):
    out = handgrad("inspect", hostile.folder).out
    heads = [
        "label  class",
        "in training and test",
        "in two classes",
        "not an image: 1 file",
        "empty: 1 file",
        "truncated: 2 files",
        "rotated:",
        "more than once",
        "no image files, passed over",
        "next: ",
    ]
    places = [out.index(head) for head in heads]
    assert places == sorted(places)


def test_json_has_everything(handgrad, hostile):
    said = handgrad("inspect", hostile.folder, "--json")
    assert said.code == 1
    table = said.json
    assert {"files", "classes", "labels", "faults", "duplicates", "leaks", "conflicts"} <= set(
        table
    )
    assert table["files"] == 37
    assert table["classes"] == {"cats": 24, "dogs": 13}
    assert table["labels"] == {"cats": 0, "dogs": 1}
    faults = {fault["file"]: fault["kind"] for fault in table["faults"]}
    assert faults.items() >= hostile.faults.items()
    assert faults[hostile.named["rotated"]] == "rotated"
    assert [len(table[key]) for key in ("duplicates", "leaks", "conflicts")] == [5, 2, 1]


def test_the_quarantine_list_is_what_json_and_the_page_speak_of(handgrad, hostile):
    handgrad("inspect", hostile.folder, "--quarantine", "q.csv", "--page", "p.html")
    files = read_quarantine("q.csv")
    assert files.keys() >= hostile.faults.keys()
    named = hostile.named
    assert files[named["copy"]] == "a copy of train/cats/0.jpg"
    assert files[named["encoded again"]] == "a near-duplicate of train/cats/1.jpg"
    assert files[named["conflict"]] == "a conflict: shown in classes 'cats' and 'dogs'"
    assert files["train/dogs/3.jpg"].startswith(f"a leak: a copy of {named['leak']}")
    assert named["leak"] not in files
    text = Path("p.html").read_text(encoding="utf-8")
    assert f"names {len(files)} files to leave out" in text


def test_without_root_a_locked_file_is_named_and_the_rest_is_read(
    handgrad, hostile, request, monkeypatch
):
    handgrad("inspect", hostile.folder)
    request.getfixturevalue("not_root")
    monkeypatch.setenv("HANDGRAD_CACHE", "/nonexistent")  # another user's
    said = handgrad("inspect", hostile.folder, "--json")
    assert said.code == 1
    faults = {fault["file"]: fault["kind"] for fault in said.json["faults"]}
    assert faults[hostile.named["locked"]] == "unreadable"
    assert "in memory" in " ".join(said.json["notes"])


def test_a_list_that_is_long_is_cut_and_says_so(handgrad, pets):
    for i in range(LINES + 5):
        (pets / "cats" / f"e{i:02}.png").touch()
    lines = handgrad("inspect", pets).out.splitlines()
    start = lines.index(f"empty: {LINES + 5} files (no byte in it)")
    assert lines[start + 1] == "  cats/e00.png"
    assert lines[start + LINES + 1] == "  … and 5 more: --json names all"
    assert len(handgrad("inspect", pets, "--json").json["faults"]) == LINES + 5


def test_what_is_only_mentioned_ends_with_0(handgrad, pets, scenery):
    exif = Image.Exif()
    exif[0x0112] = 6
    scenery(90).save(pets / "cats/phone.jpg", exif=exif)
    said = handgrad("inspect", pets)
    assert said.code == 0
    assert "rotated: 1 file (turned upright, as its EXIF data say)\n  cats/phone.jpg" in said.out


def test_what_tells_a_class_by_itself(handgrad, tmp_path, scenery):
    for k, (name, ending) in enumerate((("cats", "png"), ("dogs", "jpg"))):
        (tmp_path / name).mkdir()
        for i in range(10):
            scenery(100 + 20 * k + i).save(tmp_path / name / f"{i}.{ending}")
    said = handgrad("inspect", tmp_path)
    assert said.code == 1
    assert "  all 10 images of class 'cats' are PNG files, and none of the 10 others\n" in said.out
    assert f"every file can be used; next: handgrad train {tmp_path}" in said.out


def test_an_unbalanced_folder(handgrad, pets, scenery):
    for i in range(13):
        scenery(200 + i).save(pets / f"dogs/more {i}.jpg")
    said = handgrad("inspect", pets)
    assert said.code == 1
    assert "unbalanced: 19 images of 'dogs', 6 of 'cats'\n" in said.out


def test_names_do_not_steer_the_terminal(handgrad, pets):
    try:
        (pets / "cats/red\x1b[31m\n.png").touch()
    except OSError:
        pytest.skip("a system without such names")
    out = handgrad("inspect", pets).out
    assert "  cats/red\\x1b[31m\\n.png\n" in out
    assert "\x1b" not in out


def test_a_table_of_files_and_labels(handgrad, pets):
    files = [path.relative_to(pets) for path in sorted(pets.rglob("*.jpg"))]
    rows = [f"{file.as_posix()},{file.parent.name[:-1]}" for file in files]
    (pets / "labels.csv").write_text("\n".join(["file,label", *rows]), encoding="utf-8")
    said = handgrad("inspect", pets / "labels.csv")
    assert said.code == 0
    assert "    0  cat        6\n    1  dog        6\n" in said.out


def test_one_thread_or_four(handgrad, pets):
    assert handgrad("inspect", pets, "--threads", 4).out == handgrad("inspect", pets).out
    assert handgrad("inspect", pets, "--threads", 0).code == 2


def test_what_it_refuses(refused, pets, tmp_path):
    assert "expected" in refused("inspect", "nowhere")
    (tmp_path / "empty").mkdir()
    assert "expected a folder per class" in refused("inspect", tmp_path / "empty")
    table = pets / "labels.csv"
    table.write_text("file,label\ncats/0.jpg,cat\ndogs/0.jpg,dog\n")
    for option in ("--page", "--quarantine"):
        assert "found what is inspected" in refused("inspect", table, option, table)
    assert "cannot be written" in refused("inspect", pets, "--quarantine", "no/such/folder.csv")
    assert table.read_text().startswith("file,label")


def test_a_written_file_may_be_replaced(handgrad, pets):
    Path("q.csv").write_text("old")
    assert handgrad("inspect", pets, "--quarantine", "q.csv").code == 0
    assert read_quarantine("q.csv") == {}


def test_the_next_command_can_be_pasted(handgrad, pets, tmp_path):
    folder = tmp_path / "my pets' photos"
    shutil.copytree(pets, folder)
    (folder / "cats/empty.png").touch()
    lines = handgrad("inspect", folder).out.splitlines()
    quoted = "'" + str(folder).replace("'", "'\"'\"'") + "'"
    assert lines[-2].startswith(f"next: handgrad inspect {quoted} --quarantine leave-out.csv")
    assert lines[-1].strip() == f"handgrad train {quoted} --quarantine leave-out.csv"


def test_many_classes_are_cut(handgrad, tmp_path):
    generator = np.random.default_rng(0)
    for k in range(60):
        (tmp_path / f"c{k:02}").mkdir()
        pixels = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"c{k:02}" / "0.png")
    out = handgrad("inspect", tmp_path).out
    assert "c00" in out
    assert "c59" not in out
    assert "more: --json names all" in out
