"""How long things live, and taking them out of the record.

A batch has two parts with times of their own: originals and results. A part is marked gone first, then its bytes are
deleted, then that is noted: a process that dies in between leaves a mark that the next round finds. When both parts are
gone the whole batch is marked ``deleting``; from then on it is hidden, and its rows go last, a page at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from sqlalchemy import and_, delete, or_, select, update

from pixelmill.records import audit, known
from pixelmill.records import batches as batch_records
from pixelmill.records.database import Database
from pixelmill.records.events import News, log
from pixelmill.records.keys import By
from pixelmill.records.models import Retention
from pixelmill.records.tables import attempts, batches, deliveries, events, images, uploads, variants
from pixelmill.records.transaction import Transaction
from pixelmill.tasks import some_at_a_time

#: Batches at a time: each waits mostly for the disk or a server, and on SQLite one wait for a sync does for all.
TOGETHER = 4
#: Ends of a try that its worker did not see to itself: it may still write.
_UNSEEN = ("lost", "canceled")


class Part(StrEnum):
    ORIGINALS = "originals"
    RESULTS = "results"


@dataclass(frozen=True, slots=True)
class Until:
    """When each part is to go; None: never, or not yet known."""

    originals: datetime | None = None
    results: datetime | None = None

    @staticmethod
    def after(end: datetime, retention: Retention) -> Until:
        """What a batch that ended at ``end`` is kept until."""
        return Until(_later(end, retention.keep_originals), _later(end, retention.keep_results))


def _later(end: datetime, seconds: float | None) -> datetime | None:
    return None if seconds is None else end + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Doomed:
    """A batch whose bytes of one part are to be deleted. ``keys``: uploads that it took."""

    batch_id: str
    keys: tuple[str, ...]


async def due(
    db: Database, part: Part, at: datetime, limit: int = 20, *, without: Collection[str] = ()
) -> list[Doomed]:
    """Mark the part gone of up to ``limit`` batches whose time for it is over by ``at``; those and all marked before.

    Nothing that is marked can be opened again, so its bytes can be deleted in peace. ``without`` these batches.
    """
    until = batches.c[f"{part}_until"]
    theirs = until <= at, batches.c.deleting.is_(False), batches.c.id.not_in(without)
    query = select(batches.c.id).where(*theirs).order_by(until).limit(limit)
    async with db.read() as connection:
        ids = [row.id for row in await connection.execute(query)]
    marked = await some_at_a_time([partial(_mark, db, part, at, batch_id) for batch_id in ids], TOGETHER)
    return [one for one in marked if one]


async def _mark(db: Database, part: Part, at: datetime, batch_id: str) -> Doomed | None:
    async with db.write() as tx:
        batch = await batch_records.lock(tx, batch_id)
        its_until: datetime | None = getattr(batch.retention, f"{part}_until") if batch else None
        if batch is None or its_until is None or its_until > at:
            return None  # it was opened again, and has no time until its next end
        if not getattr(batch.retention, f"{part}_gone"):
            await log(tx, batch_id, batch.seq, [News(f"{part}.deleted")], **{f"{part}_gone": True})
            if part is Part.RESULTS:
                await known.give_up(tx, batch_id)
        return Doomed(batch_id, await _stray_keys(tx, batch_id) if part is Part.ORIGINALS else ())


async def _forget_uploads(tx: Transaction, keys: Iterable[str | None]) -> None:
    """Delete the rows of uploads whose bytes lie under ``keys``.

    Not yet of those that a client may still store again: the sweep of uploads looks once more when that is over.
    """
    ids = {key.split("/")[1] for key in keys if key and key.startswith("uploads/")}
    if ids:
        await tx.execute(delete(uploads).where(uploads.c.id.in_(ids), uploads.c.kind != "direct"))


async def _stray_keys(tx: Transaction, batch_id: str) -> tuple[str, ...]:
    # Never what lies elsewhere: that is a bucket's own.
    query = select(images.c.key).where(images.c.batch_id == batch_id, images.c.key.like("uploads/%"))
    taken = select(uploads.c.key).where(uploads.c.batch_id == batch_id)
    return tuple(row.key for row in await tx.execute(query.union(taken)))


async def gone(db: Database, part: Part, batch_id: str) -> bool:
    """Note that the bytes of a part are deleted. True: that was the last part, and the batch is ``deleting`` now."""
    async with db.write(lasting=False) as tx:  # what a power cut undoes is done again
        batch = await batch_records.lock(tx, batch_id)
        if batch is None:
            return False
        if part is Part.ORIGINALS:
            await _forget_uploads(tx, await _stray_keys(tx, batch_id))
            await tx.execute(update(images).where(images.c.batch_id == batch_id).values(key=None))
        else:
            its = select(images.c.id).where(images.c.batch_id == batch_id)
            await tx.execute(update(variants).where(variants.c.image_id.in_(its)).values(key=None))
        other = Part.RESULTS if part is Part.ORIGINALS else Part.ORIGINALS
        # The other part must be deleted too, not only marked.
        last = getattr(batch.retention, f"{other}_gone") and getattr(batch.retention, f"{other}_until") is None
        await tx.execute(
            update(batches).where(batches.c.id == batch_id).values(**{f"{part}_until": None, "deleting": bool(last)})
        )
    return bool(last)


async def doom(db: Database, batch_id: str, by: By) -> Doomed | None:
    """Mark a batch that is over as ``deleting``, whatever its retention. None: there is none, or it is not over."""
    async with db.write() as tx:
        batch = await batch_records.lock(tx, batch_id)
        if batch is None or not batch.status.over:
            return None
        await tx.execute(update(batches).where(batches.c.id == batch_id).values(deleting=True))
        await known.give_up(tx, batch_id)
        await audit.note(tx, "batch.purge", owner=by.owner, key_id=by.key_id, target=batch_id, data={})
        return Doomed(batch_id, await _stray_keys(tx, batch_id))


async def doomed(db: Database, limit: int = 20, *, without: Collection[str] = ()) -> list[Doomed]:
    """Batches that are ``deleting``, ``without`` these."""
    async with db.read() as connection:
        theirs = batches.c.deleting.is_(True), batches.c.id.not_in(without)
        query = select(batches.c.id).where(*theirs).order_by(batches.c.id).limit(limit)
        ids = [row.id for row in await connection.execute(query)]
        return [Doomed(batch_id, await _stray_keys(connection, batch_id)) for batch_id in ids]


async def may_still_write(db: Database, batch_id: str, since: datetime) -> bool:
    """Whether a worker that lost an image of this batch after ``since`` may not know it yet, and still write."""
    query = (
        select(attempts.c.token)
        .join(images, images.c.id == attempts.c.image_id)
        .where(
            images.c.batch_id == batch_id,
            or_(attempts.c.ended_at.is_(None), and_(attempts.c.outcome.in_(_UNSEEN), attempts.c.ended_at > since)),
        )
        .limit(1)
    )
    async with db.read() as connection:
        return (await connection.execute(query)).first() is not None


async def erase(db: Database, batch_id: str, page: int = 500) -> None:
    """Delete the rows of a batch that is ``deleting``: images (with variants and tries), events, deliveries, batch.

    What a webhook has still to be told stays until it is. What a power cut undoes is done again.
    """
    while True:
        async with db.write(lasting=False) as tx:
            query = select(images.c.id, images.c.key).where(images.c.batch_id == batch_id).limit(page)
            found = (await tx.execute(query)).all()
            ids = [row.id for row in found]
            if not ids:
                break
            await _forget_uploads(tx, [row.key for row in found])
            await tx.execute(delete(images).where(images.c.id.in_(ids)))
    while True:
        async with db.write(lasting=False) as tx:
            rows = await tx.execute(select(events.c.id).where(events.c.batch_id == batch_id).limit(page))
            numbers = [row.id for row in rows]
            if not numbers:
                break
            await tx.execute(delete(events).where(events.c.id.in_(numbers)))
    async with db.write(lasting=False) as tx:
        over = deliveries.c.state.in_(("delivered", "failed"))
        await tx.execute(delete(deliveries).where(deliveries.c.batch_id == batch_id, over))
        await tx.execute(delete(batches).where(batches.c.id == batch_id, batches.c.deleting.is_(True)))
