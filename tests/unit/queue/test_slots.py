from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from pixelmill.queue import Slots
from pixelmill.queue.slots import SHORT


async def steps(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0)


async def far(slots: Slots, answered: asyncio.Event) -> None:
    """A job that waits for another host."""
    slots.take()
    async with slots.aside():
        await answered.wait()


def test_room_for_what_is_urgent_is_beside_the_rest() -> None:
    slots = Slots(2, urgent=1)
    seen = []
    for _ in range(3):
        seen.append((slots.full, slots.has_urgent, slots.over))
        slots.take()
    assert seen == [(False, True, False), (False, True, False), (True, True, False)]
    assert (slots.full, slots.has_urgent, slots.over) == (True, False, True)


def test_more_are_taken_ahead_while_they_are_short() -> None:
    slots = Slots(2, ahead=2, urgent=1)
    assert slots.size == 2  # nothing is known yet
    slots.took(SHORT / 10)
    assert slots.size == 4 and slots.changed.is_set()
    for _ in range(4):
        assert not slots.full
        slots.take()
    assert slots.full and not slots.over and slots.has_urgent
    for size in (3, 2):
        slots.took(SHORT * 100)
        assert slots.size == size and slots.over  # nothing follows one that ends
        slots.give()
        assert slots.full and not slots.over and slots.has_urgent  # but for what is urgent there is room all the while
    slots.took(SHORT * 100)
    assert slots.size == 2


async def test_room_that_is_made_is_for_those_who_come_back_first() -> None:
    slots = Slots(1, ahead=1, patience=0)
    answered = asyncio.Event()
    away = asyncio.create_task(far(slots, answered))
    await steps(lambda: slots.changed.is_set())
    slots.take()  # another one
    answered.set()
    await steps(lambda: slots.over)  # what is in hand is not followed by anything new
    slots.took(SHORT / 10)
    await away
    assert slots.busy == 2 and slots.full


def test_one_long_job_among_many_changes_nothing() -> None:
    slots = Slots(2, ahead=2)
    for seconds in [SHORT / 10] * 20 + [SHORT * 4]:
        slots.took(seconds)
    assert slots.size == 4


async def test_who_steps_aside_gets_the_next_slot_when_he_is_back() -> None:
    slots = Slots(1, patience=0)
    answered = asyncio.Event()
    away = asyncio.create_task(far(slots, answered))
    await steps(lambda: slots.changed.is_set())
    assert not slots.full
    slots.take()  # another one
    answered.set()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not away.done()
    slots.changed.clear()
    slots.give()  # that one is done: the slot is not free, it goes to who came back
    assert slots.full and not slots.changed.is_set()
    await away
    slots.give()
    assert slots.busy == 0


async def test_who_is_quick_keeps_his_slot() -> None:
    slots = Slots(1)
    slots.take()
    async with slots.aside():
        assert slots.full
    slots.give()
    assert slots.busy == 0


async def test_who_fails_out_there_gives_back_no_more_than_he_had() -> None:
    slots = Slots(1, patience=0)
    slots.take()
    with pytest.raises(OSError, match="slow"):
        async with slots.aside():
            await steps(lambda: not slots.full)
            raise OSError("slow")
    assert slots.busy == 1


@pytest.mark.parametrize("seed", range(20))
async def test_at_the_end_nothing_is_busy_whoever_was_canceled_where(seed: int) -> None:
    rng = random.Random(seed)
    slots = Slots(2, urgent=1, aside=3, patience=0)

    async def pause() -> None:
        for _ in range(rng.randrange(12)):
            await asyncio.sleep(0)

    async def job() -> None:
        slots.take()
        try:
            async with slots.aside():
                await pause()
            await pause()
        finally:
            slots.give()

    async def loop() -> None:
        tasks: list[asyncio.Task[None]] = []
        for _ in range(30):
            if not slots.full:
                tasks.append(asyncio.create_task(job()))
                await asyncio.sleep(0)
            elif tasks and rng.random() < 0.2:
                rng.choice(tasks).cancel()
            await pause()
        await asyncio.gather(*tasks, return_exceptions=True)

    async with asyncio.timeout(30):
        await loop()
    assert slots.busy == 0
    assert not slots.over
