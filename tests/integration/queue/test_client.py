"""The client: a cancellation is never lost, and no command takes for ever."""

from __future__ import annotations

import asyncio
import random

import pytest

from pixelmill.queue import client
from pixelmill.queue.client import DOWN, connect


async def test_a_cancellation_is_never_lost(valkey_url: str) -> None:
    """Before Python 3.12 ``asyncio.wait_for`` loses some of those that come when the bytes have just left."""
    moment = random.Random(1)
    canceled = 0
    async with connect(valkey_url) as redis:
        await redis.ping()
        for _ in range(300):
            ping = asyncio.create_task(redis.ping())
            for _ in range(moment.randrange(8)):
                await asyncio.sleep(0)
            if not ping.cancel():  # it had ended
                continue
            with pytest.raises(asyncio.CancelledError):
                await ping
            canceled += 1
        assert await redis.ping()
    assert canceled > 50


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LONGEST", 0.2)
    writers = []

    async def listen(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"redis://127.0.0.1:{port}", retries=0) as redis:
            with pytest.raises(DOWN):
                await redis.ping()
        for writer in writers:
            writer.close()
