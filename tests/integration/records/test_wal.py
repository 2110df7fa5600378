"""What was answered is on the disk, and many who wait for it wait for one sync."""

from __future__ import annotations

import asyncio
import errno
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from pixelmill.errors import PixelmillError
from pixelmill.records import Database, events, sqlite_path, wal
from pixelmill.records.tables import intents, now
from tests.integration.records.test_work import accept, image

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Disk:
    """What a power cut would leave: the files as they were at the last sync."""

    def __init__(self, db: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.syncs = 0
        self._from, self._to = sqlite_path(folder), folder / "after" / "pixelmill.db"
        self._to.parent.mkdir()
        log = db._writer._wal
        sync = log._sync_now

        async def synced() -> None:
            for suffix in ("", "-wal"):
                shutil.copy(f"{self._from}{suffix}", f"{self._to}{suffix}")
            self.syncs += 1
            await sync()

        monkeypatch.setattr(log, "_sync_now", synced)

    def has(self) -> set[str]:
        with closing(sqlite3.connect(self._to)) as connection:
            return {name for (name,) in connection.execute("SELECT batch_id FROM intents")}


async def add(db: Database, batch_id: str, *, lasting: bool = True) -> None:
    async with db.write(few=True, lasting=lasting) as tx:
        row = {"batch_id": batch_id, "process_id": "me", "state": "open", "created_at": now()}
        await tx.execute(insert(intents), row)


async def test_what_was_written_survives_a_power_cut(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(db, tmp_path, monkeypatch)
    await add(db, "hasty", lasting=False)
    assert disk.syncs == 0
    await add(db, "one")
    assert (disk.syncs, disk.has()) == (1, {"hasty", "one"})
    await add(db, "told by another", lasting=False)
    async with db.write(few=True) as tx:  # changes nothing, and what it saw is counted on
        await tx.execute(select(intents.c.batch_id))
    assert (disk.syncs, disk.has()) == (2, {"hasty", "one", "told by another"})


async def test_what_is_told_of_a_batch_survives_a_power_cut(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the number of an event that somebody has heard of would be given again."""
    assert await accept(db, image("a"))
    disk = Disk(db, tmp_path, monkeypatch)
    before = disk.syncs
    assert await events.after(db, "batch", 0)
    assert await events.beyond(db, events.Place(0), 10)
    assert disk.syncs == before + 2
    assert not await events.after(db, "batch", 1_000)
    assert disk.syncs == before + 2


async def test_many_wait_for_one_sync(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(db, tmp_path, monkeypatch)
    names = {f"batch-{number}" for number in range(50)}
    lasting = [asyncio.create_task(add(db, name)) for name in names]
    await lasting[0]
    lasting[1].cancel()  # the others wait on
    await asyncio.wait(lasting)
    assert disk.has() == names
    assert disk.syncs < len(names) / 2


async def test_a_disk_that_fails_is_told(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise OSError("The disk is gone.")

    with monkeypatch.context() as broken:
        broken.setattr(db._writer._wal, "_sync_now", fail)
        with pytest.raises(PixelmillError, match="did not answer"):
            await add(db, "lost")
    await add(db, "kept")


async def test_after_a_failed_sync_nothing_is_promised(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel tells it once: the next sync would be a lie."""
    await add(db, "kept")

    async def fail(_: int) -> None:
        raise OSError(errno.EIO, "The disk is gone.")

    with monkeypatch.context() as broken:
        broken.setattr(db._writer._wal._disk, "fdatasync", fail)
        with pytest.raises(PixelmillError, match="did not answer"):
            await add(db, "lost")
    with pytest.raises(PixelmillError, match="did not answer"):
        await add(db, "lost too")
    await add(db, "not promised", lasting=False)


async def test_the_log_is_emptied_beside_the_work(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal, "EVERY", 5)
    for number in range(5):
        await add(db, str(number))
    checkpointing = db._writer._wal._checkpointing
    assert checkpointing
    await checkpointing
    with closing(sqlite3.connect(sqlite_path(tmp_path))) as connection:
        busy, pages, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    assert (busy, pages) == (0, moved)
    log = Path(f"{sqlite_path(tmp_path)}-wal")
    before = log.stat().st_size
    await add(db, "next")  # from the beginning of the log again
    assert log.stat().st_size == before
