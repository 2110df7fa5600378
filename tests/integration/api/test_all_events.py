"""GET /events: every batch's events, live; what the monitor listens to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from pixelmill.api import end_streams, whole_log
from pixelmill.records import monitor
from pixelmill.records.tables import now
from tests.integration.api.test_process import problem
from tests.sites import JPEG, Site
from tests.tenants import tenant


class Stream:
    """Follows as a browser does: an id alone moves the place."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.place = ""
        self._lines = answer.aiter_lines()

    async def started(self) -> Stream:
        while not self.place:
            await self._field()
        return self

    async def _field(self) -> tuple[str, str]:
        name, _, value = (await anext(self._lines)).partition(": ")
        if name == "id":
            self.place = value
        return name, value

    async def next(self) -> dict[str, Any]:
        kind = "message"
        while True:
            name, value = await self._field()
            if name == "event":
                kind = value
            elif name == "data":
                return {"kind": kind, **json.loads(value)}

    async def until(self, event: str) -> list[dict[str, Any]]:
        found = [await self.next()]
        while found[-1].get("event") != event:
            found.append(await self.next())
        return found


@asynccontextmanager
async def listen(client: httpx.AsyncClient, place: str = "") -> AsyncIterator[Stream]:
    headers = {"Last-Event-ID": place} if place else {}
    async with client.stream("GET", "/events", headers=headers, timeout=30) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield await Stream(answer).started()


async def test_it_tells_of_all_batches_from_now_on_and_resumes(site: Site) -> None:
    await site.finish(await site.accepted())
    async with listen(site.client) as stream:
        one = await site.accepted(("a.jpg", JPEG))
        assert (await stream.next())["event"] == "batch.accepted"
        place = stream.place
    two = await site.finish(await site.accepted(("b.jpg", JPEG)))
    await site.finish(one)
    async with listen(site.client, place) as stream:
        missed = await stream.until("batch.completed")
        missed += await stream.until("batch.completed")
    assert {told["batchId"] for told in missed} == {one["batchId"], two["batchId"]}
    assert next(told["event"] for told in missed if told["batchId"] == two["batchId"]) == "batch.accepted"
    answer = await site.client.get("/events", headers={"Last-Event-ID": "soon"})
    problem(answer, 400, "bad-request")
    assert (await site.client.head("/events")).content == b""


async def test_a_tenant_is_told_of_its_own_alone(site: Site) -> None:
    async with tenant(site, "acme", ["upload", "read"]) as acme, tenant(site, "bolt") as bolt, tenant(site, "") as op:
        async with listen(acme.client) as hers, listen(op.client) as all_of_it:
            theirs = await bolt.client.post("/process-images", files=[("images", ("theirs.jpg", JPEG))])
            own = await acme.client.post("/process-images", files=[("images", ("own.jpg", JPEG))])
            assert (await hers.next())["batchId"] == own.json()["batchId"]
            told = [(await all_of_it.next())["batchId"] for _ in range(2)]
            assert told == [theirs.json()["batchId"], own.json()["batchId"]]
        async with tenant(site, "acme", ["upload"]) as sender:
            problem(await sender.client.get("/events"), 403, "missing-scope")


async def test_who_missed_too_much_starts_at_the_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_log, "MOST_MISSED", 2)
    async with listen(site.client) as stream:
        place = stream.place
    await site.finish(await site.accepted())
    async with listen(site.client, place) as stream:
        assert (await stream.next())["event"] == "events.skipped"
        batch = await site.accepted()
        assert (await stream.next())["batchId"] == batch["batchId"]


async def test_pages_of_the_log_come_whole(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_log, "PAGE", 3)
    async with listen(site.client) as stream:
        place = stream.place
        await site.finish(await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG), preset="instagram"))
        live = await stream.until("batch.completed")
    async with listen(site.client, place) as stream:
        assert await stream.until("batch.completed") == live


async def test_new_samples_come_by_the_stream(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_log, "SAMPLE", 0)
    await monitor.sample(site.parts.database, now())
    async with listen(site.client) as stream:
        await asyncio.sleep(1.5)
        made = await monitor.sample(site.parts.database, now())
        told = await stream.next()
        assert (told["kind"], told["completed"], told["seconds"]) == ("sample", 0, made.seconds)


async def test_it_ends_when_the_service_stops(site: Site) -> None:
    async with listen(site.client) as stream:
        end_streams(site.app)
        async with asyncio.timeout(10):
            with pytest.raises(StopAsyncIteration):
                await stream.next()
