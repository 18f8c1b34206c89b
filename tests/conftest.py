"""What tests of several rooms need: slopes, PyTorch as an oracle, photographs, trained runs."""

from __future__ import annotations

import contextlib
import copy
import os
import shutil
import struct
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from handgrad.parallel import Ranks

COLOURS = {"blue é": (40, 40, 200), "green": (40, 200, 40), "red": (200, 40, 40)}
"""Classes in the order of their names, and what their photographs look like."""


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> Iterator[Path]:
    """The user's cache stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("HANDGRAD_CACHE", str(folder))
        yield folder


class Threads:
    """Threads that exchange messages as the processes of an MPI do: a communicator for each."""

    def __init__(self, size: int) -> None:
        self.meeting = threading.Barrier(size, timeout=60)
        self.brought: list[Any] = [None] * size

    def exchanged(self, rank: int, word: Any) -> list[Any]:
        self.brought[rank] = copy.deepcopy(word)
        self.meeting.wait()
        found = list(self.brought)
        self.meeting.wait()
        return found


class Communicator:
    """What `Ranks` asks of a communicator of mpi4py."""

    def __init__(self, threads: Threads, rank: int) -> None:
        self.threads, self.rank, self.size = threads, rank, len(threads.brought)

    def allgather(self, word: Any) -> list[Any]:
        return self.threads.exchanged(self.rank, word)

    def bcast(self, word: Any) -> Any:
        return self.allgather(word)[0]

    def Allgather(self, own: np.ndarray, every: np.ndarray) -> None:
        every[...] = self.allgather(own)

    def Allgatherv(self, own: np.ndarray, every: Any) -> None:
        into, (counts, starts) = every
        for part, count, start in zip(self.allgather(own), counts, starts, strict=True):
            assert part.size == count
            into.reshape(-1)[start : start + count] = part.ravel()

    def Alltoallv(self, out: Any, into: Any) -> None:
        place, (counts, starts) = into
        for rank, (source, (lengths, places)) in enumerate(self.allgather(out)):
            first, length = places[self.rank], lengths[self.rank]
            assert length == counts[rank]
            own = place.reshape(-1)[starts[rank] : starts[rank] + length]
            own[...] = source[first : first + length]

    def Abort(self, code: int) -> None:
        raise AssertionError(f"aborted with {code}")


@pytest.fixture
def among() -> Callable[..., list[Any]]:
    """Runs a function of `Ranks` on so many of them, each a thread; gives what each gave."""

    def run(size: int, function: Callable[[Ranks], Any]) -> list[Any]:
        threads = Threads(size)

        def one(rank: int) -> Any:
            try:
                return function(Ranks(Communicator(threads, rank)))
            except BaseException:
                threads.meeting.abort()
                raise

        with ThreadPoolExecutor(size) as pool:
            futures = [pool.submit(one, rank) for rank in range(size)]
        faults = [fault for future in futures if (fault := future.exception())]
        if faults:
            raise min(faults, key=lambda fault: isinstance(fault, threading.BrokenBarrierError))
        return [future.result() for future in futures]

    return run


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    """PyTorch; without it a test is skipped, by name."""
    return pytest.importorskip("torch")


@pytest.fixture(scope="session")
def check_gradients() -> Callable[..., None]:
    """Holds the gradients of a function of several arrays to its central differences."""

    def check(f, inputs, dy, gradients, seed=0, h=1e-5):
        """For every input u, <dy, f(u + h v) - f(u - h v)> / 2h = <du, v>, in random directions v.

        ``dy`` is the cotangent. A difference of order h² = 1e-10 and rounding of order 1e-16/h
        leave some nine digits; a wrong factor or sign is off by far more than 1e-7.
        """
        generator = np.random.default_rng(seed)
        assert len(inputs) == len(gradients)
        for i, (u, du) in enumerate(zip(inputs, gradients, strict=True)):
            assert du.shape == u.shape
            assert du.dtype == np.float64
            for _ in range(3):
                v = generator.normal(size=u.shape)
                ahead, behind = (
                    f(*inputs[:i], u + sign * h * v, *inputs[i + 1 :]) for sign in (1, -1)
                )
                slope = np.sum(dy * (ahead - behind)) / (2 * h)
                assert np.sum(du * v) == pytest.approx(slope, rel=1e-7, abs=1e-7), f"input {i}"

    return check


@pytest.fixture(scope="session")
def paint() -> Callable[..., None]:
    """Fills a folder with noisy photographs of one colour each, a folder per class."""

    def painted(folder: Path, each: int, names=tuple(COLOURS), seed=0) -> None:
        generator = np.random.default_rng(seed)
        for name in names:
            (folder / name).mkdir(parents=True)
            for i in range(each):
                noise = generator.integers(-20, 21, size=(10, 12, 3))
                pixels = (np.array(COLOURS.get(name, (90, 90, 90))) + noise).astype(np.uint8)
                Image.fromarray(pixels).save(folder / name / f"{i:02}.png")

    return painted


@pytest.fixture(scope="session")
def photographs(tmp_path_factory, paint) -> Path:
    """Ten photographs of each of three colours. Read only."""
    folder = tmp_path_factory.mktemp("data") / "my photographs"
    paint(folder, 10)
    return folder


@pytest.fixture(scope="session")
def lines_run(tmp_path_factory):
    """The experiment `lines`, trained and kept with its pictures. Read only."""
    from handgrad.experiments import train

    return train("lines", out=tmp_path_factory.mktemp("runs") / "lines")


@pytest.fixture(scope="session")
def colours_run(tmp_path_factory, photographs):
    """A model of the three colours, from a few small epochs; right on all of them. Read only."""
    from handgrad.experiments import train

    settings = {"data.size": [16, 18], "training.epochs": 8, "optimizer.learning_rate": 0.01}
    out = tmp_path_factory.mktemp("runs") / "colours"
    return train(photographs, settings, out=out)


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of a short run's time goes into its pictures, which have tests of their own."""
    monkeypatch.setattr("handgrad.experiments.drawn.draw_pictures", lambda *_: None)


@pytest.fixture
def no_pictures_beside(tmp_path_factory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in the processes that a test begins: Python looks for this module when it starts."""
    folder = tmp_path_factory.mktemp("beside")
    (folder / "sitecustomize.py").write_text(
        "from handgrad.experiments import drawn\ndrawn.draw_pictures = lambda *_: None\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)


class Hostile(NamedTuple):
    """A folder with everything that a folder of photographs was ever seen to hold.

    ``named`` has one name for each thing in it that is worth a word ("truncated", "leak", …), and
    ``faults`` the kind of fault of each file that does not decode; names as data sets give them.
    ``locked`` cannot be read as another user than root: see `not_root`.
    """

    folder: Path
    named: dict[str, str]
    faults: dict[str, str]


@pytest.fixture(scope="session")
def scenery() -> Callable[..., Image.Image]:
    """Draws a picture of soft shapes, another one for every seed: near-duplicates know it again."""

    def drawn(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
        few = np.random.default_rng(seed).integers(0, 256, size=(6, 8, 3), dtype=np.uint8)
        return Image.fromarray(few).resize(size, Image.Resampling.BICUBIC)

    return drawn


@pytest.fixture(scope="session")
def hostile(scenery) -> Iterator[Hostile]:
    """A folder of `cats` and `dogs`, divided, with every fault in it. Read only."""
    if os.name != "posix":
        pytest.skip("the hostile folder: names, links and pipes that this system does not have")
    home = Path(tempfile.mkdtemp(prefix="hostile-"))  # pytest's own folders are closed to others
    home.chmod(0o755)
    folder = home / "my photographs"
    for part in ("train", "test"):
        for name in ("cats", "dogs"):
            (folder / part / name).mkdir(parents=True)
    cats, dogs = folder / "train" / "cats", folder / "train" / "dogs"
    for i in range(6):
        scenery(i).save(cats / f"{i}.jpg", quality=92)
        scenery(10 + i).save(dogs / f"{i}.jpg", quality=92)
    scenery(20).save(folder / "test/cats/0.jpg", quality=92)
    scenery(21).save(folder / "test/dogs/0.jpg", quality=92)
    # Names.
    scenery(22).save(cats / "a name, with spaces.jpg")
    scenery(23).save(cats / "naïve 猫.png")
    scenery(24).save(cats / "two\nlines.png")
    with open(os.fsencode(cats) + b"/bytes \xff.png", "wb") as file:
        scenery(25).save(file, "png")
    # What decodes, and is worth a word.
    frames = [scenery(30).convert("P"), scenery(31).convert("P")]
    frames[0].save(cats / "animated.gif", save_all=True, append_images=frames[1:])
    deep = np.asarray(scenery(32).convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(cats / "sixteen bits.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    scenery(33).save(cats / "rotated.jpg", exif=exif)
    scenery(34).convert("CMYK").save(cats / "cmyk.jpg")
    scenery(35).quantize(16).save(cats / "palette.png", transparency=3)
    Image.new("RGB", (1, 1), (9, 80, 160)).save(cats / "one pixel.png")
    # Copies: within a class, across classes, across the parts.
    shutil.copy(cats / "0.jpg", cats / "copy.jpg")
    scenery(1).resize((56, 42)).save(cats / "encoded again.jpg", quality=70)
    shutil.copy(cats / "2.jpg", dogs / "a cat.jpg")
    shutil.copy(dogs / "3.jpg", folder / "test/dogs/seen before.jpg")
    scenery(14).resize((72, 54)).save(folder / "test/dogs/nearly seen.jpg", quality=75)
    # What does not decode.
    (cats / "words.jpg").write_text("this is no photograph\n")
    (cats / "empty.png").touch()
    for name in ("truncated.jpg", "truncated.png"):
        scenery(40, (320, 240)).save(cats / name)
        whole = (cats / name).read_bytes()
        (cats / name).write_bytes(whole[: len(whole) * 2 // 3])
    (cats / "huge.png").write_bytes(_png_that_claims(100_000, 100_000))
    scenery(41).save(dogs / "locked.jpg")
    (dogs / "locked.jpg").chmod(0)
    # What is no image at all, and leads nowhere or round in a circle.
    (cats / "notes.txt").write_text("remember the milk\n")
    (cats / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (folder / "train/__MACOSX/cats").mkdir(parents=True)
    (folder / "train/__MACOSX/cats/._0.jpg").write_bytes(b"\x00\x05\x16\x07")
    (cats / "round").symlink_to(folder / "train")
    (dogs / "itself").symlink_to("itself")
    (dogs / "dangling.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(dogs / "pipe.jpg")
    at = "train/cats/"
    faults = {
        f"{at}words.jpg": "not an image",
        f"{at}empty.png": "empty",
        f"{at}truncated.jpg": "truncated",
        f"{at}truncated.png": "truncated",
        f"{at}huge.png": "too large",
    }
    named = {kind: name for name, kind in reversed(faults.items())} | {
        "truncated PNG": f"{at}truncated.png",
        "locked": "train/dogs/locked.jpg",
        "dangling": "train/dogs/dangling.jpg",
        "pipe": "train/dogs/pipe.jpg",
        "spaces": f"{at}a name, with spaces.jpg",
        "Unicode": f"{at}naïve 猫.png",
        "newline": f"{at}two\nlines.png",
        "bytes": f"{at}bytes \\xff.png",
        "animated": f"{at}animated.gif",
        "16 bits": f"{at}sixteen bits.png",
        "rotated": f"{at}rotated.jpg",
        "CMYK": f"{at}cmyk.jpg",
        "palette": f"{at}palette.png",
        "one pixel": f"{at}one pixel.png",
        "copy": f"{at}copy.jpg",  # of 0.jpg
        "encoded again": f"{at}encoded again.jpg",  # of 1.jpg
        "conflict": "train/dogs/a cat.jpg",  # is cats/2.jpg
        "leak": "test/dogs/seen before.jpg",  # is train/dogs/3.jpg
        "near leak": "test/dogs/nearly seen.jpg",  # is train/dogs/4.jpg
    }
    yield Hostile(folder, named, faults)
    shutil.rmtree(home)


def _png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises an image of any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture
def not_root() -> Iterator[None]:
    """Root may read every file; this test runs as nobody in particular.

    What is imported then may lie where only root can read: what a test calls, it calls once before,
    and asks for this by ``request.getfixturevalue``.
    """
    if os.name != "posix":
        pytest.skip("users and their permissions are another matter on this system")
    # What is imported later may lie where nobody in particular may not read.
    Image.init()
    import handgrad.cli.inspect
    import handgrad.experiments.inspection
    import handgrad.networks
    import handgrad.training  # noqa: F401

    with contextlib.ExitStack() as stack:
        if os.geteuid() == 0:
            os.seteuid(65534)
            stack.callback(os.seteuid, 0)
        yield


def _texts_apart(figure: Figure) -> None:
    """Every text that is seen lies inside the figure and on no other text."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    beyond = set()  # ticks outside the axes exist but are not drawn
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    beyond |= {tick.label1, tick.label2}
    texts = set(figure.findobj(Text)) - beyond
    seen = [text for text in texts if text.get_visible() and text.get_text()]
    assert seen
    boxes = []
    for text in seen:
        if text.get_rotation() in (0, 90):  # a slanted text's box is mostly empty
            boxes.append((text.get_text(), text.get_window_extent(renderer)))
    width, height = figure.canvas.get_width_height()
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= width, text
        assert box.y1 <= height, text
    for (a, box), (b, other) in combinations(boxes, 2):
        across = min(box.x1, other.x1) - max(box.x0, other.x0)
        along = min(box.y1, other.y1) - max(box.y0, other.y0)
        assert across <= 0.5 or along <= 0.5, f"{a!r} is drawn on {b!r}"


@pytest.fixture
def texts_apart() -> Callable[[Figure], None]:
    return _texts_apart
