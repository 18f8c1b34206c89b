"""``handgrad predict``: an answer for every file that can be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RED, GREEN = (200, 40, 40), (40, 200, 40)


@pytest.fixture
def files(paint) -> list[str]:
    """Red in many file formats, and one file that is no image."""
    red = Image.new("RGB", (12, 10), RED)
    red.save("red one.png")
    red.save("red.jpg", quality=95)
    red.save("rot.gif")
    red.convert("RGBA").save("赤.webp", lossless=True)
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    return ["red one.png", "red.jpg", "rot.gif", "赤.webp", "broken.png"]


def test_each_file_gets_its_answer(handgrad, colours_run, files):
    said = handgrad("predict", colours_run.folder, *files, "--json")
    assert said.code == 1  # one could not be read
    *good, bad = said.json
    assert [answer["file"] for answer in good] == files[:4]
    for answer in good:
        assert answer.keys() == {"file", "label", "probability", "probabilities"}
        assert answer["label"] == "red"
        assert answer["probability"] == answer["probabilities"]["red"] > 0.5
        assert list(answer["probabilities"]) == ["blue é", "green", "red"]
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert bad.keys() == {"file", "error"}
    assert bad["error"].startswith("broken.png: found ")


def test_in_words(handgrad, colours_run, files):
    said = handgrad("predict", colours_run.model_file, *files)
    assert said.code == 1
    head, *rows = said.out.splitlines()
    assert head.split() == ["file", "label", "probability", "next"]
    assert [row.split("  ")[0] for row in rows] == files[:4]
    assert said.err.startswith("handgrad: broken.png: found ")
    assert said.err.count("\n") == 1


def test_all_good_and_all_bad(handgrad, colours_run, files):
    assert handgrad("predict", colours_run.folder, *files[:4]).code == 0
    Path("empty").mkdir()
    said = handgrad("predict", colours_run.folder, "broken.png", "none.png", "empty", "--out", "o")
    assert (said.code, said.out) == (2, "")
    assert said.err.count("handgrad: ") == 3
    assert "none.png: found no such file; expected an image" in said.err
    assert "empty: found a folder without images; expected image files in it or below" in said.err
    assert not Path("o").exists()


def test_without_an_image(handgrad, colours_run):
    for words in ([], [colours_run.folder]):
        said = handgrad("predict", *words)
        assert said.code == 2
        assert said.err.startswith("Usage: handgrad predict [OPTIONS] [MODEL] IMAGE…")


def test_the_newest_run_answers_when_none_is_named(handgrad, colours_run, files):
    Path("runs").mkdir()
    Path("runs/mine").symlink_to(colours_run.folder, target_is_directory=True)
    assert handgrad("predict", "red.jpg", "--json").json[0]["label"] == "red"


def test_grey_deep_transparent_and_turned_images_come_in_right(handgrad, colours_run):
    """Each is the same picture in another dress, so the probabilities are those of the plain one.

    Grey 120: as itself, as 16 bits (120 · 257), and as black with an opacity that leaves 120 of
    white. A picture red above and green below: lying on its side with EXIF orientation 6.
    """
    Image.new("RGB", (12, 10), (120, 120, 120)).save("plain.png")
    Image.new("L", (12, 10), 120).save("grey.png")
    Image.fromarray(np.full((10, 12), 120 * 257, dtype=np.uint16)).save("deep.png")
    Image.new("RGBA", (12, 10), (0, 0, 0, 135)).save("through.png")
    halves = Image.new("RGB", (12, 10), RED)
    halves.paste(GREEN, (0, 5, 12, 10))
    halves.save("upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    halves.transpose(Image.Transpose.ROTATE_90).save("lying.png", exif=exif)
    names = ["plain", "grey", "deep", "through", "upright", "lying"]
    found = handgrad("predict", colours_run.folder, *(f"{n}.png" for n in names), "--json").json
    answers = {
        n: list(answer["probabilities"].values()) for n, answer in zip(names, found, strict=True)
    }
    assert answers["grey"] == answers["deep"] == answers["through"] == answers["plain"]
    assert answers["lying"] == answers["upright"]
    assert answers["upright"] != answers["plain"]


def test_one_batch_or_many_files_one_by_one_agree(handgrad, colours_run, photographs):
    every = sorted(photographs.rglob("*.png"))
    together = handgrad("predict", colours_run.folder, *every, "--json").json
    alone = [handgrad("predict", colours_run.folder, f, "--json").json[0] for f in every[:3]]
    for a, b in zip(together, alone, strict=False):
        assert a["probabilities"] == pytest.approx(b["probabilities"], rel=1e-4, abs=1e-7)


def test_a_picture_of_another_size_is_brought_to_the_models(handgrad, colours_run):
    Image.new("RGB", (301, 77), RED).save("wide.png")
    assert handgrad("predict", colours_run.folder, "wide.png", "--json").json[0]["label"] == "red"


# --- the label on the image


def test_the_label_is_written_on_a_copy(handgrad, colours_run, files):
    Image.new("RGB", (300, 200), RED).save("large.png")
    said = handgrad("predict", colours_run.folder, "large.png", *files, "--out", "labelled/now")
    assert said.code == 1
    assert {path.name for path in Path("labelled/now").iterdir()} == {
        "large.png", "red one.png", "red.png", "rot.png", "赤.png",
    }  # fmt: skip
    with Image.open("labelled/now/large.png") as image:
        pixels = np.asarray(image)
    assert pixels.shape == (200, 300, 3)
    assert (pixels[:150] == RED).all()  # the picture itself is as it was
    assert (pixels[-5:] < np.array(RED) + 1).all(axis=2).mean() > 0.5  # a dark band below …
    assert pixels.min(axis=2).max() > 200  # … with white letters


def test_equal_names_do_not_meet(handgrad, colours_run):
    for folder, colour in (("a", RED), ("b", GREEN), ("c", GREEN)):
        Path(folder).mkdir()
        Image.new("RGB", (200, 200), colour).save(f"{folder}/{'X' if folder == 'c' else 'x'}.png")
    handgrad("predict", colours_run.folder, "a/x.png", "b/x.png", "c/X.png", "--out", "o")
    assert {path.name for path in Path("o").iterdir()} == {"x.png", "x-2.png", "X-3.png"}
    with Image.open("o/x.png") as first, Image.open("o/x-2.png") as second:
        assert (first.getpixel((5, 5)), second.getpixel((5, 5))) == (RED, GREEN)


def test_a_photograph_is_never_replaced_by_its_copy(handgrad, colours_run, files):
    before = Path("red one.png").read_bytes()
    for _ in range(2):
        assert handgrad("predict", colours_run.folder, "red one.png", "--out", ".").code == 0
        assert Path("red one.png").read_bytes() == before
    assert Path("red one-2.png").is_file()


def test_an_out_that_is_a_file(refused, colours_run, files):
    Path("o").write_text("mine")
    said = refused("predict", colours_run.folder, "red.jpg", "--out", "o")
    assert said == "o: found a file; expected a folder, or none yet\n"
    assert Path("o").read_text() == "mine"


def test_views_are_named_with_the_answer(handgrad, colours_run, files):
    said = handgrad("predict", colours_run.folder, *files[:2], "--views", "mirror-shift")
    assert said.out.splitlines()[-1] == "views: mirror-shift; their mean is the answer"
    found = handgrad("predict", colours_run.folder, *files, "--views", "mirror", "--json").json
    assert [answer.get("views") for answer in found] == ["mirror"] * 4 + [None]
    two = Image.new("RGB", (12, 10), RED)
    two.paste(GREEN, (0, 0, 6, 10))
    two.save("two.png")
    (once,), (own,), (both,) = (
        handgrad("predict", colours_run.folder, "two.png", "--json", *views).json
        for views in (["--views", "none"], [], ["--views", "mirror"])
    )
    assert once == own
    assert "views" not in once
    assert abs(both["probabilities"]["red"] - once["probabilities"]["red"]) > 1e-4
    said = handgrad("predict", colours_run.folder, "broken.png", "--views", "mirror")
    assert (said.code, said.out) == (2, "")


def test_the_label_is_written_on_images_of_every_kind(handgrad, colours_run):
    """Tiny, huge, transparent, palette, 16 bits of grey: each gets letters it can be read by."""
    Image.new("RGB", (3, 2), RED).save("tiny.png")
    Image.new("RGB", (4000, 3000), RED).save("huge.png")
    Image.new("RGBA", (200, 150), (*RED, 0)).save("through.png")
    Image.new("RGB", (200, 150), RED).convert("P", palette=Image.Palette.ADAPTIVE).save("p.gif")
    Image.fromarray(np.full((150, 200), 120 * 257, np.uint16)).save("deep.png")
    Image.new("RGB", (200, 150), "white").save("white.png")
    names = ["tiny.png", "huge.png", "through.png", "p.gif", "deep.png", "white.png"]
    assert handgrad("predict", colours_run.folder, *names, "--out", "o").code == 0
    above = {
        "tiny": RED, "huge": RED, "through": (255,) * 3, "p": RED, "deep": (120,) * 3,
        "white": (255,) * 3,
    }  # fmt: skip
    for name, colour in above.items():
        with Image.open(f"o/{name}.png") as image:
            pixels = np.asarray(image)
        band = pixels[-pixels.shape[0] // 40 :]
        assert (pixels[: pixels.shape[0] // 2] == colour).all(), name
        assert band.min() < 100, name  # dark, whatever the picture is
        assert pixels[-pixels.shape[0] // 3 :].min(axis=2).max() == 255, name  # white letters
        lettered = np.flatnonzero(
            (pixels[pixels.shape[0] * 2 // 3 :] > 200).all(axis=2).any(axis=1)
        )
        assert len(lettered) >= max(8, pixels.shape[0] // 100), name  # high enough to be read


# --- the contact sheet


@pytest.fixture
def sheets(monkeypatch) -> list:
    """Every figure that is saved."""
    import handgrad.pictures

    kept: list = []
    save = handgrad.pictures.save
    monkeypatch.setattr(
        handgrad.pictures, "save", lambda figure, path: (kept.append(figure), save(figure, path))
    )
    return kept


def test_a_contact_sheet_of_all_that_could_be_read(handgrad, colours_run, files, sheets):
    said = handgrad("predict", colours_run.folder, *files, "--grid", "all.png")
    assert said.code == 1
    assert said.out.splitlines()[-1] == "grid  all.png"
    (figure,) = sheets
    assert [row[:2] for row in figure.numbers[1:]] == [[name, "red"] for name in files[:4]]
    for image in figure.axes[0].get_images():
        assert abs(image.get_array().astype(int) - RED).max() < 10  # the GIF's and JPEG's red
        assert image.get_array().shape == (10, 12, 3)  # its own shape, not the model's
    texts = [text.get_text() for text in figure.axes[0].texts]
    found = handgrad("predict", colours_run.folder, *files, "--json").json
    expected = [f"red {100 * answer['probability']:.1f} %" for answer in found[:4]]
    assert texts[::2] == expected
    assert texts[1] == "red one.png"
    with Image.open("all.png") as image:
        assert image.size == tuple(round(100 * side) for side in figure.get_size_inches())


def test_files_are_named_from_the_folder_that_they_are_all_in(handgrad, colours_run, files, sheets):
    Path("b").mkdir()
    Image.new("RGB", (12, 10), RED).save("b/red.jpg")
    handgrad("predict", colours_run.folder, "red.jpg", "./rot.gif", "--grid", "a.svg")
    handgrad("predict", colours_run.folder, "red.jpg", "b/red.jpg", "--grid", "a.svg")
    names = [[row[0] for row in figure.numbers[1:]] for figure in sheets]
    assert names == [["red.jpg", "rot.gif"], ["red.jpg", "b/red.jpg"]]


@pytest.mark.parametrize(("name", "begin"), [("a.pdf", b"%PDF"), ("a.SVG", b"<?xml")])
def test_a_contact_sheet_in_other_formats(handgrad, colours_run, files, name, begin):
    assert handgrad("predict", colours_run.folder, files[0], "--grid", name, "--json").code == 0
    assert Path(name).read_bytes().startswith(begin)


def test_more_images_than_a_sheet_holds(handgrad, colours_run, photographs, monkeypatch, sheets):
    from handgrad.pictures import contact

    monkeypatch.setattr(contact, "MOST_ON_A_SHEET", 12)
    every = sorted(photographs.rglob("*.png"))
    said = handgrad("predict", colours_run.folder, *every, "--grid", "all.png")
    assert said.out.splitlines()[-3:] == ["grid  all.png", "grid  all-2.png", "grid  all-3.png"]
    assert [len(figure.axes[0].get_images()) for figure in sheets] == [12, 12, 6]
    names = [row[0] for figure in sheets for row in figure.numbers[1:]]
    assert names == [path.relative_to(photographs).as_posix() for path in every]
    assert all(Path(f"all{end}.png").is_file() for end in ("", "-2", "-3"))


def test_a_contact_sheet_never_replaces_a_photograph(handgrad, colours_run, files):
    before = Path("red one.png").read_bytes()
    said = handgrad("predict", colours_run.folder, "red one.png", "--grid", "./red one.png")
    assert said.code == 2
    assert "red one.png: found one of the images; expected another file to write" in said.err
    assert Path("red one.png").read_bytes() == before


def test_a_contact_sheet_of_another_kind_is_refused_before_anything(refused, colours_run, files):
    said = refused("predict", colours_run.folder, files[0], "--grid", "a.jpg", "--out", "o")
    assert said == "a.jpg: found a name that ends in '.jpg'; expected .png, .svg or .pdf\n"
    assert not Path("o").exists()


def test_no_contact_sheet_of_nothing(handgrad, colours_run, files):
    assert handgrad("predict", colours_run.folder, "broken.png", "--grid", "a.png").code == 2
    assert not Path("a.png").exists()
