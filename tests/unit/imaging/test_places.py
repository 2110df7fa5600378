"""Who gets which decoder. The decoders are not started: only their names count here."""

from __future__ import annotations

import asyncio
from typing import Any

from pixelmill.imaging.sandbox.places import Places


class Both:
    """One idle decoder and one spare, and who takes them."""

    def __init__(self) -> None:
        self.places = Places(10, 5)
        self.one: Any = "one"
        self.spare: Any = "spare"

    async def want(self, *, urgent: bool) -> asyncio.Task[Any]:
        task = asyncio.create_task(self.places.take(urgent))
        await asyncio.sleep(0)
        return task

    def free_one(self) -> None:
        self.places.put(self.places.idle, self.one)

    def free_spare(self) -> None:
        self.places.put(self.places.spare, self.spare)


async def test_what_is_urgent_takes_a_spare_only_where_no_other_is_free() -> None:
    both = Both()
    both.free_spare()
    both.free_one()
    assert (await both.places.take(True))[1] == both.one
    assert await both.places.take(True) == (both.places.spare, both.spare)


async def test_what_is_urgent_takes_whichever_is_free_first_and_the_rest_keeps_its_order() -> None:
    both = Both()
    bulk, first, second = [await both.want(urgent=urgent) for urgent in (False, True, True)]
    assert len(both.places._waiting) == 3
    both.free_spare()
    assert (await first)[1] == both.spare and not bulk.done()
    both.free_one()
    assert (await bulk)[1] == both.one and not second.done()
    both.free_spare()
    assert (await second)[1] == both.spare and not both.places._waiting


async def test_a_spare_waits_for_what_is_urgent() -> None:
    both = Both()
    bulk = await both.want(urgent=False)
    both.free_spare()
    assert not bulk.done()
    assert (await both.places.take(True))[1] == both.spare
    bulk.cancel()


async def test_who_goes_away_takes_no_decoder_along() -> None:
    both = Both()
    gone, given, last = [await both.want(urgent=False) for _ in range(3)]
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    both.free_one()
    given.cancel()  # in the moment in which it gets one
    await asyncio.gather(given, return_exceptions=True)
    assert given.cancelled() and (await last)[1] == both.one
