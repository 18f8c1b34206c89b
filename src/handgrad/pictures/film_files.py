"""A film to a file: GIF, MP4, or single frames for a page."""

from __future__ import annotations

import io
import math
import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from handgrad.errors import HandgradError
from handgrad.pictures.film import HEIGHT, WIDTH, Film
from handgrad.writing import written

__all__ = ["save_gif", "save_mp4", "spread", "stills"]

Array = NDArray[Any]
Progress = Callable[[int, int], None]

LEAST = 20
"""Frames of a GIF, however large it becomes; unless there are fewer."""

_CLEAR = 255
"""The colour of a GIF's pixel that stays as it was."""


def spread(count: int, most: int | None) -> list[int]:
    """At most so many places out of ``count``, evenly, the first and the last among them.

    >>> spread(9, 3), spread(3, None)
    ([0, 4, 8], [0, 1, 2])
    """
    if most is None or count <= most:
        return list(range(count))
    if most < 2:
        return [count - 1]
    return [round(k * (count - 1) / (most - 1)) for k in range(most)]


def save_gif(
    film: Film,
    path: str | os.PathLike[str],
    *,
    frames: Sequence[int] | None = None,
    seconds: float = 0.05,
    hold: float = 3.0,
    limit_bytes: int | None = 5_000_000,
    progress: Progress | None = None,
) -> int:
    """Write frames as a GIF that begins again and again; return how many it has.

    All frames share one palette, so that nothing flickers, and each holds only what has changed.

    Parameters
    ----------
    frames : which ones, in order; None for all
    seconds : that a frame is shown; in hundredths, as the format has it
    hold : that the last one is shown
    limit_bytes : of the file; fewer frames are taken until it fits, `LEAST` if need be
    progress : told how many are written, of how many

    Raises
    ------
    HandgradError : no frame; a place that cannot be written to
    """
    chosen = _chosen(film, frames)
    palette = _Palette(film, chosen)
    with written(path) as beside:
        while True:
            limit = limit_bytes if limit_bytes and len(chosen) > LEAST else math.inf
            with beside.open("wb") as file:
                fitting = _write_gif(film, file, chosen, palette, (seconds, hold), limit, progress)
            if fitting == len(chosen):
                return fitting
            fewer = max(LEAST, int(0.95 * fitting))
            chosen = [chosen[k] for k in spread(len(chosen), fewer)]


def _write_gif(
    film: Film,
    file: BinaryIO,
    chosen: list[int],
    palette: _Palette,
    shown: tuple[float, float],
    limit: float,
    progress: Progress | None,
) -> int:
    """Each frame as the rectangle in which something changed, clear where nothing did.

    Returns how many fit into the limit.
    """
    from PIL import GifImagePlugin, Image

    # 256 colours for all frames, then the extension that says: begin again for ever.
    file.write(b"GIF89a" + struct.pack("<HHBBB", WIDTH, HEIGHT, 0xF7, 0, 0))
    file.write(palette.colours.tobytes().ljust(768, b"\0"))
    file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0")
    before: Array | None = None
    for count, i in enumerate(chosen, 1):
        places = palette.places(film.frame(i))
        rows, columns = _changed(places, before)
        part = places[rows, columns]
        if before is not None:
            part = np.where(part == before[rows, columns], _CLEAR, part)
        image = Image.fromarray(np.ascontiguousarray(part, np.uint8))
        seconds = shown[count == len(chosen)]
        for block in GifImagePlugin.getdata(
            image,
            (columns.start, rows.start),
            duration=10 * max(2, round(100 * seconds)),
            disposal=1,
            transparency=_CLEAR,
        ):
            file.write(block)
        before = places
        if file.tell() >= limit:
            return count - 1
        if progress is not None:
            progress(count, len(chosen))
    file.write(b";")
    return len(chosen)


def save_mp4(
    film: Film,
    path: str | os.PathLike[str],
    *,
    frames: Sequence[int] | None = None,
    seconds: float = 0.05,
    hold: float = 3.0,
    progress: Progress | None = None,
) -> bool:
    """Write frames as an MP4, if the program ``ffmpeg`` is there; say whether it was.

    Parameters
    ----------
    frames, seconds, hold, progress : as for `save_gif`

    Raises
    ------
    HandgradError : ffmpeg fails, with its last line; a place that cannot be written to
    """
    program = shutil.which("ffmpeg")
    if program is None:
        return False
    chosen = _chosen(film, frames)
    with written(path) as beside:
        command = [
            *(program, "-hide_banner", "-loglevel", "error", "-y"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}"),
            *("-r", f"{1 / seconds:g}", "-i", "-"),
            # What most players can show.
            *("-pix_fmt", "yuv420p", "-movflags", "+faststart", "-bitexact"),
            *("-f", "mp4", str(beside)),
        ]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stderr=pipe) as process:
            assert process.stdin is not None
            assert process.stderr is not None
            try:
                for count, i in enumerate(chosen, 1):
                    last = count == len(chosen)
                    times = max(1, round(hold / seconds)) if last else 1
                    process.stdin.write(film.frame(i).tobytes() * times)
                    if progress is not None:
                        progress(count, len(chosen))
                process.stdin.close()
            except BrokenPipeError:
                pass  # it has ended; why, it says
            except BaseException:
                process.kill()
                raise
            said = process.stderr.read().decode(errors="replace").strip()
            code = process.wait()
        if code:
            last_line = said.splitlines()[-1] if said else f"exit code {code}"
            raise HandgradError(f"{os.fspath(path)}: ffmpeg failed: {last_line}")
    return True


def stills(film: Film, most: int = 40, limit_bytes: int = 1_500_000) -> list[tuple[bytes, str]]:
    """Frames for a page's slider: small files, each with its step in words.

    Parameters
    ----------
    most : frames, the first and the last among them
    limit_bytes : of all together; fewer frames are taken until they fit

    Returns
    -------
    frames : (PNG, words)
    """
    palette = _Palette(film, list(range(len(film))))
    made: dict[int, bytes] = {}

    while True:
        chosen = spread(len(film), most)
        made |= {i: palette.png(film.frame(i)) for i in chosen if i not in made}
        if most <= 2 or sum(len(made[i]) for i in chosen) <= limit_bytes:
            return [(made[i], film.words(i)) for i in chosen]
        total = sum(len(made[i]) for i in chosen)
        most = max(2, min(most - 1, int(most * limit_bytes / total)))


def _chosen(film: Film, frames: Sequence[int] | None) -> list[int]:
    chosen = list(range(len(film)) if frames is None else frames)
    if not chosen:
        raise HandgradError("film: found no frame to write; expected at least one")
    return chosen


class _Palette:
    """255 colours for all frames: those of the scales as they are, and what does for the rest."""

    def __init__(self, film: Film, frames: list[int]) -> None:
        from PIL import Image

        some = _packed(np.concatenate([film.frame(frames[i]) for i in spread(len(frames), 6)]))
        exact = np.unique(_packed(film.scales))
        rest, counts = np.unique(some[~np.isin(some, exact)], return_counts=True)
        room = _CLEAR - len(exact)
        if len(rest) > room:
            # By how often they are seen, but none so often that it outweighs all others.
            often = _colours(np.repeat(rest, np.minimum(counts, 400)))
            found = Image.fromarray(often[None]).quantize(room, Image.Quantize.MEDIANCUT)
            rest = np.unique(_packed(np.array(found.getpalette()).reshape(-1, 3)))
        self.colours = _colours(np.concatenate([exact, rest]))
        self._known = np.full(1 << 24, -1, np.int16)  # the place of each colour met so far

    def places(self, frame: Array) -> Array:
        """(H, W) uint8, of each pixel the nearest colour's place."""
        packed = _packed(frame)
        new = np.unique(packed[self._known[packed] < 0])
        colours = self.colours.astype(np.float32)
        for some in np.array_split(new, 1 + len(new) // 10_000):
            # |a - b|² = |a|² - 2 ab + |b|², of which |a|² is the same for every b.
            far = np.sum(colours**2, axis=1) - 2 * _colours(some).astype(np.float32) @ colours.T
            self._known[some] = far.argmin(axis=1)
        return self._known[packed].astype(np.uint8).reshape(frame.shape[:2])

    def png(self, frame: Array) -> bytes:
        """The file of a frame."""
        from PIL import Image

        image, file = Image.fromarray(self.places(frame)), io.BytesIO()
        image.putpalette(self.colours.tobytes())
        image.save(file, "PNG", optimize=True)
        return file.getvalue()


def _packed(colours: Array) -> Array:
    """(…, 3) colours as whole numbers, (M,)."""
    return colours.reshape(-1, 3).astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)


def _colours(packed: Array) -> Array:
    """The way back: (M, 3) uint8."""
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1).astype(np.uint8)


def _changed(places: Array, before: Array | None) -> tuple[slice, slice]:
    """The rows and columns around all that differs from the frame before."""
    if before is None:
        return slice(0, places.shape[0]), slice(0, places.shape[1])
    differs = places != before
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not len(rows):
        return slice(0, 1), slice(0, 1)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
