"""One writer at a time, one batch for each upload, and nothing kept for ever: on each database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from pixelmill.errors import PixelmillError
from pixelmill.records import Database, intents, processes, tables, uploads
from pixelmill.records.intents import NewBatch, NewImage
from pixelmill.records.tables import now
from tests.rows import LATER, an_upload


async def known(db: Database, process_id: str) -> None:
    await processes.register(db, process_id, kind="api", slot=None, host="h", pid=1, version="0")


async def refused(db: Database, token: str, process_id: str, writing: tuple[str, ...] = ()) -> str:
    with pytest.raises(PixelmillError) as caught:
        await uploads.hold(db, "u1", token, process_id, writing=writing)
    return caught.value.code


async def test_one_writer_at_a_time(db: Database) -> None:
    await known(db, "p1")
    await known(db, "p2")
    await uploads.create(db, [an_upload()])
    await uploads.hold(db, "u1", "t1", "p1", writing=("t1",))
    assert await refused(db, "t2", "p2") == "locked"
    assert await refused(db, "t2", "p1", ("t1", "t2")) == "locked"
    # A request of the same process whose end was not recorded holds nothing.
    await uploads.hold(db, "u1", "t3", "p1", writing=("t3",))
    values: dict[str, Any] = {"metadata": {"pieces": [["k", 4]]}, "expires_at": now() + LATER}
    assert not await uploads.advance(db, "u1", "t1", start=0, end=4, **values)
    assert await uploads.advance(db, "u1", "t3", start=0, end=4, **values)
    assert not await uploads.advance(db, "u1", "t3", start=0, end=4, **values)
    await processes.forget(db, "p1")
    held = await uploads.hold(db, "u1", "t4", "p2", writing=("t4",))
    assert (held.offset, held.metadata) == (4, {"pieces": [["k", 4]]})
    await uploads.release(db, "u1", "t3")  # a late one frees nothing
    assert await refused(db, "t5", "p3") == "locked"
    await uploads.release(db, "u1", "t4")
    await uploads.hold(db, "u1", "t5", "p3", writing=())


async def test_of_batches_that_want_it_at_once_one_gets_it(db: Database) -> None:
    await uploads.create(db, [an_upload(state="finished", offset=10)])

    async def take(batch_id: str) -> bool:
        try:
            async with db.write() as tx:
                await uploads.take(tx, "u1", batch_id)
        except PixelmillError as error:
            assert error.code == "conflict"
            return False
        return True

    assert sorted(await asyncio.gather(*map(take, "abcd"))) == [False, False, False, True]
    assert not await uploads.drop(db, "u1")


async def test_what_is_not_whole_or_over_is_not_taken(db: Database) -> None:
    over = now() - LATER
    direct = an_upload("u4", kind="direct")
    await uploads.create(
        db, [an_upload(), an_upload("u2", state="finished", expires_at=over), an_upload("u3", state="deleting"), direct]
    )
    for upload_id in ("u1", "u2", "u3"):
        with pytest.raises(PixelmillError):
            async with db.write() as tx:
                await uploads.take(tx, upload_id, "b")
    async with db.write() as tx:
        await uploads.take(tx, "u4", "b")


async def test_time_ends_an_upload_whoever_writes(db: Database) -> None:
    await known(db, "p1")
    await uploads.create(db, [an_upload()])
    await uploads.hold(db, "u1", "t1", "p1", writing=("t1",))
    assert await uploads.due(db, now()) == []
    [one] = await uploads.due(db, now() + 2 * LATER)
    assert one.state == "deleting"
    assert await uploads.find(db, "u1") is None
    assert not await uploads.advance(db, "u1", "t1", start=0, end=4, metadata={}, expires_at=now())
    assert not await uploads.finish(
        db, "u1", "t1", key="k", bytes=10, sha256="x", format="jpeg", expires_at=now() + LATER
    )
    assert await refused(db, "t2", "p1") == "not-found"


@pytest.mark.parametrize(
    ("state", "gone", "kept"),
    [
        *((state, False, "") for state in ("waiting", "active", "failed")),
        ("canceled", False, None),
        ("failed", True, None),
    ],
)
async def test_a_dead_letter_keeps_the_upload_that_it_would_be_made_from(
    db: Database, state: str, gone: bool, kept: str | None
) -> None:
    await intents.begin(db, "b1", "p1")
    source = {"key": "uploads/u1/x", "upload": "u1", "bytes": 10}
    image = NewImage("i1", "a.jpg", None, 10, None, "jpeg", source=source)
    batch = NewBatch("b1", "acme", None, {"variants": []}, ["a"], {}, None, 0, [image])
    assert await intents.accept(db, batch)
    async with db.write() as tx:
        await tx.execute(update(tables.images).values(state=state))
        await tx.execute(update(tables.batches).values(originals_gone=gone))
    assert await uploads.kept_by(db, an_upload(kind="direct", state="taken", batch_id="b1", key="uploads/u1/x")) == kept
