"""GIF, still or animated, by cgif; its palette by imagequant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pixelmill.imaging.encode._format import Encoding, Format, scale

if TYPE_CHECKING:
    import pyvips


def encode(image: pyvips.Image, encoding: Encoding) -> bytes:
    output = encoding.output
    bits = next(bits for bits in range(1, 9) if 2**bits >= (output.colours or 256))
    data: bytes = image.gifsave_buffer(
        effort=max(1, scale(output.effort, 4, 10)), bitdepth=bits, dither=1.0, keep=encoding.keep
    )
    return data


FORMAT = Format("gif", "gif", "image/gif", encode, quality=None, animation=True, longest=65_535)
