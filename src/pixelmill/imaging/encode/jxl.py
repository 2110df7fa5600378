"""JPEG XL by imagecodecs (libjxl)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pixelmill.imaging.encode._format import Encoding, Format, scale

if TYPE_CHECKING:
    import pyvips


def encode(image: pyvips.Image, encoding: Encoding) -> bytes:
    import imagecodecs

    pixels = image.numpy()
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    lossless = encoding.quality is None
    return bytes(
        imagecodecs.jpegxl_encode(
            pixels,
            distance=None if encoding.quality is None else distance(encoding.quality),
            lossless=lossless,
            effort=max(1, scale(encoding.output.effort, 4, 9)),
            numthreads=1,
        )
    )


def distance(quality: float) -> float:
    """libjxl's own map from a JPEG-like quality to its perceptual distance (``JxlEncoderDistanceFromQuality``)."""
    if quality >= 100:
        return 0.0
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53 / 3000 * quality * quality - 23 / 20 * quality + 25


FORMAT = Format("jxl", "jxl", "image/jxl", encode, quality=75, lossless=True, longest=1_000_000)
