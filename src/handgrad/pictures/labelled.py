"""The prediction written on the photograph itself."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageDraw, ImageFont, ImageOps

from handgrad.errors import HandgradError

__all__ = ["labelled", "rgb"]

_SMALLEST = 14  # pixels: letters below are hard to read
_LARGEST_SMALL = 1024  # pixels: an image is enlarged no further than this
_LINES = 3
_SHADE = 0.7  # of black over the image; white letters then have a contrast of at least 8 to 1


def labelled(image: Image.Image, text: str) -> Image.Image:
    """Write a text on an image, in white letters on a dark band along the lower edge.

    The letters grow with the image: 1/18 of its shorter side, smaller (to 1/40) for a long text,
    on up to three lines, never under 14 pixels. An image too small for that is enlarged by a whole
    factor, its pixels staying squares; one that is small and very long or narrow gets black margins
    beside it. What then still does not fit is shortened in its middle.

    Parameters
    ----------
    image : any size and mode; turned as its EXIF orientation says; not written into
    text : any text; line breaks become spaces

    Returns
    -------
    image : RGB; of the upright image's size wherever the text fits into that

    Raises
    ------
    HandgradError : an image without pixels

    Cost: that of copying the image.
    """
    if 0 in image.size:
        raise HandgradError(f"labelled: found an image of size {image.size}; expected pixels")
    from handgrad.pictures.lettering import drawable, file_for

    picture = rgb(image)
    file = file_for(text)
    words = drawable(text, file)
    if not words:
        return picture
    picture, font, lines = _fitted(picture, file, words)
    ascent, descent = font.getmetrics()
    edge, band = _edge(font), _band(font, len(lines))
    top = picture.height - band
    below = picture.crop((0, top, picture.width, picture.height))
    picture.paste(Image.blend(below, Image.new("RGB", below.size), _SHADE), (0, top))
    draw = ImageDraw.Draw(picture)
    for i, line in enumerate(lines):
        # "ls": the place is the left end of the line that letters stand on, whatever they are.
        baseline = top + edge + i * (ascent + descent) + ascent
        draw.text((edge, baseline), line, "white", font, anchor="ls")
    return picture


def _fitted(
    picture: Image.Image, file: str, words: str
) -> tuple[Image.Image, ImageFont.FreeTypeFont, list[str]]:
    """The picture, enlarged as little as the text needs; the font; the text in lines."""
    from handgrad.pictures.lettering import shortened

    width, height = picture.size
    largest_factor = max(1, _LARGEST_SMALL // max(width, height))
    # Below this factor the smallest letters cannot fit: so wide are three full lines, so high is
    # one. It saves trying hundreds of factors on a tiny image.
    font = ImageFont.truetype(file, _SMALLEST)
    least_factor = max(
        1, int(0.9 * font.getlength(words) / _LINES) // width, 3 * _band(font, 1) // height
    )
    for factor in range(least_factor, largest_factor + 1):
        shorter = factor * min(width, height)
        largest, smallest = (max(_SMALLEST, shorter // part) for part in (18, 40))
        for size in range(largest, smallest - 1, -max(1, largest // 12)):
            font = ImageFont.truetype(file, size)
            lines = _lines(words, font, factor * width)
            if lines and 3 * _band(font, len(lines)) <= factor * height:
                return _enlarged(picture, factor), font, lines

    font = ImageFont.truetype(file, smallest := max(_SMALLEST, min(width, height) // 40))
    room = max(width, 16 * smallest)
    lines = _lines(shortened(words, lambda text: bool(_lines(text, font, room))), font, room)
    band = _band(font, len(lines))
    # The band goes over the picture's lower third at most, otherwise below it.
    canvas = Image.new("RGB", (room, height if 3 * band <= height else height + band))
    canvas.paste(picture, ((room - width) // 2, 0))
    return canvas, font, lines


def _lines(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """The text in lines that fit into the width; none when it does not go into `_LINES` of them."""
    room = width - 2 * _edge(font)
    lines = [""]
    for word in text.replace(" %", "\N{NO-BREAK SPACE}%").split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if font.getlength(longer) <= room:
            lines[-1] = longer
        elif font.getlength(word) <= room and len(lines) < _LINES:
            lines.append(word)
        else:
            return []
    return lines


def _edge(font: ImageFont.FreeTypeFont) -> int:
    """The space around the text."""
    return max(2, round(font.size / 4))


def _band(font: ImageFont.FreeTypeFont, lines: int) -> int:
    """The height of the band under so many lines."""
    return lines * sum(font.getmetrics()) + 2 * _edge(font)


def _enlarged(picture: Image.Image, factor: int) -> Image.Image:
    width, height = picture.size
    return picture.resize((factor * width, factor * height), Image.Resampling.NEAREST)


def rgb(image: Image.Image) -> Image.Image:
    """A new upright RGB image of any image; what is transparent becomes white."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged EXIF says nothing about the picture itself
        upright = ImageOps.exif_transpose(image)
    mode = upright.mode
    if mode in ("I", "F") or mode.startswith("I;16"):
        return Image.fromarray(_bytes(np.asarray(upright))).convert("RGB")
    if mode == "LAB":  # the one mode that Pillow converts by colour management only
        to_srgb = ImageCms.buildTransform(
            ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
        )
        return ImageCms.applyTransform(upright, to_srgb) or upright
    if mode == "La":
        upright = upright.convert("LA")
    if upright.has_transparency_data:
        opaque = Image.new("RGBA", upright.size, "white")
        opaque.alpha_composite(upright.convert("RGBA"))
        upright = opaque
    # A fresh image: nothing of the old one's EXIF, and never the caller's own pixels.
    picture = Image.new("RGB", upright.size)
    picture.paste(upright.convert("RGB"))
    return picture


def _bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """0..255 from grey values that are wider than a byte.

    Whole numbers above 255 are of 16 bits; floats that stay within 0..1 are shares of white.
    """
    if values.dtype.kind == "f":
        values = np.nan_to_num(values) * (255.0 if np.nanmax(values, initial=0) <= 1 else 1.0)
    elif values.dtype == np.uint16 or values.max() > 255:
        values = values / 257
    grey: NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return grey
