"""Real files, damaged: each by its seed and number, so that any of them can be made again.

What is done is what libFuzzer and radamsa do to bytes they do not understand, and one thing for PNG, whose readers
stop at the first wrong checksum: half of the damaged ones get right ones.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from functools import cache
from typing import Any

import pyvips
from PIL import Image

from tests import pictures

SIDE = 48
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_PNG = b"\x89PNG\r\n\x1a\n"


@cache
def seeds() -> dict[str, list[bytes]]:
    """Small real files by format: the kinds of each that its decoder has code for."""
    found: dict[str, list[bytes]] = {}
    small = pictures.photo(SIDE, SIDE)
    alpha = small.bandjoin(128).copy(interpretation="srgb")
    grey = small.colourspace("b-w")
    for name in pictures.FORMATS_IN:
        if name in ("heic", "svg"):
            continue
        found.setdefault(name.removesuffix("-animated"), []).append(_animated(name) or pictures.encoded(small, name))
    found["jpeg"] += [
        small.jpegsave_buffer(Q=60, interlace=True),
        small.colourspace("cmyk").jpegsave_buffer(),
        grey.jpegsave_buffer(),
        small.jpegsave_buffer(profile="p3"),
        (pictures.PHOTOS / "turned-with-gps.jpg").read_bytes()[:12000],
    ]
    found["png"] += [
        alpha.pngsave_buffer(),
        small.pngsave_buffer(palette=True, bitdepth=4),
        small.cast("ushort").pngsave_buffer(bitdepth=16),
        small.pngsave_buffer(interlace=True),
    ]
    found["webp"] += [alpha.webpsave_buffer(lossless=True), alpha.webpsave_buffer(Q=50)]
    found["tiff"] += [
        small.tiffsave_buffer(compression=kind, tile=tile)
        for kind, tile in (("lzw", False), ("deflate", True), ("jpeg", True), ("packbits", False), ("ccittfax4", False))
        if kind != "ccittfax4"
    ]
    found["tiff"] += [(grey > 100).tiffsave_buffer(compression="ccittfax4", bitdepth=1)]
    found["avif"] += [alpha.heifsave_buffer(compression="av1", effort=0)]
    # A list of its own, so that the numbers of what was found in the first stay.
    found["avif-kinds"] = [
        small.heifsave_buffer(compression="av1", effort=0, lossless=True),
        small.heifsave_buffer(compression="av1", effort=0, subsample_mode="off", profile="p3"),
        small.heifsave_buffer(compression="av1", effort=0, bitdepth=10),
        _by_pillow("AVIF", subsampling="4:0:0", speed=10),
        _by_pillow("AVIF", subsampling="4:2:2", speed=6, range="limited"),
        _by_pillow("AVIF", side=160, tile_rows=1, tile_cols=1, speed=2),
    ]
    found["gif"] += [_interlaced_gif()]
    folder = pictures.DATA / "formats"
    found["heic"] = [path.read_bytes() for path in sorted(folder.glob("*.heic"))]
    found["svg"] = [pictures.sample("svg"), _SVG]
    return found


def _animated(name: str) -> bytes | None:
    if not name.endswith("-animated"):
        return None
    frames = [pictures.photo(24, 24).rot(angle) for angle in ("d0", "d180")]
    tall = pyvips.Image.arrayjoin(frames, across=1).copy()
    tall.set_type(pyvips.GValue.gint_type, "page-height", 24)
    tall.set_type(pyvips.GValue.array_int_type, "delay", [100, 200])
    return pictures.encoded(tall, name.removesuffix("-animated"))


def _interlaced_gif() -> bytes:
    return _by_pillow("GIF", colours=16, interlace=True)


def _by_pillow(format: str, side: int = SIDE, colours: int = 0, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image = Image.frombytes("RGB", (side, side), pictures.photo(side, side).write_to_memory())
    (image.quantize(colours) if colours else image).save(buffer, format, **options)
    return buffer.getvalue()


_SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 48 48">
<defs><linearGradient id="g"><stop offset="0" stop-color="red"/><stop offset="1" stop-color="#00f8"/></linearGradient>
<filter id="f"><feGaussianBlur stdDeviation="2"/></filter><pattern id="p" width="4" height="4">
<path d="M0 0h2v2z"/></pattern><clipPath id="c"><circle cx="24" cy="24" r="20"/></clipPath></defs>
<g clip-path="url(#c)" transform="rotate(10 24 24) scale(1.1)"><rect width="48" height="48" fill="url(#g)"/>
<path d="M4 4C10 40 30-5 44 44Q2 3 9 9A5 5 0 0 1 20 20z" stroke="#123" stroke-width="2" stroke-dasharray="3 1"
 fill="url(#p)" filter="url(#f)"/><text x="5" y="30" font-size="12">Ab</text><use xlink:href="#x" x="3"/>
<g id="x" opacity=".5"><polygon points="1,1 9,2 5,9"/></g></g></svg>"""


def mutated(name: str, seed: int, number: int) -> bytes:
    """File ``number`` of a format's, from ``seed``."""
    draw = random.Random(f"{seed}-{name}-{number}")
    files = seeds()[name]
    data = bytearray(draw.choice(files))
    for _ in range(min(12, 1 + int(draw.expovariate(0.6)))):
        draw.choice(_CHANGES)(draw, data, files)
    if data.startswith(_PNG) and draw.random() < 0.5:
        data = _with_checksums(data)
    return bytes(data)


def _at(draw: random.Random, data: bytearray) -> int:
    """Anywhere, but more often at the beginning, where headers are."""
    most = len(data) if draw.random() < 0.5 else min(len(data), 256)
    return draw.randrange(max(1, most))


def _bit(draw: random.Random, data: bytearray, files: list[bytes]) -> None:
    if data:
        data[_at(draw, data) % len(data)] ^= 1 << draw.randrange(8)


def _byte(draw: random.Random, data: bytearray, files: list[bytes]) -> None:
    at = _at(draw, data)
    data[at : at + 1] = bytes([draw.randrange(256)])


def _number(draw: random.Random, data: bytearray, files: list[bytes]) -> None:
    size, at = draw.choice((1, 2, 4)), _at(draw, data)
    value = (draw.choice(_NUMBERS) + draw.choice((-1, 0, 1))) & (256**size - 1)
    data[at : at + size] = value.to_bytes(size, draw.choice(("big", "little")))


def _cut(draw: random.Random, data: bytearray, files: list[bytes]) -> None:
    at = _at(draw, data)
    del data[at : at + draw.choice((1, 4, 64, 1024))]


def _end(draw: random.Random, data: bytearray, files: list[bytes]) -> None:
    del data[_at(draw, data) + 1 :]


def _double(draw: random.Random, data: bytearray, files: list[bytes]) -> None:
    at, size = _at(draw, data), draw.choice((1, 4, 64, 1024))
    data[at:at] = data[at : at + size] * draw.choice((1, 1, 8))


def _fill(draw: random.Random, data: bytearray, files: list[bytes]) -> None:
    at, size = _at(draw, data), draw.choice((4, 16, 64))
    data[at : at + size] = bytes([draw.choice((0, 0xFF, 0x20))]) * size


def _noise(draw: random.Random, data: bytearray, files: list[bytes]) -> None:
    at = _at(draw, data)
    data[at:at] = draw.randbytes(draw.choice((1, 4, 32)))


def _swap(draw: random.Random, data: bytearray, files: list[bytes]) -> None:
    one, other, size = _at(draw, data), _at(draw, data), draw.choice((4, 32, 256))
    data[one : one + size], data[other : other + size] = data[other : other + size], data[one : one + size]


def _splice(draw: random.Random, data: bytearray, files: list[bytes]) -> None:
    other = draw.choice(files)
    start = draw.randrange(len(other))
    piece = other[start : start + draw.choice((8, 64, 512, 4096))]
    at = _at(draw, data)
    data[at : at + draw.choice((0, len(piece)))] = piece


_CHANGES = (_bit, _bit, _byte, _byte, _number, _number, _cut, _end, _double, _fill, _noise, _swap, _splice)


def _with_checksums(data: bytearray) -> bytearray:
    at = len(_PNG)
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        end = at + 8 + size
        if end + 4 > len(data):
            break
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return data
