"""The shapes on the wire. What a newer service adds is ignored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


class Why(Shape):
    """``code`` is one of those explained under ``/problems``."""

    code: str
    detail: str


class Variant(Shape):
    """One output of one image. ``state``: waiting, active, completed, failed or canceled."""

    name: str
    state: str
    progress: int = 0
    url: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    quality: float | None = None
    saved_percent: float | None = None
    #: Where else the result was sent, if the service sends results elsewhere.
    delivered_url: str | None = None
    error: Why | None = None


class Result(Shape):
    original_name: str
    output_path: str


class Image(Shape):
    """One uploaded file. Widths and heights are in pixels, upright; ``bytes`` is of the original."""

    job_id: str
    original_name: str
    state: str
    result: Result | None = None
    failed_reason: str | None = None
    error_code: str | None = None
    width: int | None = None
    height: int | None = None
    bytes: int = 0
    format: str | None = None
    variants: tuple[Variant, ...] = ()


class Attempt(Shape):
    """One try."""

    number: int
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str | None = None
    error_code: str | None = None
    reason: str | None = None


class LogLine(Shape):
    at: datetime
    message: str


class Job(Image):
    """One image, with how it went. ``timings`` are seconds spent in each step."""

    batch_id: str
    progress: int
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    timings: dict[str, float] = Field(default_factory=dict)
    log: tuple[LogLine, ...] = ()


class Progress(Shape):
    """Images of a batch by state."""

    total: int
    completed: int = 0
    failed: int = 0
    active: int = 0
    waiting: int = 0
    canceled: int = 0


class Retention(Shape):
    """How long the bytes of a batch live; None: for ever, or until it has ended not yet known."""

    originals_until: datetime | None = None
    results_until: datetime | None = None
    originals_deleted: bool = False
    results_deleted: bool = False


class Summary(Shape):
    """A batch without its files.

    ``status``: waiting, processing, completed, completed-with-errors or canceled.
    """

    batch_id: str
    status: str
    progress: Progress
    created_at: datetime
    finished_at: datetime | None = None
    preset: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    retention: Retention = Field(default_factory=Retention)
    links: dict[str, str] = Field(default_factory=dict)

    @property
    def over(self) -> bool:
        return self.status not in ("waiting", "processing")


class Batch(Summary):
    """A batch with all its files."""

    files: tuple[Image, ...] = ()

    @property
    def failed(self) -> list[Image]:
        return [one for one in self.files if one.state == "failed"]


class Accepted(Shape):
    """What the service answers to an upload."""

    batch_id: str
    status_url: str
    total_files: int


class Event(Shape):
    """One line of a batch's log. ``id`` numbers them from 1 without gaps; ``data`` holds the facts of this event."""

    id: int
    event: str
    batch_id: str
    job_id: str | None = None
    variant: str | None = None
    at: datetime
    data: dict[str, Any] = Field(default_factory=dict)


class News(Shape):
    """One event of the log of all batches; ``place`` is where the log goes on after it.

    ``batch_id`` is None where it concerns no batch: ``sample`` (how the service is, its figures in ``data``) and
    ``events.skipped`` (too much was missed to be told).
    """

    place: str
    event: str
    batch_id: str | None = None
    job_id: str | None = None
    variant: str | None = None
    at: datetime | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class Preset(Shape):
    name: str
    title: str
    description: str
    recipe: dict[str, Any]


class Limits(Shape):
    """What one request may hold."""

    max_files: int
    max_file_bytes: int
    max_pixels: int
    max_dimension: int
    max_frames: int
    max_variants: int


class DeadLetter(Shape):
    """An image that failed for good, and whose original is kept."""

    job_id: str
    batch_id: str
    original_name: str
    error_code: str | None = None
    failed_reason: str | None = None
    tries: int = 0
    bytes: int = 0
    format: str | None = None
    created_at: datetime
    finished_at: datetime | None = None


class Replayed(Shape):
    """Of one call: how many are done again, how many cannot be; ``next_cursor`` when there are more to look at."""

    replayed: int
    skipped: int = 0
    next_cursor: str | None = None


class Purged(Shape):
    purged: int
    next_cursor: str | None = None
