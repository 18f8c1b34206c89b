"""What is known of one image file: what it is, and why it cannot be read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handgrad.datasets.decoding import Properties, decoded
from handgrad.datasets.listing import Entry
from handgrad.datasets.preparation import Preparation
from handgrad.errors import ImageError

__all__ = ["Facts", "digest", "examined"]


@dataclass(frozen=True)
class Facts:
    """What is known of one file of a folder.

    Parameters
    ----------
    file : its name relative to the folder, with forward slashes; bytes that are no text as escapes
    part : "train", "test" or "validation", as the folder says; "train" where it says nothing
    class_name : the class that the folder gives it
    bytes : its size
    format, mode : Pillow's, as stored ("JPEG", "RGB"); "" where it is no image
    width, height : as stored, before it is turned upright
    orientation : of its EXIF data, 1 (upright) to 8
    frames : more than 1 for an animation
    content : SHA-256 of its bytes in hex; "" where they could not be read
    fault : "" where it decodes, else the kind of its `ImageError`
    found, expected : of a fault, in words
    """

    file: str
    part: str
    class_name: str
    bytes: int = 0
    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    orientation: int = 1
    frames: int = 1
    content: str = ""
    fault: str = ""
    found: str = ""
    expected: str = ""


def examined(entry: Entry, preparation: Preparation) -> tuple[Facts, NDArray[np.uint8] | None]:
    """Look at one file: its facts, and its pixels (H, W, C) where it decodes.

    Nothing is raised for a file that cannot be read: that is one of the facts. Called by several
    threads at once, within `decoding.reading`.
    """
    properties = Properties()
    pixels: NDArray[np.uint8] | None = None
    fault = ("", "", "")
    try:
        pixels = decoded(entry.path, preparation, properties)
    except ImageError as error:
        fault = error.kind, error.found, error.expected
    facts = Facts(
        entry.file, entry.part, entry.class_name, **vars(properties),
        fault=fault[0], found=fault[1], expected=fault[2],
    )  # fmt: skip
    return facts, pixels


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
