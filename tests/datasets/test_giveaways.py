"""What tells a class without looking at a picture: hand-worked, and no false alarm."""

from __future__ import annotations

from itertools import cycle, islice

import numpy as np
import pytest

from handgrad.datasets.facts import Facts
from handgrad.datasets.giveaways import giveaways


def files(class_name, n, **known):
    """n files of a class; a list is gone through again and again."""
    columns = {
        key: list(islice(cycle(value if isinstance(value, list) else [value]), n))
        for key, value in ({"format": "JPEG", "mode": "RGB"} | known).items()
    }
    columns.setdefault("width", [40] * n)
    columns.setdefault("height", [30] * n)
    columns.setdefault(
        "bytes", [w * h for w, h in zip(columns["width"], columns["height"], strict=True)]
    )
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [Facts(f"{class_name}/{i}", "train", class_name, **row) for i, row in enumerate(rows)]


def of(*groups):
    facts = [fact for group in groups for fact in group]
    return giveaways(facts, sorted({fact.class_name for fact in facts}))


def test_every_image_of_one_class_is_a_png():
    """Said once for two classes, and not again for the mode and the compression it brings."""
    (found,) = of(files("cats", 20, format="PNG", mode="RGBA", bytes=5000), files("dogs", 30))
    assert found.table() == {
        "class": "cats",
        "property": "file type",
        "says": "all 20 images of class 'cats' are PNG files, and none of the 30 others",
        "of_class": [20, 20],
        "of_others": [0, 30],
        "balanced_accuracy": 1.0,
    }


def test_almost_none_of_the_others():
    """20 of 20 and 3 of 30: with one of each more, 21/22 and 28/32, on average 0.915."""
    dogs = files("dogs", 30, format=["PNG", *["JPEG"] * 9])
    (found,) = of(files("cats", 20, format="PNG"), dogs)
    assert str(found).endswith("are PNG files, and 3 of the 30 others")
    assert found.balanced_accuracy == pytest.approx((1 + 0.9) / 2)
    # 5 of 30: 21/22 and 26/32, on average 0.883.
    assert (
        of(files("cats", 20, format="PNG"), files("dogs", 30, format=["PNG", *["JPEG"] * 5])) == []
    )


@pytest.mark.parametrize(("n", "told"), [(7, 0), (8, 1)])
def test_from_eight_files_a_class_on(n, told):
    """8 of 8 counts as 9 of 10, which is the bound; 7 of 7 as 8 of 9."""
    found = of(files("cats", n, format="PNG"), files("dogs", n))
    assert len(found) == told


@pytest.mark.parametrize(
    ("known", "by", "words"),
    [
        ({"mode": "L"}, "mode", "are stored as L"),
        ({"width": 64, "height": 48}, "size", "are 64 by 48 pixels"),
        ({"width": [61, 62], "height": [30, 45]}, "width", "are 61 to 62 pixels wide"),
        ({"height": [20, 21, 22, 23]}, "height", "are 20 to 23 pixels high"),
        ({"bytes": [120, 240]}, "bytes per pixel", "take 0.1 to 0.2 bytes a pixel"),
    ],
)
def test_properties(known, by, words):
    """Beside dogs of 30 x 24, 31 x 25, … 59 x 53 pixels."""
    dogs = files("dogs", 30, width=list(range(30, 60)), height=list(range(24, 54)))
    found = of(files("cats", 20, **known), dogs)
    told = [each for each in found if each.by == by]
    assert [each.words for each in told] == [words]
    assert (told[0].hits, told[0].others) == (20, 0)


def test_of_one_kind_only_the_best_is_said():
    """A class of 60 x 60 among 40 x 30: its size, width, height and shape say the same."""
    found = of(files("cats", 20, width=60, height=60), files("dogs", 20))
    assert [each.by for each in found] == ["size"]
    assert found[0].words == "are 60 by 60 pixels"


def test_the_shape_where_sizes_are_all_different():
    wide = [100 + 7 * i for i in range(20)]
    found = of(
        files("cats", 20, width=wide, height=[2 * w // 4 for w in wide]),
        files("dogs", 20, width=wide, height=[w * 3 // 4 for w in wide]),
    )
    assert [(each.class_name, each.by) for each in found] == [("cats", "aspect ratio")]
    assert found[0].words.startswith("are 2.00")


def test_lying_on_its_side_is_not_another_size():
    cats = files("cats", 20, width=30, height=40, orientation=6)
    assert of(cats, files("dogs", 20)) == []


def test_of_three_classes_one_may_be_the_only_one_without():
    found = of(
        files("cats", 20, format="PNG"),
        files("dogs", 20, format="PNG"),
        files("eels", 20, format=["JPEG", "BMP"]),
    )
    assert [str(each) for each in found] == [
        "all 20 images of class 'eels' are not PNG files, and none of the 40 others"
    ]


def test_what_all_have_says_nothing():
    assert of(files("cats", 50), files("dogs", 50)) == []
    assert (
        of(files("cats", 50, format=["PNG", "JPEG"]), files("dogs", 50, format=["PNG", "JPEG"]))
        == []
    )
    assert giveaways([], ["cats", "dogs"]) == []


def test_no_false_alarm_where_nothing_is_to_be_told():
    """Five hundred folders of random files, small ones too: at most one of a hundred speaks."""
    generator = np.random.default_rng(0)
    spoken = 0
    for _ in range(500):
        n = int(generator.choice([5, 8, 10, 20, 50]))
        groups = [
            files(
                name,
                n,
                format=generator.choice(["JPEG", "PNG"], n).tolist(),
                width=generator.integers(100, 900, n).tolist(),
                height=generator.integers(100, 900, n).tolist(),
                bytes=generator.integers(20_000, 90_000, n).tolist(),
            )
            for name in ("cats", "dogs")
        ]
        spoken += bool(of(*groups))
    assert spoken <= 5
