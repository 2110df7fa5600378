from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from pixelmill.pipeline.ahead import ahead


class Source:
    def __init__(self, number: int, error: Exception | None = None) -> None:
        self.given = 0
        self.closed = False
        self._number, self._error = number, error

    async def __call__(self) -> AsyncGenerator[int, None]:
        try:
            for one in range(self._number):
                await asyncio.sleep(0)
                self.given += 1
                yield one
            if self._error:
                raise self._error
        finally:
            self.closed = True


@pytest.mark.parametrize("number", [0, 1, 2, 3, 20])
@pytest.mark.parametrize("most", [1, 2, 5])
@pytest.mark.parametrize("pauses", [0, 1, 3, 10])
async def test_everything_comes_in_order(number: int, most: int, pauses: int) -> None:
    source = Source(number)
    found = []
    async with aclosing(ahead(source(), most, 60)) as several:
        async for some in several:
            assert some
            found += some
            for _ in range(pauses):
                await asyncio.sleep(0)
            assert source.given <= len(found) + most + 1
    assert found == [*range(number)]
    assert source.closed


async def test_what_came_before_an_error_is_not_lost() -> None:
    source = Source(3, ZeroDivisionError())
    found = []
    with pytest.raises(ZeroDivisionError):
        async for some in ahead(source(), 2, 60):
            found += some
            await asyncio.sleep(0.01)
    assert found == [0, 1, 2]


async def test_who_leaves_early_closes_the_source() -> None:
    source = Source(10)
    with pytest.raises(ZeroDivisionError):
        async with aclosing(ahead(source(), 2, 60)) as several:
            async for _ in several:
                raise ZeroDivisionError
    assert source.closed
    assert source.given < 10


async def test_who_is_canceled_closes_the_source() -> None:
    source = Source(10)

    async def wait() -> None:
        async with aclosing(ahead(source(), 2, 60)) as several:
            async for _ in several:
                await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    while source.given < 3:
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert source.closed


async def test_silence_is_told() -> None:
    go_on = asyncio.Event()

    async def source() -> AsyncGenerator[int, None]:
        yield 1
        await go_on.wait()
        yield 2

    found = []
    async for some in ahead(source(), 2, 0.01):
        found.append(some)
        if found.count([]) == 2:
            go_on.set()
    assert found[:3] == [[1], [], []]
    assert [one for some in found for one in some] == [1, 2]
