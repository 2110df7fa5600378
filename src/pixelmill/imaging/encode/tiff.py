"""TIFF: lossless (deflate with a predictor), or JPEG inside when a quality is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pixelmill.imaging.encode._format import Encoding, Format

if TYPE_CHECKING:
    import pyvips


def encode(image: pyvips.Image, encoding: Encoding) -> bytes:
    options: dict[str, Any] = {"compression": "deflate", "predictor": "horizontal"}
    if encoding.quality is not None and image.format == "uchar" and not image.hasalpha():
        options = {"compression": "jpeg", "Q": round(encoding.quality)}
    data: bytes = image.tiffsave_buffer(keep=encoding.keep, **options)
    return data


FORMAT = Format("tiff", "tiff", "image/tiff", encode, quality=None, lossless=True, longest=1_000_000)
