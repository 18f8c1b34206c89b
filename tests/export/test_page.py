"""The programs in docs/export.md, word for word."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handgrad.export import save_onnx, save_torch
from handgrad.layers import Convolution, Dense, ReLU

PAGE = Path(__file__).parents[2] / "docs" / "export.md"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """The two of them, in a folder with a photograph that lies on its side."""
    if not PAGE.is_file():
        pytest.skip("the documentation is not here")
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03"
                                 b"\0\0\0\x01\0\x06\0\0\0\0\0\0")  # fmt: skip
    with Image.open("photo.jpg") as photo:
        assert photo.getexif()[0x0112] == 6
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def model(made):
    model = made(
        (Convolution(3), ReLU(), Dense(3)), (9, 8, 3), mean=(0.4,) * 3, deviation=(0.3,) * 3
    )
    return dataclasses.replace(model, class_names=("bike", "plane", "train"))


def test_with_onnxruntime(programs, model, capsys):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    save_onnx(model, "photos.onnx")
    exec(programs[0], {})
    name, *found = re.findall(r"[\w.e-]+", capsys.readouterr().out)
    [expected] = model.predict(["photo.jpg"])
    assert name == expected.label
    assert list(map(float, found)) == pytest.approx(list(expected.probabilities.values()), abs=1e-5)


def test_with_pytorch(programs, model, capsys, torch, monkeypatch, tmp_path):
    save_torch(model, "network.py")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "network", raising=False)
    exec(programs[1], {})
    monkeypatch.delitem(sys.modules, "network")
    said = capsys.readouterr().out
    black = np.zeros((1, 9, 8, 3), np.uint8)
    assert said.startswith(model.class_names[model.labels(black)[0]])
    found = re.search(r"\[(.*)\]", said)[1].split(",")
    assert list(map(float, found)) == pytest.approx(
        model.probabilities(black)[0].tolist(), abs=1e-3
    )
