"""GET /batches/{id}/events: live, resumable, complete, and cheap."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import delete

from pixelmill.api import end_streams, streams
from pixelmill.records import tables
from tests.servers import LOOPBACK
from tests.sites import JPEG, Site


@dataclass
class Got:
    id: int
    data: dict[str, Any]


class Stream:
    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.comments = 0
        self._lines = answer.aiter_lines()

    async def __aiter__(self) -> AsyncIterator[Got]:
        fields: dict[str, str] = {}
        async for line in self._lines:
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                yield Got(int(fields["id"]), json.loads(fields["data"]))
                fields = {}

    async def all(self) -> list[Got]:
        return [got async for got in self]


@asynccontextmanager
async def listen(site: Site, batch: dict[str, Any], after: int | None = None) -> AsyncIterator[Stream]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    async with site.client.stream("GET", f"/batches/{batch['batchId']}/events", headers=headers, timeout=30) as answer:
        yield Stream(answer)


async def test_the_stream_tells_all_and_ends(site: Site) -> None:
    batch = await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG), preset="instagram")
    async with listen(site, batch) as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert "no-store" in stream.answer.headers["cache-control"]
        await site.finish(batch)
        got = await stream.all()
    assert [one.id for one in got] == [*range(1, len(got) + 1)]
    assert got[0].data["event"] == "batch.accepted"
    assert got[-1].data["event"] == "batch.completed"
    ready = [one.data for one in got if one.data["event"] == "variant.completed"]
    variants = [variant for file in (await site.batch(batch["batchId"]))["files"] for variant in file["variants"]]
    assert [one["url"] for one in ready] == [variant["url"] for variant in variants]
    assert all(one["batchId"] == batch["batchId"] and one["at"].endswith("Z") for one in ready)


async def test_each_event_comes_while_the_batch_runs(site: Site) -> None:
    batch = await site.accepted(preset="instagram")
    async with listen(site, batch) as stream:
        events = aiter(stream)
        assert (await anext(events)).data["event"] == "batch.accepted"
        held = await site.claim(batch["files"][0]["jobId"])
        site.parts.queue.ring([batch["batchId"]])
        assert (await anext(events)).data["event"] == "image.started"
        await site.make(held, b"x", held.missing[:1], end=False)
        got = await anext(events)
        assert (got.data["event"], got.data["variant"]) == ("variant.completed", held.missing[0])
        await site.make(held, b"x", held.missing[1:])
        assert [got.data["event"] async for got in events][-1] == "batch.completed"


@pytest.mark.parametrize("after", [0, 1, 3, 5])
async def test_it_resumes_without_a_gap_or_a_repeat(site: Site, after: int) -> None:
    batch = await site.finish(await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG)))
    async with listen(site, batch) as stream:
        everything = await stream.all()
    async with listen(site, batch, after) as stream:
        assert [one.id for one in await stream.all()] == [one.id for one in everything if one.id > after]
    answer = await site.client.get(f"/batches/{batch['batchId']}/events?lastEventId={after}")
    assert answer.text.count("data: ") == len(everything) - after


async def test_after_the_last_event_there_is_nothing_to_connect_to(site: Site) -> None:
    batch = await site.finish(await site.accepted())
    async with listen(site, batch) as stream:
        last = (await stream.all())[-1].id
    for number in (last, last + 5):
        answer = await site.client.get(f"/batches/{batch['batchId']}/events", headers={"Last-Event-ID": str(number)})
        assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("wrong", ["x", "-1", "1.5", "9" * 30, "٣"])
async def test_a_bad_event_id_is_told(site: Site, wrong: str) -> None:
    batch = await site.accepted()
    answer = await site.client.get(f"/batches/{batch['batchId']}/events", params={"lastEventId": wrong})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")


async def test_an_idle_stream_has_heartbeats_and_finds_what_no_bell_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT", 1)
    batch = await site.accepted()
    async with listen(site, batch) as stream:
        events = aiter(stream)
        await anext(events)
        # Logged, but nobody rings.
        held = await site.claim(batch["files"][0]["jobId"])
        assert (await anext(events)).data["event"] == "image.started"
        await asyncio.sleep(2.2)
        await site.make(held, b"x")
        await stream.all()
    assert stream.comments >= 1


async def test_many_listeners_cost_one_reading_and_none_is_left(site: Site) -> None:
    batch = await site.accepted(preset="instagram")
    hub = site.app.state.hub

    async def follow() -> list[int]:
        async with listen(site, batch) as stream:
            return [got.id async for got in stream]

    followers = [asyncio.create_task(follow()) for _ in range(50)]
    while not hub._tails or next(iter(hub._tails.values())).listeners < 50:
        await asyncio.sleep(0.01)
    assert len(hub._tails) == 1
    await site.finish(batch)
    found = await asyncio.gather(*followers)
    assert all(ids == [*range(1, len(ids) + 1)] for ids in found)
    assert len({len(ids) for ids in found}) == 1
    while hub._tails:
        await asyncio.sleep(0.01)


async def test_bells_are_heard_only_while_somebody_listens(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LINGER", 0.0)
    batch = await site.accepted()
    hub = site.app.state.hub
    assert not hub._wanted.is_set()
    for _ in range(2):  # and again for whoever comes later
        async with listen(site, batch) as stream:
            await anext(aiter(stream))
            assert hub._wanted.is_set()
        while hub._wanted.is_set():
            site.parts.queue.ring([batch["batchId"]])
            await asyncio.sleep(0.01)
    async with listen(site, batch) as stream:
        await site.finish(batch)
        assert (await stream.all())[-1].data["event"] == "batch.completed"


async def test_a_listener_that_goes_away_is_forgotten(site: Site) -> None:
    batch = await site.accepted()
    async with listen(site, batch) as stream:
        await anext(aiter(stream))
        assert site.app.state.hub._tails
    while site.app.state.hub._tails:
        site.parts.queue.ring([batch["batchId"]])
        await asyncio.sleep(0.01)


async def test_more_events_than_a_page_come_whole_to_fast_and_slow_readers(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PAGE", 7)
    batch = await site.accepted(*((f"{number}.jpg", JPEG) for number in range(10)), preset="instagram")
    reader, writer = await asyncio.open_connection(LOOPBACK, site.port)
    writer.write(f"GET /batches/{batch['batchId']}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    async with listen(site, batch) as stream:
        await site.finish(batch)
        fast = [got.id async for got in stream]
    assert fast == [*range(1, len(fast) + 1)]
    # The slow one looks only now.
    text = b""
    while b"batch.completed" not in text:
        text += await reader.read(1000)
    writer.close()
    ids = [int(line[4:]) for line in text.decode(errors="replace").splitlines() if line.startswith("id: ")]
    assert ids == fast


async def test_streams_end_when_the_service_stops(site: Site) -> None:
    batch = await site.accepted()
    async with listen(site, batch) as stream:
        events = aiter(stream)
        await anext(events)
        end_streams(site.app)
        assert [got async for got in events] == []


async def test_head_of_a_stream_ends(site: Site) -> None:
    batch = await site.accepted()
    answer = await site.client.head(f"/batches/{batch['batchId']}/events")
    assert (answer.status_code, answer.content) == (200, b"")
    assert not site.app.state.hub._tails


async def test_a_stream_ends_when_its_batch_is_deleted_before_that_is_read(site: Site) -> None:
    batch = await site.accepted()
    async with listen(site, batch) as stream:
        events = aiter(stream)
        await anext(events)
        # As a purge leaves it that is quicker than this process reads: no event tells of it.
        async with site.parts.database.write() as tx:
            await tx.execute(delete(tables.batches).where(tables.batches.c.id == batch["batchId"]))
        site.parts.queue.ring([batch["batchId"]])
        async with asyncio.timeout(5):
            assert [got async for got in events] == []
