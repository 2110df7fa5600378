"""What an output format is, and what its encoder is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyvips

    from pixelmill.recipes import Output


STRIP, KEEP_EXIF, KEEP_XMP, KEEP_IPTC, KEEP_ICC, KEEP_OTHER = 0, 1, 2, 4, 8, 16
"""libvips' VipsForeignKeep: what of the metadata is written, or-ed together."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """One encode. ``quality`` is 1 to 100; None is lossless. ``keep`` says what metadata is written.

    ``squeeze``: the quality was chosen for this image by its look or size, so the encoder may choose its own tables."""

    quality: float | None
    output: Output
    keep: int = STRIP
    squeeze: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """``longest``: most pixels a side; ``quality``: what it gets when none is asked for (None: it has none)."""

    name: str
    extension: str
    content_type: str
    encode: Callable[[pyvips.Image, Encoding], bytes]
    quality: int | None
    alpha: bool = True
    animation: bool = False
    lossless: bool = False
    longest: int = 65_535


def scale(value: int | None, default: int, most: int) -> int:
    """An effort of 0 to 10 on a library's own scale of 0 to ``most``."""
    return default if value is None else round(value * most / 10)
