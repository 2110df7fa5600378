"""Batches: reading them, and the lock that every change of one takes first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, bindparam, select

from pixelmill.records.database import Database
from pixelmill.records.models import Batch, BatchStatus, Counts, Retention
from pixelmill.records.tables import batches, images
from pixelmill.records.transaction import Transaction


def to_batch(row: Row[Any]) -> Batch:
    return Batch(
        id=row.id,
        owner=row.owner,
        status=BatchStatus(row.status),
        counts=Counts(row.total, row.completed, row.failed, row.active, row.canceled),
        preset=row.preset,
        recipe=row.recipe,
        metadata=row.metadata,
        callback_url=row.callback_url,
        priority=row.priority,
        seq=row.seq,
        created_at=row.created_at,
        finished_at=row.finished_at,
        retention=Retention(
            keep_originals=row.keep_originals,
            keep_results=row.keep_results,
            originals_until=row.originals_until,
            results_until=row.results_until,
            originals_gone=row.originals_gone,
            results_gone=row.results_gone,
        ),
        needs=row.needs,
    )


_BATCH = select(batches).where(batches.c.id == bindparam("its"), batches.c.deleting.is_(False))
_LOCK = _BATCH.with_for_update()
_LOCK_OF = (
    select(batches)
    .where(
        batches.c.id == select(images.c.batch_id).where(images.c.id == bindparam("its")).scalar_subquery(),
        batches.c.deleting.is_(False),
    )
    .with_for_update()
)


async def lock(tx: Transaction, batch_id: str) -> Batch | None:
    """The batch, locked until the transaction ends: the first thing that any change of it does."""
    row = (await tx.execute(_LOCK, {"its": batch_id})).one_or_none()
    return to_batch(row) if row else None


async def lock_of(tx: Transaction, image_id: str) -> Batch | None:
    """As :func:`lock`, the batch of an image."""
    row = (await tx.execute(_LOCK_OF, {"its": image_id})).one_or_none()
    return to_batch(row) if row else None


async def find(db: Database, batch_id: str) -> Batch | None:
    async with db.read(few=True) as connection:
        row = (await connection.execute(_BATCH, {"its": batch_id})).one_or_none()
    return to_batch(row) if row else None


async def exists(db: Database, batch_id: str) -> bool:
    """Whether there is a row of it, seen or hidden."""
    async with db.read() as connection:
        return await connection.scalar(select(batches.c.id).where(batches.c.id == batch_id)) is not None


async def page(
    db: Database, *, owner: str | None = None, cursor: str | None = None, limit: int = 50, status: str | None = None
) -> tuple[list[Batch], str | None]:
    """Newest first, and the cursor of the next page (None at the end). Ids sort by time of making."""
    query = select(batches).where(batches.c.deleting.is_(False)).order_by(batches.c.id.desc()).limit(limit + 1)
    if owner is not None:
        query = query.where(batches.c.owner == owner)
    if status is not None:
        query = query.where(batches.c.status == status)
    if cursor is not None:
        query = query.where(batches.c.id < cursor)
    async with db.read() as connection:
        found = [to_batch(row) for row in await connection.execute(query)]
    return found[:limit], found[limit - 1].id if len(found) > limit else None
