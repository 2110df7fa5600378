"""What imaging is told and what it tells: plain values that cross the process boundary."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelmill.settings import Settings

#: Bytes of a file, where nothing else is said.
MOST_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds checked on the header before a pixel is decoded, and on what is asked for.

    Units: bytes, pixels (frames counted in), frames, pixels a side, factor, seconds.
    """

    max_bytes: int = MOST_BYTES
    max_pixels: int = 100_000_000
    max_dimension: int = 32_000
    max_frames: int = 300
    max_scans: int = 100
    max_output_pixels: int = 50_000_000
    max_enlargement: float = 8.0
    seconds: float = 120.0
    memory_bytes: int = 3 * 1024**3

    @classmethod
    def of(cls, settings: Settings, *, max_bytes: int = MOST_BYTES) -> Limits:
        """As set; ``max_bytes`` apart, for a file on this machine may be larger than one that is uploaded."""
        return cls(
            max_bytes=max_bytes,
            max_pixels=settings.max_pixels,
            max_dimension=settings.max_dimension,
            max_frames=settings.max_frames,
            max_output_pixels=settings.max_output_pixels,
            max_enlargement=settings.max_enlargement,
            seconds=settings.image_seconds,
            memory_bytes=settings.decoder_memory_bytes,
        )


@dataclass(frozen=True, slots=True)
class Inspected:
    """The header was read: ``format`` (``jpeg``), ``width`` by ``height`` upright, in pixels, ``frames``, ``bytes``.

    ``facts`` is JSON-ready: safe EXIF, palette, placeholders, perceptual hash.
    """

    format: str
    width: int
    height: int
    frames: int
    bytes: int
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """A variant is made. ``quality`` is the number the encoder got (None for lossless)."""

    variant: str
    data: bytes | memoryview
    format: str
    extension: str
    content_type: str
    width: int
    height: int
    quality: float | None
    seconds: float
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a variant is, 0 to 100."""

    variant: str
    percent: int


@dataclass(frozen=True, slots=True)
class NotMade:
    """A variant that cannot be made (code from ``errors.CODES``), while its siblings may be."""

    variant: str
    code: str
    reason: str
    traceback: str = ""


Result = Inspected | Made | Progress | NotMade
