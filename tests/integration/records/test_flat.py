"""What people and programs ask all the time costs the same however many rows there are.

Counted, not timed: the steps of SQLite's virtual machine, which are the same on every machine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from pixelmill.records import (
    Database,
    batches,
    dead_letters,
    events,
    fairness,
    images,
    intents,
    known,
    migrate,
    monitor,
    processes,
    retention,
    sqlite_url,
    waiting,
)
from pixelmill.records.models import BatchStatus
from pixelmill.records.retention import Part
from pixelmill.records.tables import now
from tests.rows import SMALL, batch_id, fill, image_id

#: Enough that every page is full.
FEW, MANY = 4_000, 40_000
#: Steps of the virtual machine between two looks; a page of fifty rows takes some thousands.
LOOK = 20

Ask = Callable[[Database], Awaitable[object]]


def both(ask: Callable[[Database, str | None], Awaitable[object]]) -> list[Ask]:
    """For the administrator, for a tenant with a third of all, and for one with three old batches."""
    return [lambda db, owner=owner: ask(db, owner) for owner in (None, "tenant-1", SMALL)]  # type: ignore[misc]


async def in_flight(db: Database, owner: str | None) -> int:
    async with db.read() as connection:
        return await fairness.in_flight(connection, owner or "", 100)


ASKED: dict[str, list[Ask]] = {
    "a batch": [lambda db: batches.find(db, batch_id(7))],
    "its images": [lambda db: images.of_batch(db, batch_id(7))],
    "its events": [lambda db: events.after(db, batch_id(7), 0)],
    "an image": [lambda db: images.find(db, image_id(77))],
    "its tries": [lambda db: images.attempts(db, image_id(77))],
    "batches": both(lambda db, owner: batches.page(db, owner=owner)),
    "batches, further on": both(lambda db, owner: batches.page(db, owner=owner, cursor=batch_id(100))),
    "batches that run": both(lambda db, owner: batches.page(db, owner=owner, status=BatchStatus.PROCESSING)),
    "batches that were canceled": both(lambda db, owner: batches.page(db, owner=owner, status=BatchStatus.CANCELED)),
    "jobs": both(lambda db, owner: monitor.jobs(db, owner=owner)),
    "jobs that failed": both(lambda db, owner: monitor.jobs(db, owner=owner, state="failed")),
    "jobs that are canceled": both(lambda db, owner: monitor.jobs(db, owner=owner, state="canceled")),
    "jobs of a batch": both(lambda db, owner: monitor.jobs(db, owner=owner, batch_id=batch_id(7))),
    "jobs by name": both(lambda db, owner: monitor.jobs(db, owner=owner, name="nothing-like-it")),
    "counts": both(lambda db, owner: monitor.counts(db, owner=owner)),
    "errors": both(lambda db, owner: monitor.errors(db, owner=owner)),
    "the oldest": both(lambda db, owner: monitor.oldest(db, owner=owner)),
    "dead letters": both(lambda db, owner: dead_letters.page(db, owner=owner)),
    "dead letters of a code": both(lambda db, owner: dead_letters.page(db, owner=owner, code="corrupt-image")),
    "dead letters of no code": both(lambda db, owner: dead_letters.page(db, owner=owner, code="timeout")),
    "in flight": both(in_flight),
    "a sample": [lambda db: monitor.sample(db, now() - timedelta(seconds=10))],
    "what waits": [lambda db: waiting.page(db)],
    "what is held back": [lambda db: waiting.admit(db, 100)],
    "how many wait": [lambda db: waiting.count(db, 100)],
    "leftovers": [lambda db: waiting.leftovers(db, now())],
    "what is due": [lambda db: retention.due(db, Part.RESULTS, now())],
    "what is doomed": [retention.doomed],
    "keys that are loose": [known.loose_keys],
    "orphans": [lambda db: intents.orphans(db, now())],
    "strangers": [processes.unknown],
}


async def counted(folder: Path, rows: int) -> dict[str, list[int]]:
    """Steps of each question, in a record with so many images."""
    folder.mkdir()
    db = Database(sqlite_url(folder))
    steps = 0

    def look() -> int:
        nonlocal steps
        steps += LOOK
        return 0

    def watch(connection: sqlite3.Connection, record: Any) -> None:
        connection.set_progress_handler(look, LOOK)

    try:
        await migrate(db)
        await fill(db, rows)
        await db.close()
        db = Database(sqlite_url(folder))
        for connections in (db._reader, db._writer):
            event.listen(connections.engine, "connect", watch)
        found: dict[str, list[int]] = {}
        for name, asks in ASKED.items():
            for ask in asks:
                await ask(db)  # statements are compiled, pages are in memory
                steps = 0
                await ask(db)
                found.setdefault(name, []).append(steps)
    finally:
        await db.close()
    return found


async def test_nothing_that_is_asked_grows_with_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "MOST", 30)  # beyond that counts and searches look no further
    few = await counted(tmp_path / "few", FEW)
    many = await counted(tmp_path / "many", MANY)
    grown = {
        name: (few[name], many[name])
        for name in few
        for a, b in zip(few[name], many[name], strict=True)
        if b > 1.5 * a + 500
    }
    assert grown == {}
