"""What an owner does to a batch or an image: cancel it, or have it done again."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select, update

from pixelmill.errors import PixelmillError
from pixelmill.records import batches as batch_records
from pixelmill.records.database import Database
from pixelmill.records.events import News
from pixelmill.records.models import Batch, BatchStatus, State
from pixelmill.records.settling import settle
from pixelmill.records.tables import OPEN, attempts, batches, images, now, variants
from pixelmill.records.transaction import Transaction


async def cancel(db: Database, batch_id: str) -> BatchStatus:
    """Cancel what is not over. What is done stays; a batch that is over stays as it is.

    Raises PixelmillError ``not-found``.
    """
    async with db.write() as tx:
        batch = await batch_records.lock(tx, batch_id)
        if not batch:
            raise PixelmillError("not-found", "There is no such batch.")
        if batch.status.over:
            return batch.status
        news = await _cancel(tx, images.c.batch_id == batch_id)
        await tx.execute(update(batches).where(batches.c.id == batch_id).values(held=0))
        return await settle(tx, batch, news, cancels=True, active=-batch.counts.active, canceled=len(news))


async def cancel_image(db: Database, image_id: str) -> str:
    """Cancel one image, if it is not over; the id of its batch, which goes on without it.

    Raises PixelmillError ``not-found``.
    """
    async with db.write() as tx:
        batch = await _lock_of(tx, image_id)
        state = (await tx.execute(select(images.c.state).where(images.c.id == image_id))).scalar_one()
        if news := await _cancel(tx, images.c.id == image_id):
            await settle(tx, batch, news, active=-(state == State.ACTIVE), canceled=1)
        return batch.id


async def _lock_of(tx: Transaction, image_id: str) -> Batch:
    batch = await batch_records.lock_of(tx, image_id)
    if not batch:
        raise PixelmillError("not-found", "There is no such image.")
    return batch


async def _cancel(tx: Transaction, which: ColumnElement[bool]) -> list[News]:
    """Cancel those images that are not over, with their variants and tries; an event for each."""
    open_ones = which & images.c.state.in_(OPEN)
    left = [row.id for row in await tx.execute(select(images.c.id).where(open_ones))]
    # By condition, not by a list of ids: a batch may have more images than a statement takes parameters.
    of_open = select(images.c.id).where(open_ones)
    await tx.execute(
        update(variants)
        .where(variants.c.image_id.in_(of_open), variants.c.state.in_(OPEN))
        .values(state=State.CANCELED)
    )
    # Whoever still works on it may write late: a try that has ended is swept when its longest deadline is over.
    await tx.execute(
        update(attempts)
        .where(attempts.c.image_id.in_(of_open), attempts.c.ended_at.is_(None))
        .values(ended_at=now(), outcome="canceled")
    )
    await tx.execute(
        update(images).where(open_ones).values(state=State.CANCELED, token=None, process_id=None, finished_at=now())
    )
    return [News("image.canceled", image_id) for image_id in left]


async def replay(db: Database, image_id: str) -> tuple[int, int]:
    """Have a failed image done again: its new generation and its priority. A finished batch is reopened.

    Variants that are completed stay. Raises PixelmillError ``not-found``, or ``conflict`` for an image that is not
    failed or whose bytes were never taken.
    """
    async with db.write() as tx:
        batch = await _lock_of(tx, image_id)
        row = (await tx.execute(select(images).where(images.c.id == image_id))).one()
        if row.state != State.FAILED:
            raise PixelmillError("conflict", f"Only a failed image can be tried again; this one is {row.state}.")
        if batch.retention.originals_gone or batch.retention.results_gone:
            what = "original" if batch.retention.originals_gone else "results of its batch"
            raise PixelmillError(
                "conflict", f"Deleted at the end of their retention: the {what}. Send the image again."
            )
        if not (row.key or row.source):
            raise PixelmillError("conflict", "This file was refused at the door and not kept; send it again.")
        generation: int = row.generation + 1
        await tx.execute(
            update(variants)
            .where(variants.c.image_id == image_id, variants.c.state == State.FAILED)
            .values(state=State.WAITING, error_code=None, error=None)
        )
        await tx.execute(
            update(images)
            .where(images.c.id == image_id)
            .values(
                state=State.WAITING,
                generation=generation,
                tries=0,
                crashes=0,
                take_overs=0,
                not_before=None,
                error_code=None,
                failed_reason=None,
                finished_at=None,
                admitted=True,
            )
        )
        news = [News("batch.reopened")] if batch.status.over else []
        await settle(tx, batch, [*news, News("image.replayed", image_id)], failed=-1)
    return generation, row.priority
