"""What a picture looks like, in a few bytes: its colours, a stand-in while it loads, a fingerprint."""

from __future__ import annotations

import base64
from typing import Any

import pyvips

from pixelmill.imaging.steps._pixels import as_rgb

SIDE = 64
COLOURS = 6


def facts(image: pyvips.Image) -> dict[str, Any]:
    """Facts on an sRGB image, JSON-ready: ``palette`` and ``colour`` (``#rrggbb``, most frequent first),
    ``blurhash``, ``thumbhash`` (base64), ``preview`` (a data URI of a tiny WebP), ``hash`` (64 bits as hex: two
    pictures that look alike differ in few of them).
    """
    import blurhash
    import fast_thumbhash
    from PIL import Image

    small = as_rgb(image).thumbnail_image(SIDE, height=SIDE, size="down", no_rotate=True)
    small = (small if small.hasalpha() else small.addalpha()).cast("uchar").copy_memory()
    pixels = bytes(small.write_to_memory())
    opaque = small.flatten(background=[255, 255, 255]).cast("uchar").copy_memory()
    picture = Image.frombytes("RGB", (opaque.width, opaque.height), bytes(opaque.write_to_memory()))
    palette = _palette(picture)
    wide = opaque.width >= opaque.height
    tiny = picture.resize((24, 24))
    rows = [[tiny.getpixel((x, y)) for x in range(24)] for y in range(24)]
    thumbhash = fast_thumbhash.rgba_to_thumb_hash(small.width, small.height, pixels)
    return {
        "colour": palette[0],
        "palette": palette,
        "blurhash": blurhash.encode(rows, components_x=4 if wide else 3, components_y=3 if wide else 4),
        "thumbhash": base64.b64encode(bytes(thumbhash)).decode(),
        "preview": preview(small),
        "hash": fingerprint(opaque),
    }


def preview(small: pyvips.Image) -> str:
    """A data URI of at most about 300 bytes, to be shown blurred and enlarged."""
    tiny = small.thumbnail_image(16, height=16, size="down", no_rotate=True)
    data = tiny.webpsave_buffer(Q=30, effort=4, keep=0)
    return "data:image/webp;base64," + base64.b64encode(data).decode()


def fingerprint(image: pyvips.Image) -> str:
    """The difference hash: is each of 8 by 8 pixels darker than its right neighbour (N. Krawetz, 2013)."""
    grey = image.colourspace("b-w") if image.bands >= 3 else image
    grey = grey.extract_band(0).thumbnail_image(9, height=8, size="force", no_rotate=True).cast("uchar")
    values = bytes(grey.write_to_memory())
    bits = 0
    for row in range(8):
        for column in range(8):
            bits = bits << 1 | (values[row * 9 + column] < values[row * 9 + column + 1])
    return f"{bits:016x}"


def _palette(picture: Any) -> list[str]:
    """The most frequent colours, by median cut."""
    indexed = picture.quantize(COLOURS)
    table = indexed.getpalette()
    counts = sorted(indexed.getcolors(), reverse=True)
    return [f"#{table[i * 3]:02x}{table[i * 3 + 1]:02x}{table[i * 3 + 2]:02x}" for _, i in counts]
