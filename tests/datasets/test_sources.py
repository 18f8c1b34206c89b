"""The catalogue, where its data are found or fetched, and the one door `load`."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import re
import struct
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from handgrad.datasets import Preparation, Source, Splits, catalogue, load, read_folder, sources
from handgrad.datasets.sources import File
from handgrad.errors import DataError, HandgradError
from handgrad.storage.prepared import write_prepared

NAMES = ["lines", "digits", "mnist", "fashion-mnist", "cifar10", "cat-vs-noncat", "airplane-bike"]


def idx_pair(folder: Path, stem: str, count: int, first: int = 0) -> None:
    """Images of 28 x 28 of one grey each, and labels in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = b"".join(bytes([first + i]) * 784 for i in range(count))
    images = struct.pack(">IIII", 2051, count, 28, 28) + pixels
    labels = struct.pack(">II", 2049, count) + bytes(i % 10 for i in range(count))
    (folder / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    (folder / f"{stem}-labels-idx1-ubyte").write_bytes(labels)


def test_the_catalogue_says_what_there_is() -> None:
    known = catalogue()
    assert list(known) == NAMES
    for name, source in known.items():
        assert source.name == name
        assert source.about
        assert source.origin
        assert source.licence
        assert source.size
        for file in source.files:
            assert file.addresses
            assert re.fullmatch("md5:[0-9a-f]{32}", file.digest)
    assert [name for name, source in known.items() if source.embedded] == ["lines", "digits"]
    assert known["mnist"].folder == "mnist"


def test_what_is_by_hand_says_where_it_belongs(nowhere: Path) -> None:
    source = catalogue()["cat-vs-noncat"]
    assert not source.files
    assert source.by_hand is not None
    with pytest.raises(HandgradError, match="not on this machine: no address is published; put "):
        load("cat-vs-noncat")
    with pytest.raises(HandgradError, match=r"train_catvnoncat\.h5"):
        source.fetch()


def test_the_published_digests_are_those_of_the_files(data: Path) -> None:
    for file in catalogue()["mnist"].files:
        content = (data / "mnist" / file.name).read_bytes()
        assert file.digest == f"md5:{hashlib.md5(content).hexdigest()}"


def test_data_are_found_where_they_are(data: Path) -> None:
    found = {name: source.found() for name, source in catalogue().items()}
    assert found["mnist"] == data / "mnist"
    assert found["cifar10"] == data / "cifar-10-batches-bin"
    assert found["cat-vs-noncat"] == data / "cat-vs-noncat"
    assert found["airplane-bike"] == data / "caltech101"
    assert found["lines"] == data / "lines"
    assert found["digits"] is None


@pytest.mark.parametrize("layout", ["mnist", "MNIST/raw"])
def test_the_data_folder_comes_before_the_cache(
    tmp_path: Path, nowhere: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    for root, first in ((tmp_path / "mine", 50), (nowhere, 0)):
        idx_pair(root / layout, "train", 20, first)
        idx_pair(root / layout, "t10k", 10, first)
    assert load("mnist").train.images[0, 0, 0, 0] == 0
    monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path / "mine"))
    splits = load("mnist")
    assert splits.test is not None
    assert splits.train.images[0, 0, 0, 0] == 50
    assert (len(splits.train), len(splits.test)) == (20, 10)


def test_a_folder_that_is_not_whole_is_the_users_to_mend(
    tmp_path: Path, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    idx_pair(tmp_path / "mnist", "train", 20)
    monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
    assert catalogue()["mnist"].found() is None
    with pytest.raises(HandgradError) as refusal:
        load("mnist")
    expected = f"{tmp_path / 'mnist'}: found no t10k-images-idx3-ubyte; expected all of mnist"
    assert str(refusal.value) == expected


def test_folders_that_may_not_be_read(
    tmp_path: Path, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data that come along need neither; others say what stands in their way."""
    looked = Path.is_dir

    def is_dir(path: Path) -> bool:
        if path != nowhere and path != tmp_path and path.is_relative_to(tmp_path):
            raise PermissionError(13, "Permission denied", str(path))
        return looked(path)

    monkeypatch.setattr(Path, "is_dir", is_dir)
    monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
    assert len(load("lines").train) == 24
    assert catalogue()["mnist"].found() is None
    with pytest.raises(HandgradError) as refusal:
        load("mnist")
    expected = f"{tmp_path / 'mnist'}: found no right to read it; expected all of mnist"
    assert str(refusal.value) == expected


@pytest.mark.parametrize("layout", ["101_ObjectCategories", "caltech101/101_ObjectCategories"])
def test_caltech_as_its_archive_unpacks(
    tmp_path: Path,
    nowhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    drawn: Callable[..., None],
    layout: str,
) -> None:
    for name in ("airplanes", "Motorbikes", "accordion"):
        drawn(tmp_path / layout / name / "image_0001.jpg")
    monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
    assert catalogue()["airplane-bike"].found() == tmp_path / layout
    with pytest.raises(DataError, match="found 2 images; expected more than 750 of each class"):
        load("airplane-bike")


# --- digits


def test_digits_are_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    theirs = load_digits()
    splits = load("digits")
    assert splits.test is not None
    assert splits.train.images.dtype == np.float32
    test = np.zeros(1797, dtype=bool)
    for digit in range(10):
        test[np.flatnonzero(theirs.target == digit)[4::5]] = True
    for dataset, chosen in ((splits.train, ~test), (splits.test, test)):
        np.testing.assert_array_equal(dataset.images[..., 0] * 16, theirs.images[chosen])
        np.testing.assert_array_equal(dataset.labels, theirs.target[chosen])
    assert (len(splits.train), len(splits.test)) == (1442, 355)


def test_the_split_of_digits_does_not_depend_on_the_seed() -> None:
    one, two = (load("digits", generator=np.random.default_rng(seed)) for seed in (1, 2))
    assert one.train.fingerprint() == two.train.fingerprint()


# --- paths


@pytest.fixture
def pets(tmp_path: Path, drawn: Callable[..., None]) -> Path:
    for name in ("cat", "dog"):
        for place in range(10):
            drawn(tmp_path / "pets" / name / f"{place}.png", place)
    return tmp_path / "pets"


def test_a_folder_is_divided_by_the_generator(pets: Path) -> None:
    draws = []
    for seed in (0, 0, 1):
        splits = load(pets, generator=np.random.default_rng(seed), test=0.3)
        assert splits.test is not None
        assert splits.test.counts().tolist() == [3, 3]
        assert splits.train.counts().tolist() == [7, 7]
        draws.append(splits.test.file_names)
    assert draws[0] == draws[1] != draws[2]


def test_a_folder_is_64_by_64_in_colour_unless_asked(pets: Path) -> None:
    splits = load(str(pets))
    assert splits.train.images.shape[1:] == (64, 64, 3)
    assert splits.preparation == Preparation(64, 64, 3)
    asked = Preparation(5, 6, 1, "nearest")
    splits = load(str(pets), asked)
    assert splits.train.images.shape[1:] == (5, 6, 1)
    assert splits.preparation == asked


def test_without_a_test_fraction_nothing_is_divided(pets: Path) -> None:
    splits = load(pets, test=0)
    assert splits.test is None
    assert len(splits.train) == 20


def test_a_prepared_file_remembers_how_it_was_made(pets: Path, tmp_path: Path) -> None:
    made = Preparation(7, 6, 3, "nearest")
    write_prepared(read_folder(pets, made), tmp_path / "a.h5")
    splits = load(tmp_path / "a.h5", generator=np.random.default_rng(0))
    again = load(pets, made, generator=np.random.default_rng(0))
    assert splits.preparation == made
    assert splits.train.fingerprint() == again.train.fingerprint()
    assert splits.train.file_names == again.train.file_names
    asked = Preparation(3, 3, 1)
    assert load(tmp_path / "a.h5", asked).train.images.shape[1:] == (3, 3, 1)


def test_a_named_set_is_resized_when_asked() -> None:
    asked = Preparation(4, 6, 3, "box")
    splits = load("lines", asked)
    assert splits.test is not None
    for dataset in (splits.train, splits.test, splits.others["validation 2"]):
        assert dataset.images.shape[1:] == (4, 6, 3)
    assert splits.preparation == asked
    assert load("lines").preparation == Preparation(3, 3, 1)


def test_a_path_that_has_the_name_of_a_set(
    pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pets.rename(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    assert load("digits").train.images.shape[1:] == (8, 8, 1)
    assert load("./digits").train.class_names == ("cat", "dog")
    assert load(Path("digits")).train.class_names == ("cat", "dog")


def test_what_is_no_source_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(HandgradError, match="mnits: found no such folder or file") as refusal:
        load("mnits")
    assert "did you mean 'mnist'?" in str(refusal.value)
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(
        DataError, match="found a file; expected a folder of images, a table of them"
    ):
        load(tmp_path / "a.txt")


def test_stated_classes_must_be_those_of_the_data() -> None:
    assert load("lines", classes=("vertical", "horizontal")).train.class_names[0] == "vertical"
    with pytest.raises(DataError, match="the classes vertical, horizontal; expected a, b, as the"):
        load("lines", classes=("a", "b"))


# --- fetching, from a server of our own


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which its files are."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def copyfile(self, source: IO[bytes], outputfile: IO[bytes]) -> None:
            content = source.read()
            whole = not (folder / "cut").exists()  # else the line goes dead in the middle
            outputfile.write(content if whole else content[: len(content) // 2])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def a_source(files: tuple[File, ...], **more: object) -> Source:
    def read(folder: Path | None, *_: object) -> Splits:
        raise NotImplementedError

    layout = (("a-set", tuple(file.name for file in files)),)
    settings = {"layouts": layout, "files": files} | more
    return Source("a-set", "for this test", "here", "none", "small", (2, 2, 1), 2, read, **settings)  # type: ignore[arg-type]


def a_file(served: tuple[Path, str], content: bytes = b"content", first: str = "") -> File:
    folder, address = served
    (folder / "a.bin").write_bytes(content)
    addresses = (*([first] if first else []), f"{address}a.bin")
    return File("a.bin", addresses, f"md5:{hashlib.md5(content).hexdigest()}")


def test_a_set_is_fetched_once_and_then_found(nowhere: Path, served: tuple[Path, str]) -> None:
    source = a_source((a_file(served, b"x" * 3000),))
    assert source.found() is None
    told: list[tuple[str, int, int]] = []
    folder = source.fetch(lambda *what: told.append(what))
    assert folder == nowhere / "a-set"
    assert (folder / "a.bin").read_bytes() == b"x" * 3000
    assert source.found() == folder
    assert {what[0] for what in told} == {"a.bin"}
    assert told[-1] == ("a.bin", 3000, 3000)
    (served[0] / "a.bin").unlink()
    assert source.fetch() == folder  # what is there and right is not asked for again


def test_a_mirror_is_asked_when_the_first_address_fails(
    nowhere: Path, served: tuple[Path, str]
) -> None:
    source = a_source((a_file(served, first=f"{served[1]}not-there"),))
    assert (source.fetch() / "a.bin").read_bytes() == b"content"


def test_another_digest_leaves_nothing_behind(nowhere: Path, served: tuple[Path, str]) -> None:
    source = a_source((a_file(served),))
    (served[0] / "a.bin").write_bytes(b"something else")
    with pytest.raises(HandgradError) as refusal:
        source.fetch()
    assert str(refusal.value).startswith("a-set: found no way to fetch a.bin from http://127.0.0.1")
    assert "hash" in str(refusal.value)
    assert source.found() is None
    assert list((nowhere / "a-set").iterdir()) == []


def test_an_interrupted_download_begins_anew(nowhere: Path, served: tuple[Path, str]) -> None:
    content = bytes(range(256)) * 400
    source = a_source((a_file(served, content),))
    (served[0] / "cut").touch()
    with pytest.raises(HandgradError, match=r"a-set: found no way to fetch a\.bin"):
        source.fetch()
    assert source.found() is None
    assert list((nowhere / "a-set").iterdir()) == []
    (served[0] / "cut").unlink()
    assert (source.fetch() / "a.bin").read_bytes() == content


def test_no_network_is_a_sentence(nowhere: Path) -> None:
    address = "http://127.0.0.1:1/"  # nobody listens there
    file = File("a.bin", (address,), "md5:00000000000000000000000000000000")
    with pytest.raises(HandgradError, match=r"a-set: found no way to fetch a\.bin") as refusal:
        a_source((file,)).fetch()
    assert "expected it there, or in a-set/ below the folder that HANDGRAD_DATA names" in str(
        refusal.value
    )


def tar_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_cifars_archive_gives_its_batches_and_nothing_else(
    nowhere: Path, served: tuple[Path, str]
) -> None:
    names = ["data_batch_1.bin", "test_batch.bin"]
    inside = {f"cifar-10-batches-bin/{name}": name.encode() for name in names}
    archive = tar_of(inside | {"../../outside.bin": b"!", "cifar-10-batches-bin/readme.html": b"!"})
    unpack = catalogue()["cifar10"].unpack
    folder = a_source((a_file(served, archive),), unpack=unpack).fetch()
    assert sorted(path.name for path in folder.iterdir()) == names
    assert (folder / "test_batch.bin").read_bytes() == b"test_batch.bin"
    assert not list(nowhere.parent.rglob("outside.bin"))


def test_caltechs_archive_gives_the_two_categories(nowhere: Path, served: tuple[Path, str]) -> None:
    root = "101_ObjectCategories"
    inner = tar_of(
        {
            f"{root}/airplanes/image_0001.jpg": b"a",
            f"{root}/Motorbikes/image_0001.jpg": b"b",
            f"{root}/accordion/image_0001.jpg": b"c",
            "../airplanes/../../outside.jpg": b"!",
        }
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as outer:
        outer.writestr("caltech-101/101_ObjectCategories.tar.gz", inner)
        outer.writestr("caltech-101/Annotations.tar", b"")
    unpack = catalogue()["airplane-bike"].unpack
    folder = a_source((a_file(served, buffer.getvalue()),), unpack=unpack).fetch()
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert files == ["Motorbikes/image_0001.jpg", "airplanes/image_0001.jpg"]
    assert not list(nowhere.parent.rglob("outside.jpg"))


def test_an_archive_that_does_not_unpack_is_a_sentence(
    nowhere: Path, served: tuple[Path, str]
) -> None:
    unpack = catalogue()["cifar10"].unpack
    source = a_source((a_file(served, b"no archive"),), unpack=unpack)
    with pytest.raises(DataError, match=r"a\.bin: found an archive that does not unpack"):
        source.fetch()


def test_a_set_that_is_nowhere_is_fetched_by_load(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(self: Source, each: object = None) -> Path:
        idx_pair(nowhere / self.folder, "train", 20)
        idx_pair(nowhere / self.folder, "t10k", 10)
        return nowhere / self.folder

    monkeypatch.setattr(sources.Source, "fetch", fetch)
    assert load("fashion-mnist").train.class_names[9] == "Ankle boot"
