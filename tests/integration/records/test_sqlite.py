"""SQLite's own connections: whole or nothing, one writer at a time, usable after whoever waited is canceled."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from pixelmill.pipeline.presence import new_id
from pixelmill.records import Database, intents, sqlite_url, wal
from pixelmill.records.tables import intents as table
from pixelmill.records.tables import now

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def row() -> dict[str, object]:
    return {"batch_id": new_id(), "process_id": "p", "state": "open", "created_at": now()}


async def count(db: Database) -> int:
    async with db.read(few=True) as connection:
        return await connection.scalar(select(func.count()).select_from(table)) or 0


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("rows", [1, 1000])
async def test_a_transaction_that_fails_leaves_nothing(db: Database, few: bool, rows: int) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.write(few=few) as tx:
            await tx.execute(insert(table), [row() for _ in range(rows)])
            raise ZeroDivisionError
    assert await count(db) == 0
    async with db.write(few=few) as tx:
        await tx.execute(insert(table), [row() for _ in range(rows)])
    assert await count(db) == rows


async def test_whoever_is_canceled_holds_up_nobody(db: Database) -> None:
    begun = [asyncio.create_task(intents.begin(db, new_id(), "p")) for _ in range(40)]
    for number, task in enumerate(begun):
        await asyncio.sleep(0)
        if number % 2:
            task.cancel()
    ends = await asyncio.gather(*begun, return_exceptions=True)
    assert not [end for end in ends if isinstance(end, Exception)]
    await intents.begin(db, new_id(), "p")
    # A commit that was on its way is done, whether anybody heard of it or not.
    assert sum(end is None for end in ends) + 1 <= await count(db) <= 41


async def test_processes_take_turns(db: Database, tmp_path: Path) -> None:
    other = Database(sqlite_url(tmp_path))
    try:
        await asyncio.gather(*(intents.begin(one, new_id(), "p") for _ in range(20) for one in (db, other)))
    finally:
        await other.close()
    assert await count(db) == 40


async def test_rows_come_one_by_one_and_in_parts(db: Database) -> None:
    async with db.write() as tx:
        await tx.execute(insert(table), [row() for _ in range(10)])
    async with db.read() as connection:
        found = await connection.execute(select(table.c.batch_id).order_by(table.c.batch_id))
        first, some, rest = found.fetchone(), found.fetchmany(4), found.fetchall()
    assert first is not None
    assert (len(some), len(rest)) == (4, 5)
    assert [first, *some, *rest] == sorted([first, *some, *rest])


async def test_the_log_begins_anew_though_somebody_is_always_at_it(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal, "LARGEST", 100)
    path = str(tmp_path / "pixelmill.db")
    log = wal.Wal(path, asyncio.Semaphore(1))
    real = log._checkpoint_now
    for _ in range(150):
        await intents.begin(db, new_id(), "p")
    reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM intents").fetchone()
    await intents.begin(db, new_id(), "p")  # which the reader does not see: it may not go to its place yet

    def until_it_has_read(how: str) -> int:
        pages = real(how)
        reader.close()
        return pages

    monkeypatch.setattr(log, "_checkpoint_now", until_it_has_read)
    for _ in range(wal.EVERY):
        log.committed()
    await log.close()
    await intents.begin(db, new_id(), "p")
    assert real("PASSIVE") < 100
