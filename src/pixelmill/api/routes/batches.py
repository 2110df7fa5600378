"""``/batches``: the list, and one batch with its files."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pixelmill import __version__
from pixelmill.api import conditional, problems, schemas
from pixelmill.api.ids import BatchId, Cursor, Position, gone
from pixelmill.api.parts import Given
from pixelmill.records import batches, images
from pixelmill.records.models import BatchStatus

router = APIRouter(tags=["batches"])

#: Images that one answer holds.
FILES = 100


@router.get(
    "/batches",
    summary="List batches, newest first",
    response_model=schemas.BatchPage,
    responses=problems.responses("bad-request", "unavailable"),
)
async def list_batches(
    parts: Given,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    status: BatchStatus | None = None,
) -> Response:
    found, following = await batches.page(parts.database, owner=None, cursor=cursor, limit=limit, status=status)
    page = schemas.BatchPage(batches=[schemas.summary(one) for one in found], next_cursor=following)
    return schemas.answer(page, headers={"Cache-Control": "no-store"})


@router.get(
    "/batches/{batchId}",
    summary="One batch with its files",
    response_model=schemas.BatchOut,
    responses={
        304: {"description": "Nothing has changed since the ETag in If-None-Match."},
        **problems.responses("not-found", "bad-request", "unavailable"),
    },
)
async def get_batch(request: Request, parts: Given, batch_id: BatchId, cursor: Position = None) -> Response:
    """While it runs, `Retry-After` says when to ask again; with `If-None-Match` that costs next to nothing.

    `files` is whole up to 100 images; beyond that pass `nextCursor` as `cursor`.
    """
    batch = await batches.find(parts.database, batch_id)
    if batch is None:
        raise gone("batch", batch_id)
    # Every change of a batch is an event, so the number of the newest one tells its state.
    headers = {
        "ETag": f'W/"{__version__}-{batch.id}-{batch.seq}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept",
    }
    if not batch.status.over:
        headers["Retry-After"] = "1"
    if conditional.not_modified(request.headers, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    files = await images.of_batch(parts.database, batch_id, after=int(cursor or -1), limit=FILES)
    more = bool(files) and files[-1].position + 1 < batch.counts.total
    return schemas.answer(schemas.batch(batch, files, str(files[-1].position) if more else None), headers=headers)
