"""``/dead-letters``: images that failed for good. Look at them, have them done again, or delete them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field
from starlette.responses import Response

from pixelmill.api import owned, problems, schemas
from pixelmill.api.auth import Admin, Caller, Reader, Uploader
from pixelmill.api.ids import Cursor, JobId
from pixelmill.api.parts import Given, Parts
from pixelmill.api.routes.jobs import retry_job
from pixelmill.pipeline import dead_letters as pipeline
from pixelmill.records import audit, dead_letters
from pixelmill.records.models import Image

router = APIRouter(tags=["dead letters"])

#: Dead letters that one request replays or purges.
MOST = 200
_ID = "^[0-9A-Za-z-]{1,36}$"
_CODE = "^[a-z-]{1,64}$"

Code = Annotated[str | None, Query(pattern=_CODE, description="Only those that failed with this code.")]
OfBatch = Annotated[str | None, Query(alias="batchId", pattern=_ID, description="Only those of this batch.")]


class DeadLetter(schemas.Shape):
    """An image that failed for good, and whose original is kept."""

    job_id: str
    batch_id: str
    original_name: str
    error_code: str | None = Field(description="One of the codes explained under /problems.")
    failed_reason: str | None
    tries: int
    bytes: int = Field(description="Of the original.")
    format: str | None
    created_at: schemas.Time
    finished_at: schemas.Time | None


class DeadLetterPage(schemas.Shape):
    dead_letters: list[DeadLetter]
    next_cursor: str | None


class Which(schemas.Shape):
    """Without `code` and `batchId`: all of them."""

    model_config = ConfigDict(extra="forbid")

    code: str | None = Field(None, pattern=_CODE, description="Only those that failed with this code.")
    batch_id: str | None = Field(None, pattern=_ID, description="Only those of this batch.")
    cursor: str | None = Field(None, pattern=_ID, description="`nextCursor` of the answer before.")
    limit: int = Field(MOST, ge=1, le=MOST)


class Replayed(schemas.Shape):
    replayed: int
    skipped: int = Field(description="Those that cannot be done again: their retention is over.")
    next_cursor: str | None = Field(description="There are more to look at: send it as `cursor`.")


class Purged(schemas.Shape):
    purged: int
    next_cursor: str | None = Field(description="There are more to look at: send it as `cursor`.")


@router.get(
    "/dead-letters",
    summary="Images that failed for good, newest first",
    response_model=DeadLetterPage,
    responses=problems.responses("bad-request", "unavailable"),
)
async def list_dead_letters(
    parts: Given,
    caller: Reader,
    code: Code = None,
    batch_id: OfBatch = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Response:
    """What was refused at the door is none of them: it was never taken. `GET /jobs/{jobId}` tells all of one."""
    found, following = await _found(parts, caller, code, batch_id, cursor, limit)
    page = DeadLetterPage(dead_letters=[_told(one) for one in found], next_cursor=following)
    return schemas.answer(page, headers={"Cache-Control": "no-store"})


@router.post(
    "/dead-letters/replay",
    status_code=202,
    summary="Have many done again",
    response_model=Replayed,
    responses=problems.responses("bad-request", "unavailable"),
)
async def replay_dead_letters(parts: Given, caller: Uploader, which: Which) -> Response:
    """At most 200 in one request; with `nextCursor` go on. Batches that were over are open again."""
    found, following = await _found(parts, caller, which.code, which.batch_id, which.cursor, which.limit)
    replayed, skipped = await pipeline.replay_many(parts.database, parts.queue, found)
    if replayed:
        async with parts.database.write() as tx:
            data = {"replayed": replayed, "errorCode": which.code, "batchId": which.batch_id}
            action = "dead-letters.replay"
            await audit.note(tx, action, owner=caller.owner, key_id=caller.key_id, target="dead-letters", data=data)
    told = Replayed(replayed=replayed, skipped=skipped, next_cursor=following)
    return schemas.answer(told, 202, {"Cache-Control": "no-store"})


@router.delete(
    "/dead-letters",
    summary="Delete many",
    response_model=Purged,
    responses=problems.responses("bad-request", "missing-scope", "unavailable"),
)
async def purge_dead_letters(
    parts: Given,
    caller: Admin,
    code: Code = None,
    batch_id: OfBatch = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
) -> Response:
    """Their bytes are deleted; their batches count them as failed as before. That cannot be undone.

    At most 200 in one request; with `nextCursor` go on.
    """
    found, following = await _found(parts, caller, code, batch_id, cursor, limit)
    purged = await pipeline.purge_many(parts.database, parts.storage, parts.queue, found, by=caller.by)
    return schemas.answer(Purged(purged=purged, next_cursor=following), headers={"Cache-Control": "no-store"})


@router.post(
    "/dead-letters/{jobId}/replay",
    status_code=202,
    summary="Have one done again",
    response_model=schemas.JobOut,
    responses=problems.responses("not-found", "conflict", "unavailable"),
)
async def replay_dead_letter(parts: Given, caller: Uploader, job_id: JobId) -> Response:
    """The same as `POST /jobs/{jobId}/retry`."""
    return await retry_job(parts, caller, job_id)


@router.delete(
    "/dead-letters/{jobId}",
    status_code=204,
    summary="Delete one",
    responses=problems.responses("not-found", "conflict", "missing-scope", "unavailable"),
)
async def purge_dead_letter(parts: Given, caller: Admin, job_id: JobId) -> Response:
    """Its bytes are deleted; its batch counts it as failed as before. That cannot be undone."""
    await owned.job(parts, caller, job_id)
    await pipeline.purge(parts.database, parts.storage, parts.queue, job_id, by=caller.by)
    return Response(status_code=204)


async def _found(
    parts: Parts, caller: Caller, code: str | None, batch_id: str | None, cursor: str | None, limit: int
) -> tuple[list[Image], str | None]:
    return await dead_letters.page(
        parts.database, owner=caller.view, code=code, batch_id=batch_id, cursor=cursor, limit=limit
    )


def _told(image: Image) -> DeadLetter:
    return DeadLetter(
        job_id=image.id,
        batch_id=image.batch_id,
        original_name=image.original_name,
        error_code=image.error_code,
        failed_reason=image.failed_reason,
        tries=image.tries,
        bytes=image.bytes,
        format=image.format,
        created_at=image.created_at,
        finished_at=image.finished_at,
    )
