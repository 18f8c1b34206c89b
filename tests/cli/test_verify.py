"""``handgrad verify``: the table, the choice of rows, a user's own file, a model's certificate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handgrad.storage import load_model
from handgrad.verification import checks

SWISH = """
from dataclasses import dataclass
from typing import ClassVar
import handgrad as hg

@dataclass(frozen=True)
class {Name}(hg.Layer):
    name: ClassVar[str] = "{name}"
    beta: float = 1.0

    def forward(self, z, params):
        return z * hg.calculus.sigmoid(self.beta * z), z

    def backward(self, dy, z, params, grads):
        s = hg.calculus.sigmoid(self.beta * z)
        return dy * (s + {slope} * s * (1 - s))
"""
"""A layer z σ(βz), whose derivative is σ + β z σ (1 - σ): the β of the chain rule is forgotten."""


def own_file(folder: Path, name: str, slope: str) -> Path:
    """A file with such a layer."""
    path = folder / f"{name}.py"
    path.write_text(SWISH.format(Name=name.title(), name=name, slope=slope), encoding="utf-8")
    return path


def test_the_whole_certificate(handgrad):
    said = handgrad("verify", "--json")
    assert said.code == 0
    rows = said.json
    assert {(row["kind"], row["name"]) for row in rows} >= {
        tuple(name.split(" ", 1)) for name in checks()
    }
    assert {row["name"] for row in rows if row["kind"] == "recipe"} >= {"lines", "mnist", "cat"}
    for row in rows:
        assert row["passed"] is True
        # The loss of a network of millions of numbers hardly changes along one direction.
        assert 0 <= row["worst_error"] < (1e-6 if row["kind"] == "recipe" else 1e-7)
        assert row["shapes"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["relu"], {("function", "relu"), ("layer", "relu")}),
        (["layer dense"], {("layer", "dense")}),
        (["sgd", "adam"], {("optimizer", "sgd"), ("optimizer", "adam")}),
        (["lines"], {("recipe", "lines")}),
    ],
)
def test_names_choose_rows(handgrad, words, expected):
    rows = handgrad("verify", *words, "--json").json
    assert {(row["kind"], row["name"]) for row in rows} == expected


def test_an_unknown_name_is_refused_with_the_nearest(refused):
    assert "did you mean 'softmax'?" in refused("verify", "sofmax")


def test_a_broken_layer_of_ones_own_is_caught_and_located(handgrad, tmp_path):
    path = own_file(tmp_path, "slippery", slope="z")
    said = handgrad("verify", "--module", path, "slippery")
    assert said.code == 1
    assert "FAIL  layer slippery" in said.out
    assert "0 of 1 pass" in said.out
    # The default β = 1 hides the slip; another β shows it, with element and both numbers.
    assert "Slippery(beta=0.7): ∂/∂x at (1, 1), element (0, 0): found " in said.err
    assert "but the complex step gives" in said.err
    assert "Traceback" not in said.err
    (row,) = json.loads(handgrad("verify", "--module", path, "slippery", "--json").out)
    assert row["passed"] is False
    assert row["failure"] in said.err


def test_a_right_layer_of_ones_own_passes(handgrad, tmp_path):
    path = own_file(tmp_path, "silky", slope="self.beta * z")
    said = handgrad("verify", "--module", path, "silky")
    assert said.code == 0
    assert "pass  layer silky" in said.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "found nothing to verify; expected a class of Layer"),
        ("import nowhere_to_be_found\n", "ModuleNotFoundError"),
        ("def broken(:\n", "SyntaxError"),
    ],
)
def test_a_file_without_layers_is_a_sentence(refused, tmp_path, text, words):
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    said = refused("verify", "--module", path)
    assert str(path) in said
    assert words in said


def test_no_such_file_is_a_sentence(refused, tmp_path):
    assert "no such file" in refused("verify", "--module", tmp_path / "none.py")


def test_a_certificate_goes_into_the_model_and_is_repeated(handgrad, tmp_path):
    out = tmp_path / "run"
    assert handgrad("train", "lines", "--verify", "--epochs", 2, "--out", out, "--quiet").code == 0
    saved = load_model(out / "model.safetensors").about["certificate"]
    assert saved["passed"] is True
    assert {row["name"] for row in saved["rows"]} >= {"affine", "dense", "adam", "lines"}
    said = handgrad("verify", "layer", "--model", out)
    assert said.code == 0
    assert f"model {out / 'model.safetensors'}" in said.out
    assert f"saved certificate: {len(saved['rows'])} of {len(saved['rows'])} passed" in said.out


def test_a_model_without_a_certificate_says_so(handgrad, tmp_path):
    out = tmp_path / "run"
    handgrad("train", "lines", "--epochs", 2, "--out", out, "--quiet")
    said = handgrad("verify", "dense", "--model", out)
    assert said.code == 0
    assert "no certificate is saved with this model" in said.out
