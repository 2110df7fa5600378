"""``/batches``: the list, and one batch with its files."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pixelmill import __version__
from pixelmill.api import conditional, owned, problems, schemas
from pixelmill.api.auth import Reader, Uploader
from pixelmill.api.direct import Direct
from pixelmill.api.ids import BatchId, Cursor, Position
from pixelmill.api.links import LONGEST
from pixelmill.api.parts import Given, Parts
from pixelmill.errors import PixelmillError
from pixelmill.pipeline import Retainer, ending
from pixelmill.records import audit, batches, images
from pixelmill.records.models import Batch, BatchStatus

router = APIRouter(tags=["batches"], route_class=Direct)

#: Images that one answer holds.
FILES = 100
#: Variants that are few enough to be read without a thread of their own.
FEW = 64


@router.get(
    "/batches",
    summary="List batches, newest first",
    response_model=schemas.BatchPage,
    responses=problems.responses("bad-request", "unavailable"),
)
async def list_batches(
    parts: Given,
    caller: Reader,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    status: BatchStatus | None = None,
) -> Response:
    found, following = await batches.page(parts.database, owner=caller.view, cursor=cursor, limit=limit, status=status)
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
async def get_batch(
    request: Request,
    parts: Given,
    caller: Reader,
    batch_id: BatchId,
    cursor: Position = None,
    signed: Annotated[
        int | None, Query(ge=1, le=LONGEST, description="Seconds that its links are to be good without a key.")
    ] = None,
) -> Response:
    """While it runs, `Retry-After` says when to ask again; with `If-None-Match` that costs next to nothing.

    `files` is whole up to 100 images; beyond that pass `nextCursor` as `cursor`.
    """
    batch = await owned.batch(parts, caller, batch_id)
    # Every change of a batch is an event, so the number of the newest one tells its state.
    headers = {
        "ETag": f'W/"{__version__}-{batch.id}-{batch.seq}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept",
    }
    if not batch.status.over:
        headers["Retry-After"] = "1"
    if signed is not None:
        # Each answer has signatures of its own: it is no older answer, and is not to be kept.
        link = request.app.state.links.signer(signed)
        del headers["ETag"]
        return await shown(parts, batch, cursor, link, headers | {"Cache-Control": "no-store"})
    if conditional.not_modified(request.headers, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return await shown(parts, batch, cursor, quote, headers)


async def shown(
    parts: Parts, batch: Batch, cursor: str | None, link: schemas.Link, headers: dict[str, str]
) -> Response:
    """A page of a batch's files, with addresses as ``link`` makes them."""
    few = batch.counts.total * len(batch.recipe["variants"]) <= FEW
    files = await images.of_batch(parts.database, batch.id, after=int(cursor or -1), limit=FILES, few=few)
    more = bool(files) and files[-1].position + 1 < batch.counts.total
    told = schemas.batch(batch, files, str(files[-1].position) if more else None, link)
    return schemas.answer(told, headers=headers)


@router.delete(
    "/batches/{batchId}",
    summary="Cancel a batch, or delete it",
    response_model=schemas.Summary,
    responses={
        204: {"description": "With `purge`: it is deleted."},
        **problems.responses("not-found", "conflict", "missing-scope", "unavailable"),
    },
)
async def cancel_batch(
    parts: Given,
    caller: Uploader,
    batch_id: BatchId,
    purge: Annotated[bool, Query(description="Delete originals, results and record now. Needs `admin`.")] = False,
) -> Response:
    """What is not over is canceled; what is done stays. A batch that is over stays as it is.

    With `purge` all of it is deleted too, whatever its retention. That cannot be undone.
    """
    over = (await owned.batch(parts, caller, batch_id)).status.over
    if purge:
        if not caller.may("admin"):
            raise PixelmillError("missing-scope", extra={"scope": "admin"})
        await Retainer(parts.database, parts.storage, parts.settings).purge(parts.queue, batch_id, by=caller.by)
        return Response(status_code=204)
    if not over:
        await ending.cancel(parts.database, parts.queue, batch_id)
        await audit.write(parts.database, "batch.canceled", owner=caller.owner, key_id=caller.key_id, target=batch_id)
    batch = await owned.batch(parts, caller, batch_id)
    return schemas.answer(schemas.summary(batch), headers={"Cache-Control": "no-store"})
