"""How far a backfill has come: the last key that was taken in, moved in the transaction that takes it in."""

from __future__ import annotations

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from pixelmill.records.database import Database
from pixelmill.records.tables import backfills, now
from pixelmill.records.transaction import Transaction


async def start(db: Database, backfill_id: str, source: str, *, again: bool = False) -> tuple[str, int]:
    """The last key that was taken in and how many images that were; ``again``: from the beginning."""
    try:
        return await _start(db, backfill_id, source, again)
    except IntegrityError:  # another has begun it in this moment
        return await _start(db, backfill_id, source, again=False)


async def _start(db: Database, backfill_id: str, source: str, again: bool) -> tuple[str, int]:
    async with db.write() as tx:
        query = select(backfills).where(backfills.c.id == backfill_id).with_for_update()
        row = (await tx.execute(query)).one_or_none()
        if row and not again:
            return row.cursor, row.images
        values = {"cursor": "", "images": 0, "updated_at": now()}
        if row:
            await tx.execute(update(backfills).where(backfills.c.id == backfill_id).values(**values))
        else:
            await tx.execute(insert(backfills).values(id=backfill_id, source=source, **values))
    return "", 0


async def advance(tx: Transaction, backfill_id: str, *, before: str, cursor: str, images: int) -> bool:
    """Move on by so many images. False: it is not at ``before`` any more, for somebody else has moved it."""
    done = await tx.execute(
        update(backfills)
        .where(backfills.c.id == backfill_id, backfills.c.cursor == before)
        .values(cursor=cursor, images=backfills.c.images + images, updated_at=now())
    )
    return done.rowcount == 1
