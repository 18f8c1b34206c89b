"""Where data come from: the catalogue of named sources, and the one door `load`."""

from __future__ import annotations

import gzip
import importlib.util
import io
import os
import re
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from handgrad.datasets import cifar, hdf5, idx, lines
from handgrad.datasets.cache import cache_folder
from handgrad.datasets.dataset import Dataset, Progress, Splits, part
from handgrad.datasets.folder import read_folder
from handgrad.datasets.listing import is_table
from handgrad.datasets.preparation import Preparation, fitted, natural
from handgrad.errors import DataError, HandgradError, nearest, printable

__all__ = ["File", "Source", "catalogue", "load"]


@dataclass(frozen=True)
class File:
    """A file that can be fetched.

    Parameters
    ----------
    name : under which it is kept
    addresses : where it is, the first that answers being taken
    digest : "md5:…" or "sha256:…", as published
    """

    name: str
    addresses: tuple[str, ...]
    digest: str


Read = Callable[[Path | None, Preparation | None, dict[str, Any]], Splits]


@dataclass(frozen=True)
class Source:
    """A data set known by name.

    Parameters
    ----------
    about : one line
    origin : who made it, and the page that tells
    licence, size : as stated there
    shape, classes : of one image (64 x 64 for photographs of many sizes), and how many labels
    layouts : folders below `HANDGRAD_DATA` or the cache, each with the names it must hold; a file
        may also have ``.gz`` behind its name. None: the data come with the program
    files : what is fetched, into the first of the layouts
    by_hand : what to fetch oneself and where it belongs, where no address is published
    read : from the folder that was found (None without layouts) to the data
    unpack : what is done with a fetched archive: (archive, folder)
    """

    name: str
    about: str
    origin: str
    licence: str
    size: str
    shape: tuple[int, int, int]
    classes: int
    read: Read
    layouts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    files: tuple[File, ...] = ()
    by_hand: str | None = None
    unpack: Callable[[Path, Path], None] | None = None

    @property
    def embedded(self) -> bool:
        """Whether the data come with the program or a package it needs."""
        return not self.files and self.by_hand is None

    @property
    def folder(self) -> str:
        """The name below `HANDGRAD_DATA` where the data belong, or ""."""
        return self.layouts[0][0] if self.layouts else ""

    def found(self) -> Path | None:
        """The folder that holds all of it: in `HANDGRAD_DATA`, then in the user's cache."""
        named = _named()
        return (self._below(named) if named else None) or self._below(cache_folder())

    def fetch(self, each: Progress | None = None) -> Path:
        """Download into the user's cache; what is already there and right is not fetched again.

        Every file is checked against its digest before it gets its name, so an interrupted
        download leaves nothing behind that would be taken for the file.

        Parameters
        ----------
        each : called with a file's name, the bytes so far and in all

        Raises
        ------
        HandgradError : no address is published, none answers, or a file has another digest
        """
        if not self.files:
            raise HandgradError(f"{self.name}: {self.by_hand or 'comes with the program'}")
        folder = cache_folder() / self.folder
        for file in self.files:
            archive = _fetched(self.name, file, folder, each)
            if self.unpack is not None:
                _unpacked(self.unpack, archive, folder)
        return folder

    def absence(self) -> str | None:
        """Why data in `HANDGRAD_DATA` are not taken: the first name that is missing there."""
        named = _named()
        if named is None:
            return None
        for name, needed in self.layouts:
            folder = named / name
            try:
                if folder.is_dir():
                    return f"{folder}: found no {_missing(folder, needed)[0]}"
            except PermissionError:
                return f"{folder}: found no right to read it"
        return None

    def _below(self, root: Path) -> Path | None:
        for name, needed in self.layouts:
            folder = root / name
            with suppress(PermissionError):  # somebody else's, who may have it; not here, for us
                if folder.is_dir() and not _missing(folder, needed):
                    return folder
        return None


def load(
    source: str | os.PathLike[str],
    preparation: Preparation | None = None,
    *,
    generator: np.random.Generator | None = None,
    test: float = 0.2,
    classes: tuple[str, ...] | None = None,
    quarantine: Collection[str] = (),
    skip_bad: bool = False,
    cache: bool = False,
    each: Progress | None = None,
    threads: int | None = None,
) -> Splits:
    """Load a data set by name, from a prepared ``.h5``, a folder of images or a table of them.

    Parameters
    ----------
    source : a name of the `catalogue`; or a path (``./mnist`` is a path, ``mnist`` is a name)
    preparation : of the images; None for their own size, and 64 x 64 in colour for image files
    generator : of the division into train and test where a folder or a file makes none; None for
        seed 0
    test : the fraction of every class that such a division tests on; 0 for no test part
    classes : for a folder: the class folders to read, in this order
    quarantine : for a folder: names of files to leave out
    cache : for a folder: decode every file once, into the user's cache; see `read_folder`
    skip_bad : go on without images that do not decode
    each : called as the data are decoded or fetched, with the stage, how much of how much
    threads : files decoded at a time

    Returns
    -------
    splits : with the preparation that its images have been through

    Raises
    ------
    DataError : the data are not what they should be
    HandgradError : no such source, or it cannot be fetched
    """
    decoding = {
        "quarantine": quarantine,
        "skip_bad": skip_bad,
        "cache": cache,
        "each": each,
        "threads": threads,
    }
    known = catalogue()
    if isinstance(source, str) and source in known:
        splits = _load_named(known[source], preparation, decoding)
    else:
        splits = _load_path(Path(source), str(source), known, preparation, classes, decoding)
        if splits.test is None and test > 0:
            seeded = generator if generator is not None else np.random.default_rng(0)
            train, drawn = part(splits.train, test, seeded)
            splits = replace(splits, train=train, test=drawn)
    if classes is not None and splits.train.class_names != classes:
        found = f"the classes {', '.join(splits.train.class_names)}"
        raise DataError(str(source), found, f"{', '.join(classes)}, as the recipe says")
    return _prepared(splits, preparation)


def _load_named(
    source: Source, preparation: Preparation | None, decoding: dict[str, Any]
) -> Splits:
    folder = source.found()
    if folder is None and not source.embedded:
        absence = source.absence()
        if absence is not None:  # a folder that is there and not whole is the user's to mend
            raise HandgradError(f"{absence}; expected all of {source.name}")
        if source.files:
            folder = source.fetch(decoding["each"])
        else:
            raise HandgradError(f"{source.name} is not on this machine: {source.by_hand}")
    return source.read(folder, preparation, decoding)


def _load_path(
    path: Path,
    word: str,
    known: dict[str, Source],
    preparation: Preparation | None,
    classes: tuple[str, ...] | None,
    decoding: dict[str, Any],
) -> Splits:
    if path.is_dir() or (path.is_file() and is_table(path)):
        return read_folder(path, preparation or FOLDER, classes=classes, **decoding)
    if path.is_file():
        if path.suffix.lower() in (".h5", ".hdf5"):
            return hdf5.read_prepared(path)
        raise DataError(
            path, "a file", "a folder of images, a table of them (.csv), or a prepared .h5"
        )
    raise HandgradError(
        f"{word}: found no such folder or file; expected a path or the name of a data set"
        + nearest(word, known)
    )


FOLDER = Preparation(64, 64, 3)
"""How image files are prepared when nobody says."""


def _prepared(splits: Splits, preparation: Preparation | None) -> Splits:
    """Bring every part to the size of the preparation, and record it."""
    if preparation is None:
        made = splits.preparation or natural(splits.train.images)
        return replace(splits, preparation=made)

    def fit(dataset: Dataset) -> Dataset:
        images = fitted(dataset.images, preparation)
        return dataset if images is dataset.images else replace(dataset, images=images)

    return replace(
        splits,
        train=fit(splits.train),
        test=None if splits.test is None else fit(splits.test),
        others={name: fit(dataset) for name, dataset in splits.others.items()},
        preparation=preparation,
    )


# --- the catalogue


def catalogue() -> dict[str, Source]:
    """Every named source, in the order in which a reader should meet them."""
    return {source.name: source for source in _SOURCES}


def _read_lines(folder: Path | None, *_: Any) -> Splits:
    return lines.read_lines(folder)


def _read_digits(*_: Any) -> Splits:
    """scikit-learn's digits, tested on the 5th, 10th, 15th … image of every digit.

    The images are in the order of their writers, so that both parts hold all of them.
    """
    table = np.loadtxt(_digits_file(), delimiter=",")
    images = (table[:, :64] / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    labels = table[:, 64].astype(np.int64)
    names = tuple(str(digit) for digit in range(10))
    dataset = Dataset(images, labels, names, name="digits")
    test = np.zeros(len(dataset), dtype=bool)
    for digit in range(10):
        test[np.flatnonzero(labels == digit)[4::5]] = True
    return Splits(dataset.take(~test), dataset.take(test))


def _digits_file() -> io.TextIOBase:
    """The file in scikit-learn's package, found without importing it, which takes two seconds."""
    package = importlib.util.find_spec("sklearn")
    places = package.submodule_search_locations if package is not None else None
    path = Path(places[0] if places else "sklearn") / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():
        raise DataError(path, "no such file", "scikit-learn's digits, which come with it")
    return io.TextIOWrapper(gzip.open(path))


def _read_idx(folder: Path | None, *_: Any, class_names: tuple[str, ...]) -> Splits:
    assert folder is not None
    train = idx.read_pair(folder, "train", class_names, (28, 28))
    return Splits(train, idx.read_pair(folder, "t10k", class_names, (28, 28)))


def _read_cifar(folder: Path | None, *_: Any) -> Splits:
    assert folder is not None
    return cifar.read_batches(folder)


def _read_cats(folder: Path | None, *_: Any) -> Splits:
    assert folder is not None
    return hdf5.read_cats(folder)


def _read_airplane_bike(
    folder: Path | None, preparation: Preparation | None, decoding: dict[str, Any]
) -> Splits:
    """Caltech 101's airplanes and motorbikes: the first 750 of each by name are for training.

    The data set itself says nothing of training and test images; so many is the tutorial's number,
    which of them it does not say. It is an easy division, see `redrawn`.
    """
    assert folder is not None
    asked = preparation or Preparation(64, 64, 3, resample="nearest")
    splits = read_folder(folder, asked, classes=CALTECH, **decoding)
    everything = replace(splits.train, class_names=("airplane", "bike"))
    first = np.zeros(len(everything), dtype=bool)
    for label in range(2):
        first[np.flatnonzero(everything.labels == label)[:750]] = True
    if first.all():
        found = f"{len(everything):,} images"
        raise DataError(folder, found, "more than 750 of each class, the rest being for the test")
    train, test = everything.take(first), everything.take(~first)
    return Splits(train, test, note=splits.note, preparation=asked)


CALTECH = ("airplanes", "Motorbikes")
DIGITS = tuple(str(digit) for digit in range(10))
CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def _idx_files(roots: tuple[str, ...], digests: tuple[str, ...]) -> tuple[File, ...]:
    names = [f"{name}.gz" for name in IDX_FILES]
    return tuple(
        File(name, tuple(root + name for root in roots), f"md5:{digest}")
        for name, digest in zip(names, digests, strict=True)
    )


def _unpack_cifar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            name = PurePosixPath(member.name).name
            if name in cifar.BINARY and _plain(archive, member, cifar.SIZE):
                _copied(tar.extractfile(member), folder / name)


def _unpack_caltech(archive: Path, folder: Path) -> None:
    """The archive is a zip with a tar.gz in it, which holds all 101 categories."""
    with (
        zipfile.ZipFile(archive) as outer,
        outer.open("caltech-101/101_ObjectCategories.tar.gz") as packed,
        tarfile.open(fileobj=packed, mode="r|gz") as tar,
    ):
        for member in tar:
            path = PurePosixPath(member.name)
            wanted = path.parent.name in CALTECH and re.fullmatch(r"\w+\.jpg", path.name)
            if wanted and _plain(archive, member, LARGEST_PHOTOGRAPH):
                _copied(tar.extractfile(member), folder / path.parent.name / path.name)


LARGEST_PHOTOGRAPH = 10_000_000
"""Bytes; Caltech's have some ten thousand."""


def _plain(archive: Path, member: tarfile.TarInfo, most: int) -> bool:
    """Whether a member is a file and no link; one with holes in it may claim any size.

    Raises
    ------
    DataError : a file that is larger than those that were published
    """
    if not member.isfile() or member.issparse():
        return False
    if member.size > most:
        found = f"{printable(member.name[:80])} of {member.size:,} bytes"
        raise DataError(archive, found, f"at most {most:,}")
    return True


# Addresses and digests: MNIST's and Fashion-MNIST's from torchvision's datasets/mnist.py and the
# README of zalandoresearch/fashion-mnist; CIFAR-10's from its page; Caltech 101's from its record.
_SOURCES = (
    Source(
        "lines",
        "3x3 pictures of a line, lying or standing: the published 24 and two validation sets",
        "dmattek/tutorial-classify-nano",
        "MIT",
        "24 + 18 + 24 images, generated",
        (3, 3, 1),
        2,
        _read_lines,
        (("lines", lines.VALIDATION),),
    ),
    Source(
        "digits",
        "handwritten digits, 8x8 grey: every fifth of each digit is for the test",
        "E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits (UCI), "
        "as it comes with scikit-learn",
        "BSD 3-Clause (scikit-learn)",
        "1,442 + 355 images, embedded",
        (8, 8, 1),
        10,
        _read_digits,
    ),
    Source(
        "mnist",
        "handwritten digits, 28x28 grey",
        "Y. LeCun, C. Cortes, C. Burges, yann.lecun.com/exdb/mnist",
        "none stated there; commonly listed as CC BY-SA 3.0",
        "60,000 + 10,000 images, 12 MB",
        (28, 28, 1),
        10,
        partial(_read_idx, class_names=DIGITS),
        (("mnist", IDX_FILES), ("MNIST/raw", IDX_FILES)),
        _idx_files(
            (
                "http://yann.lecun.com/exdb/mnist/",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
            ),
            (
                "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                "d53e105ee54ea40749a09fcbcd1e9432",
                "9fb629c4189551a2d022fa330f9573f3",
                "ec29112dd5afa0611ce80d1b7f02629c",
            ),
        ),
    ),
    Source(
        "fashion-mnist",
        "pictures of clothes, 28x28 grey, in ten classes",
        "Zalando Research, github.com/zalandoresearch/fashion-mnist",
        "MIT",
        "60,000 + 10,000 images, 31 MB",
        (28, 28, 1),
        10,
        partial(_read_idx, class_names=CLOTHES),
        (("fashion-mnist", IDX_FILES), ("FashionMNIST/raw", IDX_FILES)),
        _idx_files(
            ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
            (
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "25c81989df183df01b3e8a0aad5dffbe",
                "bef4ecab320f06d8554ea6380940ec79",
                "bb300cfdad3c16e7a12a480ee83cd310",
            ),
        ),
    ),
    Source(
        "cifar10",
        "photographs, 32x32 colour, in ten classes",
        "A. Krizhevsky, V. Nair, G. Hinton, www.cs.toronto.edu/~kriz/cifar.html",
        "none stated; the page asks for a citation",
        "50,000 + 10,000 images, 162 MB",
        (32, 32, 3),
        10,
        _read_cifar,
        (("cifar-10-batches-bin", cifar.BINARY), ("cifar-10-batches-py", cifar.PYTHON)),
        (
            File(
                "cifar-10-binary.tar.gz",
                ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
                "md5:c32a1d4ab5d03f1284b67883e8d87530",
            ),
        ),
        unpack=_unpack_cifar,
    ),
    Source(
        "cat-vs-noncat",
        "photographs, 64x64 colour: a cat or not",
        "programming assignments of Neural Networks and Deep Learning (deeplearning.ai)",
        "none stated",
        "209 + 50 images, 3 MB",
        (64, 64, 3),
        2,
        _read_cats,
        (("cat-vs-noncat", hdf5.CATS),),
        by_hand=(
            f"no address is published; put {hdf5.CATS[0]} and {hdf5.CATS[1]} from the course's "
            "assignments into cat-vs-noncat/ below the folder that HANDGRAD_DATA names"
        ),
    ),
    Source(
        "airplane-bike",
        "photographs of airplanes and motorbikes, of varying size (two categories of Caltech 101)",
        "Fei-Fei Li, M. Andreetto, M. Ranzato, P. Perona, doi:10.22002/D1.20086",
        "CC BY 4.0",
        "1,500 + 98 images, 15 MB (in an archive of 137 MB)",
        (64, 64, 3),
        2,
        _read_airplane_bike,
        (
            ("caltech101", CALTECH),
            ("caltech101/101_ObjectCategories", CALTECH),
            ("caltech-101/101_ObjectCategories", CALTECH),
            ("101_ObjectCategories", CALTECH),
        ),
        (
            File(
                "caltech-101.zip",
                ("https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",),
                "md5:3138e1922a9193bfa496528edbbc45d0",
            ),
        ),
        unpack=_unpack_caltech,
    ),
)


# --- finding and fetching


def _named() -> Path | None:
    """The folder that `HANDGRAD_DATA` names, if it does."""
    named = os.environ.get("HANDGRAD_DATA")
    return Path(named) if named else None


def _missing(folder: Path, needed: tuple[str, ...]) -> list[str]:
    return [
        name
        for name in needed
        if not (folder / name).exists() and not (folder / f"{name}.gz").exists()
    ]


class _Bar:
    """What pooch calls a progress bar, passing on what it is told."""

    def __init__(self, name: str, each: Progress) -> None:
        self.name, self.each = name, each
        self.total, self.done = 0, 0

    def update(self, count: int) -> None:
        self.done += count
        self.each(self.name, self.done, self.total)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        pass


def _fetched(source: str, file: File, folder: Path, each: Progress | None) -> Path:
    """Bring one file into a folder, from the first address that has it as it should be."""
    import pooch

    pooch.get_logger().setLevel("WARNING")  # the caller's bar says what is going on
    reasons = []
    for address in file.addresses:
        bar = False if each is None else _Bar(file.name, each)
        try:
            downloader = pooch.HTTPDownloader(progressbar=bar)
            known = pooch.retrieve(address, file.digest, file.name, folder, downloader=downloader)
            return Path(known)
        except Exception as error:  # of the network's, of the disk's or of another digest
            reasons.append(f"{address} ({str(error)[:200]})")
    raise HandgradError(
        f"{source}: found no way to fetch {file.name} from {'; nor from '.join(reasons)}; expected "
        f"it there, or in {folder.name}/ below the folder that HANDGRAD_DATA names"
    )


def _unpacked(unpack: Callable[[Path, Path], None], archive: Path, folder: Path) -> None:
    try:
        unpack(archive, folder)
    except DataError:
        raise
    except Exception as error:  # damaged archives make their readers raise nearly anything
        raise DataError(
            archive, f"an archive that does not unpack ({error})", "a whole one"
        ) from None
    archive.unlink()  # what was in it is there now


def _copied(content: Any, path: Path) -> None:
    """Write a member of an archive beside its place and rename it: whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as beside:
        whole = Path(beside) / path.name
        with whole.open("wb") as file:
            shutil.copyfileobj(content, file)
        whole.replace(path)
