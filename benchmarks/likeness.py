"""How the numbers of `near_duplicates` were chosen: what it finds, what it should not, how fast.

    python benchmarks/likeness.py [--large]

- Of 500 photographs copies are made (saved again, resized, lighter, grey, mirrored, cropped):
  which of them are found, at 64x64 pixels?
- In data sets as they are: how many groups, of how many images, the largest of how many? Whether
  these are copies is for eyes to tell; each set's groups are drawn into a sheet.
- Seconds of one core for 10,000 images of 64x64, and with --large for 30,000 and 100,000: crops of
  the photographs with noise, in a memory-mapped file.

Writes ``benchmarks/results/likeness.json``; the sheets go to ``likeness/`` in the current folder.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from handgrad.datasets import Preparation, decode_many, load
from handgrad.datasets.likeness import CORRELATION, DISTANCE, near_duplicates

RESULTS = Path(__file__).parent / "results" / "likeness.json"
SHEETS = Path("likeness")
PREPARATION = Preparation(64, 64, 3)
COPIES = 500

Images = NDArray[np.uint8]


def same(image: Image.Image) -> Image.Image:
    return image


def resized(factor: float, image: Image.Image) -> Image.Image:
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)


def cropped(part: float, image: Image.Image) -> Image.Image:
    x, y = round(image.width * part), round(image.height * part)
    return image.crop((x, y, image.width - x, image.height - y))


def brightness(factor: float, image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(factor)


def contrast(factor: float, image: Image.Image) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(factor)


def grey(image: Image.Image) -> Image.Image:
    return image.convert("L")


def mirrored(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


CHANGES: dict[str, tuple[Callable[[Image.Image], Image.Image], int | None]] = {
    "JPEG 40": (same, 40),
    "JPEG 60": (same, 60),
    "JPEG 95": (same, 95),
    "double": (partial(resized, 2), None),
    "half": (partial(resized, 0.5), None),
    "quarter": (partial(resized, 0.25), None),
    "half, JPEG 40": (partial(resized, 0.5), 40),
    "quarter, JPEG 60": (partial(resized, 0.25), 60),
    "brightness 0.8": (partial(brightness, 0.8), None),
    "brightness 1.1": (partial(brightness, 1.1), None),
    "brightness 1.2": (partial(brightness, 1.2), None),
    "contrast 0.7": (partial(contrast, 0.7), None),
    "contrast 1.3": (partial(contrast, 1.3), None),
    "grey": (grey, None),
    "mirrored": (mirrored, None),
    "mirrored, JPEG 60": (mirrored, 60),
    "1 % cropped at each edge": (partial(cropped, 0.01), 90),
    "3 % cropped at each edge": (partial(cropped, 0.03), 90),
    "5 % cropped at each edge": (partial(cropped, 0.05), 90),
}
"""What is done to a copy, and the quality of the JPEG that it is saved as (None: pixels as is)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="time 30,000 and 100,000 images too")
    large = parser.parse_args().large
    files = sorted((Path(os.environ["HANDGRAD_DATA"]) / "caltech101").glob("*/*.jpg"))
    photographs, _ = decode_many(files, PREPARATION)
    results: dict[str, Any] = {"distance": DISTANCE, "correlation": CORRELATION}
    results["found"] = found(files)
    results["sets"] = {name: groups_of(name, images) for name, images in sets(photographs).items()}
    sizes = (10_000, 30_000, 100_000) if large else (10_000,)
    results["seconds"] = {f"{size:,}": seconds(photographs, size) for size in sizes}
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def found(files: list[Path]) -> dict[str, float]:
    """The part of the copies that stand in the group of their original, for every change."""
    chosen = np.sort(np.random.default_rng(0).choice(len(files), COPIES, replace=False))
    originals, _ = decode_many([files[i] for i in chosen], PREPARATION)
    parts = {}
    for name, (change, quality) in CHANGES.items():
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for i in chosen:
                path = Path(folder) / f"{i}.{'bmp' if quality is None else 'jpg'}"
                with Image.open(files[i]) as image:
                    change(image).save(path, quality=quality or 0)  # a BMP has none
                paths.append(path)
            copies, _ = decode_many(paths, PREPARATION)
        groups = near_duplicates(np.concatenate([originals, copies]))
        parts[name] = float(np.mean(groups[:COPIES] == groups[COPIES:]))
        print(f"{name:26} {parts[name]:.1%}", flush=True)
    return parts


def sets(photographs: Images) -> dict[str, Images]:
    """Data sets as they are; where copies are known to be, train and test together."""
    cats = load("cat-vs-noncat")
    cats_test = cats.test.images if cats.test is not None else cats.train.images[:0]
    mnist, cifar = load("mnist").test, load("cifar10").test
    assert mnist is not None
    assert cifar is not None
    return {
        "airplanes and motorbikes": photographs,
        "cats, train and test": np.concatenate([cats.train.images, cats_test]),
        "CIFAR-10, test": cifar.images,
        "MNIST, test": mnist.images,
    }


def groups_of(name: str, images: Images) -> dict[str, int]:
    groups = near_duplicates(images)
    sizes = np.bincount(groups)
    members = [np.flatnonzero(groups == first) for first in np.flatnonzero(sizes > 1)]
    draw(SHEETS / f"{name}.png", images, members)
    result = {
        "images": len(images),
        "groups": len(members),
        "grouped": int(sizes[sizes > 1].sum()),
        "largest": int(sizes.max()),
    }
    print(f"{name:26} {result}", flush=True)
    return result


def draw(path: Path, images: Images, members: list[NDArray[np.int64]]) -> None:
    """A row of pictures for each group, at most 12 of them."""
    if not members:
        return
    path.parent.mkdir(exist_ok=True)
    sheet = Image.new("RGB", (12 * 66, len(members) * 66), "white")
    for row, group in enumerate(members):
        for column, i in enumerate(group[:12]):
            pixels = np.broadcast_to(images[i], (*images[i].shape[:2], 3))
            sheet.paste(Image.fromarray(pixels).resize((64, 64)), (column * 66, row * 66))
    sheet.save(path)


def seconds(photographs: Images, size: int) -> float:
    """Seconds of a core (median of 3) for so many crops with noise, in a memory-mapped file."""
    generator = np.random.default_rng(0)
    shape = (size, *photographs.shape[1:])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "images.npy"
        images = np.lib.format.open_memmap(file, "w+", np.uint8, shape)
        for image in images:
            side = generator.integers(36, 64)
            y, x = generator.integers(0, 65 - side, 2)
            places = np.arange(64) * side // 64
            crop = photographs[generator.integers(len(photographs))][y + places][:, x + places]
            noise = generator.integers(-8, 9, (64, 64, 1))
            image[...] = np.clip(crop + noise, 0, 255)
        images.flush()
        images = np.load(file, mmap_mode="r")
        times = []
        for _ in range(3):
            start = time.process_time()
            near_duplicates(images)
            times.append(time.process_time() - start)
        result = round(statistics.median(times), 2)
    print(f"{size:,} images: {result} s of a core", flush=True)
    return result


if __name__ == "__main__":
    main()
