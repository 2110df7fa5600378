"""Images that lose their worker: handed back by it, or taken from it because it is dead."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, select, update

from pixelmill.records import batches as batch_records
from pixelmill.records.claims import Claim, Fenced
from pixelmill.records.database import Database
from pixelmill.records.events import News
from pixelmill.records.models import Batch, State
from pixelmill.records.settling import end_attempt, end_image, failed_news, settle, wait_again
from pixelmill.records.tables import OPEN, attempts, images, variants
from pixelmill.records.transaction import Transaction
from pixelmill.records.work import held_by


async def hand_back(db: Database, held: Claim) -> int | None:
    """Let another worker have the image; the try does not count. Its new generation, or None: it was not ours."""
    async with db.write(few=True) as tx:
        try:
            batch, row = await held_by(tx, held)
        except Fenced:
            return None
        return await _take_back(tx, batch, row, "handed-back")


async def take_back(db: Database, process_id: str, *, most: int, limit: int = 100) -> int:
    """Take up to ``limit`` images from a dead process, to wait again; how many it held.

    An image that lost its worker more than ``most`` times is a dead letter instead.
    """
    query = (
        select(images.c.id, images.c.batch_id)
        .where(images.c.process_id == process_id, images.c.state == State.ACTIVE)
        .order_by(images.c.id)
        .limit(limit)
    )
    async with db.read() as connection:
        held = (await connection.execute(query)).all()
    for image_id, batch_id in held:
        async with db.write() as tx:
            batch = await batch_records.lock(tx, batch_id)
            row = (await tx.execute(select(images).where(images.c.id == image_id))).one_or_none()
            if not batch or not row or row.state != State.ACTIVE or row.process_id != process_id:
                continue
            if row.take_overs >= most:
                await _abandon(tx, batch, row)
            else:
                await _take_back(tx, batch, row, "lost")
    return len(held)


async def strays(db: Database, process_id: str, held: Collection[str]) -> list[str]:
    """Tokens of tries that the record gives to a process and that are not among ``held``."""
    query = select(images.c.token).where(images.c.process_id == process_id, images.c.state == State.ACTIVE)
    async with db.read() as connection:
        return [row.token for row in await connection.execute(query) if row.token not in held]


async def release(db: Database, token: str) -> None:
    """Let the image go that a try holds, if it still does; the reconciler queues it again."""
    async with db.write(few=True) as tx:
        query = select(attempts.c.image_id, attempts.c.batch_id).where(attempts.c.token == token)
        its = (await tx.execute(query)).one_or_none()
        batch = await batch_records.lock(tx, its.batch_id) if its else None
        if batch and its:
            row = (await tx.execute(select(images).where(images.c.id == its.image_id))).one()
            if row.token == token and row.state == State.ACTIVE:
                await _take_back(tx, batch, row, "lost")


async def _take_back(tx: Transaction, batch: Batch, row: Row[Any], outcome: str) -> int:
    generation = await wait_again(tx, row, tries=row.tries - 1, take_overs=row.take_overs + (outcome == "lost"))
    await end_attempt(tx, row.token, outcome)
    await settle(tx, batch, [News("image.retrying", row.id, data={"reason": f"The try was {outcome}."})], active=-1)
    return generation


async def _abandon(tx: Transaction, batch: Batch, row: Row[Any]) -> None:
    code, reason = "decoder-died", f"Its worker died {row.take_overs + 1} times while working on it."
    await tx.execute(
        update(variants)
        .where(variants.c.image_id == row.id, variants.c.state.in_(OPEN))
        .values(state=State.FAILED, error_code=code, error=reason)
    )
    await end_attempt(tx, row.token, "lost", code, reason)
    await end_image(tx, row, State.FAILED, error_code=code, failed_reason=reason)
    await settle(tx, batch, [failed_news(row.id, code, reason)], active=-1, failed=1)
