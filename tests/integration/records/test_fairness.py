"""How much of one owner is taken in, and how much of one batch the queue is told of: on each database."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select, update

from pixelmill.errors import PixelmillError
from pixelmill.records import Database, batches, ending, intents, keys, tables, waiting, work
from pixelmill.records.claims import Claim, Refusal, Report
from pixelmill.records.intents import NewBatch, NewImage
from pixelmill.records.models import State
from pixelmill.records.waiting import Waiting


def new(batch_id: str, count: int, *, bad: int = 0, owner: str = "acme", **more: int) -> NewBatch:
    """A batch with ``count`` images, after ``bad`` that were refused at the door."""
    refused = [NewImage(f"{batch_id}-bad{n}", "a.txt", None, 0, None, None, "empty-file", "Empty.") for n in range(bad)]
    good = [NewImage(f"{batch_id}-{n:03}", "a.jpg", f"k{n}", 9, None, "jpeg") for n in range(count)]
    return NewBatch(batch_id, owner, None, {"variants": []}, ["a"], {}, None, 0, [*refused, *good], **more)  # type: ignore[arg-type]


async def accept(db: Database, batch: NewBatch) -> list[Waiting]:
    await intents.begin(db, batch.id, "p1")
    told = await intents.accept(db, batch)
    assert told is not None
    return told


async def finish(db: Database, image_id: str) -> None:
    held = await claim(db, image_id)
    assert isinstance(held, Claim)
    await work.complete(db, held, Report())


async def claim(db: Database, image_id: str, understands: int = work.UNDERSTANDS) -> Claim | Refusal:
    return await work.claim(db, image_id, 1, token=image_id, process_id="w", worker="w:1", understands=understands)


async def queued(db: Database) -> list[str]:
    """What the reconciler would see to."""
    return [one.image_id for one in await waiting.page(db)]


async def held(db: Database, batch_id: str) -> int:
    async with db.read() as connection:
        found: int = await connection.scalar(select(tables.batches.c.held).where(tables.batches.c.id == batch_id)) or 0
    return found


async def test_a_window_moves_over_a_batch(db: Database) -> None:
    told = await accept(db, new("b", 12, bad=1, window=4))
    assert [one.image_id for one in told] == ["b-000", "b-001", "b-002"] == await queued(db)
    assert (await waiting.admit(db, 4)) == ([Waiting("b-003", 1, 0, 0)], "")  # the refused one is over
    assert (await waiting.admit(db, 4)) == ([], "")
    await finish(db, "b-000")
    await finish(db, "b-001")
    assert [one.image_id for one in (await waiting.admit(db, 4))[0]] == ["b-004", "b-005"]
    assert await held(db, "b") == 6
    more, _ = await waiting.admit(db, 100)
    assert [one.image_id for one in more] == [f"b-{n:03}" for n in range(6, 12)]
    assert [one.priority for one in more] == [
        0,
        0,
        0,
        1,
        1,
        1,
    ]  # position 10 and later go after the first ten of others
    assert await held(db, "b") == 0
    assert len(await queued(db)) == 10


async def test_batches_take_turns_and_canceled_ones_are_left_out(db: Database) -> None:
    for name in ("b1", "b2", "b3"):
        await accept(db, new(name, 6, window=1))
    await ending.cancel(db, "b2")
    first, cursor = await waiting.admit(db, 3, limit=1)
    assert ([one.image_id for one in first], cursor) == (["b1-001", "b1-002"], "b1")
    second, cursor = await waiting.admit(db, 3, cursor, limit=1)
    assert ([one.image_id for one in second], cursor) == (["b3-001", "b3-002"], "b3")
    assert await waiting.admit(db, 3, cursor, limit=1) == ([], "")
    assert await held(db, "b2") == 0


async def test_a_canceled_image_that_was_held_back_is_not_queued(db: Database) -> None:
    await accept(db, new("b", 4, window=1))
    await ending.cancel_image(db, "b-002")
    more, _ = await waiting.admit(db, 9)
    assert [one.image_id for one in more] == ["b-001", "b-003"] == (await queued(db))[1:]


async def test_who_has_much_in_hand_goes_after_who_has_little(db: Database) -> None:
    await accept(db, new("bulk", 120))
    assert [one.priority for one in await accept(db, new("more", 1))] == [2 << 19]
    assert [one.priority for one in await accept(db, new("photo", 1, owner="bolt"))] == [0]
    # Without keys all are one owner, of whom nothing can be said.
    await accept(db, new("open", 120, owner=""))
    assert [one.priority for one in await accept(db, new("one", 1, owner=""))] == [0]


async def test_the_limit_in_flight_is_exact_when_many_come_at_once(db: Database) -> None:
    await keys.make(db, owner="acme", name="k", scopes=["upload"])

    async def one(name: str) -> str:
        await intents.begin(db, name, "p1")
        try:
            return "accepted" if await intents.accept(db, new(name, 3, bad=1, in_flight=10)) else "gone"
        except PixelmillError as error:
            return error.code

    answers = await asyncio.gather(*(one(f"b{n}") for n in range(8)))
    assert sorted(answers) == ["accepted"] * 3 + ["quota-exceeded"] * 5
    await finish(db, (await queued(db))[0])
    assert await one("fits") == "quota-exceeded"  # 8 of 10, and 3 more
    await finish(db, (await queued(db))[0])
    assert await one("now") == "accepted"
    await intents.begin(db, "large", "p1")
    with pytest.raises(PixelmillError, match="too-many-files"):
        await intents.accept(db, new("large", 11, in_flight=10))


async def test_an_older_worker_leaves_newer_work_alone(db: Database) -> None:
    await accept(db, new("b", 1, needs=work.UNDERSTANDS + 1))
    assert await claim(db, "b-000") is Refusal.NEWER
    assert await queued(db) == ["b-000"]
    assert isinstance(await claim(db, "b-000", understands=work.UNDERSTANDS + 1), Claim)


async def test_waiting_is_counted_up_to_a_limit(db: Database) -> None:
    await accept(db, new("b", 5, window=2))
    assert [await waiting.count(db, most) for most in (3, 5, 9)] == [3, 5, 5]
    async with db.write() as tx:
        await tx.execute(update(tables.images).values(state=State.COMPLETED))
    assert await waiting.count(db, 9) == 0
    assert await batches.exists(db, "b") and not await batches.exists(db, "c")
