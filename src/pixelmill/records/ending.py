"""What an owner does to a batch or an image: cancel it, or have it done again."""

from __future__ import annotations

from sqlalchemy import select, update

from pixelmill.errors import PixelmillError
from pixelmill.records import batches as batch_records
from pixelmill.records.database import Database
from pixelmill.records.events import News
from pixelmill.records.models import BatchStatus, State
from pixelmill.records.tables import attempts, images, now, variants
from pixelmill.records.work import settle

_OPEN = (State.WAITING, State.ACTIVE)


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
        left = [
            row.id
            for row in await tx.execute(
                select(images.c.id).where(images.c.batch_id == batch_id, images.c.state.in_(_OPEN))
            )
        ]
        # By batch, not by a list of ids: a batch may have more images than a statement takes parameters.
        of_batch = select(images.c.id).where(images.c.batch_id == batch_id)
        of_open = select(images.c.id).where(images.c.batch_id == batch_id, images.c.state.in_(_OPEN))
        await tx.execute(
            update(variants)
            .where(variants.c.image_id.in_(of_open), variants.c.state.in_(_OPEN))
            .values(state=State.CANCELED)
        )
        await tx.execute(
            update(images)
            .where(images.c.batch_id == batch_id, images.c.state.in_(_OPEN))
            .values(state=State.CANCELED, token=None, process_id=None, finished_at=now())
        )
        # Whoever still works on it may write late: a try that has ended is swept when its longest deadline is over.
        await tx.execute(
            update(attempts)
            .where(attempts.c.image_id.in_(of_batch), attempts.c.ended_at.is_(None))
            .values(ended_at=now(), outcome="canceled")
        )
        news = [News("image.canceled", image_id) for image_id in left]
        return await settle(tx, batch, news, active=-batch.counts.active, canceled=len(left))


async def replay(db: Database, image_id: str) -> tuple[int, int]:
    """Have a failed image done again: its new generation and its priority. A finished batch is reopened.

    Variants that are completed stay. Raises PixelmillError ``not-found``, or ``conflict`` for an image that is not
    failed or whose bytes were never taken.
    """
    async with db.write() as tx:
        its = (await tx.execute(select(images.c.batch_id).where(images.c.id == image_id))).one_or_none()
        batch = await batch_records.lock(tx, its.batch_id) if its else None
        if not batch:
            raise PixelmillError("not-found", "There is no such image.")
        row = (await tx.execute(select(images).where(images.c.id == image_id))).one()
        if row.state != State.FAILED:
            raise PixelmillError("conflict", f"Only a failed image can be tried again; this one is {row.state}.")
        if batch.retention.originals_gone or batch.retention.results_gone:
            what = "original" if batch.retention.originals_gone else "results of its batch"
            raise PixelmillError(
                "conflict", f"Deleted at the end of their retention: the {what}. Send the image again."
            )
        if row.key is None:
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
