"""A folder looked at once: what is decoded again, what is not, and what is never used."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handgrad.datasets import Preparation, facts
from handgrad.datasets.cache import Seen, cache_folder, seen
from handgrad.datasets.listing import listed
from handgrad.errors import ImageError

SMALL = Preparation(4, 4, 3, "nearest")


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("HANDGRAD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "folders"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of three noisy pictures, and one that is none."""
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(3):
            pixels = generator.integers(0, 256, size=(8, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{i}.png")
    (tmp_path / "pets" / "cat" / "bad.png").write_bytes(b"no picture")
    return tmp_path / "pets"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded, in some order."""
    names: list[str] = []
    true = facts.decoded

    def counted(path: Path, *rest: object) -> object:
        names.append(path.name)
        return true(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(facts, "decoded", counted)
    return names


def look(folder: Path, preparation: Preparation = SMALL, **how: object) -> Seen:
    return seen(listed(folder), preparation, **how)  # type: ignore[arg-type]


def pixels(folder: Path) -> list[list[int]]:
    """What nearest neighbours of 8x9 on 4x4 are, said again: the first pixel's three numbers."""
    found = []
    for path in sorted(folder.glob("*/[0-9].png")):
        with Image.open(path) as image:
            found.append(np.asarray(image.resize((4, 4), Image.Resampling.NEAREST))[0, 0].tolist())
    return found


def test_what_is_seen(own: Path, folder: Path) -> None:
    found = look(folder)
    assert found.images.shape == (6, 4, 4, 3)
    assert found.images[:, 0, 0].tolist() == pixels(folder)
    names = [fact.file for fact in found.facts]
    assert names[3:5] == ["cat/bad.png", "dog/0.png"]
    assert [fact.fault for fact in found.facts] == ["", "", "", "not an image", "", "", ""]
    first = found.facts[0]
    assert (first.format, first.mode, first.width, first.height) == ("PNG", "RGB", 9, 8)
    assert first.bytes == (folder / "cat" / "0.png").stat().st_size
    assert (first.part, first.class_name) == ("train", "cat")


def test_the_second_look_decodes_nothing(own: Path, folder: Path, decoded: list[str]) -> None:
    first = look(folder)
    assert sorted(decoded) == ["0.png", "0.png", "1.png", "1.png", "2.png", "2.png", "bad.png"]
    decoded.clear()
    told: list[tuple[str, int, int]] = []
    second = look(folder, each=lambda *what: told.append(what))
    assert decoded == []
    assert told == []
    assert second.facts == first.facts
    assert np.array_equal(second.images, first.images)
    assert np.array_equal(second.groups, first.groups)
    assert isinstance(second.images, np.memmap)


def test_with_and_without_a_cache_the_same(own: Path, folder: Path) -> None:
    cached, plain = look(folder), look(folder, cache=False)
    assert plain.where is None
    assert not isinstance(plain.images, np.memmap)
    assert np.array_equal(cached.images, plain.images)
    assert cached.facts == plain.facts
    assert np.array_equal(cached.groups, plain.groups)


def test_a_changed_file_is_decoded_again_and_no_other(
    own: Path, folder: Path, decoded: list[str]
) -> None:
    look(folder)
    decoded.clear()
    Image.fromarray(np.full((8, 9, 3), 7, dtype=np.uint8)).save(folder / "dog" / "1.png")
    found = look(folder)
    assert decoded == ["1.png"]
    assert found.images[4].tolist() == np.full((4, 4, 3), 7).tolist()
    assert found.images[:, 0, 0].tolist() == pixels(folder)


def test_a_change_that_keeps_size_and_time_is_noticed(
    own: Path, folder: Path, decoded: list[str]
) -> None:
    """As `cp -p` and some editors leave it: the same size, the same time of change."""
    path = folder / "dog" / "1.bmp"
    Image.fromarray(np.full((4, 4, 3), 1, dtype=np.uint8)).save(path)
    look(folder)
    decoded.clear()
    before = path.stat()
    Image.fromarray(np.full((4, 4, 3), 2, dtype=np.uint8)).save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    found = look(folder)
    assert decoded == ["1.bmp"]
    assert found.images[4].max() == 2


def test_another_time_with_the_same_bytes_is_hashed_only(
    own: Path, folder: Path, decoded: list[str]
) -> None:
    first = look(folder)
    decoded.clear()
    os.utime(folder / "cat" / "0.png", (1, 1))
    found = look(folder)
    assert decoded == []
    assert np.array_equal(found.images, first.images)


def test_new_and_lost_files(own: Path, folder: Path, decoded: list[str]) -> None:
    look(folder)
    decoded.clear()
    (folder / "cat" / "0.png").unlink()
    (folder / "cat" / "bad.png").unlink()
    Image.fromarray(np.full((8, 9, 3), 9, dtype=np.uint8)).save(folder / "cat" / "9.png")
    found = look(folder)
    assert decoded == ["9.png"]
    assert found.images[:, 0, 0].tolist() == pixels(folder)


def test_another_preparation_has_a_cache_of_its_own(
    own: Path, folder: Path, decoded: list[str]
) -> None:
    look(folder)
    small = look(folder, Preparation(2, 2, 1))
    assert small.images.shape == (6, 2, 2, 1)
    decoded.clear()
    assert look(folder).images.shape == (6, 4, 4, 3)
    assert decoded == []


@pytest.mark.parametrize("harm", ["cut", "longer", "no index", "half an index", "other words"])
def test_a_damaged_cache_is_never_used(
    own: Path, folder: Path, decoded: list[str], harm: str
) -> None:
    where = look(folder).where
    assert where is not None
    (pixel_file,) = where.glob("pixels-*")
    index = where / "index.json"
    if harm == "cut":
        pixel_file.write_bytes(pixel_file.read_bytes()[:-48])
    elif harm == "longer":
        pixel_file.write_bytes(pixel_file.read_bytes() + bytes(7))
    elif harm == "no index":
        index.unlink()
    elif harm == "half an index":
        index.write_bytes(index.read_bytes()[:-20])
    else:
        index.write_text('{"format": 1, "stamps": "none"}')
    decoded.clear()
    found = look(folder)
    assert len(decoded) == 7
    assert found.images[:, 0, 0].tolist() == pixels(folder)
    decoded.clear()
    look(folder)
    assert decoded == []


def test_an_index_never_leads_out_of_its_folder(own: Path, folder: Path, tmp_path: Path) -> None:
    where = look(folder).where
    assert where is not None
    (pixel_file,) = where.glob("pixels-*")
    elsewhere = tmp_path / "elsewhere.u1"
    elsewhere.write_bytes(bytes(pixel_file.stat().st_size))
    index = where / "index.json"
    index.write_text(index.read_text().replace(pixel_file.name, f"../../../{elsewhere.name}"))
    assert look(folder).images.max() > 0
    assert elsewhere.exists()


def test_an_interrupted_look_leaves_nothing(own: Path, folder: Path, decoded: list[str]) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look(folder, each=stop)
    assert [path for path in own.rglob("*") if path.is_file()] == []
    decoded.clear()
    assert len(look(folder).images) == 6
    assert len(decoded) == 7


def test_old_pixels_go_when_new_ones_are_there(own: Path, folder: Path) -> None:
    where = look(folder).where
    assert where is not None
    before = {path.name for path in where.iterdir()}
    (folder / "cat" / "0.png").unlink()
    look(folder)
    after = {path.name for path in where.iterdir()}
    assert len(before) == len(after) == 2
    assert before & after == {"index.json"}


def test_without_a_place_for_the_cache_all_is_in_memory(
    own: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.parent.parent.mkdir(exist_ok=True)
    own.parent.write_text("a file where the cache's folder should be")
    found = look(folder)
    assert len(found.images) == 6
    assert found.where is None
    assert "the images are in memory, without a cache" in found.note


def test_a_full_disk_is_no_end(own: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("handgrad.writing._to_disk", full)
    found = look(folder)
    assert found.images[:, 0, 0].tolist() == pixels(folder)
    assert "No space left on device" in found.note
    assert [path for path in own.rglob("*") if path.is_file()] == []


def test_copies_have_one_group(own: Path, folder: Path) -> None:
    same = (folder / "dog" / "2.png").read_bytes()
    (folder / "cat" / "copy.png").write_bytes(same)
    found = look(folder)
    good = [fact.file for fact in found.facts if not fact.fault]
    groups = dict(zip(good, found.groups.tolist(), strict=True))
    assert groups["cat/copy.png"] == groups["dog/2.png"]
    assert len(set(groups.values())) == 6


def test_nothing_but_faults(own: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "none" / name).mkdir(parents=True)
        (tmp_path / "none" / name / "x.png").write_bytes(b"")
    for _ in range(2):
        found = look(tmp_path / "none")
        assert found.images.shape == (0, 4, 4, 3)
        assert [fact.fault for fact in found.facts] == ["empty", "empty"]


def test_the_cache_is_where_the_variable_says(own: Path) -> None:
    assert cache_folder() == own.parent


def test_what_another_user_may_read_is_asked_again(
    own: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = facts.decoded

    def refused(path: Path, *rest: object) -> object:
        if path.name == "0.png":
            raise ImageError(path, "unreadable", "a file that cannot be read (Permission denied)")
        return true(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(facts, "decoded", refused)
    assert len(look(folder).images) == 4
    monkeypatch.setattr(facts, "decoded", true)
    assert len(look(folder).images) == 6
