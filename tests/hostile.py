"""Files that attack whoever reads them: little to send, much to unfold; metadata without end; two things at once.

Each is made here from its format's own rules, so that what is in it can be seen; none is bigger than a few megabytes,
which is what the service takes by default.
"""

from __future__ import annotations

import base64
import gzip
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO

from PIL import Image

from tests import boxes, pictures

MEGABYTE = 1024 * 1024
BIG = 4 * MEGABYTE
MANY = 0xFFFFFFFF
PNG = b"\x89PNG\r\n\x1a\n"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
COMMENT = b"\x21\xfe" + (b"\xff" + b"c" * 255) * (BIG // 256) + b"\0"
SCRIPT = "<script>alert(document.domain)</script>"
MVG = (
    b"push graphic-context\nviewbox 0 0 9 9\nfill 'url(https://127.0.0.1/x.jpg\"|id > /tmp/x\")'\npop graphic-context\n"
)
#: Sides that header limits let through: 100 million pixels.
LARGE = 10_000


def chunk(kind: bytes, data: bytes) -> bytes:
    """One of PNG's, with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def deflated(byte: int, count: int) -> bytes:
    """So many bytes of one kind in zlib's format (RFC 1950), a thousandth of their size; no time to make."""

    def block(size: int) -> bytes:  # that begins and ends at a byte, and looks at nothing before it
        deflate = zlib.compressobj(9, wbits=-15)
        return deflate.compress(bytes([byte]) * size) + deflate.flush(zlib.Z_FULL_FLUSH)

    whole, rest = divmod(count, MEGABYTE)
    low, high = (1 + byte * count) % 65_521, (count + byte * count * (count + 1) // 2) % 65_521
    return b"\x78\xda" + block(MEGABYTE) * whole + block(rest) + b"\x03\0" + struct.pack(">HH", high, low)


def zeros(count: int) -> bytes:
    return deflated(0, count)


def png(width: int, height: int, body: bytes, *, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return PNG + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def png_with(*chunks: bytes) -> bytes:
    """A real one, with these behind its header."""
    data = pictures.sample("png")
    return data[:33] + b"".join(chunks) + data[33:]


def apng(frames: int, side: int) -> bytes:
    """An animated PNG: each frame as large as it says, in a few bytes."""
    body = zeros((side * 3 + 1) * side)
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))]
    parts += [chunk(b"acTL", struct.pack(">II", frames, 0))]
    for number in range(frames):
        control = struct.pack(">IIIIIHHBB", 2 * number, side, side, 0, 0, 1, 10, 0, 0)
        parts += [chunk(b"fcTL", control)]
        parts += [chunk(b"fdAT", struct.pack(">I", 2 * number + 1) + body) if number else chunk(b"IDAT", body)]
    return PNG + b"".join(parts) + chunk(b"IEND", b"")


def jpeg_of(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A real JPEG that says it is so large."""
    data = bytearray(pictures.photo(64, 64).jpegsave_buffer(Q=50, interlace=progressive, keep=0))
    start = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg_with(*segments: tuple[int, bytes]) -> bytes:
    """A real one, with these application segments (marker, bytes) first."""
    data = pictures.jpeg(64, 36)
    parts = [struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments]
    return data[:2] + b"".join(parts) + data[2:]


def gif(width: int, height: int, frames: int, *, frame: tuple[int, int] = (1, 1)) -> bytes:
    """A GIF of so large a screen, and frames of the size ``frame`` with the pixels of one of 1 by 1."""
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    one = b"\x21\xf9\x04\0\x01\0\0\0" + b"\x2c" + struct.pack("<HHHH", 0, 0, *frame) + b"\0" + b"\x02\x02\x44\x01\0"
    return head + one * frames + b";"


def webp_of(width: int, height: int) -> bytes:
    """A real lossless WebP that says it is so large (16,384 at most)."""
    data = bytearray(pictures.photo(64, 64).webpsave_buffer(lossless=True, keep=0))
    at = data.index(b"VP8L") + 9
    (bits,) = struct.unpack_from("<I", data, at)
    struct.pack_into("<I", data, at, (bits & ~0xFFFFFFF) | (width - 1) | (height - 1) << 14)
    return bytes(data)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_animated(side: int, frames: int) -> bytes:
    """A canvas of ``side`` squared, and frames of 1 by 1 on it."""
    still = pictures.photo(1, 1).webpsave_buffer(lossless=True, keep=0)
    size = lambda number: struct.pack("<I", number)[:3]  # noqa: E731
    frame = size(0) * 4 + size(10) + b"\0" + still[12:]
    canvas = b"\x02\0\0\0" + size(side - 1) * 2
    return riff((b"VP8X", canvas), (b"ANIM", b"\0" * 6), *[(b"ANMF", frame)] * frames)


def webp_with(*chunks: tuple[bytes, bytes], flags: int) -> bytes:
    still = pictures.photo(64, 64).webpsave_buffer(lossless=True, keep=0)
    size = struct.pack("<I", 63)[:3]
    body = riff((b"VP8X", bytes([flags, 0, 0, 0]) + size * 2), *chunks)[12:] + still[12:]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def iso_of(name: str, width: int, height: int) -> bytes:
    """A real AVIF or HEIC whose boxes say that it is so large (`ispe`: image spatial extents)."""
    data = bytearray(pictures.sample(name))
    at = -1
    while (at := data.find(b"ispe", at + 1)) >= 0:
        struct.pack_into(">II", data, at + 8, width, height)
    return bytes(data)


Tag = tuple[int, int, int, int]


def tiff(tags: list[Tag], rest: bytes = b"", *, following: int = 0) -> bytes:
    """One directory of (tag, type, count, value or offset), then ``rest``; the next directory is at ``following``."""
    entries = b"".join(struct.pack("<HHII", tag, kind, count, value) for tag, kind, count, value in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", following) + rest


SHORT, LONG, ASCII, BYTE, UNDEFINED = 3, 4, 2, 1, 7


def _picture(width: int, height: int, compression: int, *, bits: int = 8, samples: int = 1) -> list[Tag]:
    tags: list[Tag] = [(256, LONG, 1, width), (257, LONG, 1, height), (258, SHORT, 1, bits)]
    return [*tags, (259, SHORT, 1, compression), (262, SHORT, 1, 1), (277, SHORT, 1, samples)]


def tiff_strip(width: int, height: int, compression: int = 8, body: bytes = b"", **more: int) -> bytes:
    """All in one strip."""
    tags = [*_picture(width, height, compression, **more), (278, LONG, 1, height), (279, LONG, 1, len(body))]
    return tiff([*tags, (273, LONG, 1, 8 + 2 + 12 * (len(tags) + 1) + 4)], body)


def tiff_tile(side: int, tile: int) -> bytes:
    """A tile far larger than the picture."""
    body = zeros(tile * tile) if tile <= 20_000 else zeros(MEGABYTE)
    tags = [*_picture(side, side, 8), (322, LONG, 1, tile), (323, LONG, 1, tile), (325, LONG, 1, len(body))]
    return tiff([*tags, (324, LONG, 1, 8 + 2 + 12 * (len(tags) + 1) + 4)], body)


def tiff_pages(count: int, *, loop: bool = False) -> bytes:
    """So many directories of one pixel; the last leads back to the first if they ``loop``."""
    one, parts, at = 0, [b"II*\0" + struct.pack("<I", 8)], 8
    for number in range(count):
        tags = [*_picture(1, 1, 1), (273, LONG, 1, 0), (278, LONG, 1, 1), (279, LONG, 1, 1)]
        one = 2 + 12 * len(tags) + 4
        following = at + one if number + 1 < count else (8 if loop else 0)
        entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
        parts.append(struct.pack("<H", len(tags)) + entries + struct.pack("<I", following))
        at += one
    return b"".join(parts)


def jxl_frames(side: int, frames: int) -> bytes:
    """An animation of so many frames of one colour: the bytes that a third frame adds to two, again and again."""
    import imagecodecs
    import numpy

    two, three = (
        bytes(imagecodecs.jpegxl_encode(numpy.zeros((count, side, side, 3), numpy.uint8), lossless=True, effort=1))
        for count in (2, 3)
    )
    more = len(three) - len(two)
    at = next(n for n in range(len(two)) if three == two[:n] + three[n : n + more] + two[n:])
    return two[:at] + three[at : at + more] * (frames - 2) + two[at:]


def svg(inner: str, *, before: str = "", size: str = 'width="100" height="100"') -> bytes:
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"{before}<svg {spaces} {size}>{inner}</svg>".encode()


def svg_uses(depth: int, each: int = 10) -> bytes:
    """Every group uses the one before so often: 10 to the power of ``depth`` circles."""
    groups = ['<g id="a0"><circle r="1"/></g>']
    groups += [f'<g id="a{n}">' + f'<use xlink:href="#a{n - 1}"/>' * each + "</g>" for n in range(1, depth + 1)]
    return svg(f'<defs>{"".join(groups)}</defs><use xlink:href="#a{depth}"/>')


def svg_patterns(depth: int) -> bytes:
    """Every pattern is filled with the one before, as large as the whole."""
    parts = ['<pattern id="p0" width="1" height="1"><rect width="1" height="1"/></pattern>']
    parts += [
        f'<pattern id="p{n}" width="0.1" height="0.1" patternUnits="userSpaceOnUse">'
        f'<rect width="100" height="100" fill="url(#p{n - 1})"/></pattern>'
        for n in range(1, depth + 1)
    ]
    return svg(f'<defs>{"".join(parts)}</defs><rect width="100" height="100" fill="url(#p{depth})"/>')


def svg_filters(count: int, side: int = 30_000) -> bytes:
    """Noise and blur over all of a large picture, again and again."""
    steps = '<feTurbulence baseFrequency="0.9" numOctaves="9999"/><feGaussianBlur stdDeviation="900"/>' * count
    return svg(
        f'<filter id="f" x="0" y="0" width="1" height="1">{steps}</filter>'
        f'<rect width="{side}" height="{side}" filter="url(#f)"/>',
        size='width="5000" height="5000"',
    )


def svg_image(data: bytes, kind: str = "png") -> bytes:
    """A picture in the picture."""
    inner = base64.b64encode(data).decode()
    return svg(f'<image width="100" height="100" xlink:href="data:image/{kind};base64,{inner}"/>')


def svg_in_svg(depth: int) -> bytes:
    data = svg('<rect width="10" height="10"/>')
    for _ in range(depth):
        data = svg_image(data, "svg+xml")
    return data


def entities(levels: int = 9, each: int = 10) -> str:
    """A document type whose last entity unfolds to ``each`` to the power of ``levels`` words."""
    names = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * each}">' for n in range(1, levels + 1))
    return f'<!DOCTYPE svg [<!ENTITY e0 "lol">{names}]>'


def exif_bomb(entries: int = 20_000, each: int = MEGABYTE) -> bytes:
    """A directory whose every entry points to the same long text: megabytes that are gigabytes once copied."""
    start = 8 + 2 + 12 * entries + 4
    tags = [(number + 1, ASCII, each, start) for number in range(entries)]
    return b"Exif\0\0" + tiff(tags, b"a" * each)


def exif_deep(depth: int = 50_000) -> bytes:
    """Directories in directories (Exif in IFD0, and so on), and the last one leads back to the first."""
    one = 2 + 12 + 4
    parts = [b"II*\0" + struct.pack("<I", 8)]
    for number in range(depth):
        following = 8 + one * (number + 1) if number + 1 < depth else 8
        parts.append(struct.pack("<HHHIII", 1, 0x8769, LONG, 1, following, following))
    return b"Exif\0\0" + b"".join(parts)


def xmp_bomb() -> bytes:
    packet = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>&e9;</a></x:xmpmeta>'
    return (entities() + packet).encode()


def jxl_of_billions() -> bytes:
    """Two sides of 2^30: each is 2 bits that say 30 follow, and those."""
    bits = "0" + "11" + "1" * 30 + "000" + "11" + "1" * 30 + "1" * 12
    return b"\xff\x0a" + int(bits[::-1], 2).to_bytes(len(bits) // 8 + 1, "little")


def avif(frames: int) -> bytes:
    """A real one of so many frames."""
    buffer = io.BytesIO()
    image = Image.frombytes("RGB", (64, 64), pictures.photo(64, 64).write_to_memory())
    more = [image.rotate(number) for number in range(1, frames)]
    image.save(buffer, "AVIF", save_all=True, append_images=more, speed=10)
    return buffer.getvalue()


EXIF, RDF = (b"Exif", b""), (b"mime", b"application/rdf+xml\0")


@dataclass(frozen=True)
class Attack:
    """``end``: ``completed`` where what is drawn is harmless, else the code that refuses it. ``slow``: seconds."""

    name: str
    end: str
    make: Callable[[], bytes]
    slow: bool = False


@contextmanager
def file(data: bytes) -> Iterator[BinaryIO]:
    """It as a file in memory, with a descriptor as decoders need one."""
    with os.fdopen(os.memfd_create("input"), "w+b") as opened:
        opened.write(data)
        opened.flush()
        yield opened


def _sides(name: str) -> list[Attack]:
    ends = {65_535: "too-many-pixels", LARGE: "corrupt-image"}
    return [
        Attack(f"{name}, {side:,} squared in 7 kB", end, partial(iso_of, name, side, side))
        for side, end in ends.items()
    ]


def _grids(name: str, *, deep: str, many: str) -> list[Attack]:
    """``deep``: how grids in grids end; ``many``: how 200 pictures on one canvas do."""
    width, height = boxes.sides(pictures.sample(name))
    grid = partial(boxes.grid, name)
    square = (LARGE, LARGE)
    few = boxes.canvas(256, 255, square, [2] * 65_280, square)
    attacks = {
        "grid of 6 tiles": ("completed", lambda: grid(2, 3, (3 * width, 2 * height), boxes.tile(name))),
        "grid of 65,535 squared": ("too-many-pixels", lambda: grid(8, 8, (65_535, 65_535), boxes.tile(name))),
        "grid of 60,000 squared that says it is small": (
            "corrupt-image",
            lambda: grid(8, 8, (60_000, 60_000), boxes.tile(name), told=(width, height)),
        ),
        "grid of 100 megapixels and small tiles": ("corrupt-image", lambda: grid(8, 8, square, boxes.tile(name))),
        "grid whose tiles say they are large": (
            "corrupt-image",
            lambda: grid(2, 2, square, boxes.tile(name, (5000, 5000))),
        ),
        "grid of 65,280 tiles": ("corrupt-image", lambda: boxes.heif(name, [few, boxes.tile(name)])),
        "grids in a circle": ("corrupt-image", lambda: boxes.cycle(name, b"grid")),
        "pictures that are each other": ("corrupt-image", lambda: boxes.cycle(name, b"iden")),
        "200 grids in grids": (deep, lambda: boxes.nested(name, 200)),
        "200 pictures over each other": (many, lambda: boxes.overlay(name, 200, LARGE)),
    }
    return [Attack(f"{name}, {what}", end, make) for what, (end, make) in attacks.items()]


def _items(name: str, *, unfolded: str) -> list[Attack]:
    """Metadata of AVIF and HEIC. ``unfolded``: how XMP that is compressed ends."""
    long = b"II*\0" + b"e" * BIG
    picture = boxes.coded(name)
    attacks: dict[str, tuple[str, Callable[[], bytes]]] = {
        "EXIF that multiplies": ("completed", lambda: boxes.heif_with(name, (*EXIF, b"\0" * 4 + exif_bomb()[6:]))),
        "deep EXIF": ("completed", lambda: boxes.heif_with(name, (*EXIF, b"\0" * 4 + exif_deep()[6:]))),
        "EXIF of 4 MB, 30 times": ("too-much-metadata", lambda: boxes.heif_with(name, (*EXIF, long), times=30)),
        "200 EXIF of 120 MB": ("too-much-metadata", lambda: boxes.heif_with(name, (*EXIF, long), count=200, times=30)),
        "200 XMP of 4 MB": ("too-much-metadata", lambda: boxes.heif_with(name, (*RDF, b" " * BIG), count=200)),
        "30,000 items of EXIF": ("corrupt-image", lambda: boxes.heif_with(name, (*EXIF, b"II*\0"), count=30_000)),
        "XMP with entities": ("completed", lambda: boxes.heif_with(name, (*RDF, xmp_bomb() + b" " * BIG))),
        "XMP of 2 GB": (
            unfolded,
            lambda: boxes.heif_with(name, (b"mime", RDF[1] + b"deflate\0", deflated(32, 2000 * MEGABYTE))),
        ),
        "4 MB of profile": (
            "completed",
            lambda: boxes.heif(name, [boxes.coded(name, more=[boxes.profile(b"i" * BIG)])]),
        ),
        "100,000 properties": ("corrupt-image", lambda: boxes.heif(name, [picture], *[boxes.extents(1, 1)] * 100_000)),
        "a picture that is its bytes 1,000 times": (
            "corrupt-image",
            lambda: boxes.heif(name, [replace(picture, times=1000)]),
        ),
    }
    return [Attack(f"{name}, {what}", end, make) for what, (end, make) in attacks.items()]


def _texts(kind: bytes, head: bytes, megabytes: int, count: int = 1, byte: int = 0) -> Callable[[], bytes]:
    return lambda: png_with(*[chunk(kind, head % n + deflated(byte, megabytes * MEGABYTE)) for n in range(count)])


BOMBS = [
    Attack("jpeg, 65,500 squared in 1 kB", "too-many-pixels", partial(jpeg_of, 65_500, 65_500)),
    Attack("jpeg, 100 megapixels in 1 kB", "completed", partial(jpeg_of, LARGE, LARGE)),
    Attack("jpeg, progressive, 100 megapixels", "completed", partial(jpeg_of, LARGE, LARGE, progressive=True)),
    Attack("jpeg, of thousands of scans", "too-many-scans", partial(pictures.scans_bomb, 3000)),
    Attack("png, 60,000 squared in 1 kB", "too-many-pixels", partial(pictures.png_header, 60_000, 60_000)),
    Attack("png, 100 megapixels of nothing", "completed", lambda: png(LARGE, LARGE, zeros((LARGE * 3 + 1) * LARGE))),
    Attack("png, 100 megapixels in 1 kB", "corrupt-image", partial(pictures.png_header, LARGE, LARGE)),
    Attack(
        "png, interlaced, 100 megapixels of 64 bits",
        "corrupt-image",
        lambda: png(LARGE, LARGE, zeros(1000), depth=16, colour=6, interlace=1),
    ),
    Attack("png, pixels far beyond its size", "completed", lambda: png(10, 10, zeros(2000 * MEGABYTE))),
    Attack("png, 300 frames", "completed", partial(apng, 300, 1000)),
    Attack("webp, 16,384 squared in 7 kB", "corrupt-image", partial(webp_of, 16_384, 16_384)),
    Attack("webp, 100 megapixels in 7 kB", "corrupt-image", partial(webp_of, LARGE, LARGE)),
    Attack("webp, 10,000 frames", "animation-too-long", partial(webp_animated, 100, 10_000)),
    Attack("webp, 30 gigapixels in 300 frames", "too-many-pixels", partial(webp_animated, LARGE, 300)),
    Attack("webp, 99 megapixels in 11 frames", "completed", partial(webp_animated, 3000, 11)),
    Attack("gif, 65,535 squared", "completed", partial(gif, 65_535, 65_535, 1)),
    Attack("gif, 20,000 frames", "animation-too-long", partial(gif, 1, 1, 20_000)),
    Attack("gif, 300 frames of 65,535 squared", "too-many-pixels", partial(gif, 1, 1, 300, frame=(65_535, 65_535))),
    Attack("gif, 99 megapixels in 11 frames", "completed", partial(gif, 3000, 3000, 11, frame=(3000, 3000))),
    *_sides("avif"),
    *_sides("heic"),
    *_grids("avif", deep="corrupt-image", many="corrupt-image"),
    *_grids("heic", deep="completed", many="completed"),
    Attack("avif, 100 megapixels in 25 tiles and 2 kB", "completed", partial(boxes.avif_tiles, LARGE)),
    Attack("avif, 30 frames", "completed", partial(avif, 30)),
    Attack("tiff, 4 billion squared", "corrupt-image", partial(tiff_strip, 0xFFFFFFFF, 0xFFFFFFFF)),
    Attack("tiff, 100 megapixels in 200 bytes", "completed", partial(tiff_strip, LARGE, LARGE)),
    Attack("tiff, 100 megapixels of nothing", "completed", lambda: tiff_strip(LARGE, LARGE, 8, zeros(LARGE * LARGE))),
    Attack("tiff, 65,535 channels", "corrupt-image", partial(tiff_strip, 1000, 1000, 1, samples=65_535)),
    Attack("tiff, tiles of 400 megapixels", "corrupt-image", partial(tiff_tile, 10, 20_000)),
    Attack("tiff, tiles of 16 gigapixels", "corrupt-image", partial(tiff_tile, 10, 131_072)),
    Attack(
        "tiff, a strip of far more than its size", "completed", lambda: tiff_strip(10, 10, 8, zeros(2000 * MEGABYTE))
    ),
    Attack("tiff, 5,000 pages", "completed", partial(tiff_pages, 5000)),
    Attack("tiff, 20,000 pages", "completed", partial(tiff_pages, 20_000), slow=True),
    Attack("tiff, pages in a circle", "completed", partial(tiff_pages, 3, loop=True)),
    Attack("jxl, a billion squared in 10 bytes", "too-many-pixels", jxl_of_billions),
    Attack("jxl, 1,000 frames", "completed", partial(jxl_frames, 256, 1000)),
    Attack("jxl, a gigapixel in 250 frames", "completed", partial(jxl_frames, 2000, 250)),
    Attack("jxl, 4 gigapixels in 250 frames", "completed", partial(jxl_frames, 4000, 250), slow=True),
    Attack("svg, 900,000 squared", "too-many-pixels", lambda: svg("", size='width="900000" height="900000"')),
    Attack("svg, 100 megapixels", "completed", lambda: svg("<rect/>", size=f'width="{LARGE}" height="{LARGE}"')),
    Attack("svg, entities", "corrupt-image", lambda: svg("<text>&e9;</text>", before=entities())),
    Attack("svg, entities in an attribute", "corrupt-image", lambda: svg('<rect id="&e9;"/>', before=entities())),
    Attack(
        "svg, one long entity 10,000 times",
        "corrupt-image",
        lambda: svg(f"<text>{'&a;' * 10_000}</text>", before=f'<!DOCTYPE svg [<!ENTITY a "{"a" * 3000}">]>'),
    ),
    Attack("svg, ten billion circles by use", "corrupt-image", partial(svg_uses, 10), slow=True),
    Attack("svg, use of itself", "completed", lambda: svg('<g id="a"><use xlink:href="#a"/></g>')),
    Attack("svg, patterns in patterns", "completed", partial(svg_patterns, 8)),
    Attack("svg, filters", "completed", partial(svg_filters, 50)),
    Attack("svg, 100,000 elements in each other", "corrupt-image", lambda: svg("<g>" * 100_000 + "</g>" * 100_000)),
    Attack("svg, a path of 200,000 points", "completed", lambda: svg(f'<path d="M0 0{"l1 1-1 1" * 100_000}"/>')),
    Attack(
        "svg, a png of 3.6 gigapixels in it", "too-many-pixels", lambda: svg_image(pictures.png_header(60_000, 60_000))
    ),
    Attack(
        "svg, a png of 400 megapixels of nothing in it",
        "too-many-pixels",
        lambda: svg_image(png(20_000, 20_000, zeros(20_001 * 20_000), colour=0)),
    ),
    Attack(
        "svg in svg, a png of 400 megapixels in it",
        "too-many-pixels",
        lambda: svg_image(svg_image(png(20_000, 20_000, zeros(20_001 * 20_000), colour=0)), "svg+xml"),
    ),
    Attack("svg in svg in svg", "completed", partial(svg_in_svg, 20)),
    Attack("svg, compressed", "unsupported-format", lambda: gzip.compress(svg("<rect/>" * MEGABYTE))),
]

METADATA = [
    Attack(
        "jpeg, 4 MB of profile",
        "completed",
        lambda: jpeg_with(*[(0xE2, b"ICC_PROFILE\0" + bytes([n + 1, 60]) + b"i" * 65_000) for n in range(60)]),
    ),
    Attack("jpeg, EXIF that multiplies", "completed", lambda: jpeg_with((0xE1, exif_bomb(2700, 32_000)))),
    Attack("jpeg, deep EXIF", "completed", lambda: jpeg_with((0xE1, exif_deep(3000)))),
    Attack("jpeg, XMP with entities", "completed", lambda: jpeg_with((0xE1, XMP + xmp_bomb()))),
    Attack("jpeg, 20,000 comments", "completed", lambda: jpeg_with(*[(0xFE, b"c" * 200)] * 20_000)),
    Attack("png, a text of 2 GB", "too-much-metadata", _texts(b"zTXt", b"a%d\0\0", 2000)),
    Attack("png, XMP of 2 GB", "too-much-metadata", _texts(b"iTXt", b"XML:com.adobe.xmp%d\0\1\0\0\0", 2000)),
    Attack("png, 100 texts of 40 MB", "too-much-metadata", _texts(b"zTXt", b"a%d\0\0", 40, 100, 97)),
    Attack("png, 20 texts of 1 MB", "too-much-metadata", _texts(b"iTXt", b"a%d\0\1\0de\0Wort\0", 1, 20, 97)),
    Attack("png, texts of 10 MB", "completed", _texts(b"zTXt", b"a%d\0\0", 5, 2, 97)),
    Attack(
        "png, a profile of 2 GB", "completed", lambda: png_with(chunk(b"iCCP", b"icc\0\0" + zeros(2000 * MEGABYTE)))
    ),
    Attack(
        "png, 100,000 texts", "completed", lambda: png_with(*[chunk(b"tEXt", b"k%d\0v" % n) for n in range(100_000)])
    ),
    Attack("png, EXIF that multiplies", "completed", lambda: png_with(chunk(b"eXIf", exif_bomb()[6:]))),
    Attack("png, deep EXIF", "completed", lambda: png_with(chunk(b"eXIf", exif_deep()[6:]))),
    Attack("webp, EXIF that multiplies", "completed", lambda: webp_with((b"EXIF", exif_bomb()), flags=0x08)),
    Attack("webp, 4 MB of profile", "completed", lambda: webp_with((b"ICCP", b"i" * BIG), flags=0x20)),
    Attack("webp, XMP with entities", "completed", lambda: webp_with((b"XMP ", xmp_bomb() + b" " * BIG), flags=0x04)),
    Attack("gif, 4 MB of comments", "completed", lambda: pictures.sample("gif")[:-1] + COMMENT + b";"),
    *_items("avif", unfolded="completed"),
    *_items("heic", unfolded="corrupt-image"),
    Attack("jxl, EXIF that multiplies", "completed", lambda: boxes.jxl(boxes.box(b"Exif", b"\0" * 4, exif_bomb()[6:]))),
    Attack("jxl, deep EXIF", "completed", lambda: boxes.jxl(boxes.box(b"Exif", b"\0" * 4, exif_deep()[6:]))),
    Attack("jxl, XMP with entities", "completed", lambda: boxes.jxl(boxes.box(b"xml ", xmp_bomb(), b" " * BIG))),
    Attack("jxl, XMP that unfolds", "completed", partial(boxes.jxl_unfolding, 200 * MEGABYTE)),
    Attack("jxl, 100,000 boxes", "corrupt-image", lambda: boxes.jxl(*[boxes.box(b"xml ")] * 100_000)),
    Attack(
        "svg, a png with a text of 2 GB in it",
        "too-much-metadata",
        lambda: svg_image(_texts(b"zTXt", b"a%d\0\0", 2000)()),
    ),
    Attack(
        "svg, an avif with 200 EXIF of 120 MB in it",
        "too-much-metadata",
        lambda: svg_image(boxes.heif_with("avif", (*EXIF, b"II*\0" + b"e" * BIG), count=200, times=30), "avif"),
    ),
    Attack("tiff, entries that multiply", "corrupt-image", lambda: exif_bomb()[6:]),
    Attack(
        "tiff, 4 billion strips",
        "completed",
        lambda: tiff([*_picture(10, 10, 1), (273, LONG, MANY, 8), (279, LONG, MANY, 8)]),
    ),
    Attack(
        "tiff, a field of 4 GB",
        "completed",
        lambda: tiff([*_picture(10, 10, 1), (273, LONG, 1, 8), (279, LONG, 1, 8), (700, BYTE, MANY, 8)]),
    ),
    Attack("svg, 4 MB of metadata", "completed", lambda: svg(f"<metadata>{'m' * BIG}</metadata>")),
    Attack("svg, entities in its XMP", "corrupt-image", lambda: svg("<metadata>&e9;</metadata>", before=entities())),
]


def calling(url: str) -> dict[str, bytes]:
    """Files that name an address, by the way they do."""
    include = 'xmlns:xi="http://www.w3.org/2001/XInclude"'
    inside = svg(f'<image width="9" height="9" href="{url}/inside.png"/>')
    return {
        "image": svg(f'<image width="99" height="99" href="{url}/a.png"/>'),
        "image by xlink": svg(f'<image width="99" height="99" xlink:href="{url}/b.svg"/>'),
        "image in an image": svg_image(inside, "svg+xml"),
        "use": svg(f'<use xlink:href="{url}/c.svg#a"/>'),
        "filter": svg(f'<filter id="f"><feImage href="{url}/d.png"/></filter><rect filter="url(#f)"/>'),
        "style": svg(f'<style>@import url("{url}/e.css"); rect {{ fill: url({url}/f.svg#a) }}</style><rect/>'),
        "font": svg(f"<style>@font-face {{ font-family: x; src: url({url}/g.ttf) }}</style><text>x</text>"),
        "style sheet": svg("<rect/>", before=f'<?xml-stylesheet type="text/css" href="{url}/h.css"?>'),
        "XInclude": svg(f'<xi:include {include} href="{url}/i.svg"/>'),
        "XInclude of text": svg(f'<text><xi:include {include} href="{url}/j.txt" parse="text"/></text>'),
        "entity": svg("<text>&x;</text>", before=f'<!DOCTYPE svg [<!ENTITY x SYSTEM "{url}/k">]>'),
        "parameter entity": svg("<rect/>", before=f'<!DOCTYPE svg [<!ENTITY % x SYSTEM "{url}/l.dtd"> %x;]>'),
        "document type": svg("<rect/>", before=f'<!DOCTYPE svg SYSTEM "{url}/m.dtd">'),
        "MVG": f"push graphic-context\nimage over 0,0 9,9 '{url}/n.png'\npop graphic-context\n".encode(),
        "MSL": f'<?xml version="1.0"?><image><read filename="{url}/o.png"/></image>'.encode(),
    }


def naming(path: str) -> dict[str, bytes]:
    """Files that name another one, which ImageMagick would have read, or deleted (CVE-2022-44268, CVE-2016-3715 …)."""
    text = path.encode()
    found = {
        f"{kind.decode()}, {key.decode()}": png_with(chunk(kind, key + b"\0" + head + body))
        for key in (b"profile", b"Profile", b"Raw profile type icc")
        for kind, head, body in (
            (b"tEXt", b"", text),
            (b"zTXt", b"\0", zlib.compress(text)),
            (b"iTXt", b"\0\0\0\0", text),
        )
    }
    for coder in ("ephemeral", "msl", "mvg", "text", "caption", "label", "inline", "file", "pango"):
        found[f"{coder}, in words"] = f"{coder}:{path}".encode()
        found[f"{coder}, by an svg"] = svg(f'<image width="9" height="9" xlink:href="{coder}:{path}"/>')
        found[f"{coder}, by MVG"] = f"push graphic-context\nimage over 0,0 9,9 '{coder}:{path}'\n".encode()
    for name in ("label:@", "text:@", "@", "caption:@"):
        found[f"{name} in words"] = f"{name}{path}".encode()
    include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{path}" parse="text"/>'
    found["XInclude"] = svg(f"<text>{include}</text>")
    return found


HTML = b"<html><script>alert(document.domain)</script></html>"
PHAR = b"<?php __HALT_COMPILER(); ?>\r\n" + struct.pack("<I", 50) + b"\0" * 60 + b"GBMB"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\ntrailer<</Root 1 0 R>>"
JAVASCRIPT = b"*/=1;alert(document.domain)//"


def archive() -> bytes:
    """A ZIP, which is read from its end: it may follow anything."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("index.html", HTML)
    return buffer.getvalue()


OTHERS = {"html": HTML, "phar": PHAR, "pdf": PDF, "javascript": JAVASCRIPT, "zip": archive()}

#: Two things at once, by what a careless reader takes it for; what one of ours takes it for is told by its end.
MASKED = [
    Attack("html before a jpeg", "unsupported-format", lambda: HTML + pictures.jpeg(64, 36)),
    Attack("html with an svg in it", "unsupported-format", lambda: b"<html>" + svg(SCRIPT) + b"</html>"),
    Attack("zip before a png", "unsupported-format", lambda: archive() + pictures.sample("png")),
    Attack("javascript that begins as a gif", "corrupt-image", lambda: b"GIF89a/*" + JAVASCRIPT),
    Attack("html that begins as a jpeg", "corrupt-image", lambda: b"\xff\xd8\xff\xe0" + HTML),
    Attack("html that begins as a png", "corrupt-image", lambda: PNG + HTML),
    Attack("html in a jpeg's comment", "completed", lambda: jpeg_with((0xFE, HTML))),
    Attack("pdf in a jpeg's comment", "completed", lambda: jpeg_with((0xFE, PDF))),
    Attack("phar in a jpeg's EXIF", "completed", lambda: jpeg_with((0xE1, b"Exif\0\0" + PHAR))),
    Attack("html in a png's text", "completed", lambda: png_with(chunk(b"tEXt", b"Comment\0" + HTML))),
    Attack(
        "html in a gif's comment",
        "completed",
        lambda: pictures.sample("gif")[:-1] + b"\x21\xfe" + bytes([len(HTML)]) + HTML + b"\0;",
    ),
    Attack("svg with a script", "completed", lambda: svg(SCRIPT)),
    Attack("svg with html in it", "completed", lambda: svg(f"<foreignObject>{HTML.decode()}</foreignObject>")),
    Attack("MVG, ImageTragick's", "unsupported-format", lambda: MVG),
    Attack(
        "MSL, ImageTragick's",
        "unsupported-format",
        lambda: b'<?xml version="1.0"?><image><read filename="/etc/passwd"/></image>',
    ),
    Attack(
        "svg that names MVG's coders", "completed", lambda: svg('<image xlink:href="msl:/tmp/x" width="9" height="9"/>')
    ),
    Attack("postscript", "unsupported-format", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n(%pipe%id) (w) file"),
]
