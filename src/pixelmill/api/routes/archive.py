"""``/batches/{id}/archive``: every result of a batch as one ZIP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from pixelmill.api import owned, problems
from pixelmill.api.envelope import asks_for_head
from pixelmill.api.ids import BatchId
from pixelmill.api.links import Viewer
from pixelmill.api.parts import Given
from pixelmill.errors import PixelmillError
from pixelmill.pipeline import archive

router = APIRouter(tags=["results"])

TYPE = "application/zip"


@router.get(
    "/batches/{batchId}/archive",
    summary="Every result as one ZIP",
    response_class=Response,
    responses={
        200: {
            "description": "The archive; `manifest.json` in it tells what it holds and what could not be made.",
            "content": {"application/zip": {"schema": {"type": "string", "contentMediaType": "application/zip"}}},
        },
        **problems.responses("not-found", "not-ready", "bad-request", "bad-signature", "unavailable"),
    },
)
async def get_archive(
    request: Request,
    parts: Given,
    caller: Viewer,
    batch_id: BatchId,
    partial: Annotated[bool, Query(description="Do not wait for the end: give what is completed so far.")] = False,
) -> Response:
    """It is made while it is sent.

    While the batch runs it is `not-ready` unless you ask for what there is (`partial`). An image that failed is no
    hindrance: the manifest names it. A signed link needs no key.
    """
    batch = await owned.batch(parts, caller, batch_id)
    if batch.retention.results_gone:
        raise PixelmillError("not-found", "The results of this batch have been deleted: their retention is over.")
    if not batch.status.over and not partial:
        raise PixelmillError("not-ready", f"The batch is {batch.status}.", {"retryAfter": 2})
    plan = await archive.plan(parts.database, batch)
    if not plan.entries:
        raise PixelmillError("not-ready", "Nothing of this batch is completed.")
    headers = {
        "Content-Length": str(plan.length),
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'attachment; filename="{batch_id}.zip"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if asks_for_head(request.scope):
        return Response(headers=headers, media_type=TYPE)
    return StreamingResponse(plan.stream(parts.storage), headers=headers, media_type=TYPE)
