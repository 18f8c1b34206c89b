"""CIFAR-10's two formats: binary records, and Python batches (pickles that are never unpickled)."""

from __future__ import annotations

import pickletools
import reprlib
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.datasets.compressed import GREATEST_RATIO, existing, opened, read_exactly
from handgrad.datasets.dataset import Dataset, Splits
from handgrad.errors import DataError

__all__ = ["BINARY", "CLASSES", "PYTHON", "SIZE", "read_batches", "read_pickled", "read_records"]

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
BINARY = tuple(f"data_batch_{i}.bin" for i in range(1, 6)) + ("test_batch.bin",)
PYTHON = tuple(name.removesuffix(".bin") for name in BINARY)

PIXELS = 3 * 32 * 32  # a red, a green and a blue plane, each row by row
RECORD = 1 + PIXELS  # the label first
BATCH = 10_000
SIZE = BATCH * RECORD
"""Bytes of a file of binary records, as published."""

LIMIT = 1 << 28  # bytes of a pickle that are looked at
INSTRUCTIONS = 1 << 18  # that are followed; a batch of 10,000 images has some 60,000


def read_records(path: Path, records: int | None = BATCH) -> Dataset:
    """Read a file of binary records, gzipped or not.

    Parameters
    ----------
    records : how many there must be; None for any number (of a file that is not gzipped)

    Raises
    ------
    DataError : a truncated or over-long file, a label above 9
    """
    if records is None:
        records = max(1, path.stat().st_size // RECORD)
    with opened(path) as file:
        data = read_exactly(path, file, records * RECORD, f"{records:,} records of {RECORD:,}")
    rows = data.reshape(records, RECORD)
    return _dataset(path, rows[:, 1:], rows[:, 0].astype(np.int64))


def read_pickled(path: Path) -> Dataset:
    """Read a Python batch without running it, gzipped or not.

    Raises
    ------
    DataError : not a pickle, a pickle of anything but numbers, texts and one array of bytes, a
        dictionary without ``data`` and ``labels``, counts that disagree, a label out of range
    """
    with opened(path) as file:
        # As much memory is asked for at once as there may be.
        content = file.read(min(LIMIT, GREATEST_RATIO * path.stat().st_size) + 1)
    if len(content) > LIMIT:
        raise DataError(path, f"more than {LIMIT:,} bytes", "a batch of about 31 million")
    batch = _Pickle(path, content).value()
    if not isinstance(batch, dict) or not {"data", "labels"} <= batch.keys():
        keys = (
            f"a dictionary of {_said(sorted(map(str, batch)))}"
            if isinstance(batch, dict)
            else type(batch)
        )
        raise DataError(path, str(keys), "a dictionary with data and labels")
    data, labels = batch["data"], batch["labels"]
    if not isinstance(data, np.ndarray) or data.ndim != 2 or data.shape[1] != PIXELS:
        found = f"data of shape {data.shape}" if isinstance(data, np.ndarray) else "no data array"
        raise DataError(path, found, f"data of shape (N, {PIXELS})")
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DataError(path, "labels that are not a list of integers", "one integer an image")
    if not all(abs(label) < 2**63 for label in labels):
        raise DataError(path, "a label of more than 64 bits", f"labels in 0..{len(CLASSES) - 1}")
    return _dataset(path, data, np.array(labels, dtype=np.int64))


def read_batches(folder: Path) -> Splits:
    """Read the five training batches and the test batch of a folder, in either format.

    Raises
    ------
    DataError : as `read_records` and `read_pickled`; a batch of other than 10,000 images
    """
    binary = folder / BINARY[0]
    in_records = binary.is_file() or binary.with_name(f"{binary.name}.gz").is_file()
    paths = [existing(folder, name) for name in (BINARY if in_records else PYTHON)]
    if in_records:
        with ThreadPoolExecutor(2) as pool:  # unpacking lets go of the interpreter
            batches = list(pool.map(read_records, paths))
    else:
        batches = [_whole_batch(path) for path in paths]
    return Splits(train=_behind_one_another(folder, batches[:-1]), test=batches[-1])


def _whole_batch(path: Path) -> Dataset:
    batch = read_pickled(path)
    if len(batch) != BATCH:
        raise DataError(path, f"{len(batch):,} images", f"{BATCH:,}")
    return batch


def _dataset(path: Path, pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> Dataset:
    planes = pixels.reshape(-1, 3, 32, 32)
    images = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))  # channels last
    return Dataset(images, labels, CLASSES, name=str(path))


def _behind_one_another(folder: Path, batches: Sequence[Dataset]) -> Dataset:
    images = np.concatenate([batch.images for batch in batches])
    labels = np.concatenate([batch.labels for batch in batches])
    return Dataset(images, labels, CLASSES, name=str(folder))


class _Pickle:
    """A pickle, read as the list of instructions that it is.

    A pickle is a program for a stack machine, and some of its instructions call any function they
    name. This machine knows only the instructions that build dictionaries, lists, tuples, texts,
    bytes, whole numbers, and the one way in which NumPy writes an array of bytes:
    ``_reconstruct(ndarray, (0,), b"b")`` filled with ``(version, shape, dtype("u1"), order,
    bytes)``. Names are compared, never imported; whatever else is met is refused.
    """

    RECONSTRUCT, NDARRAY, DTYPE, ENCODE = "_reconstruct", "ndarray", "dtype", "encode"
    KNOWN = {  # noqa: RUF012
        "numpy.core.multiarray _reconstruct": RECONSTRUCT,
        "numpy._core.multiarray _reconstruct": RECONSTRUCT,
        "numpy ndarray": NDARRAY,
        "numpy dtype": DTYPE,
        "_codecs encode": ENCODE,  # how Python 3 writes bytes in Python 2's format
    }
    PLAIN = frozenset(
        ("BININT", "BININT1", "BININT2", "LONG1")
        + ("SHORT_BINSTRING", "BINSTRING", "BINUNICODE", "SHORT_BINUNICODE")
        + ("SHORT_BINBYTES", "BINBYTES")
    )
    CONSTANT = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}  # noqa: RUF012
    IGNORED = frozenset(("PROTO", "FRAME", "STOP"))

    def __init__(self, path: Path, content: bytes) -> None:
        self.path, self.content = path, content
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.encoded = 0

    def value(self) -> Any:
        """Follow the instructions to the end; return what is then on the stack."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of escapes in texts that are refused anyway
                for i, (opcode, argument, _) in enumerate(pickletools.genops(self.content)):
                    if i > INSTRUCTIONS:
                        raise self._refused(f"more than {INSTRUCTIONS:,} instructions")
                    self._follow(opcode.name, argument)
        except DataError:
            raise
        except (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError) as error:
            raise DataError(self.path, f"a damaged pickle ({error})", "a whole one") from None
        except (BufferError, ValueError) as error:
            raise DataError(self.path, f"a damaged pickle ({error})", "a whole one") from None
        if len(self.stack) != 1:
            raise DataError(self.path, f"a pickle of {len(self.stack)} values", "one value")
        return self.stack[0]

    def _follow(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in self.IGNORED:
            return
        if name in self.PLAIN:
            stack.append(argument)
        elif name in self.CONSTANT:
            stack.append(self.CONSTANT[name])
        elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
            stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[name]())
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name in ("TUPLE", "APPENDS", "SETITEMS"):
            self._gather(name, self._since_mark())
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            self._gather("TUPLE", self._last(int(name[-1])))
        elif name in ("APPEND", "SETITEM"):
            self._gather(f"{name}S", self._last(1 if name == "APPEND" else 2))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name == "GLOBAL":
            stack.append(self._known(argument))
        elif name == "STACK_GLOBAL":
            module, attribute = self._last(2)
            if not isinstance(module, str) or not isinstance(attribute, str):
                raise self._refused("a name that is no text")
            stack.append(self._known(f"{module} {attribute}"))
        elif name == "REDUCE":
            function, arguments = self._last(2)
            stack.append(self._called(function, arguments))
        elif name == "BUILD":
            thing, state = self._last(2)
            stack.append(self._filled(thing, state))
        else:
            raise self._refused(f"the instruction {name}")

    def _last(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise IndexError("the stack is too short")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def _since_mark(self) -> list[Any]:
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def _gather(self, name: str, values: list[Any]) -> None:
        if name == "TUPLE":
            self.stack.append(tuple(values))
        elif name == "APPENDS" and isinstance(self.stack[-1], list):
            self.stack[-1].extend(values)
        elif name == "SETITEMS" and isinstance(self.stack[-1], dict):
            for key, value in zip(values[::2], values[1::2], strict=True):
                # Tuples of tuples of the same tuples take for ever to be hashed.
                if not isinstance(key, str | bytes | int):
                    raise self._refused(f"a {type(key).__name__} as a key")
                self.stack[-1][key.decode("latin-1") if isinstance(key, bytes) else key] = value
        else:
            raise self._refused(f"{name} into {type(self.stack[-1]).__name__}")

    def _known(self, full_name: str) -> _Name:
        if full_name not in self.KNOWN:
            raise self._refused(f"the name {full_name.replace(' ', '.')!r}")
        return _Name(self.KNOWN[full_name])

    def _called(self, function: Any, arguments: Any) -> Any:
        if isinstance(function, _Name) and isinstance(arguments, tuple):
            word = function.word
            if word == self.RECONSTRUCT and arguments[:1] == (_Name(self.NDARRAY),):
                return _Name("an empty array")
            if word == self.DTYPE and arguments[:1] in (("u1",), (b"u1",)):
                return _Name("unsigned bytes")
            if word == self.ENCODE and len(arguments) == 2 and arguments[1] == "latin1":
                return self._bytes(arguments[0])
            raise self._refused(f"a call of {word} with {_said(arguments)}")
        raise self._refused(f"a call of {_said(function)}")

    def _bytes(self, text: str) -> bytes:
        """A text's bytes; all of them together are no more than the pickle has."""
        self.encoded += len(text)
        if self.encoded > len(self.content):
            raise self._refused("one text encoded again and again")
        return text.encode("latin-1")

    def _filled(self, thing: Any, state: Any) -> Any:
        if thing == _Name("unsigned bytes") and isinstance(state, tuple):
            return thing  # byte order and alignment, which say nothing about single bytes
        if thing == _Name("an empty array") and isinstance(state, tuple) and len(state) == 5:
            _, shape, kind, by_columns, content = state
            if kind == _Name("unsigned bytes"):
                if isinstance(content, str):
                    content = self._bytes(content)
                array = np.frombuffer(content, dtype=np.uint8)
                return array.reshape(shape, order="F" if by_columns else "C")
        raise self._refused(f"a state for {_said(thing)}")

    def _refused(self, what: str) -> DataError:
        return DataError(
            self.path, f"a pickle with {what}", "one of plain values and an array of bytes"
        )


def _said(value: Any) -> str:
    """A value for a sentence; never all of it: a list of lists of the same lists has no end."""
    if isinstance(value, str | bytes | int | _Name):
        return f"{value!s:.60}"
    return reprlib.repr(value)


class _Name:
    """A name from a pickle, or what stands for the result of calling it."""

    def __init__(self, word: str) -> None:
        self.word = word

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Name) and other.word == self.word

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.word

    __repr__ = __str__
