"""HEIF files of any items: what AVIF and HEIC are made of (ISO/IEC 23008-12), and JPEG XL's container of boxes.

The pixels are those of real samples; what is around them says what it is told to.
"""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from tests import pictures

#: Of a format: its brand, the kind of its coded items, and the property that configures their decoder.
_KINDS = {"avif": (b"avif", b"av01", b"av1C"), "heic": (b"heic", b"hvc1", b"hvcC")}


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box that has a version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def extents(width: int, height: int) -> bytes:
    """How large an item says it is."""
    return full(b"ispe", 0, 0, struct.pack(">II", width, height))


def profile(data: bytes) -> bytes:
    return box(b"colr", b"prof", data)


@dataclass(frozen=True)
class Item:
    """``refers``: kind of reference and the numbers of other items, which count from 1. ``times``: it is made of so
    many extents that are all its ``data``."""

    kind: bytes
    data: bytes
    properties: Sequence[bytes] = ()
    refers: tuple[bytes, Sequence[int]] | None = None
    more: bytes = b""
    times: int = 1
    hidden: bool = False


def heif(name: str, items: Sequence[Item], *properties: bytes) -> bytes:
    """A file of the format ``name``, whose first item is the picture. ``properties`` are there for nobody."""
    brand = _KINDS[name][0]
    datas = list(dict.fromkeys(item.data for item in items))
    used = list(dict.fromkeys(one for item in items for one in item.properties))
    named = b"".join(
        full(b"infe", 2, int(item.hidden), struct.pack(">HH4s", number, 0, item.kind), b"\0", item.more)
        for number, item in enumerate(items, 1)
    )
    uses = b"".join(
        struct.pack(">HB", number, len(item.properties))
        + b"".join(struct.pack(">H", used.index(one) + 1) for one in item.properties)
        for number, item in enumerate(items, 1)
    )
    referring = b"".join(
        box(item.refers[0], struct.pack(f">HH{len(item.refers[1])}H", number, len(item.refers[1]), *item.refers[1]))
        for number, item in enumerate(items, 1)
        if item.refers
    )

    def meta(start: int) -> bytes:
        ends = itertools.accumulate(map(len, datas), initial=start)
        at = dict(zip(datas, ends, strict=False))
        places = [
            struct.pack(">HHHH", number, 0, 0, item.times)
            + struct.pack(">II", at[item.data], len(item.data)) * item.times
            for number, item in enumerate(items, 1)
        ]
        return full(
            b"meta",
            0,
            0,
            full(b"hdlr", 0, 0, b"\0" * 4 + b"pict" + b"\0" * 13),
            full(b"pitm", 0, 0, struct.pack(">H", 1)),
            full(b"iloc", 1, 0, b"\x44\0", struct.pack(">H", len(items)), *places),
            full(b"iinf", 0, 0, struct.pack(">H", len(items)), named),
            full(b"iref", 0, 0, referring),
            box(
                b"iprp",
                box(b"ipco", *used, *properties),
                full(b"ipma", 0, 1, struct.pack(">I", len(items)), uses),
            ),
        )

    head = box(b"ftyp", brand, b"\0" * 4, b"mif1", brand, b"miaf")
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + box(b"mdat", *datas)


def coded(
    name: str,
    *,
    sample: bytes | None = None,
    told: tuple[int, int] | None = None,
    more: Sequence[bytes] = (),
    hidden: bool = False,
) -> Item:
    """The picture in a real file, the format's sample if none is given. ``told``: how large it says it is."""
    sample = sample or pictures.sample(name)
    _, kind, configuration = _KINDS[name]
    at = sample.index(configuration) - 4
    (length,) = struct.unpack_from(">I", sample, at)
    data = sample[sample.index(b"mdat") + 4 :]
    return Item(kind, data, (sample[at : at + length], extents(*(told or sides(sample))), *more), hidden=hidden)


def sides(sample: bytes) -> tuple[int, int]:
    """Width and height of a file of one item, by its own box."""
    width, height = struct.unpack_from(">II", sample, sample.index(b"ispe") + 8)
    return width, height


def canvas(rows: int, columns: int, size: tuple[int, int], refers: Sequence[int], told: tuple[int, int]) -> Item:
    """The item of a grid: so large a canvas, put together of these items."""
    data = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, *size)
    return Item(b"grid", data, (extents(*told),), (b"dimg", refers))


def grid(
    name: str, rows: int, columns: int, size: tuple[int, int], tile: Item, *, told: tuple[int, int] | None = None
) -> bytes:
    """A picture put together of tiles that are all alike. ``told``: the size that its property tells instead."""
    count = rows * columns
    return heif(name, [canvas(rows, columns, size, range(2, count + 2), told or size), *[tile] * count])


def tile(name: str, told: tuple[int, int] | None = None) -> Item:
    return coded(name, told=told, hidden=True)


def cycle(name: str, kind: bytes) -> bytes:
    """Two pictures that are each made of the other: grids of one tile, or the same once more (`iden`)."""
    size = sides(pictures.sample(name))
    there, back = (canvas(1, 1, size, [number], size) for number in (2, 1))
    if kind == b"iden":
        there, back = (Item(kind, b"", one.properties, one.refers) for one in (there, back))
    return heif(name, [there, back])


def nested(name: str, depth: int) -> bytes:
    """Grids of one tile, each the tile of the one before."""
    size = sides(pictures.sample(name))
    return heif(name, [*(canvas(1, 1, size, [n + 2], size) for n in range(depth)), tile(name)])


def overlay(name: str, count: int, side: int) -> bytes:
    """So many pictures on one canvas."""
    data = struct.pack(">BB4HII", 0, 1, 0, 0, 0, 0, side, side) + b"\0" * 8 * count
    whole = Item(b"iovl", data, (extents(side, side),), (b"dimg", range(2, count + 2)))
    return heif(name, [whole, *[tile(name)] * count])


def heif_with(name: str, *items: tuple[bytes, bytes, bytes], count: int = 1, times: int = 1) -> bytes:
    """A real picture with items of metadata: their kind, what else is said of it, and their bytes, so many ``times``;
    each ``count`` times."""
    more = [Item(kind, data, (), (b"cdsc", [1]), said, times) for kind, said, data in items]
    return heif(name, [coded(name), *more * count])


def avif_tiles(side: int) -> bytes:
    """A black square in 25 tiles and 2 kB."""
    buffer = io.BytesIO()
    Image.new("RGB", (side // 5, side // 5)).save(buffer, "AVIF", speed=10)
    return grid("avif", 5, 5, (side, side), coded("avif", sample=buffer.getvalue(), hidden=True))


def jxl(*boxes: bytes) -> bytes:
    """The sample's codestream in a container, behind these boxes."""
    signature = box(b"JXL ", b"\r\n\x87\n")
    return b"".join((signature, box(b"ftyp", b"jxl \0\0\0\0jxl "), *boxes, box(b"jxlc", pictures.sample("jxl"))))


def jxl_unfolding(count: int) -> bytes:
    """A box of XML that is so many bytes once Brotli unfolds it."""
    import imagecodecs

    return jxl(box(b"brob", b"xml ", bytes(imagecodecs.brotli_encode(b" " * count, level=1))))
