"""``handgrad export``: a model for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest


def test_an_onnx_file(handgrad, colours_run):
    onnx = pytest.importorskip("onnx")
    said = handgrad("export", colours_run.folder, "colours.onnx")
    assert (said.code, said.err) == (0, "")
    size = Path("colours.onnx").stat().st_size
    assert said.out.splitlines() == [
        f"model    {colours_run.model_file}",
        f"written  colours.onnx ({size:,} bytes)",
    ]
    told = {entry.key: entry.value for entry in onnx.load("colours.onnx").metadata_props}
    assert json.loads(told["class_names"]) == ["blue é", "green", "red"]
    first = Path("colours.onnx").read_bytes()
    said = handgrad("export", colours_run.model_file, "colours.onnx", "--json")
    assert said.json == {
        "model": str(colours_run.model_file),
        "files": [{"file": "colours.onnx", "bytes": size}],
    }
    assert Path("colours.onnx").read_bytes() == first


def test_a_pytorch_module(handgrad, colours_run):
    said = handgrad("export", "--torch", colours_run.folder, "colours.py", "--json")
    assert said.code == 0
    files = ["colours.py", "colours.safetensors"]
    assert said.json["files"] == [{"file": f, "bytes": Path(f).stat().st_size} for f in files]
    assert "class Network(nn.Module):" in Path("colours.py").read_text(encoding="utf-8")
    assert sorted(path.name for path in Path().iterdir()) == files


def test_the_newest_run_is_exported_when_none_is_named(handgrad, colours_run):
    Path("runs").mkdir()
    Path("runs/mine").symlink_to(colours_run.folder, target_is_directory=True)
    said = handgrad("export", "--torch", "a.py")
    assert said.out.startswith(f"model    {Path('runs/mine/model.safetensors')}\n")


def test_what_is_refused(refused, handgrad, colours_run):
    model = colours_run.folder
    assert refused("export", model, "a.txt") == "a.txt: found another ending; expected .onnx\n"
    assert refused("export", "--torch", model, "a.onnx") == (
        "a.onnx: found another ending; expected .py\n"
    )
    assert "runs: found no run in it" in refused("export", "a.onnx")
    assert "none: found no such file" in refused("export", "none", "a.onnx")
    Path("no.safetensors").write_bytes(bytes(100))
    assert "no.safetensors: found " in refused("export", "no.safetensors", "a.onnx")
    said = handgrad("export", model, "a.jpg", "a.onnx")
    assert said.code == 2
    assert "found 3 arguments; expected [MODEL] OUT" in said.err
    assert [path.name for path in Path().iterdir()] == ["no.safetensors"]


def test_a_model_is_not_replaced_by_the_weights_of_its_export(refused, colours_run):
    content = colours_run.model_file.read_bytes()
    Path("model.safetensors").write_bytes(content)
    assert refused("export", "--torch", "model.safetensors", "model.py").startswith(
        "model.safetensors: found a model of handgrad; expected another name than model.py"
    )
    assert Path("model.safetensors").read_bytes() == content


def test_without_the_package(refused, colours_run, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'handgrad[export]'" in refused("export", colours_run.folder, "a.onnx")
    assert list(Path().iterdir()) == []


def test_from_python(colours_run):
    import handgrad as hg

    pytest.importorskip("onnx")
    hg.save_onnx(colours_run.model, "a.onnx")
    hg.save_torch(colours_run.model, "a.py")
    found = hg.parity(colours_run.model, "a.onnx", [])
    assert (found.n, found.flips, found.failures) == (0, (), ())
    assert np.isfinite(found.largest_difference)
