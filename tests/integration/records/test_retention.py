"""Marking what has been kept long enough, and taking it out of the record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Table, func, select

from pixelmill.errors import PixelmillError
from pixelmill.records import Database, batches, ending, events, images, intents, retention, shares, tables, work
from pixelmill.records.claims import Failure, Report
from pixelmill.records.intents import NewBatch
from pixelmill.records.keys import By
from pixelmill.records.models import BatchStatus
from pixelmill.records.retention import Part
from tests.integration.records.test_work import RECIPE, claim, image, made

DAY = 86400.0


def later(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


async def accept(db: Database, *names: str, originals: float | None = DAY, results: float | None = 2 * DAY) -> None:
    await intents.begin(db, "batch", "api")
    images = [image(name) for name in names]
    new = NewBatch(
        "batch", "me", None, RECIPE, ["a", "b"], {}, None, 0, images, keep_originals=originals, keep_results=results
    )
    assert await intents.accept(db, new)


async def counted(db: Database, *which: Table) -> list[int]:
    async with db.read() as connection:
        return [(await connection.execute(select(func.count()).select_from(table))).scalar_one() for table in which]


async def test_time_runs_from_the_end_of_the_batch(db: Database) -> None:
    await accept(db, "one", "two")
    await work.complete(db, await claim(db, "one"), Report(made=made("a", "b")))
    found = await batches.find(db, "batch")
    assert found
    assert (found.retention.originals_until, found.retention.results_until) == (None, None)
    await work.complete(db, await claim(db, "two"), Report(made=made("a", "b")))
    found = await batches.find(db, "batch")
    assert found
    assert found.finished_at
    assert found.retention.originals_until == found.finished_at + timedelta(days=1)
    assert found.retention.results_until == found.finished_at + timedelta(days=2)
    assert await retention.due(db, Part.ORIGINALS, later(0.9)) == []


async def test_each_part_goes_in_its_time_and_the_batch_with_the_last(db: Database) -> None:
    await accept(db, "one")
    await work.complete(db, await claim(db, "one"), Report(made=made("a", "b")))
    await shares.create(db, "share", "token", owner="me", batch_id="batch", expires_at=later(9))
    for _ in range(2):  # a round that died after marking is done again
        assert [one.batch_id for one in await retention.due(db, Part.ORIGINALS, later(1.1))] == ["batch"]
    assert not await retention.gone(db, Part.ORIGINALS, "batch")
    assert await retention.due(db, Part.ORIGINALS, later(1.1)) == []
    one = await images.find(db, "one")
    assert one
    assert (one.key, one.variants[0].key) == (None, "key-a")
    assert [event.event for event in await events.after(db, "batch", 0)][-2:] == [
        "batch.completed",
        "originals.deleted",
    ]

    assert await retention.due(db, Part.RESULTS, later(1.1)) == []
    assert len(await retention.due(db, Part.RESULTS, later(2.1))) == 1
    assert await retention.gone(db, Part.RESULTS, "batch")
    assert await batches.find(db, "batch") is None
    assert await batches.page(db) == ([], None)
    assert [one.batch_id for one in await retention.doomed(db)] == ["batch"]
    await retention.erase(db, "batch", page=1)
    every = [tables.batches, tables.images, tables.variants, tables.attempts, tables.events, tables.shares]
    assert await counted(db, *every) == [0] * 6


async def test_originals_may_outlive_results(db: Database) -> None:
    await accept(db, "one", originals=None, results=DAY)
    await work.complete(db, await claim(db, "one"), Report(made=made("a", "b")))
    assert len(await retention.due(db, Part.RESULTS, later(1.1))) == 1
    assert not await retention.gone(db, Part.RESULTS, "batch")
    assert await retention.due(db, Part.ORIGINALS, later(9999)) == []
    found = await batches.find(db, "batch")
    assert found
    assert found.retention.results_gone


async def test_a_batch_whose_original_is_gone_cannot_be_tried_again(db: Database) -> None:
    await accept(db, "one")
    await work.fail(db, await claim(db, "one"), Failure("corrupt-image", "It is bad."), Report())
    await retention.due(db, Part.ORIGINALS, later(1.1))
    with pytest.raises(PixelmillError, match=r"conflict.*retention"):
        await ending.replay(db, "one")


async def test_a_batch_that_was_opened_again_keeps_what_it_needs(db: Database) -> None:
    await accept(db, "one")
    await work.fail(db, await claim(db, "one"), Failure("corrupt-image", "It is bad."), Report())
    await ending.replay(db, "one")
    assert await retention.due(db, Part.ORIGINALS, later(9)) == []
    assert await retention.doom(db, "batch", By("me")) is None


async def test_a_canceled_try_may_still_write(db: Database) -> None:
    await accept(db, "one", "two")
    await claim(db, "one")
    assert await ending.cancel(db, "batch") is BatchStatus.CANCELED
    assert await retention.doom(db, "batch", By("me"))
    assert await retention.may_still_write(db, "batch", later(-1))
    assert not await retention.may_still_write(db, "batch", later(1))
    assert await retention.doom(db, "batch", By("me")) is None  # it is hidden already
    with pytest.raises(PixelmillError, match="not-found"):
        await ending.cancel(db, "batch")


async def test_a_try_that_ended_by_itself_writes_no_more(db: Database) -> None:
    await accept(db, "one")
    await work.complete(db, await claim(db, "one"), Report(made=made("a", "b")))
    assert not await retention.may_still_write(db, "batch", later(-1))


async def test_a_share_opens_until_it_expires_or_is_revoked(db: Database) -> None:
    await accept(db, "one")
    for name in ("first", "second"):
        await shares.create(db, name, f"token-{name}", owner="me", batch_id="batch", expires_at=later(1))
    found = await shares.by_token(db, "token-first", later(0.9))
    assert found
    assert (found.id, found.batch_id) == ("first", "batch")
    assert await shares.by_token(db, "token-first", later(1.1)) is None
    assert await shares.by_token(db, "token", later(0)) is None
    assert await shares.revoke(db, "batch", "first")
    assert not await shares.revoke(db, "batch", "first")
    assert not await shares.revoke(db, "other", "second")
    assert [one.id for one in await shares.of_batch(db, "batch", later(0))] == ["second"]
