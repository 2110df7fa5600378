"""The shapes on the wire: camelCase, times in ISO 8601 UTC with milliseconds, made from the records' values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel
from starlette.responses import Response

from pixelmill.records.models import Attempt, Batch, BatchStatus, Event, Image, State, Variant
from pixelmill.records.monitor import Sample


def iso(at: datetime) -> str:
    """``2026-11-22T06:00:00.000Z``; a time without a zone is UTC."""
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[
    datetime,
    PlainSerializer(iso, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-22T06:00:00.000Z"]}),
]


def _whole(value: Any) -> Any:
    """JSON has one kind of number, and `true` is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ValueError("a whole number")
    return value


WHOLE = BeforeValidator(_whole)
#: A whole number in a body: no text, and no truth value. With bounds: ``Annotated[int, Field(ge=1), WHOLE]``, in this
#: order, or the bounds are lost from the JSON schema.
Whole = Annotated[int, WHOLE]


class Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Problem(BaseModel):
    """RFC 9457. Members beyond these depend on ``type``; each type is explained at its own address."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": True})

    type: str = Field(description="`/problems/<code>`", examples=["/problems/no-files"])
    title: str
    status: int
    detail: str = Field(description="What is wrong with this very request.")
    code: str = Field(description="The last part of `type`: stable, for programs.")
    instance: str | None = Field(None, description="The path that was asked for.")


class Accepted(Shape):
    """The request is stored and queued; nothing of it can be lost any more."""

    batch_id: str
    status_url: str = Field(examples=["/batches/0197a1c2-7b1e-7c3a-9d0e-2f6a1b3c4d5e"])
    total_files: int

    @classmethod
    def of(cls, batch_id: str, total_files: int) -> Accepted:
        return cls(batch_id=batch_id, status_url=f"/batches/{batch_id}", total_files=total_files)

    def answer(self) -> Response:
        return answer(self, 202, {"Location": self.status_url, "Retry-After": "1", "Cache-Control": "no-store"})


#: The headers of that answer, for OpenAPI.
ACCEPTED_HEADERS: dict[str, Any] = {
    "Location": {"description": "The batch.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds until it is worth asking.", "schema": {"type": "integer"}},
}


class Why(Shape):
    code: str
    detail: str


class VariantOut(Shape):
    """One output of one image."""

    name: str
    state: State
    progress: int = Field(description="0 to 100.")
    url: str | None = Field(description="Where the result is, once it is completed.")
    delivered_url: str | None = Field(description="Where else it was sent: Cloudinary, if the service is set so.")
    format: str | None
    width: int | None = Field(description="Pixels.")
    height: int | None = Field(description="Pixels.")
    bytes: int | None
    quality: float | None = Field(description="The number that the encoder was given.")
    saved_percent: float | None = Field(description="Bytes saved against the original; negative if it grew.")
    error: Why | None


class ResultOut(Shape):
    original_name: str
    output_path: str = Field(description="Storage key of the first variant of the recipe.")


class ImageOut(Shape):
    """One uploaded file."""

    job_id: str
    original_name: str
    state: State
    result: ResultOut | None = Field(description="Names the first variant, once the image is completed.")
    failed_reason: str | None
    error_code: str | None = Field(description="One of the codes explained under /problems.")
    width: int | None = Field(description="Pixels, upright.")
    height: int | None = Field(description="Pixels, upright.")
    bytes: int = Field(description="Of the original.")
    format: str | None
    variants: list[VariantOut]


class AttemptOut(Shape):
    """One try."""

    number: int
    started_at: Time
    ended_at: Time | None
    outcome: str | None = Field(description="completed, failed, retrying, lost or handed-back; null while it runs.")
    error_code: str | None
    reason: str | None
    traceback: str | None = Field(description="Of what went wrong within the service; only for `admin`.")


class LogLine(Shape):
    at: Time
    message: str


class JobOut(ImageOut):
    """One image, with how it went."""

    batch_id: str
    preset: str | None
    recipe: dict[str, Any] = Field(description="What is made of it.")
    original_url: str | None = Field(description="Where the file is as it was sent; null: it is not kept.")
    progress: int = Field(description="0 to 100: the mean of its variants.")
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    attempts: list[AttemptOut]
    timings: dict[str, float] = Field(description="Seconds spent in each step.")
    log: list[LogLine]


class Progress(Shape):
    """Images of the batch by state."""

    total: int
    completed: int
    failed: int
    active: int
    waiting: int
    canceled: int


class RetentionOut(Shape):
    """How long the bytes of a batch live. Times are known once it has ended; null then: for ever."""

    originals_until: Time | None
    results_until: Time | None
    originals_deleted: bool
    results_deleted: bool


class Summary(Shape):
    """One request, without its files."""

    batch_id: str
    status: BatchStatus
    progress: Progress
    created_at: Time
    finished_at: Time | None
    preset: str | None
    metadata: dict[str, Any]
    retention: RetentionOut
    links: dict[str, str]


class BatchOut(Summary):
    """One request. ``files`` is whole up to 100 images; beyond that ask again with ``?cursor=`` ``nextCursor``."""

    files: list[ImageOut]
    next_cursor: str | None


class BatchPage(Shape):
    batches: list[Summary]
    next_cursor: str | None


class PresetOut(Shape):
    name: str
    title: str
    description: str
    recipe: dict[str, Any]


class RecipeOut(Shape):
    """A recipe that can be used."""

    recipe: dict[str, Any]
    variants: list[str] = Field(description="The names of what it makes.")


class LimitsOut(Shape):
    """What one request may hold."""

    max_files: int
    max_file_bytes: int
    max_pixels: int
    max_dimension: int
    max_frames: int
    max_variants: int


class PresetsOut(Shape):
    presets: list[PresetOut]
    limits: LimitsOut


class SampleOut(Shape):
    """How the service was in the time before `at`. Times in seconds; latency from acceptance to end."""

    at: Time
    seconds: float
    completed: int
    failed: int
    waiting: int
    active: int
    oldest: float | None
    latency_p50: float | None = Field(alias="latencyP50")
    latency_p95: float | None = Field(alias="latencyP95")


def sample(value: Sample) -> SampleOut:
    return SampleOut.model_validate(value, from_attributes=True)


def image_url(image_id: str, variant: str) -> str:
    return f"/images/{image_id}/{quote(variant, safe='')}"


#: Makes of a path (as it is before it is quoted) the address that is told: signed, or only quoted.
Link = Callable[[str], str]


def variant(value: Variant, original_bytes: int, link: Link = quote) -> VariantOut:
    done = value.state is State.COMPLETED
    saved = None
    if done and value.bytes is not None and original_bytes > 0:
        saved = round(100 * (1 - value.bytes / original_bytes), 1)
    return VariantOut(
        name=value.name,
        state=value.state,
        progress=100 if done else value.progress,
        url=link(f"/images/{value.image_id}/{value.name}") if done and value.key else None,
        delivered_url=value.facts.get("deliveredUrl") if done else None,
        format=value.format,
        width=value.width,
        height=value.height,
        bytes=value.bytes,
        quality=value.quality,
        saved_percent=saved,
        error=Why(code=value.error_code, detail=value.error or "") if value.error_code else None,
    )


def _image(value: Image, link: Link = quote) -> dict[str, Any]:
    first = value.variants[0] if value.variants else None
    result = None
    if value.state is State.COMPLETED and first is not None and first.key is not None:
        result = ResultOut(original_name=value.original_name, output_path=first.key)
    return {
        "job_id": value.id,
        "original_name": value.original_name,
        "state": value.state,
        "result": result,
        "failed_reason": value.failed_reason,
        "error_code": value.error_code,
        "width": value.width,
        "height": value.height,
        "bytes": value.bytes,
        "format": value.format,
        "variants": [variant(one, value.bytes, link) for one in value.variants],
    }


def image(value: Image, link: Link = quote) -> ImageOut:
    return ImageOut(**_image(value, link))


def job(value: Image, its_batch: Batch, attempts: Sequence[Attempt], *, traces: bool = False) -> JobOut:
    """An image with its tries (and their ``traces``). The log is what its tries and its own times tell."""
    out = _image(value)
    shown = [
        AttemptOut(
            number=one.number,
            started_at=one.started_at,
            ended_at=one.ended_at,
            outcome=one.outcome,
            error_code=one.error_code,
            reason=one.reason,
            traceback=one.traceback if traces else None,
        )
        for one in attempts
    ]
    parts = [one.progress for one in out["variants"]]
    return JobOut(
        **out,
        batch_id=value.batch_id,
        preset=its_batch.preset,
        recipe=its_batch.recipe,
        original_url=f"/jobs/{value.id}/original" if value.key else None,
        progress=100 if value.state is State.COMPLETED else sum(parts) // len(parts) if parts else 0,
        created_at=value.created_at,
        started_at=value.started_at,
        finished_at=value.finished_at,
        attempts=shown,
        timings=value.timings,
        log=[LogLine(at=at, message=message) for at, message in sorted(_log(value, shown), key=lambda line: line[0])],
    )


def _log(value: Image, attempts: Iterable[AttemptOut]) -> Iterable[tuple[datetime, str]]:
    yield value.created_at, "accepted"
    for one in attempts:
        yield one.started_at, f"try {one.number} started"
        if one.ended_at is not None:
            why = f": {one.error_code}: {one.reason}" if one.error_code else ""
            yield one.ended_at, f"try {one.number} {one.outcome}{why}"
    if value.finished_at is not None:
        yield value.finished_at, f"{value.state}{f': {value.failed_reason}' if value.failed_reason else ''}"


def summary(value: Batch) -> Summary:
    return Summary(**_summary(value))


def _summary(value: Batch, link: Link = quote) -> dict[str, Any]:
    counts = value.counts
    kept = value.retention
    return {
        "batch_id": value.id,
        "status": value.status,
        "progress": Progress(
            total=counts.total,
            completed=counts.completed,
            failed=counts.failed,
            active=counts.active,
            waiting=counts.waiting,
            canceled=counts.canceled,
        ),
        "created_at": value.created_at,
        "finished_at": value.finished_at,
        "preset": value.preset,
        "metadata": value.metadata,
        "retention": RetentionOut(
            originals_until=kept.originals_until,
            results_until=kept.results_until,
            originals_deleted=kept.originals_gone,
            results_deleted=kept.results_gone,
        ),
        "links": {
            "self": f"/batches/{value.id}",
            "events": link(f"/batches/{value.id}/events"),
            "archive": link(f"/batches/{value.id}/archive"),
        },
    }


def batch(value: Batch, images: Sequence[Image], next_cursor: str | None, link: Link = quote) -> BatchOut:
    """``link`` makes the addresses of results and archive: signed ones for who has no key."""
    return BatchOut(**_summary(value, link), files=[image(one, link) for one in images], next_cursor=next_cursor)


def event(value: Event) -> dict[str, Any]:
    """An event's JSON: its facts, and around them what every event has (a fact cannot hide those)."""
    facts = dict(value.data)
    if value.event == "variant.completed" and value.job_id and value.variant:
        facts["url"] = image_url(value.job_id, value.variant)
    return {
        "event": value.event,
        "batchId": value.batch_id,
        "jobId": value.job_id,
        "variant": value.variant,
        "at": iso(value.at),
        **{name: fact for name, fact in facts.items() if name not in _ENVELOPE},
    }


_ENVELOPE = frozenset({"event", "batchId", "jobId", "variant", "at"})


def answer(shape: Shape, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON of ``shape``, written once by pydantic."""
    return Response(shape.model_dump_json(by_alias=True), status, headers, "application/json")
