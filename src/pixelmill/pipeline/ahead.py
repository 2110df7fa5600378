"""Reading on while what came before is worked on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def ahead(source: AsyncGenerator[T, None], most: int, tick: float) -> AsyncGenerator[list[T], None]:
    """Yield what has come since the last time, in order; nothing, when for ``tick`` seconds nothing has.

    ``source`` goes on by ``most`` meanwhile.

    What ``source`` raises is raised after all that came before it. Closed early, ``source`` is closed too.
    """
    came: list[T] = []
    news = asyncio.Event()
    room = asyncio.Semaphore(most)

    async def read() -> None:
        async with aclosing(source):
            async for one in source:
                came.append(one)
                news.set()
                await room.acquire()

    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda _: news.set())
    try:
        while came or not reading.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(tick):
                    await news.wait()
            news.clear()
            taken = came[:]
            came.clear()
            for _ in taken:
                room.release()
            if taken or not reading.done():
                yield taken
        await reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
