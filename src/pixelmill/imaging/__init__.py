"""How variants are made: bytes and a recipe in, bytes and facts out. Knows no queue, SQL or HTTP.

Importing this package loads no image library: pixels are decoded only in the processes of :class:`Decoders`. The
pool itself is imported when first asked for, since those processes import this package too and need none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pixelmill.imaging.engine import engine_version
from pixelmill.imaging.results import Inspected, Limits, Made, NotMade, Progress, Result
from pixelmill.imaging.sniff import sniff

if TYPE_CHECKING:
    from pixelmill.imaging.sandbox.pool import DecoderDied, Decoders

__all__ = [
    "DecoderDied",
    "Decoders",
    "Inspected",
    "Limits",
    "Made",
    "NotMade",
    "Progress",
    "Result",
    "engine_version",
    "sniff",
]


def __getattr__(name: str) -> Any:
    if name not in ("DecoderDied", "Decoders"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pixelmill.imaging.sandbox import pool

    return getattr(pool, name)
