"""From facts to findings: every expectation is worked out by hand."""

from __future__ import annotations

import json

import pytest

from handgrad.datasets.facts import Facts
from handgrad.datasets.findings import IMBALANCE, judged


def fact(file, part="train", **known):
    """A file that is a sound JPEG of 40 by 30 pixels, unlike any other, but for what is known."""
    whole = {
        "file": file,
        "part": part,
        "class_name": file.split("/")[-2],
        "bytes": 1200,
        "format": "JPEG",
        "mode": "RGB",
        "width": 40,
        "height": 30,
        "content": f"content of {file} in {part}",
    }
    return Facts(**(whole | known))


def bad(file, kind, part="train"):
    return fact(file, part, format="", mode="", width=0, height=0, content="", fault=kind,
                found=f"found {kind}", expected="an image")  # fmt: skip


def of(*facts, alike=None, **more):
    return judged(facts, sorted({f.class_name for f in facts}), alike, **more)


SOUND = [fact(f"{name}/{i}.jpg") for name in ("cats", "dogs") for i in range(5)]


def test_a_sound_folder_needs_no_look():
    found = of(*SOUND, folder="photos", notes=["a note"], ignored=["cats/notes.txt"])
    assert not found.worth_a_look
    assert found.quarantine() == {}
    assert found.table() == {
        "folder": "photos",
        "files": 10,
        "readable": 10,
        "bytes": 12_000,
        "classes": {"cats": 5, "dogs": 5},
        "parts": {"train": {"cats": 5, "dogs": 5}},
        "labels": {"cats": 0, "dogs": 1},
        "faults": [],
        "duplicates": [],
        "conflicts": [],
        "leaks": [],
        "imbalance": None,
        "giveaways": [],
        "sizes": {
            name: {"width": [40, 40, 40], "height": [30, 30, 30], "aspect_ratio": [4 / 3] * 3}
            for name in ("cats", "dogs")
        },
        "formats": {"cats": {"JPEG": 5}, "dogs": {"JPEG": 5}},
        "modes": {"cats": {"RGB": 5}, "dogs": {"RGB": 5}},
        "ignored": ["cats/notes.txt"],
        "notes": ["a note"],
        "worth_a_look": False,
    }


@pytest.mark.parametrize(
    "kind",
    ["not an image", "empty", "truncated", "damaged", "too large", "unreadable", "unsupported"],
)
def test_a_file_that_does_not_decode_is_named_and_left_out(kind):
    found = of(*SOUND, bad("dogs/x.jpg", kind))
    assert found.worth_a_look
    assert found.table()["faults"] == [
        {
            "file": "dogs/x.jpg",
            "kind": kind,
            "found": f"found {kind}",
            "expected": "an image",
            "readable": False,
        }
    ]
    assert found.quarantine() == {"dogs/x.jpg": f"{kind}: found {kind}"}
    assert found.counts() == {"cats": 5, "dogs": 6}
    assert found.counts(readable=True) == {"cats": 5, "dogs": 5}


@pytest.mark.parametrize(
    ("known", "kind", "look"),
    [
        ({"frames": 12}, "animated", True),
        ({"width": 1, "height": 1}, "tiny", True),
        ({"mode": "I;16"}, "16 bits", False),
        ({"mode": "I"}, "16 bits", False),
        ({"orientation": 6}, "rotated", False),
    ],
)
def test_what_is_worth_a_word_in_a_readable_file(known, kind, look):
    """What is made good in full needs no look, and nothing readable is put in quarantine."""
    found = of(*SOUND, fact("cats/x.jpg", **known))
    (fault,) = found.faults
    assert (fault.file, fault.kind, fault.readable) == ("cats/x.jpg", kind, True)
    assert found.worth_a_look is look
    assert found.quarantine() == {}


def test_one_file_may_have_several_faults():
    found = of(*SOUND, fact("cats/x.png", mode="I;16", orientation=3))
    assert [fault.kind for fault in found.faults] == ["16 bits", "rotated"]


def test_copies_within_a_class():
    copies = [fact(f"cats/{name}.jpg", content="one") for name in "abc"]
    found = of(*SOUND, *copies)
    (group,) = found.duplicates
    assert group.table() == {
        "files": ["cats/a.jpg", "cats/b.jpg", "cats/c.jpg"],
        "kind": "exact",
        "classes": ["cats"],
        "parts": ["train"],
    }
    assert found.conflicts == found.leaks == ()
    assert found.copies == found.duplicates
    assert found.worth_a_look
    assert found.quarantine() == {
        "cats/b.jpg": "a copy of cats/a.jpg",
        "cats/c.jpg": "a copy of cats/a.jpg",
    }


def test_what_hangs_together_by_content_and_by_looks_is_one_group():
    """b is a's copy, c looks like b, d is c's copy; e is alone, and so is what does not decode."""
    contents = {"a": "one", "b": "one", "c": "two", "d": "two", "e": "three"}
    facts = [fact(f"cats/{name}.jpg", content=content) for name, content in contents.items()]
    facts.insert(1, bad("cats/aa.jpg", "empty"))
    found = of(*facts, fact("dogs/0.jpg"), alike=[0, 1, 1, 2, 3, 4])
    (group,) = found.duplicates
    assert group.files == tuple(f"cats/{name}.jpg" for name in "abcd")
    assert group.kind == "near"
    assert found.quarantine() == {
        "cats/aa.jpg": "empty: found empty",
        "cats/b.jpg": "a copy of cats/a.jpg",
        "cats/c.jpg": "a near-duplicate of cats/a.jpg",
        "cats/d.jpg": "a near-duplicate of cats/a.jpg",
    }


def test_files_that_cannot_be_read_are_nobodys_copies():
    empty = [bad(f"cats/{i}.png", "empty") for i in range(2)]
    assert of(*SOUND, *empty).duplicates == ()
    assert of(*[fact(f.file, content="") for f in SOUND]).duplicates == ()


def test_group_numbers_must_be_as_many_as_files_that_decode():
    with pytest.raises(ValueError, match="found 3 group numbers; expected 10"):
        of(*SOUND, alike=[0, 1, 2])


def test_a_conflict_takes_all_its_files_with_it():
    found = of(*SOUND, fact("cats/x.jpg", content="one"), fact("dogs/x.jpg", content="one"))
    assert [group.classes for group in found.conflicts] == [("cats", "dogs")]
    assert found.conflicts == found.duplicates
    assert found.copies == ()
    reason = "a conflict: shown in classes 'cats' and 'dogs'"
    assert found.quarantine() == {"cats/x.jpg": reason, "dogs/x.jpg": reason}


@pytest.mark.parametrize(
    ("parts", "left_out"),
    [
        (("train", "test"), [0]),
        (("train", "train", "test"), [0, 1]),
        (("train", "validation", "test"), [0, 1]),
        (("train", "validation"), [0]),
        (("train", "test", "test"), [0, 2]),
    ],
)
def test_of_a_leak_the_test_part_keeps_one(parts, left_out):
    leak = [fact(f"{part}/cats/{i}.jpg", part, content="one") for i, part in enumerate(parts)]
    found = of(*SOUND, *leak)
    (group,) = found.leaks
    assert found.copies == ()
    assert set(group.parts) == set(parts)
    assert list(found.quarantine()) == [leak[i].file for i in left_out]
    stays = found.quarantine()[leak[0].file]
    assert stays.startswith("a leak: a copy of ")
    assert stays.endswith(f"which is in the {parts[-1]} part")


def test_imbalance_from_more_than_three_to_one_on():
    def found(n, m, **known):
        cats = [fact(f"cats/{i}.jpg") for i in range(n)]
        dogs = [fact(f"dogs/{i}.jpg") for i in range(m)]
        return of(*cats, *dogs, bad("dogs/bad.jpg", "empty"), **known)

    assert IMBALANCE == 3
    assert found(6, 2).imbalance is None
    assert found(7, 2).imbalance == ("cats", "dogs")
    assert found(2, 7).table()["imbalance"] == {"largest": "dogs", "smallest": "cats", "ratio": 3.5}
    # A class of which nothing can be read.
    assert found(1, 0).table()["imbalance"] == {
        "largest": "cats",
        "smallest": "dogs",
        "ratio": None,
    }


def test_imbalance_is_a_matter_of_the_training_part():
    test = [fact(f"test/cats/{i}.jpg", "test") for i in range(50)]
    assert of(*SOUND, *test).imbalance is None


def test_parts_are_counted_apart():
    found = of(
        *SOUND, fact("test/dogs/0.jpg", "test"), bad("val/cats/0.jpg", "empty", "validation")
    )
    assert found.table()["parts"] == {
        "train": {"cats": 5, "dogs": 5},
        "validation": {"cats": 1, "dogs": 0},
        "test": {"cats": 0, "dogs": 1},
    }


def test_labels_are_places_among_the_class_names():
    assert judged(SOUND, ["dogs", "cats"]).labels == {"dogs": 0, "cats": 1}


def test_sizes_are_those_of_upright_images():
    """Widths 10, 20, 60 and heights 30, 20, 20; the last one is stored lying on its side."""
    sizes = [(10, 30, 1), (20, 20, 3), (20, 60, 6)]
    facts = [
        fact(f"cats/{i}.jpg", width=w, height=h, orientation=o) for i, (w, h, o) in enumerate(sizes)
    ]
    assert of(*facts, SOUND[-1]).table()["sizes"]["cats"] == {
        "width": [10, 20, 60],
        "height": [20, 20, 30],
        "aspect_ratio": [1 / 3, 1, 3],
    }


def test_the_table_is_json():
    found = of(*SOUND, bad("dogs/two\nlines \\xff.jpg", "empty"), fact("cats/x.jpg", frames=2))
    assert json.loads(json.dumps(found.table())) == found.table()
