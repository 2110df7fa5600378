"""What a picture looks like, in a few bytes: its colours, a stand-in while it loads, a fingerprint."""

from __future__ import annotations

import base64
import io
from typing import Any

import pyvips
from PIL import Image

from pixelmill.imaging.steps._pixels import as_rgb

SIDE = 64
#: Pixels in a row that are looked at for each that is left.
PICKED = 3
COLOURS = 6
#: Pixels to a side for the palette: its time goes with their number.
FEW = 32
#: Pixels to a side for the BlurHash: it keeps at most four waves of them, and its library takes a time for each.
TINY = 12


def facts(image: pyvips.Image) -> dict[str, Any]:
    """Facts on an sRGB image, JSON-ready: ``palette`` and ``colour`` (``#rrggbb``, most frequent first),
    ``blurhash``, ``thumbhash`` (base64), ``preview`` (a data URI of a tiny WebP), ``hash`` (64 bits as hex: two
    pictures that look alike differ in few of them).
    """
    import fast_thumbhash

    seen = _small(image).convert("RGBA")
    opaque = Image.new("RGB", seen.size, "white")
    opaque.paste(seen, mask=seen)
    palette = _palette(opaque)
    thumbhash = fast_thumbhash.rgba_to_thumb_hash(seen.width, seen.height, seen.tobytes())
    return {
        "colour": palette[0],
        "palette": palette,
        "blurhash": _blurhash(opaque),
        "thumbhash": base64.b64encode(bytes(thumbhash)).decode(),
        "preview": _preview(opaque if _solid(seen) else seen),
        "hash": fingerprint(opaque),
    }


def _small(image: pyvips.Image) -> Image.Image:
    """The picture at :data:`SIDE` pixels, in half the time that libvips needs for all of its pixels.

    Of a large one only some are looked at; and the rest is Pillow's, which is ready before a pipeline is put together.
    """
    image = as_rgb(image).cast("uchar")
    factor = max(image.width, image.height) / SIDE
    across, down = (_every(side, side / factor) for side in (image.width, image.height))
    if max(across, down) > 1:
        image = image.subsample(across, down)
    mode = "RGBA" if image.hasalpha() else "RGB"
    picture = Image.frombytes(mode, (image.width, image.height), bytes(image.write_to_memory()))
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return picture


def _every(pixels: int, left: float) -> int:
    """Every which of a row of pixels is looked at, where so many are ``left`` in the end: :data:`PICKED` for each.

    No multiple of 2 or 3: of a pattern that repeats (dither, raster, chequers) it would see the same place each time.
    """
    step = round(pixels / (PICKED * max(left, 1)))
    while step > 1 and (step % 2 == 0 or step % 3 == 0):
        step -= 1
    return max(step, 1)


def _blurhash(picture: Image.Image) -> str:
    import blurhash

    wide = picture.width >= picture.height
    tiny = picture.resize((TINY, TINY)).tobytes()
    line = 3 * TINY
    rows = [[tiny[at : at + 3] for at in range(start, start + line, 3)] for start in range(0, TINY * line, line)]
    return str(blurhash.encode(rows, components_x=4 if wide else 3, components_y=3 if wide else 4))


def _preview(picture: Image.Image) -> str:
    """A data URI of at most about 300 bytes, to be shown blurred and enlarged."""
    tiny, data = picture.copy(), io.BytesIO()
    tiny.thumbnail((16, 16), Image.Resampling.LANCZOS)
    tiny.save(data, "WEBP", quality=30, method=4)
    return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode()


def fingerprint(picture: Image.Image) -> str:
    """The difference hash: is each of 8 by 8 pixels darker than its right neighbour (N. Krawetz, 2013)."""
    values = picture.convert("L").resize((9, 8), Image.Resampling.LANCZOS).tobytes()
    bits = 0
    for row in range(8):
        for column in range(8):
            bits = bits << 1 | (values[row * 9 + column] < values[row * 9 + column + 1])
    return f"{bits:016x}"


def _solid(picture: Image.Image) -> bool:
    return set(picture.getchannel("A").tobytes()) <= {255}


def _palette(picture: Image.Image) -> list[str]:
    """The most frequent colours, by median cut."""
    few = picture.copy()
    few.thumbnail((FEW, FEW), Image.Resampling.BOX)
    indexed: Any = few.quantize(COLOURS)
    table = indexed.getpalette()
    counts = sorted(indexed.getcolors(), reverse=True)
    return [f"#{table[i * 3]:02x}{table[i * 3 + 1]:02x}{table[i * 3 + 2]:02x}" for _, i in counts]
