"""A task whose waiters have gone fails without a complaint."""

from __future__ import annotations

import asyncio
import gc
from functools import partial

import pytest

from pixelmill.tasks import look_at_error, some_at_a_time


@pytest.mark.parametrize("looked_at", [True, False])
async def test_an_error_that_nobody_waits_for(looked_at: bool) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    task = asyncio.create_task(fail())
    if looked_at:
        task.add_done_callback(look_at_error)
    await asyncio.wait({task})
    await asyncio.sleep(0)  # callbacks run after those who wait are told
    del task
    gc.collect()
    assert complaints == ([] if looked_at else ["Task exception was never retrieved"])


async def test_a_task_that_was_canceled_has_no_error() -> None:
    task = asyncio.create_task(asyncio.sleep(60))
    task.add_done_callback(look_at_error)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_some_at_a_time() -> None:
    at_it, most = 0, 0

    async def double(number: int) -> int:
        nonlocal at_it, most
        at_it += 1
        most = max(most, at_it)
        for _ in range(10 - number):  # the first takes longest
            await asyncio.sleep(0)
        at_it -= 1
        return 2 * number

    assert await some_at_a_time([partial(double, number) for number in range(10)], 3) == list(range(0, 20, 2))
    assert most == 3
    assert await some_at_a_time([], 3) == []


async def test_one_that_fails_does_not_stop_the_others() -> None:
    done: list[int] = []

    async def half(number: int) -> None:
        await asyncio.sleep(0)
        done.append(1 // number)

    with pytest.raises(ZeroDivisionError):
        await some_at_a_time([partial(half, number) for number in (0, 1, 1)], 1)
    assert done == [1, 1]
