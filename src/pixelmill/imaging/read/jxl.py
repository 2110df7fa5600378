"""JPEG XL by imagecodecs (libjxl). It has no call for the header alone, and the size must be judged before a decode,
so the few bits that say it are read here: ISO/IEC 18181-1, Annex D (size header, then the orientation).
"""

from __future__ import annotations

from typing import Any

import pyvips

from pixelmill.errors import PixelmillError
from pixelmill.imaging import vips

WORKING = 40
"""Bytes a pixel that libjxl works with: three planes of 32-bit numbers, twice, and the result."""

_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


class _Bits:
    """Bits from the lowest of each byte up."""

    def __init__(self, data: bytes) -> None:
        self.value = int.from_bytes(data, "little")
        self.left = len(data) * 8

    def take(self, count: int) -> int:
        self.left -= count
        if self.left < 0:
            raise PixelmillError("corrupt-image", "The JPEG XL ends in its header.")
        taken = self.value & ((1 << count) - 1)
        self.value >>= count
        return taken


def header(data: Any) -> dict[str, Any]:
    """``width`` and ``height`` upright, ``alpha`` unknown before decoding: taken for granted."""
    bits = _Bits(_codestream(data))
    small = bits.take(1)

    def side() -> int:
        return (bits.take(5) + 1) * 8 if small else bits.take((9, 13, 18, 30)[bits.take(2)]) + 1

    height = side()
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio - 1]
        width = height * across // down
    else:
        width = side()
    orientation = 1
    if not bits.take(1) and bits.take(1):  # not all defaults, and has extra fields
        orientation = bits.take(3) + 1
    if orientation >= 5:
        width, height = height, width
    return {"width": width, "height": height, "alpha": True, "icc": None, "exif": None}


def _codestream(data: Any) -> bytes:
    """The first bytes of the codestream, bare or in its box."""
    if data[:2] == b"\xff\x0a":
        return bytes(data[2:66])
    at = 0
    for _ in range(64):
        size, kind, start = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8]), at + 8
        if size == 1:
            size, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        if kind == b"jxlp":
            start += 4  # its index
        if kind in (b"jxlc", b"jxlp") and data[start : start + 2] == b"\xff\x0a":
            return bytes(data[start + 2 : start + 66])
        if size < 8 or at + size >= len(data):
            break
        at += size
    raise PixelmillError("corrupt-image", "The JPEG XL has no image in it.")


def load(data: Any) -> pyvips.Image:
    """The first frame at full size, upright."""
    import imagecodecs
    import numpy

    try:
        pixels = imagecodecs.jpegxl_decode(bytes(data), index=0, numthreads=1)  # the others are not even decoded
    except MemoryError:
        raise
    except Exception as error:  # imagecodecs' own error classes share no base
        size = header(data)
        if vips.short_of(size["width"] * size["height"] * WORKING):
            raise PixelmillError("out-of-memory") from error
        raise PixelmillError("corrupt-image", f"The JPEG XL cannot be read: {error}.") from error
    if pixels.dtype not in (numpy.uint8, numpy.uint16):
        pixels = (numpy.clip(pixels.astype(numpy.float32), 0, 1) * 255 + 0.5).astype(numpy.uint8)
    height, width = pixels.shape[:2]
    bands = pixels.shape[2] if pixels.ndim == 3 else 1
    deep = pixels.dtype == numpy.uint16
    image = pyvips.Image.new_from_memory(
        numpy.ascontiguousarray(pixels).tobytes(), width, height, bands, "ushort" if deep else "uchar"
    )
    grey, colour = ("grey16", "rgb16") if deep else ("b-w", "srgb")
    return image.copy(interpretation=colour if bands >= 3 else grey)
