"""GET /batches/{id}/ws: the same events by WebSocket."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from pixelmill.api import end_streams, streams
from tests.sites import JPEG, Site


def address(site: Site, batch_id: str, query: str = "") -> str:
    return f"ws://127.0.0.1:{site.port}/batches/{batch_id}/ws{query}"


async def test_the_socket_tells_what_the_stream_tells_and_closes(site: Site) -> None:
    batch = await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG))
    async with connect(address(site, batch["batchId"])) as socket:
        first = json.loads(await socket.recv())
        assert (first["id"], first["event"]) == (1, "batch.accepted")
        await site.finish(batch)
        told = [first, *[json.loads(text) async for text in socket]]
        assert socket.close_code == 1000
    assert [one["id"] for one in told] == [*range(1, len(told) + 1)]
    lines = (await site.client.get(batch["links"]["events"])).text.splitlines()
    streamed = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert [{name: value for name, value in one.items() if name != "id"} for one in told] == streamed

    async with connect(address(site, batch["batchId"], "?lastEventId=3")) as socket:
        assert [json.loads(text)["id"] async for text in socket] == [*range(4, len(told) + 1)]


async def test_an_idle_socket_has_heartbeats(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT", 1)
    batch = await site.accepted()
    async with connect(address(site, batch["batchId"])) as socket:
        await socket.recv()
        assert json.loads(await socket.recv()) == {"event": "heartbeat"}


async def test_a_client_that_goes_or_talks_is_no_trouble(site: Site) -> None:
    batch = await site.accepted()
    async with connect(address(site, batch["batchId"])) as socket:
        await socket.recv()
        await socket.send("hello")
        await socket.send(b"\0" * 1000)
    while site.app.state.hub._tails:
        await asyncio.sleep(0.01)


async def test_a_stopping_service_says_that_it_goes_away(site: Site) -> None:
    batch = await site.accepted()
    async with connect(address(site, batch["batchId"])) as socket:
        await socket.recv()
        end_streams(site.app)
        assert [text async for text in socket] == []
        assert socket.close_code == 1001


@pytest.mark.parametrize(("path", "status"), [("nope", 404), ("a%20b", 404)])
async def test_what_is_not_there_is_refused(site: Site, path: str, status: int) -> None:
    try:
        async with connect(address(site, path)) as socket:
            assert [text async for text in socket] == []
            assert socket.close_code == 4000 + status
    except InvalidStatus as refused:
        assert refused.response.status_code == status
