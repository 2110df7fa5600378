"""The whole log, read while transactions overlap, on each database."""

from __future__ import annotations

from sqlalchemy import delete, insert

from pixelmill.records import Database, events, tables
from pixelmill.records.tables import now
from tests.integration.records.test_work import accept, image


async def line(connection: object, seq: int) -> None:
    values = {"batch_id": "batch", "seq": seq, "event": "test", "at": now(), "data": {}}
    await connection.execute(insert(tables.events).values(**values))  # type: ignore[attr-defined]


async def test_what_commits_late_is_told_once(db: Database) -> None:
    await accept(db, image("one"))
    place = await events.newest(db)
    if db.is_sqlite:  # there is one writer at a time: nothing commits out of order
        async with db.write() as tx:
            await line(tx, 101)
            await line(tx, 102)
        found = await events.beyond(db, place, 10)
        assert [one.event.seq for one in found] == [101, 102]
    else:
        async with db.write() as early:
            await line(early, 101)
            async with db.write() as late:
                await line(late, 102)
            found = await events.beyond(db, place, 10)
            assert [one.event.seq for one in found] == [102]
            place = found[-1].place
            assert place.gaps
        found = await events.beyond(db, place, 10)
        assert [one.event.seq for one in found] == [101]
        assert found[-1].place.gaps == ()
    assert await events.beyond(db, found[-1].place, 10) == []


async def test_an_id_is_never_given_again(db: Database) -> None:
    await accept(db, image("one"))
    async with db.write() as tx:
        await line(tx, 101)
    place = await events.newest(db)
    async with db.write() as tx:
        await tx.execute(delete(tables.events).where(tables.events.c.seq == 101))
    async with db.write() as tx:
        await line(tx, 102)
    assert [one.event.seq for one in await events.beyond(db, place, 10)] == [102]
