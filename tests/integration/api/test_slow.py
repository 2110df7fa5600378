"""Connections that hold on: they are ended, and leave nothing."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import func, select

from pixelmill.api import body
from pixelmill.records import tables
from tests.integration.api.test_process import SiteWith, nothing_is_left
from tests.servers import LOOPBACK, Service
from tests.sites import JPEG, Site, multipart

FORM = "multipart/form-data; boundary=frontier"


@pytest.fixture(autouse=True)
def no_garbage_collection() -> Iterator[None]:
    """A connection may not stay open until the garbage is collected, for that may take long."""
    gc.disable()
    yield
    gc.enable()


async def drip(site: Site, head: str, body: bytes, size: int, seconds: float) -> bytes:
    """Send ``body`` a little at a time until the server ends the connection; all that it said."""
    reader, writer = await asyncio.open_connection(LOOPBACK, site.port)
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
    reading = asyncio.create_task(reader.read())
    for start in range(0, len(body), size):
        if reading.done():
            break
        try:
            writer.write(body[start : start + size])
            await writer.drain()
        except ConnectionError:
            break
        await asyncio.wait({reading}, timeout=seconds)
    # The server closes it: to read to the end would never end otherwise.
    async with asyncio.timeout(30):
        said = await reading
    writer.close()
    return said


def head(path: str, kind: str) -> str:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"


async def gone(site: Site) -> None:
    """What a request leaves is cleaned up behind its answer."""
    while True:
        async with site.parts.database.read() as connection:
            tables_left = [
                await connection.scalar(select(func.count()).select_from(table))
                for table in (tables.intents, tables.idempotency)
            ]
        if not any(tables_left):
            break
        await asyncio.sleep(0.01)
    await nothing_is_left(site)


@pytest.mark.parametrize(
    "limits",
    [
        {"upload_idle_seconds": 0.3},
        {"upload_seconds": 0.6},
        {"upload_min_rate": 1_000_000},
    ],
)
async def test_a_body_that_crawls_is_cut_off(
    site_with: SiteWith, limits: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "START", 0.5)
    whole = multipart([("a.jpg", JPEG + bytes(200_000))])
    # Slower than the idle time only where that is what is tried.
    pause = 2.0 if "upload_idle_seconds" in limits else 0.05
    async with site_with(**limits) as site:
        said = await drip(site, head("/process-images", FORM) + "Idempotency-Key: k\r\n", whole, 500, pause)
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b'"/problems/slow-request"' in said
        await gone(site)


async def test_json_that_crawls_is_cut_off(site_with: SiteWith) -> None:
    async with site_with(upload_seconds=0.3) as site:
        said = await drip(site, head("/keys", "application/json"), b" " * 2000, 50, 0.05)
        assert said[:13] == b"HTTP/1.1 408 "


async def test_a_body_may_be_slow_within_the_limits(site_with: SiteWith, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "START", 0.1)
    whole = multipart([("a.jpg", JPEG)])
    async with site_with(upload_min_rate=100) as site:
        request = head("/process-images", FORM) + "Connection: close\r\n"
        assert (await drip(site, request, whole, 500, 0.1)).startswith(b"HTTP/1.1 202 ")


async def test_headers_that_never_end(start_service: Callable[..., Service]) -> None:
    service = await asyncio.to_thread(start_service, {"PIXELMILL_HEADER_SECONDS": "1"})
    port = int(service.base_url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-")
    async with asyncio.timeout(30):
        said = await reader.read()
    writer.close()
    assert b" 200 " not in said
