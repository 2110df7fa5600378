"""``/batches/{id}/events``: the live log of a batch by Server-Sent Events; ``/events``: that of all batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, WebSocket
from starlette.responses import Response, StreamingResponse

from pixelmill.api import owned, problems
from pixelmill.api.auth import Caller, Door, Reader
from pixelmill.api.envelope import asks_for_head
from pixelmill.api.ids import BatchId, known
from pixelmill.api.links import Viewer
from pixelmill.api.parts import Given, TheHub
from pixelmill.api.streams import Hub
from pixelmill.errors import PixelmillError
from pixelmill.records.events import Place

router = APIRouter(tags=["live"])

#: Milliseconds after which a browser connects again.
RETRY = 2000
#: A proxy is not to hold lines back, nor to keep or change them.
STREAM = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
HEARTBEAT = '{"event":"heartbeat"}'

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
    caller: Viewer,
    batch_id: BatchId,
    last_event_id: Annotated[str | None, Header(description="The id of the last event you have.")] = None,
    lastEventId: Annotated[str | None, Query(description="The same, for a first connection.")] = None,
) -> Response:
    """Server-Sent Events. `id` is the number of the event, `data` its JSON; each event comes once and in order.

    An idle stream has a comment every 15 s. After a break, `Last-Event-ID` continues without a gap or a repeat.
    A signed link, as a share shows it, needs no key; the stream ends with it.
    """
    seq = _seq(last_event_id if last_event_id is not None else lastEventId)
    batch = await owned.batch(parts, caller, batch_id)
    if batch.status.over and seq >= batch.seq > 0:
        return Response(status_code=204)
    if asks_for_head(request.scope):
        return Response(headers=STREAM, media_type="text/event-stream")
    lines = _lines(hub, batch_id, seq, request.app.state.door, caller)
    return StreamingResponse(lines, headers=STREAM, media_type="text/event-stream")


@router.get(
    "/events",
    summary="What happens to all batches, as it happens",
    response_class=Response,
    responses={
        200: {
            "description": "Events from now on, or after the one named; the stream does not end.",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        },
        **problems.responses("bad-request", "unavailable"),
    },
)
async def all_events(
    request: Request,
    hub: TheHub,
    caller: Reader,
    last_event_id: Annotated[str | None, Header(description="The id of the last event you have.")] = None,
    lastEventId: Annotated[str | None, Query(description="The same, for a first connection.")] = None,
) -> Response:
    """Server-Sent Events, of your own batches; an operator's of everybody's.

    `id` says where you are in the whole log; `Last-Event-ID` continues there without a gap. An idle stream tells its
    place every 15 s. Who missed more than 20,000 events gets one `events.skipped` instead of them. Who may see
    `GET /stats` is told each new sample too, as an event named `sample`.
    """
    text = last_event_id if last_event_id is not None else lastEventId
    place = Place.read(text) if text else None
    if text and place is None:
        raise PixelmillError("bad-request", "Last-Event-ID: the `id` of an event of this stream.")
    if asks_for_head(request.scope):
        return Response(headers=STREAM, media_type="text/event-stream")
    lines = _all_lines(hub, place, request.app.state.door, caller)
    return StreamingResponse(lines, headers=STREAM, media_type="text/event-stream")


async def _all_lines(hub: Hub, place: Place | None, door: Door, caller: Caller) -> AsyncIterator[str]:
    yield f"retry: {RETRY}\n\n"
    async with aclosing(hub.listen_to_all(place, caller.view, samples=caller.may("watch"))) as told:
        async for one in door.while_welcome(caller, told):
            # An id alone moves the place of who listens and is no event to it.
            kind = f"event: {one.kind}\n" if one.kind else ""
            yield f"id: {one.place}\n" + (f"{kind}data: {one.data}\n\n" if one.data is not None else "\n")


async def _lines(hub: Hub, batch_id: str, seq: int, door: Door, caller: Caller) -> AsyncIterator[str]:
    yield f"retry: {RETRY}\n\n"
    async with aclosing(hub.listen(batch_id, seq)) as lines:
        async for line in door.while_welcome(caller, lines):
            yield ":\n\n" if line is None else f"id: {line.seq}\ndata: {line.json}\n\n"


def _seq(text: str | None) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise PixelmillError("bad-request", "Last-Event-ID: the number in `id` of an event.")
    return int(text)


@router.websocket("/batches/{batchId}/ws")
async def batch_socket(
    socket: WebSocket,
    parts: Given,
    hub: TheHub,
    caller: Reader,
    batchId: str,
    lastEventId: Annotated[str | None, Query()] = None,
) -> None:
    """The same events, each a JSON text with its number as `id`; the socket is closed (1000) when the batch is over.

    An idle socket gets `{"event": "heartbeat"}` every 15 s. What the client says is not read.
    """
    try:
        batch_id, seq = known(batchId, "batch"), _seq(lastEventId)
        await owned.batch(parts, caller, batch_id)
    except PixelmillError as error:
        await _refuse(socket, error)
        return
    await socket.accept()
    gone = asyncio.create_task(_until_gone(socket))
    door: Door = socket.app.state.door
    told = asyncio.create_task(_tell(socket, hub, batch_id, seq, door, caller))
    try:
        await asyncio.wait({gone, told}, return_when=asyncio.FIRST_COMPLETED)
        over = told.done() and not gone.done()
    finally:
        for task in (gone, told):
            task.cancel()
        results = await asyncio.gather(gone, told, return_exceptions=True)
    if over:
        # granian sends no close frame while a receive is pending: by now it is canceled.
        code = results[1] if isinstance(results[1], int) else 1011
        await socket.close(1001 if hub.closing and code == 1000 else code)


async def _until_gone(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _tell(socket: WebSocket, hub: Hub, batch_id: str, seq: int, door: Door, caller: Caller) -> int:
    """The code to close with: the batch is over (1000), or the key is no longer good (1008)."""
    async with aclosing(hub.listen(batch_id, seq)) as lines:
        async for line in door.while_welcome(caller, lines):
            await socket.send_text(HEARTBEAT if line is None else f'{{"id":{line.seq},{line.json.removeprefix("{")}')
    return 1000 if await door.welcomes(caller) else 1008


async def _refuse(socket: WebSocket, error: PixelmillError) -> None:
    """An HTTP answer where the server can give one, else a close code: 4000 and the status."""
    if "websocket.http.response" in socket.scope.get("extensions", {}):
        await socket.send_denial_response(problems.response(error, socket.url.path))
    else:
        await socket.accept()
        await socket.close(4000 + error.spec.status, error.detail[:120])
