"""A short run of `make chaos`, always the same; and what it looks for is found when it is there."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import delete, insert, select, update

from pixelmill.records import Database, intents, migrate, sqlite_url, work
from pixelmill.records.claims import Claim, MadeVariant, Report
from pixelmill.records.intents import NewBatch, NewImage
from pixelmill.records.tables import batches, deliveries, events, images, now, variants
from pixelmill.storage import Storage
from pixelmill.storage.local import LocalStorage
from tests.chaos import audit
from tests.chaos.run import chaos
from tests.chaos.schedule import WEIGHTS, plan


async def test_nothing_is_lost_while_everything_breaks(tmp_path: Path) -> None:
    out = io.StringIO()
    broken = await chaos(tmp_path, on="embedded", seed=10, seconds=12, faults=8, rate=1, disk=64, out=out)
    sums = json.loads(out.getvalue().splitlines()[-1])["sums"]
    assert broken == []
    assert sums["hit"] and sums["images"] and sums["accepted"] == sums["batches"]
    assert not [one for one in sums["surprises"] if one.startswith("serve ended")]  # a fault met whom it was not for


def test_a_schedule_is_the_same_for_the_same_seed() -> None:
    kinds = list(WEIGHTS)
    one, two, other = (plan(seed, 60, 40, kinds) for seed in (1, 1, 2))
    assert one == two != other
    assert {fault.name for fault in one} == set(kinds) and len(one) == 40
    assert [fault.at for fault in one] == sorted(fault.at for fault in one)


@pytest.fixture
async def database(tmp_path: Path) -> Database:
    db = Database(sqlite_url(tmp_path))
    await migrate(db)
    return db


async def finish_one(db: Database, storage: Storage) -> None:
    """Batch ``b`` with image ``i`` and variant ``v``: accepted, made, told to nobody but the log and a webhook."""
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2)).save(buffer, "PNG")
    data = buffer.getvalue()
    await storage.put("originals/b/i", data)
    await intents.begin(db, "b", "api")
    image = NewImage("i", "i.png", "originals/b/i", len(data), None, "png")
    new = NewBatch("b", "", None, {}, ("v",), {"number": 0}, "http://127.0.0.1/", 0, [image])
    assert await intents.accept(db, new)
    held = await work.claim(db, "i", 1, token="t", process_id="p", worker="w")
    assert isinstance(held, Claim)
    await storage.put("processed/b/i/t-v.png", data)
    made = MadeVariant("v", "processed/b/i/t-v.png", "png", "image/png", 3, 2, len(data), None, 0.1, {})
    await work.complete(db, held, Report(made=[made]))
    async with db.write() as tx:
        await tx.execute(update(deliveries).values(id="m", state="delivered"))


async def look(db: Database, storage: Storage, told: int = 1) -> list[str]:
    found = await audit.check(
        db, storage, accepted={0: "b"}, sent={0: 1}, told=Counter({("b", "msg_m"): told} if told else {})
    )
    return found.broken


async def test_a_run_in_which_all_went_well_passes(database: Database, tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "files")
    await finish_one(database, storage)
    assert await look(database, storage) == []
    assert await look(database, storage, told=2) == []  # at least once
    await database.close()


async def _sql(db: Database, statement: object) -> None:
    async with db.write() as tx:
        await tx.execute(statement)  # type: ignore[call-overload]


async def _do_twice(db: Database, _: Storage) -> None:
    async with db.write() as tx:
        again = (await tx.execute(select(batches))).one()._mapping
        await tx.execute(insert(batches).values({**again, "id": "again"}))


Change = Callable[[Database, Storage], Awaitable[None]]
BREAKS: dict[str, Change] = {
    "counters": lambda db, _: _sql(db, update(batches).values(completed=2)),
    "ended 0 times": lambda db, _: _sql(db, delete(events).where(events.c.event == "image.completed")),
    "its log has gaps": lambda db, _: _sql(db, delete(events).where(events.c.seq == 1)),
    "was told 0 times": lambda db, _: _sql(db, delete(events).where(events.c.event == "variant.completed")),
    "ended 2 times": lambda db, _: _sql(
        db, insert(events).values(batch_id="b", seq=9, event="image.failed", at=now(), job_id="i")
    ),
    "and its image is completed": lambda db, _: _sql(db, update(variants).values(state="failed")),
    "their ends are": lambda db, _: _sql(db, update(images).values(state="waiting")),
    "is processing": lambda db, _: _sql(db, update(batches).values(status="processing", finished_at=None)),
    "half-written or lost": lambda _, storage: storage.put("processed/b/i/t-v.png", b"half"),
    "cannot be opened": lambda db, storage: storage.put("processed/b/i/t-v.png", b"x" * 79),
    "the original of image": lambda _, storage: storage.delete(["originals/b/i"]),
    "came to nothing": lambda _, storage: storage.put("originals/other/i", b"x"),
    "messages to its webhook": lambda db, _: _sql(db, delete(deliveries)),
    "is due": lambda db, _: _sql(db, update(deliveries).values(state="due")),
    "has 2 images of 1 files": lambda db, _: _sql(db, update(batches).values(total=2)),
    "has 1 images of 0 files": lambda db, _: _sql(db, update(batches).values(metadata={"number": 1})),
    "done twice, in spite of their key": _do_twice,
    "is lost": lambda db, _: _sql(db, delete(batches)),
}


@pytest.mark.parametrize("sentence", BREAKS)
async def test_a_broken_promise_is_found(database: Database, tmp_path: Path, sentence: str) -> None:
    storage = LocalStorage(tmp_path / "files")
    await finish_one(database, storage)
    await BREAKS[sentence](database, storage)
    assert any(sentence in one for one in await look(database, storage))
    await database.close()


async def test_what_retention_leaves_is_found(database: Database, tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "files")
    await finish_one(database, storage)
    assert await audit.emptied(database, storage, 0) == ["left after retention (batches, objects): (1, 2)"]
    await _sql(database, delete(batches))
    assert await audit.emptied(database, storage, 0) == ["left after retention (batches, objects): (0, 2)"]
    await storage.delete_prefix("")
    assert await audit.emptied(database, storage, 0) == []
    await database.close()


async def test_a_message_that_never_came_is_found(database: Database, tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "files")
    await finish_one(database, storage)
    assert any("never came" in one for one in await look(database, storage, told=0))
    await database.close()
