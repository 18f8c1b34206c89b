"""``handgrad picture``: a picture by its name, and where it is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

HEADS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def test_a_recipe_is_drawn_here(handgrad):
    said = handgrad("picture", "augmented", "digits")
    assert (said.code, said.out, said.err) == (0, "picture  augmented.png\n", "")
    first = Path("augmented.png").read_bytes()
    with Image.open("augmented.png") as image:
        assert image.width > image.height > 300
    found = handgrad("picture", "augmented", "digits", "--json").json
    assert found == {"picture": "augmented", "of": "digits", "file": "augmented.png"}
    assert Path("augmented.png").read_bytes() == first


def test_a_run_has_it_among_its_pictures(handgrad, colours_run, photographs):
    shutil.copytree(colours_run.folder, "runs/one")
    shutil.rmtree("runs/one/pictures")
    found = handgrad("picture", "augmented", "--json").json
    assert Path(found["file"]) == Path("runs/one/pictures/augmented.png")
    assert Path(found["file"]).read_bytes().startswith(HEADS[".png"])


@pytest.mark.parametrize("suffix", HEADS)
def test_the_ending_says_what_it_is(handgrad, photographs, suffix):
    Path("out").mkdir()
    said = handgrad("picture", "augmented", photographs, "-o", f"out/seen{suffix}")
    assert said.code == 0
    assert Path(f"out/seen{suffix}").read_bytes().startswith(HEADS[suffix])


def test_the_list(handgrad):
    said = handgrad("picture", "--list")
    assert said.code == 0
    assert said.out.startswith("images  ")
    found = handgrad("picture", "--list", "--json").json
    assert [entry["name"] for entry in found] == [line.split()[0] for line in said.out.splitlines()]


def test_what_it_refuses(handgrad, refused):
    assert refused("picture", "augmnted", "digits") == (
        "picture 'augmnted' is unknown; did you mean 'augmented'? Known: "
        "accuracy, activations, augmented, balance, batch, confusion, "
        "contributions, cost, descent, first-weights, images, learning-rate, least-sure, "
        "means, most-typical, most-wrong, network, norms, occlusion, predictions, "
        "reliability, saliency, scoreboard, units, updates, weights\n"
    )
    assert refused("picture", "augmented", "lines").startswith(
        "recipe 'lines': found no augmentation; expected at least one [[augmentation]]"
    )
    assert "neither a path nor a recipe; did you mean 'digits'?" in refused(
        "picture", "augmented", "digts"
    )
    assert refused("picture", "augmented").startswith("runs: found no run in it")
    assert refused("picture", "augmented", "digits", "-o", "a.jpg").startswith(
        "a.jpg: found a name that ends in '.jpg'; expected .png, .svg or .pdf"
    )
    assert refused("picture", "augmented", "digits", "-o", "no/a.png").startswith(
        "no/a.png: cannot be written"
    )
    said = handgrad("picture")
    assert said.code == 2
    assert "no picture is named; expected WHAT, or --list" in said.err
    assert list(Path().iterdir()) == []
