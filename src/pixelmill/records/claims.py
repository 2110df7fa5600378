"""What passes between a worker and the record: the image it took, what it made of it, why a try failed. No SQL here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pixelmill.records.known import Known


class Refusal(Enum):
    """Why an image cannot be claimed."""

    GONE = "there is nothing left to do: it is over, or a newer generation is queued"
    BUSY = "another worker holds it"
    EARLY = "its time has not come"
    NEWER = "it is for workers of a newer version"


class Fenced(Exception):
    """The image is no longer ours: whatever is still being made for it is to be dropped."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An image taken for work. ``missing`` are the variants still to be made; ``crashes`` counts dead decoders.

    ``key`` is None while the original is still to be fetched from its ``source``.

    Every try has a generation of its own, so the generation also numbers the tries. ``engine`` makes it (None: made
    before or not, it is made anew); ``digests`` tell the missing variants, and ``known`` are those made before.
    """

    token: str
    image_id: str
    batch_id: str
    generation: int
    priority: int
    key: str | None
    sha256: str | None
    tries: int
    crashes: int
    take_overs: int
    recipe: dict[str, Any]
    missing: tuple[str, ...]
    source: dict[str, Any] | None = None
    engine: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, Known] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MadeVariant:
    """A variant whose bytes are stored under ``key``. With a ``digest``, others may use them too.

    ``reused``: they were made for another image.
    """

    name: str
    key: str
    format: str
    content_type: str
    width: int
    height: int
    bytes: int
    quality: float | None
    seconds: float
    facts: dict[str, Any]
    digest: str | None = None
    reused: bool = False


@dataclass(frozen=True, slots=True)
class LostVariant:
    """A variant that can never be made, while its siblings may be."""

    name: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What the header of the original told."""

    format: str
    width: int
    height: int
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try failed. ``delay`` in seconds: try again then; None: never, the image is a dead letter."""

    code: str
    reason: str
    traceback: str = ""
    delay: float | None = None
    crashed: bool = False


@dataclass(slots=True)
class Report:
    """What is to be recorded in one transaction; the end of the try goes with its last variants."""

    seen: Seen | None = None
    made: list[MadeVariant] = field(default_factory=list)
    lost: list[LostVariant] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
