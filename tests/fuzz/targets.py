"""Bytes from a stranger, read as each of the formats that handgrad reads.

A target takes a file and reads it as one format. It returns if the file was good, and lets the
package's own error pass for "refused"; whatever else is raised is a finding. Seeds are made here by
code. The tests beside this file and ``tests/long/fuzz.py`` share it.
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import pickle
import random
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
from PIL import Image

import handgrad as hg
from handgrad.datasets import (
    Preparation,
    cache,
    catalogue,
    cifar,
    decode,
    hdf5,
    idx,
    lines,
    sources,
)
from handgrad.datasets.dataset import Splits
from handgrad.datasets.facts import Facts
from handgrad.datasets.listing import listed
from handgrad.datasets.quarantine import read_quarantine
from handgrad.errors import HandgradError
from handgrad.experiments import Experiment, Recipe, read_recipe
from handgrad.experiments.checkpoints import Checkpoints, restore
from handgrad.experiments.recipe import parsed, with_settings
from handgrad.experiments.run import Run
from handgrad.experiments.unfinished import UNFINISHED
from handgrad.networks import Network, check_memory
from handgrad.storage import load_model, save_model, write_prepared
from handgrad.training.snapshots import Snapshots, read_snapshots

__all__ = ["SECONDS", "TARGETS", "Target", "attempt", "mutated"]

SECONDS = 5
"""No input may take longer."""

GENERAL = 32 << 20
PLAIN, PACKED, PICTURE = 200, 4 * 1100, 0
"""Bytes of memory for each byte of a file, beside the general ones: where nothing is packed (JSON
makes 24 bytes of one), and where gzip may be at work, which packs at most 1,032 to 1. A picture may
have 89,478,485 pixels, whatever its file's size."""


@dataclass(frozen=True)
class Target:
    """A format.

    Parameters
    ----------
    name : the file's, as its reader wants it; also where to put it below an empty folder
    read : reads the folder in which the file lies
    seeds : good files
    factor : bytes of memory that may be taken for each byte of a file
    mutations : how many the test run tries
    """

    name: str
    read: Callable[[Path], object]
    seeds: Callable[[], list[bytes]]
    factor: int = PLAIN
    mutations: int = 150

    def most(self, size: int) -> int:
        """Bytes of memory that a file of this size may take."""
        return GENERAL + (16 * 89_478_485 if self.factor == PICTURE else self.factor * size)


def attempt(target: Target, data: bytes, folder: Path | None = None) -> bool:
    """Read bytes as a format, in an empty folder; whether they were taken for good."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        path = Path(name) / target.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        try:
            target.read(Path(name))
        except HandgradError:
            return False
        return True


# --- seeds, made by code


@functools.cache
def _experiment() -> Experiment:
    """Three steps of a small training, which stand in the checkpoint."""
    table = {
        "name": "tiny",
        "data": {"source": "lines"},
        "architecture": [
            {"layer": "dense", "units": 3},
            {"layer": "relu"},
            {"layer": "dense", "units": "classes"},
        ],
        "loss": {"kind": "softmax cross-entropy"},
        "optimizer": {"kind": "adam"},
        "training": {"epochs": 3, "batch_size": 24, "reference": True},
    }
    experiment = Experiment(table, splits=hg.load("lines"))
    for _ in experiment.train():
        pass
    return experiment


def _file(write: Callable[[Path], object], name: str = "file") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


def _model() -> bytes:
    return _file(lambda path: save_model(_experiment().model(), path))


def _convolutional() -> bytes:
    inner = (hg.Convolution(2), hg.BatchNorm(), hg.ReLU())
    layers = (hg.Convolution(2), hg.Residual(inner), hg.MaxPool(2), hg.Dense(2))
    model = hg.Model(
        Network(layers, (4, 4, 1)), Preparation(4, 4, 1), ("a", "b"), hg.SoftmaxCrossEntropy()
    )
    return _file(lambda path: save_model(model, path))


def _snapshots() -> bytes:
    kept = Snapshots(lambda: {"0.W": np.zeros((2, 2)), "0.b": np.ones(2)}, at=(0, 2))
    for step in range(3):
        kept(step)
    kept.end(3)
    return _file(kept.write)


@functools.cache
def _checkpoint() -> bytes:
    """The same always: what is restored changes the experiment."""

    def write(path: Path) -> None:
        Checkpoints(_experiment(), path, (1, 1)).write()

    return _file(write)


def _prepared() -> bytes:
    images = np.arange(6 * 4 * 4, dtype=np.uint8).reshape(6, 4, 4, 1)
    labels = np.array([0, 1] * 3)
    data = hg.Dataset(images, labels, ("cat", "dog"), tuple("abcdef"), "a", np.arange(6))
    parts = data.take(np.arange(4)), data.take(np.array([4, 5]))
    splits = Splits(*parts, preparation=Preparation(4, 4, 1, "box"))
    return _file(lambda path: write_prepared(splits, path), "a.h5")


def _packed_prepared() -> bytes:
    def write(path: Path) -> None:
        with h5py.File(path, "w", libver="latest") as file:
            packed: dict[str, Any] = {"compression": "gzip", "shuffle": True, "fletcher32": True}
            images = np.zeros((8, 4, 4, 3), np.float32)
            file.create_dataset("images", data=images, chunks=(2, 4, 4, 3), **packed)
            file["labels"] = np.arange(8) % 2
            file.create_dataset("class_names", data=np.array([b"x", b"y"], "S4"))

    return _file(write, "a.h5")


def _idx(magic: int, shape: tuple[int, ...]) -> bytes:
    count = int(np.prod(shape))
    return struct.pack(f">{1 + len(shape)}I", magic, *shape) + bytes(i % 256 for i in range(count))


def _records() -> bytes:
    return b"".join(bytes([i]) + bytes([40 * i]) * 3072 for i in range(3))


def _pickles() -> list[bytes]:
    data = np.arange(2 * 3072).astype(np.uint8).reshape(2, 3072)
    batch = {b"data": data, b"labels": [1, 9], b"filenames": [b"a.png", b"b.png"]}
    found = [pickle.dumps(batch, protocol=protocol) for protocol in (2, 3, 4)]
    return [*found, gzip.compress(found[0], mtime=0)]


def _recipes() -> list[bytes]:
    folder = Path(hg.__file__).parent / "experiments" / "recipes"
    return [path.read_bytes() for path in sorted(folder.glob("*.toml"))]


def _images() -> list[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, size=(9, 12, 3), dtype=np.uint8)
    picture, found = Image.fromarray(pixels), []
    frames = [picture.convert("P"), picture.rotate(180).convert("P")]
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("jpeg", {"progressive": True, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03"}),
        ("jpeg", {}),
        ("png", {}),
        ("bmp", {}),
        ("tiff", {"compression": "tiff_lzw"}),
        ("webp", {}),
        ("ppm", {}),
    ]
    for kind, options in kinds:
        file = io.BytesIO()
        picture.save(file, kind, **options)
        found.append(file.getvalue())
    file = io.BytesIO()
    frames[0].save(file, "gif", save_all=True, append_images=frames[1:])
    sixteen = io.BytesIO()
    Image.fromarray(np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000).save(sixteen, "png")
    return [*found, file.getvalue(), sixteen.getvalue()]


def _tar(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


def _caltech() -> bytes:
    inner = _tar({"101_ObjectCategories/airplanes/image_0001.jpg": _images()[1]})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as outer:
        outer.writestr("caltech-101/101_ObjectCategories.tar.gz", inner)
    return file.getvalue()


def _index() -> bytes:
    facts = [Facts("a/0.png", "train", "a", 70, "PNG", "RGB", 2, 2, content="0" * 64)]
    made = cache._made(Preparation(2, 2, 1))
    index = cache._Index(cache.FORMAT, made, "x", "pixels-0-1.u1", [(70, 1, 2)], facts, [0])
    return msgspec.json.encode(index)


def _history() -> bytes:
    rows = [json.dumps(report.known()) + "\n" for report in _experiment().history]
    return "".join(rows).encode()


SUMMARY = {
    "recipe": "tiny", "loss": 0.25, "train_accuracy": 1.0, "test_accuracy": 0.5, "test_low": 0.2,
    "test_high": 0.8, "test_n": 18, "epochs": 3.0, "steps": 3, "stopped": None, "seconds": 0.5,
    "images_per_second": 10.0, "parameters": 38, "classes": ["a", "b"], "note": "", "threads": 1,
    "repeats": {"split": "same", "runs": []}, "shards": 1,
}  # fmt: skip

TABLE = b'file,label,part\na/1.png,cat,train\n"b, c.png",dog,test\n../d.png,dog,train\na,cat,\n'
QUARANTINE = b'# of photos\n"file","reason"\n"cats/a, b.jpg","empty"\nb.jpg\n'
LINES = b"a,b,c,d,e,f,g,h,i,class\n1,0,0,1,0,0,1,0,0,0\n0,1,0,0,.5,0,0,0.9,0,1\n"
SETTINGS = b"optimizer.learning_rate=0.1\narchitecture.0.units = 8\nname='x'\ndata.size=[2, 2]\n"


# --- readers

SHAPES = {name: source.shape for name, source in catalogue().items()}


def _read_recipe(folder: Path) -> None:
    """To the point where memory would be asked for."""
    table = read_recipe(folder / "recipe.toml")
    recipe = Recipe.of(with_settings(table, {}), classes=10)
    shape = SHAPES.get(recipe.data.source, (8, 8, 1))
    if recipe.data.size is not None:
        shape = (*recipe.data.size, recipe.data.channels or 3)
    Recipe.of(recipe.table(), classes=10)
    layout = Network.planned(recipe.architecture, shape)
    shapes = Network.shapes_of(recipe.architecture, shape)
    recipe.optimizer.chain(layout)
    check_memory(layout.size, shapes, 4)
    for layer in recipe.architecture:
        str(layer)


def _read_settings(folder: Path) -> None:
    """What stands behind ``--set``, a line each."""
    for line in (folder / "settings").read_bytes().decode("utf-8", "replace").split("\n"):
        if not line:
            continue
        key, _, value = line.partition("=")
        Recipe.of(with_settings(_experiment().recipe.table(), {key.strip(): parsed(value)}))


def _read_batch(folder: Path) -> None:
    cifar.read_pickled(folder / "data_batch_1")


def _read_idx(folder: Path) -> None:
    try:
        idx.read_idx(folder / "idx", idx.IMAGES)
    except HandgradError:
        idx.read_idx(folder / "idx", idx.LABELS)


def _read_index(folder: Path) -> None:
    (folder / "pixels-0-1.u1").write_bytes(bytes(4))
    old = cache._read(folder, cache._made(Preparation(2, 2, 1)), Preparation(2, 2, 1))
    if not old.by_file():
        raise HandgradError("counts as no cache")


def _read_summary(folder: Path) -> None:
    run = Run(folder / "model.safetensors")
    _ = run.summary, run.test_accuracy


def _read_run_recipe(folder: Path) -> None:
    save_model(_experiment().model(), folder / "model.safetensors")
    Recipe.of(Run(folder).recipe, classes=2)


def _unpack(unpack: Callable[[Path, Path], None]) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        sources._unpacked(unpack, folder / "archive", folder / "out")

    return read


def _read_onnx(folder: Path) -> None:
    from handgrad.export.onnx_reading import read_onnx, runner

    file = read_onnx(folder / "m.onnx")
    _, answers = runner(file)
    answers(np.zeros((1, *file.shape), np.uint8))


def _onnx() -> list[bytes]:
    from handgrad.export import save_onnx

    return [_file(lambda path: save_onnx(_experiment().model(), path), "m.onnx")]


TARGETS = {
    "model": Target(
        "m.safetensors",
        lambda folder: load_model(folder / "m.safetensors"),
        lambda: [_model(), _convolutional()],
    ),
    "checkpoint": Target(
        f"{UNFINISHED}/checkpoint.safetensors",
        lambda folder: restore(_experiment(), folder / UNFINISHED / "checkpoint.safetensors"),
        lambda: [_checkpoint()],
    ),
    "snapshots": Target("s", lambda folder: read_snapshots(folder / "s"), lambda: [_snapshots()]),
    "prepared HDF5": Target(
        "a.h5",
        lambda folder: hdf5.read_prepared(folder / "a.h5"),
        lambda: [_prepared(), _packed_prepared()],
        PACKED,
    ),
    "IDX": Target(
        "idx",
        _read_idx,
        lambda: [
            _idx(2051, (3, 4, 5)),
            _idx(2049, (7,)),
            gzip.compress(_idx(2051, (3, 4, 5)), mtime=0),
        ],
        PACKED,
    ),
    "CIFAR binary": Target(
        "data_batch_1.bin",
        lambda folder: cifar.read_records(folder / "data_batch_1.bin", None),
        lambda: [_records()],
        PACKED,
    ),
    "CIFAR pickle": Target("data_batch_1", _read_batch, _pickles, PACKED),
    "recipe": Target("recipe.toml", _read_recipe, _recipes, mutations=100),
    "settings": Target("settings", _read_settings, lambda: [SETTINGS]),
    "list": Target("list.csv", lambda folder: listed(folder / "list.csv"), lambda: [TABLE]),
    "quarantine": Target(
        "q.csv", lambda folder: read_quarantine(folder / "q.csv"), lambda: [QUARANTINE]
    ),
    "lines": Target("l.csv", lambda folder: lines.read_csv(folder / "l.csv"), lambda: [LINES]),
    "history": Target(
        "history.jsonl",
        lambda folder: Run(folder / "model.safetensors").history,
        lambda: [_history()],
    ),
    "summary": Target("summary.json", _read_summary, lambda: [json.dumps(SUMMARY).encode()]),
    "run's recipe": Target("recipe.toml", _read_run_recipe, lambda: _recipes()[:2], mutations=50),
    "cache index": Target("index.json", _read_index, lambda: [_index()]),
    "image": Target(
        "picture",
        lambda folder: decode(folder / "picture", Preparation(8, 8, 3, draft=True)),
        _images,
        PICTURE,
        600,
    ),
    "CIFAR archive": Target(
        "archive",
        _unpack(sources._unpack_cifar),
        lambda: [_tar({"cifar-10-batches-bin/data_batch_1.bin": _records()})],
        PACKED,
    ),
    "Caltech archive": Target(
        "archive", _unpack(sources._unpack_caltech), lambda: [_caltech()], PACKED
    ),
    "ONNX": Target("m.onnx", _read_onnx, _onnx, mutations=60),
}


# --- mutations

NUMBERS = [0, 1, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1]
WORDS = [
    b"-1", b"0", b"1e999", b"NaN", b"nan", b"Infinity", b"-inf", b"1" * 5000, b"0x" + b"f" * 5000,
    b"99999999999", b"18446744073709551616", b"null", b"true", b"[]", b"{}", b'""', b"[[", b"{{",
    b"\0", b"..", b"../../x", b"/etc/passwd", b"\xff\xfe", b'"\\ud800"', b"a.b.c", b"1979-05-27",
    b"classes", b"[" * 2000, b"{\"a\":" * 500,
]  # fmt: skip


def mutated(seeds: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """So many changed files, always the same ones for a seed."""
    draw = random.Random(seed)
    for _ in range(count):
        data = bytearray(draw.choice(seeds))
        for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
            _mutate(data, draw, seeds)
        yield bytes(data)


def _mutate(data: bytearray, draw: random.Random, seeds: list[bytes]) -> None:
    place = draw.randrange(len(data) + 1)
    if draw.random() < 0.5:  # the beginning, where headers are
        place = min(place, draw.randrange(256))
    end = min(len(data), place + int(2 ** (draw.random() * 10)))
    kind = draw.randrange(8)
    if kind == 0 and place < len(data):
        data[place] ^= 1 << draw.randrange(8)
    elif kind == 1:
        number, width = draw.choice(NUMBERS), draw.choice((1, 2, 4, 8))
        order = draw.choice(("little", "big"))
        data[place : place + width] = (number % 256**width).to_bytes(width, order)
    elif kind == 2:
        del data[place:end]
    elif kind == 3:
        data[place:place] = data[place:end] * draw.choice((1, 2, 50))
    elif kind == 4:
        data[place:place] = draw.randbytes(draw.randrange(1, 20))
    elif kind == 5:
        del data[place:]
        data += draw.choice(seeds)[place:]
    elif kind == 6:
        del data[place:]
    else:  # a word or a number for another
        start = end = place
        while start > 0 and chr(data[start - 1]).isalnum():
            start -= 1
        while end < len(data) and chr(data[end]).isalnum():
            end += 1
        data[start:end] = draw.choice(WORDS)
