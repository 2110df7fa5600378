"""What a file holds beside its own pixels and would unfold in a library that has no limit for it.

Looked at before the file is opened: libvips reads the compressed texts of a PNG with the header, each up to tens of
megabytes and as many as there are; libheif puts together what the items of an AVIF or HEIC say they are made of, which
may be all of the file, again and again; and what an SVG shows may be other pictures, whose pixels nobody has counted.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.parsers import expat

from pixelmill.errors import PixelmillError

MOST_TEXT = 16 * 1024 * 1024
"""Bytes that all compressed texts of a PNG may unfold to; cameras and editors write some hundred kilobytes."""

_DATA = re.compile(r"\s*data:([^,]*),(.*)\Z", re.DOTALL | re.IGNORECASE)

# For any other name Python would ask its codecs, of which many are no encodings of text.
_ENCODING = re.compile(r"utf-(8|16(le|be)?)|(us-)?ascii|iso-8859-\d{1,2}|(windows-|cp)125\d|koi8-[ru]", re.IGNORECASE)


def check(data: Any, format: str) -> None:
    """Raises :class:`PixelmillError` ``too-much-metadata``."""
    if format == "png":
        _check_texts(data)
    elif format in ("avif", "heic"):
        _check_items(data)


def _check_texts(data: Any) -> None:
    left = MOST_TEXT
    for packed in _packed_texts(data):
        unfolding = zlib.decompressobj()
        try:
            left -= len(unfolding.decompress(packed, left + 1))
        except zlib.error:
            continue  # a text that is damaged: libvips leaves it out
        if left < 0:
            raise PixelmillError(
                "too-much-metadata", f"The texts in the PNG unfold to more than {MOST_TEXT // 1024**2} MB."
            )


def _packed_texts(data: Any) -> Iterator[bytes]:
    """The deflated part of each text (PNG specification, 11.3.4: zTXt and iTXt)."""
    at = 8
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        if kind in (b"zTXt", b"iTXt"):
            rest = bytes(data[at + 8 : at + 8 + size]).partition(b"\0")[2]  # behind the keyword
            if kind == b"zTXt":
                yield rest[1:]  # behind the method of compression
            elif rest[:1] == b"\1":  # compressed; then method, language and translated keyword
                yield rest[2:].split(b"\0", 2)[-1]
        at += 12 + size


def _check_items(data: Any) -> None:
    left = len(data) + MOST_TEXT
    for length in _item_lengths(data):
        if (left := left - length) < 0:
            raise PixelmillError("too-much-metadata", "The items in the file are far longer than it is, put together.")


def _item_lengths(data: Any) -> Iterator[int]:
    """Bytes of each extent of each item (ISO/IEC 14496-12, 8.11.3: ``iloc``)."""
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"meta":
            for inner, begin, stop in _boxes(data, start + 4, end):
                if inner == b"iloc":
                    yield from _extent_lengths(bytes(data[begin:stop]), len(data))


def _boxes(data: Any, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind of each box, and where what is in it begins and ends."""
    while at + 8 <= end:
        size, kind, start = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8]), at + 8
        if size == 1:
            size, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        stop = end if size == 0 else at + size
        if not start <= stop <= end:
            return  # damaged: libheif says so
        yield kind, start, stop
        at = stop


def _extent_lengths(iloc: bytes, whole: int) -> Iterator[int]:
    """``whole``: what an extent is that tells no length."""
    at = 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return int.from_bytes(iloc[at - count : at], "big")

    version = take(4) >> 24
    sizes = take(2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    index = index if version else 0
    items = take(4 if version >= 2 else 2)
    while items and at < len(iloc):
        items -= 1
        take((4 if version >= 2 else 2) + (2 if version else 0) + 2 + base)
        extents = take(2)
        if not length:
            yield extents * whole
            at += extents * (index + offset)
            continue
        while extents and at < len(iloc):
            extents -= 1
            take(index + offset)
            yield take(length) or whole


def pictures(data: Any) -> list[bytes]:
    """The pictures inside an SVG, as files: what an attribute gives as a `data:` address (RFC 2397), entities resolved.

    Other addresses lead nowhere: nothing outside of the file is read. Raises :class:`PixelmillError`
    ``corrupt-image`` for what is not well-formed.
    """
    found: list[bytes] = []

    def start(_: str, attributes: dict[str, str]) -> None:
        found.extend(one for value in attributes.values() if (one := _decoded(value)) is not None)

    def declared(_: str, encoding: str | None, __: int) -> None:
        if encoding and not _ENCODING.fullmatch(encoding):
            raise PixelmillError("corrupt-image", f"The SVG is in {encoding[:40]!r}; save it as UTF-8.")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.XmlDeclHandler = declared
    parser.StartElementHandler = start
    try:
        parser.Parse(bytes(data), True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise PixelmillError("corrupt-image", f"The SVG cannot be read: {error}.") from error
    return found


def _decoded(value: str) -> bytes | None:
    matched = _DATA.match(value)
    if matched is None:
        return None
    kind, rest = matched.groups()
    plain = unquote_to_bytes(rest)
    if not kind.lower().rstrip().endswith("base64"):
        return plain
    try:
        return base64.b64decode(re.sub(rb"[^A-Za-z0-9+/]", b"", plain) + b"==")
    except binascii.Error:
        return None  # nor can the one who draws it
