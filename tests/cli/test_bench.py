"""``handgrad bench``: what it says, in words and as JSON, and with which code. Nothing is timed."""

from __future__ import annotations

import json

import pytest

from handgrad.bench import Refused, Row, Skipped, Unmeasured
from handgrad.bench.works import WORKS

KEYS = {"work", "rival", "ours_ms", "rival_ms", "ratio", "floor_ms"}

ROW = Row(
    work="lines", rival="tutorial", ours_ms=2.0, rival_ms=5.0, ratio=2.5, floor_ms=1.0,
    per="step", about="9-6-2", data="lines", threads=1, rounds=3, ratio_rounds=(2.0, 2.4, 3.0),
    ours_min_ms=1.5, rival_min_ms=4.5, floor_min_ms=0.5, fraction=0.5, rival_part=0.25,
    difference=1e-6, largest_difference=1e-7, reference=False, ours_memory=1_500_000,
    rival_memory=3_000_000, ours_process=10, rival_process=20,
    where={"cpu": "an abacus", "cores": 2, "versions": {"numpy": "2.0"}},
)  # fmt: skip


@pytest.fixture
def told(monkeypatch):
    """Lets the contest end as a test says; what it was asked is kept."""

    def end(*found):
        asked = {}

        def contest(works, **options):
            asked.update(options, works=[work.name for work in works])
            for one in found:
                if isinstance(one, BaseException):
                    raise one
                yield one

        monkeypatch.setattr("handgrad.bench.contest", contest)
        return asked

    return end


def test_one_work_as_json_and_kept_whole(handgrad, tmp_path):
    kept = tmp_path / "bench.json"
    said = handgrad(
        "bench", "lines", "--rounds", 1, "--rival", "tutorial", "--no-memory", "--json",
        "--save", kept,
    )  # fmt: skip
    assert said.code == 0
    (row,) = said.json
    assert row.keys() == KEYS
    assert (row["work"], row["rival"]) == ("lines", "tutorial")
    (whole,) = json.loads(kept.read_text("utf-8"))
    assert row.items() <= whole.items()
    assert whole.keys() > {"versions", "cpu", "ours_memory", "rival_memory"}
    assert (whole["threads"], whole["rounds"]) == (1, 1)
    assert row["ratio"] == pytest.approx(row["rival_ms"] / row["ours_ms"])
    assert "lines: round 1 of 1" in said.err


def test_in_words(handgrad, told):
    told(ROW)
    said = handgrad("bench", "lines")
    assert said.code == 0
    head, row, _, *notes = said.out.splitlines()
    assert head.split()[:3] == ["work", "rival", "ours"]
    assert row.split() == [
        "lines", "tutorial", "(x4)", "2", "1.5", "5", "4.5", "2.50", "2.00", "to", "3.00",
        "1", "50", "%", "1.5/3.0", "MB",
    ]  # fmt: skip
    assert notes[0] == "lines: 9-6-2; ms per step; data lines; 1 thread, 3 rounds"
    assert "timed for a part of the work" in notes[1]
    assert notes[-1] == "an abacus, 2 cores; numpy 2.0"


def test_what_was_not_measured_is_said(handgrad, told):
    row = Unmeasured("cards", "pytorch cuda", "no CUDA device", "no CuPy", "a step")
    told(ROW, row)
    assert "\ncards beside pytorch cuda: not measured: no CUDA device\n" in handgrad("bench").out
    told(row)
    assert handgrad("bench").out == "cards beside pytorch cuda: not measured: no CUDA device\n"
    told(ROW, row)
    said = handgrad("bench", "--json").json
    assert said[1].keys() == KEYS | {"not_measured"}
    assert said[1]["not_measured"] == "no CUDA device"


def test_what_is_asked_is_handed_on(handgrad, told):
    asked = told(ROW)
    handgrad("bench", "--rounds", 3, "--threads", 2, "--reference")
    assert asked["works"] == list(WORKS)
    assert (asked["rounds"], asked["threads"], asked["reference"]) == (3, 2, True)
    assert asked["weigh"] is not None
    assert set(asked["rivals"]) >= {"pytorch", "jax", "scikit-learn", "tutorial"}


def test_a_refusal_is_a_finding_and_a_skip_is_not(handgrad, told):
    told(Skipped("lines", "jax", "jax is not installed"), ROW)
    said = handgrad("bench", "--json")
    assert said.code == 0
    assert said.err == "handgrad: lines: jax is skipped: jax is not installed\n"
    told(Refused("lines", "jax", "its numbers are others"), ROW)
    said = handgrad("bench", "--json")
    assert said.code == 1
    assert len(said.json) == 1
    assert "lines: jax is not timed: its numbers are others" in said.err


def test_an_interrupt_prints_what_there_is(handgrad, told):
    told(ROW, KeyboardInterrupt())
    said = handgrad("bench", "--json")
    assert said.code == 130
    assert said.json[0]["ratio"] == 2.5
    assert "interrupted; this is what there is" in said.err


def test_unknown_names_are_refused_with_the_nearest(refused):
    assert "did you mean 'lines'?" in refused("bench", "linse")
    assert "did you mean 'pytorch'?" in refused("bench", "--rival", "pytorhc")


def test_a_place_that_cannot_be_written_is_told_before_the_contest(refused, told, tmp_path):
    asked = told(ROW)
    assert "there is no folder" in refused("bench", "lines", "--save", tmp_path / "no" / "b.json")
    assert not asked


@pytest.mark.parametrize("option", ["--rounds", "--threads"])
def test_none_is_too_few(handgrad, option):
    said = handgrad("bench", "lines", option, 0)
    assert said.code == 2
    assert option in said.err
