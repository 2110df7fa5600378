"""``/jobs``, ``/queue``, ``/workers``, ``/stats``: how the service is, for those who run it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from pixelmill.api import problems, schemas
from pixelmill.api.auth import Caller, Operator, Reader, Watcher
from pixelmill.api.ids import Cursor
from pixelmill.api.parts import Given, Parts
from pixelmill.errors import PixelmillError
from pixelmill.records import audit, monitor, switches
from pixelmill.records.tables import now

router = APIRouter(tags=["monitor"])

FRESH = {"Cache-Control": "no-store"}


class JobsPage(schemas.Shape):
    jobs: list[schemas.ImageOut]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null at the end.")


class ErrorGroup(schemas.Shape):
    code: str
    count: int


class QueueOut(schemas.Shape):
    paused: bool | None = Field(description="Null while the queue does not answer.")
    counts: dict[str, int] = Field(description=f"Images by state; {monitor.MOST} means so many at least.")
    queued: dict[str, int] | None = Field(
        description="By BullMQ's states; null for a tenant, and while it does not answer."
    )
    oldest_waiting: schemas.Time | None = Field(description="When the image that waits longest was accepted.")
    errors: list[ErrorGroup] = Field(description="Failed images by code, the commonest first.")


class WorkerOut(schemas.Shape):
    id: str
    kind: str = Field(examples=["worker"])
    host: str
    pid: int
    version: str
    beat: int = Field(description="Rises while it lives; one that stands still is dead.")
    started_at: schemas.Time
    doing: dict[str, Any] = Field(
        description="As it said with its last beat. `images`: those it works on, with the seconds since it took them; "
        "`memory`: bytes it holds itself, its decoders not counted; `stopping`: it takes nothing new."
    )


class WorkersOut(schemas.Shape):
    workers: list[WorkerOut]


class StatsOut(schemas.Shape):
    samples: list[schemas.SampleOut] = Field(
        description="Oldest first. Times in seconds; latency from acceptance to end."
    )


@router.get(
    "/jobs",
    summary="Images by state, newest first",
    response_model=JobsPage,
    responses=problems.responses("bad-request", "unavailable"),
)
async def list_jobs(
    parts: Given,
    caller: Reader,
    state: Literal["waiting", "active", "completed", "failed", "canceled"] | None = None,
    error_code: Annotated[str | None, Query(alias="errorCode", max_length=64)] = None,
    batch_id: Annotated[str | None, Query(alias="batchId", max_length=36)] = None,
    name: Annotated[str | None, Query(description="Part of the file's name.", max_length=100)] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Response:
    """A search by name or code looks at ten thousand images a page: there may be more behind an empty one."""
    found, following = await monitor.jobs(
        parts.database,
        owner=caller.view,
        state=state,
        error_code=error_code,
        batch_id=batch_id,
        name=name,
        cursor=cursor,
        limit=limit,
    )
    page = JobsPage(jobs=[schemas.image(image) for image in found], next_cursor=following)
    return schemas.answer(page, headers=FRESH)


async def _queue(parts: Parts, caller: Caller) -> QueueOut:
    owner = caller.view
    try:
        paused = await parts.queue.paused()
        queued = await parts.queue.counts() if caller.may("watch") else None
    except PixelmillError:
        paused, queued = None, None
    return QueueOut(
        paused=paused,
        counts=await monitor.counts(parts.database, owner=owner),
        queued=queued,
        oldest_waiting=await monitor.oldest(parts.database, owner=owner),
        errors=[ErrorGroup(code=code, count=many) for code, many in await monitor.errors(parts.database, owner=owner)],
    )


@router.get(
    "/queue",
    summary="How much there is to do",
    response_model=QueueOut,
    responses=problems.responses("unavailable"),
)
async def get_queue(parts: Given, caller: Reader) -> Response:
    return schemas.answer(await _queue(parts, caller), headers=FRESH)


@router.post(
    "/queue/pause",
    summary="Workers finish what they have and take nothing new",
    response_model=QueueOut,
    responses=problems.responses("missing-scope", "unavailable"),
)
async def pause_queue(parts: Given, caller: Operator) -> Response:
    """What is accepted meanwhile waits. It holds until it is resumed, also when Redis loses everything."""
    await parts.queue.pause()
    await switches.turn(parts.database, switches.PAUSED, on=True)
    await audit.write(parts.database, "queue.paused", owner=caller.owner, key_id=caller.key_id, target="queue")
    return schemas.answer(await _queue(parts, caller), headers=FRESH)


@router.post(
    "/queue/resume",
    summary="Workers go on",
    response_model=QueueOut,
    responses=problems.responses("missing-scope", "unavailable"),
)
async def resume_queue(parts: Given, caller: Operator) -> Response:
    await parts.queue.resume()
    await switches.turn(parts.database, switches.PAUSED, on=False)
    await audit.write(parts.database, "queue.resumed", owner=caller.owner, key_id=caller.key_id, target="queue")
    return schemas.answer(await _queue(parts, caller), headers=FRESH)


@router.get(
    "/workers",
    summary="The processes of the service, and what they do now",
    response_model=WorkersOut,
    responses=problems.responses("missing-scope", "unavailable"),
)
async def list_workers(parts: Given, caller: Watcher) -> Response:
    found = await monitor.running(parts.database)
    told = [WorkerOut.model_validate(one, from_attributes=True) for one in found]
    return schemas.answer(WorkersOut(workers=told), headers=FRESH)


@router.get(
    "/stats",
    summary="How the service was over time",
    response_model=StatsOut,
    responses=problems.responses("missing-scope", "unavailable"),
)
async def get_stats(
    parts: Given, caller: Watcher, minutes: Annotated[int, Query(ge=1, le=2880, description="How far back.")] = 60
) -> Response:
    found = await monitor.series(parts.database, now() - timedelta(minutes=minutes))
    return schemas.answer(StatsOut(samples=[schemas.sample(one) for one in found]), headers=FRESH)
