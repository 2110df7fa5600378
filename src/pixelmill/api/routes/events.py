"""``/batches/{id}/events``: the live log of a batch by Server-Sent Events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from pixelmill.api import problems
from pixelmill.api.envelope import asks_for_head
from pixelmill.api.ids import BatchId, gone
from pixelmill.api.parts import Given, TheHub
from pixelmill.api.streams import Hub
from pixelmill.errors import PixelmillError
from pixelmill.records import batches

router = APIRouter(tags=["live"])

#: Milliseconds after which a browser connects again.
RETRY = 2000

_EXAMPLE = (
    'id: 3\ndata: {"event":"variant.completed","batchId":"…","jobId":"…","variant":"square",'
    '"at":"2026-11-22T06:00:00.000Z","url":"/images/…/square","bytes":143000}\n\n'
)


@router.get(
    "/batches/{batchId}/events",
    summary="What happens to a batch, as it happens",
    response_class=Response,
    responses={
        200: {
            "description": "Events from the start, or after the one named; the stream ends when the batch is over.",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        },
        204: {"description": "The batch is over and the event named was its last: do not connect again."},
        **problems.responses("not-found", "bad-request", "unavailable"),
    },
)
async def batch_events(
    request: Request,
    parts: Given,
    hub: TheHub,
    batch_id: BatchId,
    last_event_id: Annotated[str | None, Header(description="The id of the last event you have.")] = None,
    lastEventId: Annotated[str | None, Query(description="The same, for a first connection.")] = None,
) -> Response:
    """Server-Sent Events. `id` is the number of the event, `data` its JSON; each event comes once and in order.

    An idle stream has a comment every 15 s. After a break, `Last-Event-ID` continues without a gap or a repeat.
    """
    seq = _seq(last_event_id if last_event_id is not None else lastEventId)
    batch = await batches.find(parts.database, batch_id)
    if batch is None:
        raise gone("batch", batch_id)
    if batch.status.over and seq >= batch.seq > 0:
        return Response(status_code=204)
    # A proxy is not to hold lines back, nor to keep or change them.
    headers = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
    if asks_for_head(request.scope):
        return Response(headers=headers, media_type="text/event-stream")
    return StreamingResponse(_lines(hub, batch_id, seq), headers=headers, media_type="text/event-stream")


async def _lines(hub: Hub, batch_id: str, seq: int) -> AsyncIterator[str]:
    yield f"retry: {RETRY}\n\n"
    async with aclosing(hub.listen(batch_id, seq)) as lines:
        async for line in lines:
            yield ":\n\n" if line is None else f"id: {line.seq}\ndata: {line.json}\n\n"


def _seq(text: str | None) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise PixelmillError("bad-request", "Last-Event-ID: the number in `id` of an event.")
    return int(text)
