"""A task whose waiters have gone fails without a complaint."""

from __future__ import annotations

import asyncio
import gc

import pytest

from pixelmill.tasks import look_at_error


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
