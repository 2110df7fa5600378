"""Pictures for tests of imaging: one photograph in every format, and files that attack."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from pathlib import Path

import pyvips

import pixelmill.imaging.vips  # noqa: F401  (the same loaders as in production)
from pixelmill.imaging.encode import Encoding, load
from pixelmill.recipes import Output

DATA = Path(__file__).parent / "data"
PHOTOS = DATA / "photos"
FORMATS_IN = ("jpeg", "png", "webp", "gif", "avif", "heic", "tiff", "jxl", "svg", "gif-animated", "webp-animated")
WIDTH, HEIGHT = 160, 90


@cache
def photo(width: int = WIDTH, height: int = HEIGHT) -> pyvips.Image:
    """A photograph in memory, sRGB."""
    return pyvips.Image.thumbnail(str(PHOTOS / "field.jpg"), width, height=height, size="force").copy_memory()


def jpeg(width: int = 640, height: int = 360, **options: object) -> bytes:
    """It as a JPEG."""
    data: bytes = photo(width, height).jpegsave_buffer(Q=90, keep=0, **options)
    return data


@cache
def sample(name: str) -> bytes:
    """A real file of a format of :data:`FORMATS_IN`."""
    if name == "heic":
        return (DATA / "formats" / "rgb.heic").read_bytes()
    if name == "svg":
        return (
            b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="160" height="90">'
            b'<rect width="160" height="90" fill="#3366cc"/><circle cx="80" cy="45" r="40" fill="#ffcc00"/></svg>'
        )
    if name.endswith("-animated"):
        frames = [photo().rot(angle) for angle in ("d0", "d180")] + [photo().fliphor()]
        tall = pyvips.Image.arrayjoin(frames, across=1).copy()
        tall.set_type(pyvips.GValue.gint_type, "page-height", HEIGHT)
        tall.set_type(pyvips.GValue.array_int_type, "delay", [100, 200, 300])
        return encoded(tall, name.removesuffix("-animated"))
    return encoded(photo(), name)


def encoded(image: pyvips.Image, name: str) -> bytes:
    format = load(name)
    quality = None if format.quality is None else 90.0
    return format.encode(image, Encoding(quality, Output()))


def png_header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG that says it is so large, and has next to no pixels: a bomb for those who believe it late."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def scans_bomb(scans: int) -> bytes:
    """A progressive JPEG with its last scan repeated."""
    data = photo(64, 64).jpegsave_buffer(Q=50, interlace=True, keep=0)
    start = data.rindex(b"\xff\xda")
    last = data[start:-2]
    return bytes(data[:-2] + last * scans + data[-2:])


def gif_bomb(frames: int) -> bytes:
    """A GIF of many frames of 1 by 1."""
    head = b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    frame = b"\x21\xf9\x04\0\x01\0\0\0" + b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0" + b"\x02\x02\x44\x01\0"
    return head + frame * frames + b";"
