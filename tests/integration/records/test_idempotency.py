from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from pixelmill.errors import PixelmillError
from pixelmill.records import Database, idempotency, processes, tables
from pixelmill.records.idempotency import Answer, Running
from pixelmill.records.tables import now

DAY = timedelta(days=1)
ANSWER = Answer("f" * 64, 202, {"location": "/batches/1"}, "sealed")


async def alive(db: Database, *ids: str) -> None:
    for one in ids:
        await processes.register(db, one, kind="api", slot=None, host="h", pid=1, version="0")


async def reserve(db: Database, process: str = "p1", key: str = "k", owner: str = "acme") -> Answer | None:
    return await idempotency.reserve(db, owner, key, process, keep=DAY)


async def test_one_at_a_time_then_the_answer(db: Database) -> None:
    await alive(db, "p1", "p2")
    assert await reserve(db) is None
    for process in ("p1", "p2"):
        with pytest.raises(Running):
            await reserve(db, process)
    assert await reserve(db, owner="bolt") is None
    assert await reserve(db, key="k2") is None
    await idempotency.answer(db, "acme", "k", "p1", ANSWER)
    assert await reserve(db, "p2") == ANSWER
    # What is recorded stays.
    await idempotency.release(db, "acme", "k", "p1")
    assert await reserve(db, "p2") == ANSWER


async def test_released_is_free(db: Database) -> None:
    await alive(db, "p1", "p2")
    assert await reserve(db) is None
    await idempotency.release(db, "acme", "k", "p2")  # not its own
    with pytest.raises(Running):
        await reserve(db, "p2")
    await idempotency.release(db, "acme", "k", "p1")
    assert await reserve(db, "p2") is None


async def test_a_dead_process_holds_nothing_and_writes_nothing(db: Database) -> None:
    await alive(db, "p1", "p2")
    assert await reserve(db) is None
    await processes.forget(db, "p1")
    assert await reserve(db, "p2") is None
    # It was only frozen, and comes too late.
    with pytest.raises(PixelmillError) as caught:
        await idempotency.answer(db, "acme", "k", "p1", ANSWER)
    assert caught.value.code == "idempotency-running"
    await idempotency.answer(db, "acme", "k", "p2", ANSWER)


async def test_of_many_at_once_one_wins(db: Database) -> None:
    await alive(db, *(f"p{number}" for number in range(10)))

    async def one(number: int) -> bool:
        try:
            return await reserve(db, f"p{number}") is None
        except Running:
            return False

    assert sum(await asyncio.gather(*map(one, range(10)))) == 1


async def test_an_answer_gets_too_old(db: Database) -> None:
    await alive(db, "p1")
    for key in ("old", "new", "running", "left"):
        assert await reserve(db, "p1" if key != "left" else "dead", key) is None
    for key in ("old", "new"):
        await idempotency.answer(db, "acme", key, "p1", ANSWER)
    async with db.write() as tx:
        table = tables.idempotency
        await tx.execute(update(table).where(table.c.key != "new").values(created_at=now() - DAY))
    assert await reserve(db, key="old") is None
    await idempotency.answer(db, "acme", "old", "p1", ANSWER)
    async with db.write() as tx:
        await tx.execute(update(table).where(table.c.key == "old").values(created_at=now() - DAY))
    assert await idempotency.expire(db, keep=DAY) == 2
    async with db.read() as connection:
        assert set(await connection.scalars(select(table.c.key))) == {"new", "running"}
        assert await connection.scalar(select(func.count()).select_from(table)) == 2
    assert await idempotency.expire(db, keep=DAY) == 0
