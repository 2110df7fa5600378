"""PNG: lossless, or with a palette by imagequant when ``colours`` or a quality is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pixelmill.imaging.encode._format import Encoding, Format, scale

if TYPE_CHECKING:
    import pyvips


def encode(image: pyvips.Image, encoding: Encoding) -> bytes:
    output = encoding.output
    options: dict[str, Any] = {"compression": scale(output.effort, 6, 9), "interlace": bool(output.progressive)}
    if not output.lossless and (output.colours or encoding.quality is not None):
        bits = next(bits for bits in (1, 2, 4, 8) if 2**bits >= (output.colours or 256))
        options |= {"palette": True, "bitdepth": bits, "Q": round(encoding.quality or 100), "dither": 1.0}
        options["effort"] = max(1, scale(output.effort, 7, 10))
    data: bytes = image.pngsave_buffer(keep=encoding.keep, **options)
    return data


FORMAT = Format("png", "png", "image/png", encode, quality=None, lossless=True, longest=1_000_000)
