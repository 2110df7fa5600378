"""The header: what an image is and how large, read and judged before a pixel is decoded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pyvips

from pixelmill.errors import PixelmillError
from pixelmill.imaging import unfold, vips
from pixelmill.imaging.profile import is_srgb
from pixelmill.imaging.results import Limits
from pixelmill.imaging.sniff import HEAD, sniff
from pixelmill.recipes.step import Size

Buffer = Any
"""Bytes, or a mapped file."""

MOST_CHANNELS = 5
"""CMYK and alpha."""


@dataclass(frozen=True, slots=True)
class Header:
    """``size`` is upright; ``stored`` as the file has it, before its EXIF orientation is applied.

    ``profile``: it has an ICC profile, other than sRGB's own. ``image``: libvips' view of the header, or None where
    another library reads the format. ``exif``: the raw block, where libvips does not read it.
    """

    format: str
    size: Size
    stored: Size
    frames: int
    bytes: int
    orientation: int
    alpha: bool
    bands: int
    interpretation: str
    profile: bool
    progressive: bool
    image: pyvips.Image | None
    exif: Buffer = None


def inspect(data: Buffer, limits: Limits) -> Header:
    """Read the header of the image in ``data`` and hold it against ``limits``.

    Raises :class:`PixelmillError`: ``empty-file``, ``too-large``, ``unsupported-format``, ``corrupt-image``,
    ``too-many-pixels``, ``animation-too-long``, ``too-many-scans``, ``too-much-metadata``.
    """
    if len(data) == 0:
        raise PixelmillError("empty-file")
    if len(data) > limits.max_bytes:
        raise PixelmillError("too-large", f"The file has {len(data):,} bytes; at most {limits.max_bytes:,} are taken.")
    format = sniff(bytes(data[:HEAD]))
    if format is None:
        raise PixelmillError("unsupported-format")
    unfold.check(data, format)
    if format == "svg" and (inside := _pixels_inside(data)) > limits.max_pixels:
        raise PixelmillError(
            "too-many-pixels",
            f"The pictures in the SVG have {inside:,} pixels; at most {limits.max_pixels:,} are taken.",
        )
    header = _other(data, format) if format in ("heic", "jxl") else _vips(data, format)
    check(header, data, limits)
    return header


def known_brand(data: Buffer) -> Buffer:
    """An AVIF of moving pictures under the name of a still one, which it holds too: libvips 8.18 knows no other."""
    return b"".join((data[:8], b"avif", data[12:])) if data[4:12] == b"ftypavis" else data


def _vips(data: Buffer, format: str) -> Header:
    with reading():
        image = pyvips.Image.new_from_source(pyvips.Source.new_from_memory(data), "", access="sequential")
    loader = str(image.get("vips-loader"))
    if not loader.startswith(_LOADER[format]):
        raise PixelmillError("unsupported-format", f"The file looks like {format} but is read as {loader}.")
    fields = set(image.get_fields())
    orientation = number(image, "orientation") if "orientation" in fields else 1
    orientation = orientation if 1 <= orientation <= 8 else 1
    stored = Size(image.width, image.height)
    return Header(
        format=format,
        size=Size(stored.height, stored.width) if orientation >= 5 else stored,
        stored=stored,
        frames=number(image, "n-pages") if format in ("gif", "webp") and "n-pages" in fields else 1,
        bytes=len(data),
        orientation=orientation,
        alpha=bool(image.hasalpha()),
        bands=image.bands,
        interpretation=str(image.interpretation),
        profile="icc-profile-data" in fields and not is_srgb(bytes(image.get("icc-profile-data"))),
        progressive=format == "jpeg" and "interlaced" in fields,
        image=image,
    )


def _pixels_inside(data: Buffer) -> int:
    """How many pixels the pictures in an SVG have; those that cannot be read have none, as nobody draws them."""
    count = 0
    for picture in unfold.pictures(data):
        format = sniff(picture[:HEAD])
        unfold.check(picture, format or "")
        with suppress(PixelmillError):
            if format == "svg":
                count += _pixels_inside(picture)
            elif format in _LOADER:
                header = _vips(picture, format)
                count += header.stored.width * header.stored.height
    return count


_LOADER = {
    "jpeg": "jpegload",
    "png": "pngload",
    "webp": "webpload",
    "gif": "gifload",
    "avif": "heifload",
    "tiff": "tiffload",
    "svg": "svgload",
}


def _other(data: Buffer, format: str) -> Header:
    from pixelmill.imaging.read import heic, jxl

    facts = (heic if format == "heic" else jxl).header(data)
    size = Size(facts["width"], facts["height"])
    return Header(
        format=format,
        size=size,
        stored=size,
        frames=1,
        bytes=len(data),
        orientation=1,
        alpha=facts["alpha"],
        bands=4 if facts["alpha"] else 3,
        interpretation="srgb",
        profile=bool(facts["icc"]) and not is_srgb(facts["icc"]),
        progressive=False,
        image=None,
        exif=facts["exif"],
    )


def number(image: pyvips.Image, field: str) -> int:
    """A field that is a whole number."""
    value = image.get(field)
    assert isinstance(value, int)
    return value


def check(header: Header, data: Buffer, limits: Limits) -> None:
    """Hold a header against the limits. Raises :class:`PixelmillError` as :func:`inspect` does."""
    width, height = header.stored
    if width > limits.max_dimension or height > limits.max_dimension:
        raise PixelmillError(
            "too-many-pixels",
            f"The image is {width} by {height} pixels; neither side may be longer than {limits.max_dimension}.",
        )
    if header.frames > limits.max_frames:
        raise PixelmillError(
            "animation-too-long", f"The animation has {header.frames} frames; at most {limits.max_frames} are taken."
        )
    pixels = width * height * header.frames
    if pixels > limits.max_pixels:
        frames = f" in {header.frames} frames" if header.frames > 1 else ""
        raise PixelmillError(
            "too-many-pixels",
            f"The image has {pixels:,} pixels{frames}; at most {limits.max_pixels:,} are taken.",
        )
    if header.bands > MOST_CHANNELS:
        raise PixelmillError(
            "unsupported-format", f"The image has {header.bands} channels; at most {MOST_CHANNELS} are taken."
        )
    if header.progressive and count_scans(data, limits.max_scans) > limits.max_scans:
        raise PixelmillError(
            "too-many-scans", f"The progressive JPEG has more than {limits.max_scans} scans, which no real one has."
        )


def count_scans(data: Buffer, most: int) -> int:
    """Start-of-scan markers of a JPEG, up to one more than ``most``. Entropy-coded data cannot hold one."""
    count = 0
    for count, _ in enumerate(re.finditer(rb"\xff\xda", data), 1):
        if count > most:
            break
    return count


@contextmanager
def reading() -> Iterator[None]:
    """libvips' errors while it reads the input, with our codes."""
    try:
        yield
    except pyvips.Error as error:
        if vips.is_memory(error):
            raise PixelmillError("out-of-memory") from error
        raise PixelmillError("corrupt-image", f"The image cannot be read: {vips.reason(error)}.") from error
    except MemoryError as error:
        raise PixelmillError("out-of-memory") from error
