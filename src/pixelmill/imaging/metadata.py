"""What of a file's metadata is kept, and what of it may be shown: never where it was taken, by accident."""

from __future__ import annotations

import re
from typing import Any

import pyvips

from pixelmill.imaging.encode._format import KEEP_EXIF, KEEP_ICC, KEEP_IPTC, KEEP_XMP, STRIP
from pixelmill.recipes.models import Output

COPYRIGHT = ("exif-ifd0-Copyright", "exif-ifd0-Artist")
"""All that ``metadata: copyright`` keeps."""

PRIVATE = re.compile(
    r"^exif-ifd3-|GPS|MakerNote|SerialNumber|OwnerName|UserComment|XPComment|CameraOwner|ImageUniqueID|^exif-ifd1-|"
    r"thumbnail|Interop"
)
"""EXIF that ``metadata: keep`` drops all the same: place (IFD 3 is GPS), serial numbers, maker's notes, thumbnails."""

SHOWN = {
    0x010F: "make",
    0x0110: "model",
    0xA434: "lens",
    0x829A: "exposureSeconds",
    0x829D: "fNumber",
    0x8827: "iso",
    0x920A: "focalLength",
    0x9003: "takenAt",
    0x8298: "copyright",
    0x013B: "artist",
}
"""EXIF tags that :func:`shown` tells (CIPA DC-008), and our names for them."""


def prepare(image: pyvips.Image, output: Output) -> tuple[pyvips.Image, int]:
    """The image with only the metadata that ``output`` keeps, and libvips' flags to write it."""
    keep = KEEP_ICC if output.colour == "keep" else STRIP
    if output.metadata == "strip":
        return image, keep
    image = image.copy()
    fields = image.get_fields()
    if output.metadata == "copyright":
        for field in fields:
            if field.startswith("exif-ifd") and field not in COPYRIGHT:
                image.remove(field)
        for field in ("xmp-data", "iptc-data"):
            if field in fields:
                image.remove(field)
        _forget_orientation(image)
        return image, keep | KEEP_EXIF
    for field in fields:
        if PRIVATE.search(field):
            image.remove(field)
    for field in ("xmp-data", "iptc-data"):
        # Both can hold such things and are not taken apart here: with one in it, the whole block goes.
        if field in fields and _private(image.get(field)):
            image.remove(field)
    _forget_orientation(image)
    return image, keep | KEEP_EXIF | KEEP_XMP | KEEP_IPTC


def _forget_orientation(image: pyvips.Image) -> None:
    """The pixels are upright."""
    if "orientation" in image.get_fields():
        image.remove("orientation")
    if "exif-ifd0-Orientation" in image.get_fields():
        image.remove("exif-ifd0-Orientation")


_PRIVATE_BLOCK = re.compile(
    rb"GPS|Location|City|Country|State|SerialNumber|OwnerName|UniqueID|\x1c\x02[\x5a\x5c\x5f\x64\x65]"
)


def _private(block: Any) -> bool:
    """Whether XMP or IPTC names a place, a serial number or an owner; XMP may be UTF-16 too."""
    return bool(_PRIVATE_BLOCK.search(bytes(block).replace(b"\0", b"")))


def shown(exif: bytes | None) -> dict[str, Any]:
    """What of an EXIF block is safe to show. Empty when there is none, or it is broken."""
    if not exif:
        return {}
    from PIL import Image

    found: dict[str, Any] = {}
    try:
        block = Image.Exif()
        block.load(bytes(exif))
        tags = dict(block) | dict(block.get_ifd(0x8769))
    except Exception:  # Pillow raises what it meets in a broken block: struct.error, KeyError, SyntaxError …
        return {}
    for tag, name in SHOWN.items():
        value = _plain(tags.get(tag))
        if value is not None:
            found[name] = value
    return found


def _plain(value: Any) -> str | float | int | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        text = "".join(c for c in value if c.isprintable()).strip()
        return text[:200] or None
    if isinstance(value, tuple):
        value = value[0] if value else None
    if isinstance(value, int):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return round(number, 6) if number == number and abs(number) < 1e12 else None
