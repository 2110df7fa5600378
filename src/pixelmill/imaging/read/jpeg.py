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
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SEGMENTS = {*range(0xC0, 0xFF)} - {*range(0xD0, 0xDA)}


def load(data: Any, header: pyvips.Image, reduction: int) -> pyvips.Image | None:
    """The image at one ``reduction``th (1, 2, 4 or 8) of its size, as stored, with what libvips found beside pixels.

    None: libvips is to read it. So too when anything is wrong with it: then libvips says what, or reads it anyway.
    """
    import simplejpeg

    width, height = ceil(header.width / reduction), ceil(header.height / reduction)
    if header.bands not in _COLOURS or width * height > _MOST or not is_plain(data):
        return None
    try:
        pixels = simplejpeg.decode_jpeg(
            data, _COLOURS[header.bands], min_width=width, min_height=height, min_factor=reduction, strict=True
        )
    except (ValueError, MemoryError):
        return None
    if pixels.shape != (height, width, header.bands):
        return None
    image = pyvips.Image.new_from_memory(pixels.data, width, height, header.bands, "uchar")
    # As libvips does: what is left of a row or column is not stretched to a whole one.
    image = image.crop(0, 0, max(1, header.width // reduction), max(1, header.height // reduction))
    xres, yres = (min(one, _DENSEST) for one in (header.xres, header.yres))
    image = image.copy(interpretation=header.interpretation, xres=xres, yres=yres)
    beside.carry(header, image)
    return image


def is_plain(data: Any) -> bool:
    """Whether it is one of those three kinds in 8 bits, told by markers that leave no doubt.

    simplejpeg 1.9 has libjpeg-turbo write a lossless picture, which it cannot reduce, into the room for a reduced one.
    """
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF and data[at + 1] in _SEGMENTS:
        if data[at + 1] in _FRAMES:
            return data[at + 1] in _PLAIN and data[at + 4] == 8
        length = data[at + 2] << 8 | data[at + 3]
        if length < 2:
            return False
        at += 2 + length
    return False
