"""The face of the command: help, version, lists, exit codes, any terminal."""

from __future__ import annotations

import io
import json
import re
import sys

import pytest

import handgrad as hg
from handgrad.cli import handgrad as group
from handgrad.cli import main
from handgrad.cli.words import columns, say_json, span
from handgrad.datasets import catalogue
from handgrad.experiments import recipe_names

COMMANDS = sorted(group.commands)


def test_the_commands_that_there_are():
    assert {"train", "evaluate", "predict", "prepare", "summary", "recipes", "datasets"} <= set(
        COMMANDS
    )


def test_version(handgrad):
    said = handgrad("--version")
    assert (said.code, said.out) == (0, f"handgrad {hg.__version__}\n")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_has_examples_and_the_exit_codes(handgrad, flag):
    said = handgrad(flag)
    assert said.code == 0
    assert "Examples:\n    handgrad train " in said.out
    for code in ("0 good", "1 finished with findings", "2 wrong input", "130"):
        assert code in said.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples_and_json(handgrad, command):
    said = handgrad(command, "--help")
    assert said.code == 0
    examples = said.out.partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    assert len(examples) >= 2
    assert all(re.match(r"    (.* \| )?handgrad ", line) for line in examples)
    assert any(line.startswith(f"    handgrad {command}") for line in examples)
    assert "--json" in said.out


def test_every_option_that_an_example_shows_is_there(handgrad):
    for name, command in group.commands.items():
        known = {option for parameter in command.params for option in parameter.opts}
        shown = [
            word
            for line in (command.help or "").splitlines()
            if line.strip().startswith(f"handgrad {name}")
            for word in line.split()
            if word.startswith("--")
        ]
        assert set(shown) <= known, name


def test_a_command_that_there_is_not(handgrad):
    said = handgrad("trian")
    assert said.code == 2
    assert "trian" in said.err


def test_completion_is_what_click_gives(handgrad, monkeypatch):
    monkeypatch.setenv("_HANDGRAD_COMPLETE", "bash_source")
    said = handgrad()
    assert said.code == 0
    assert "_HANDGRAD_COMPLETE=bash_complete" in said.out


def test_what_goes_wrong_has_its_code(handgrad, monkeypatch):
    """130 when interrupted, 2 when memory is short; a fault of ours is a traceback."""

    def raising(error):
        def command(*_, **__):
            raise error

        monkeypatch.setattr(group.commands["recipes"], "callback", command)

    raising(KeyboardInterrupt())
    said = handgrad("recipes")
    assert (said.code, said.err.strip()) == (130, "handgrad: interrupted")
    raising(MemoryError())
    said = handgrad("recipes")
    assert said.code == 2
    assert said.err.startswith("handgrad: found too little memory")
    raising(hg.HandgradError("a.png: found b; expected c"))
    assert handgrad("recipes")[::2] == (2, "handgrad: a.png: found b; expected c\n")
    raising(ZeroDivisionError())
    monkeypatch.setattr(sys, "argv", ["handgrad", "recipes"])
    with pytest.raises(ZeroDivisionError):
        main()


def test_recipes_a_line_each(handgrad):
    lines = handgrad("recipes").out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(recipe_names())
    assert {"lines", "digits", "airplane-bike", "mnist", "mnist-mlp", "cat"} <= set(recipe_names())
    found = handgrad("recipes", "--json").json
    assert {entry["name"]: entry["about"] for entry in found} == recipe_names()
    assert all(about for about in recipe_names().values())


def test_datasets_say_whence_how_large_whose_and_where(handgrad, monkeypatch, tmp_path):
    monkeypatch.delenv("HANDGRAD_DATA", raising=False)
    monkeypatch.setattr("handgrad.datasets.sources.cache_folder", lambda: tmp_path / "cache")
    found = {entry["name"]: entry for entry in handgrad("datasets", "--json").json}
    assert list(found) == list(catalogue())
    assert {
        "lines", "digits", "mnist", "fashion-mnist", "cifar10", "cat-vs-noncat", "airplane-bike",
    } <= found.keys()  # fmt: skip
    for entry in found.values():
        assert entry["about"]
        assert entry["origin"]
        assert entry["licence"]
        assert entry["size"]
        assert entry["here"] or entry["addresses"] or entry["by_hand"]
    assert {name for name, entry in found.items() if entry["here"]} == {"lines", "digits"}
    said = handgrad("datasets").out
    assert "here: comes with the program" in said
    assert "not here: downloaded when first used" in said
    assert "not here: no address is published; put train_catvnoncat.h5" in said
    # A folder that holds what it should is found and named.
    (tmp_path / "data" / "cat-vs-noncat").mkdir(parents=True)
    for name in ("train", "test"):
        (tmp_path / "data" / "cat-vs-noncat" / f"{name}_catvnoncat.h5").touch()
    monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path / "data"))
    entries = {entry["name"]: entry for entry in handgrad("datasets", "--json").json}
    assert entries["cat-vs-noncat"]["place"] == str(tmp_path / "data" / "cat-vs-noncat")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.usefixtures("no_pictures")
def test_a_log_in_any_encoding(monkeypatch, encoding):
    """What the encoding has no letter for is escaped; nothing is lost for it."""
    log = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", log)
    monkeypatch.setattr(sys, "argv", ["handgrad", "train", "lines", "--epochs", "2", "--out", "é→"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    log.flush()
    assert b"dense 6 \\u2192 relu" in log.buffer.getvalue()


def test_json_is_ascii_and_finite(capsys):
    say_json({"é": [float("nan"), float("inf"), 1.5], "bytes of a name": "\udcff"})
    said = capsys.readouterr().out
    assert said.isascii()
    assert json.loads(said) == {"é": [None, None, 1.5], "bytes of a name": "\udcff"}


def test_words():
    assert columns([["a", 1], ["bcd", 200]], right=[1]) == "a      1\nbcd  200"
    assert span(0.5, 1.0) == "50.0 to 100.0 %"
