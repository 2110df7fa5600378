from __future__ import annotations

import asyncio

import pytest

from pixelmill.queue import Slots


def test_room_for_what_is_urgent_is_beside_the_rest() -> None:
    slots = Slots(2, urgent=1)
    seen = []
    for _ in range(3):
        seen.append((slots.full, slots.has_urgent, slots.over))
        slots.take()
    assert seen == [(False, True, False), (False, True, False), (True, True, False)]
    assert (slots.full, slots.has_urgent, slots.over) == (True, False, True)


async def test_who_steps_aside_does_not_count_until_he_is_back() -> None:
    slots = Slots(1)
    slots.take()
    with pytest.raises(OSError, match="slow"):
        async with slots.aside():
            assert not slots.full
            assert slots.changed.is_set()
            slots.take()
            raise OSError("slow")
    assert slots.over


async def test_only_so_many_step_aside() -> None:
    slots = Slots(3, aside=1)
    back = asyncio.Event()

    async def one() -> None:
        slots.take()
        async with slots.aside():
            await back.wait()
        slots.give()

    tasks = [asyncio.create_task(one()) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert slots.busy == 2
    back.set()
    await asyncio.gather(*tasks)
    assert slots.busy == 0
