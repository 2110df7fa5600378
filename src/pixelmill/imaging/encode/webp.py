"""WebP, still or animated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pixelmill.imaging.encode._format import Encoding, Format, scale

if TYPE_CHECKING:
    import pyvips


def encode(image: pyvips.Image, encoding: Encoding) -> bytes:
    output = encoding.output
    lossless = encoding.quality is None
    effort = {"fast": 2, "balanced": 4, "small": 6}[output.mode] if encoding.squeeze else 4
    careful = output.subsampling == "4:4:4" or (output.effort or 0) >= 7
    careful = careful or (encoding.squeeze and output.mode == "small")
    data: bytes = image.webpsave_buffer(
        Q=round(encoding.quality or 75),
        lossless=lossless,
        effort=scale(output.effort, effort, 6),
        smart_subsample=careful,
        keep=encoding.keep,
    )
    return data


FORMAT = Format("webp", "webp", "image/webp", encode, quality=80, animation=True, lossless=True, longest=16_383)
