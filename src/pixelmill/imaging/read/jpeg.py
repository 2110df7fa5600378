"""JPEG in its colours by libjpeg-turbo as it is: the pixels that libvips reads with it too, in a sixth less time.

libvips passes what the decoder gives on line by line, which saves memory where the picture is large, and costs where
its decoder shrinks it.
"""

from __future__ import annotations

from math import ceil
from typing import Any

import pyvips

from pixelmill.imaging.read import beside

_COLOURS = {1: "GRAY", 3: "RGB"}
#: Pixels of the largest that is read here, after its reduction: it lies in memory whole.
_MOST = 25_000_000
#: Pixels a millimetre: libvips complains to the log of more, and a file may say anything.
_DENSEST = 1_000_000.0
#: Baseline, extended and progressive, by Huffman's codes (ITU-T T.81, table B.1).
_PLAIN = (0xC0, 0xC1, 0xC2)
#: What may come before: tables, the restart interval, what belongs to applications, comments.
_BEFORE = {0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE}
#: As many segments as no real file has before its frame: a profile takes one for 64 kB.
_MOST_BEFORE = 1_000
#: Pixels of the shorter side up to which libjpeg-turbo might reduce by too little and yet come to the same size: it
#: takes the largest of its eighths that fits.
_TINY = 8


def load(data: Any, header: pyvips.Image, reduction: int) -> pyvips.Image | None:
    """The image at one ``reduction``th (1, 2, 4 or 8) of its size, as stored, with what libvips found beside pixels.

    None: libvips is to read it. So too when anything is wrong with it: then libvips says what, or reads it anyway.
    """
    import simplejpeg

    width, height = ceil(header.width / reduction), ceil(header.height / reduction)
    if header.bands not in _COLOURS or width * height > _MOST or not is_plain(data):
        return None
    if reduction > 1 and min(header.width, header.height) <= _TINY:
        return None
    try:
        pixels = simplejpeg.decode_jpeg(
            data, _COLOURS[header.bands], min_width=width, min_height=height, min_factor=reduction, strict=True
        )
    except (ValueError, MemoryError, RuntimeError):  # RuntimeError: no memory for the decoder itself
        return None
    if pixels.shape != (height, width, header.bands):
        return None
    image = pyvips.Image.new_from_memory(pixels.data, width, height, header.bands, "uchar")
    # As libvips does: what is left of a row or column is not stretched to a whole one.
    image = image.crop(0, 0, max(1, header.width // reduction), max(1, header.height // reduction))
    # And a pipeline keeps hold of the pixels, which an image of somebody's memory alone would not once it is copied.
    xres, yres = (min(one, _DENSEST) for one in (header.xres, header.yres))
    image = image.copy(interpretation=header.interpretation, xres=xres, yres=yres)
    beside.carry(header, image)
    return image


def is_plain(data: Any) -> bool:
    """Whether it is one of those three kinds in 8 bits, told by markers that leave no doubt.

    simplejpeg 1.9 has libjpeg-turbo write a lossless picture, which it cannot reduce, into the room for a reduced one.
    """
    at = 2
    for _ in range(_MOST_BEFORE):
        if at + 10 > len(data) or data[at] != 0xFF:
            return False
        kind, length = data[at + 1], data[at + 2] << 8 | data[at + 3]
        if kind in _PLAIN:
            return bool(data[at + 4] == 8)
        if kind not in _BEFORE or length < 2:
            return False
        at += 2 + length
    return False
