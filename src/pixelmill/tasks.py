"""What every part needs of asyncio's tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def look_at_error(task: asyncio.Task[Any]) -> None:
    """A done-callback for a task that several wait for: all may have gone, and its error is of no interest then.

    Asyncio complains of an exception that nobody has looked at.
    """
    if not task.cancelled():
        task.exception()


async def some_at_a_time(work: Iterable[Callable[[], Awaitable[T]]], most: int) -> list[T]:
    """What each comes to, in order; at most ``most`` are at it at a time.

    All are done to their end. If some raised, the first of their errors is raised then.
    """
    room = asyncio.Semaphore(most)

    async def one(do: Callable[[], Awaitable[T]]) -> T:
        async with room:
            return await do()

    ends = await asyncio.gather(*(one(do) for do in work), return_exceptions=True)
    found: list[T] = []
    for end in ends:
        if isinstance(end, BaseException):
            raise end
        found.append(end)
    return found
